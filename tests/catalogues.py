"""Every text of the interface, and the four catalogues of their translations.

    python -m tests.catalogues

brings layouts/locales/*.po up to date with what the code says: new texts come in, to be translated; those
that nobody says any more go out. tests/test_languages.py tells what is missing.
"""

import ast
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages import Catalog, Message
from babel.messages.extract import extract, extract_python
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from tests.parsing import parsed

ROOT = Path(__file__).parents[1]
LOCALES = ROOT / "layouts" / "locales"
LANGUAGES = ("nl", "fr", "de", "en")
KEYWORDS: dict[str, Any] = {"_": None, "ngettext": (1, 2)}
WIDTH = 120


def main() -> None:
    wanted = used()
    for language in LANGUAGES:
        path, catalogue = LOCALES / f"{language}.po", read(language)
        catalogue.update(wanted, no_fuzzy_matching=True, update_header_comment=False)
        for message in catalogue:
            if language == "en" and not any(words_of(message)):
                message.string = message.id
        path.write_bytes(written(catalogue))
        untranslated = [message.id for message in catalogue if not all(words_of(message))]
        print(
            f"{language}: {len(catalogue)} texts, {len(untranslated)} to be translated",
            *untranslated,
            sep="\n  ",
        )


def read(language: str) -> Catalog:
    with (LOCALES / f"{language}.po").open("rb") as source:
        return read_po(source, locale=language, abort_invalid=True)


def written(catalogue: Catalog) -> bytes:
    """Without dates in the head and without numbers of lines: they would change with every run."""
    texts = io.BytesIO()
    how = {"omit_header": True, "sort_by_file": True, "ignore_obsolete": True, "include_lineno": False}
    write_po(texts, catalogue, width=WIDTH, **how)
    head = (
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
        f'"Language: {catalogue.locale_identifier}\\n"\n"Plural-Forms: {catalogue.plural_forms}\\n"\n\n'
    )
    return head.encode() + texts.getvalue().strip() + b"\n"


def words_of(message: Message, said: Any = None) -> tuple[str, ...]:
    """Its translation, or another field of it: one text, or one for each plural form."""
    text = said or message.string or ""
    return (text,) if isinstance(text, str) else tuple(text)


# ---- what the code says ----------------------------------------------------------------------------------


def used() -> Catalog:
    """Every text that code and templates hand to gettext, with where."""
    catalogue = Catalog()
    for path in sources():
        name = str(path.relative_to(ROOT))
        for method, source in texts_of(path):
            for line, message, comments, context in extract(method, io.BytesIO(source.encode()), KEYWORDS):
                catalogue.add(message, locations=[(name, line)], auto_comments=comments, context=context)
    return catalogue


def sources() -> list[Path]:
    python = [path for room in ("db", "features", "layouts") for path in sorted((ROOT / room).rglob("*.py"))]
    return [ROOT / "app.py", *python, *sorted((ROOT / "layouts").glob("*.html"))]


def texts_of(path: Path) -> Iterator[tuple[Any, str]]:
    """A template; or a module and each template inside it, padded so that its lines keep their numbers."""
    source = path.read_text()
    if path.suffix == ".html":
        yield in_template, source
        return
    yield extract_python, source
    for node in ast.walk(parsed(source)):
        match node:
            case ast.Constant(value=str(inner)) if "{% macro" in inner:
                yield in_template, "\n" * (node.lineno - 1) + inner


def in_template(source: Any, keywords: Any, comment_tags: Any, options: Any) -> Any:
    strictly = {"silent": "false", "trim_blocks": "true", "lstrip_blocks": "true", "newstyle_gettext": "true"}
    return babel_extract(source, keywords, comment_tags, strictly)


if __name__ == "__main__":
    main()
