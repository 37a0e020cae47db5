"""Turns the template at the foot of a feature module into pages and fragments, in the viewer's language.

A template is a set of macros: `page` is the whole page, every other macro is a fragment that the page, an
htmx response and a live update all share.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, time
from functools import cache, lru_cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.units import format_unit
from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, TemplateNotFound
from litestar import MediaType, Response
from litestar.enums import RequestEncodingType
from litestar.params import Body
from markupsafe import Markup, escape

T = TypeVar("T")
Form = Annotated[T, Body(media_type=RequestEncodingType.URL_ENCODED)]

HERE = Path(__file__).parent
LANGUAGES = {"nl": "nl_BE", "fr": "fr_BE", "de": "de_BE", "en": "en_GB"}

MINUTES = 24 * 60

language: ContextVar[str] = ContextVar("language", default="nl")
look: ContextVar[str] = ContextVar("look", default="")  # what somebody has chosen for their screens
inline: dict[str, tuple[str, str]] = {}
zone = ZoneInfo("Europe/Brussels")  # the desk's, set at the start and by its settings page
own_language = "nl"  # and so is this: for whoever wants none that we have
dutch = "nl_BE"  # or nl_NL, as the desk writes it
WORDS_OF_THE_NETHERLANDS = {
    "infofiche": "informatiepagina",
    "openingsuren": "openingstijden",
    "chaturen": "chattijden",
    "databank": "database",
    "volzet": "vol",
    "goeiedag": "goedendag",
    "goeiemorgen": "goedemorgen",
}


# ---- language --------------------------------------------------------------------------------------------


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """All texts within are in this language."""
    token = language.set(code if code in LANGUAGES else language.get())
    try:
        yield
    finally:
        language.reset(token)


def best_language(wanted: str, fallback: str = "nl") -> str:
    """The first of an Accept-Language list, or of a single tag such as `fr-BE`, that we have."""
    for tag in wanted.split(","):
        code = tag.split(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return fallback


def locale() -> str:
    """The language being spoken, as it is written in the desk's country."""
    code = language.get()
    return dutch if code == "nl" else LANGUAGES[code]


def _(message: str) -> str:
    return translations(locale()).gettext(message)


def ngettext(one: str, many: str, n: int) -> str:
    return translations(locale()).ngettext(one, many, n)


@cache
def translations(where: str) -> GNUTranslations:
    compiled = BytesIO()
    with (HERE / "locales" / f"{where[:2]}.po").open("rb") as source:
        catalogue = read_po(source, locale=where[:2])
    for message in catalogue if where == "nl_NL" else ():
        forms = (message.string or "",) if isinstance(message.string, str | None) else message.string
        said = tuple(map(in_the_netherlands, forms))
        message.string = said if message.pluralizable else said[0]
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def in_the_netherlands(text: str) -> str:
    """Few words differ: no catalogue of its own, which nobody would keep up."""
    for belgian, word in WORDS_OF_THE_NETHERLANDS.items():
        text = text.replace(belgian, word).replace(belgian.capitalize(), word.capitalize())
    return text


def clock_time(moment: datetime, there: ZoneInfo | None = None) -> str:
    local = moment.astimezone(there or zone)
    return wall_time(local.hour * 60 + local.minute, locale())


@cache
def wall_time(minute: int, where: str) -> str:
    return format_time(time(minute // 60 % 24, minute % 60), "short", locale=where)


def minute_time(minute: int) -> str:
    """Of a day on the wall. Midnight at its end is no time that a clock knows, and yet when a desk closes."""
    if minute == MINUTES:
        return "24:00"
    return wall_time(minute, locale())


def day(moment: datetime) -> str:
    return format_date(moment.astimezone(zone), "full", locale=locale())


def short_day(moment: datetime) -> str:
    return format_date(moment.astimezone(zone), "medium", locale=locale())


def weekday(n: int) -> str:
    """0 = Monday."""
    return format_date(date(2024, 1, 1 + n), "EEEE", locale=locale())


def short_date(of: date) -> str:
    """With its weekday: "wo 11 mrt 2026"."""
    return format_skeleton("yMMMEd", of, locale=locale())


def weekday_date(of: date) -> str:
    """Where the year is known: "wo 11 mrt"."""
    return format_skeleton("MMMEd", of, locale=locale())


def plain_date(of: date) -> str:
    """As in a letter: "11 maart 2026"."""
    return format_date(of, "long", locale=locale())


def written_date(text: str) -> str:
    """Of a date as forms send it and as it is kept: 2026-03-11."""
    return plain_date(date.fromisoformat(text))


def number(n: float) -> str:
    return figures(n, locale())


@lru_cache(maxsize=1024)
def figures(n: float, where: str) -> str:
    return format_decimal(n, locale=where)


def decimal(n: float) -> str:
    """With one digit behind the point."""
    return format_decimal(n, format="0.0", locale=locale())


def file_size(n: int) -> str:
    """In the unit that people read it in; JavaScript says the same while it uploads."""
    kilobytes, megabytes = n / 1024, n / 1024**2
    value, unit = (megabytes, "megabyte") if megabytes >= 1 else (max(kilobytes, 0.1), "kilobyte")
    shown = round(value, 1) if value < 10 else round(value)
    return str(format_unit(shown, f"digital-{unit}", "short", locale=locale()))


def all_of(names: Iterable[str]) -> str:
    """As one says them: An, Bram en Chloé."""
    return str(format_list(list(names), locale=locale()))


def named(name: str | None) -> Markup:
    """Within a sentence: no translator of a browser makes something else of it."""
    return Markup('<span translate="no">{}</span>').format(name or "")


def language_name(code: str) -> str:
    """What the language being spoken calls this one, as a line of its own."""
    name: str = Locale.parse(locale()).languages.get(code, code)
    return name[:1].upper() + name[1:]


def own_name(code: str) -> str:
    """What those who speak this language call it."""
    with speaking(code):
        return language_name(code)


# ---- templates -------------------------------------------------------------------------------------------


class FeatureLoader(BaseLoader):
    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        try:
            source, filename = inline[template]
        except KeyError:
            raise TemplateNotFound(template) from None
        return source, filename, lambda: True


env = Environment(
    loader=ChoiceLoader([FeatureLoader(), FileSystemLoader(HERE)]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=["jinja2.ext.i18n"],
)


def told(message: str, **words: Any) -> Markup:
    """What a template says. A number is written as the language does; what only names comes as text."""
    return said(message, locale()) % in_figures(words) if words else said_so(message, locale())


@cache
def said(message: str, where: str) -> Markup:
    return Markup(translations(where).gettext(message))  # noqa: S704 – a translation, which is ours


@cache
def said_so(message: str, where: str) -> Markup:
    return said(message, where) % {}


def counted(one: str, many: str, num: int, **words: Any) -> Markup:
    return Markup(translations(locale()).ngettext(one, many, num)) % in_figures({"num": num, **words})  # noqa: S704 – as above


def in_figures(words: dict[str, Any]) -> dict[str, Any]:
    return {name: number(word) if type(word) is int else word for name, word in words.items()}


env.globals["gettext"], env.globals["ngettext"] = told, counted
env.filters["all_of"] = all_of
env.filters["named"] = named
env.filters["clock_time"] = clock_time
env.filters["day"] = day
env.filters["short_day"] = short_day
env.filters["short_date"] = short_date
env.filters["weekday_date"] = weekday_date
env.filters["file_size"] = file_size
env.filters["language_name"] = language_name
env.filters["number"] = number
env.filters["own_name"] = own_name
env.filters["written_date"] = written_date
env.globals["language"] = language.get
env.globals["languages"] = tuple(LANGUAGES)
env.globals["look"] = look.get


class Template:
    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, macro: str) -> Callable[..., Markup]:
        def render(*args: Any, **kwargs: Any) -> Markup:
            try:
                return getattr(module(self.name), macro)(*args, **kwargs)  # type: ignore[no-any-return]
            except Exception:
                env.handle_exception()  # Jinja then reports template lines, not lines of its generated code

        return render


@cache
def module(name: str) -> Any:
    return env.get_template(name).module


def warm_up() -> None:
    """Now, instead of when somebody waits for it."""
    for code in LANGUAGES:
        translations(code)
    for name in inline:
        module(name)


def template(source: str) -> Template:
    """Register the calling module's template, padded so that errors name the line in that module."""
    caller = sys._getframe(1)
    name = caller.f_globals["__name__"].removeprefix("features.")
    inline[name] = "\n" * (caller.f_lineno - 1) + source, caller.f_code.co_filename
    return Template(name)


@cache
def asset(name: str) -> str:
    """The URL of a static file, which changes with its contents and so may be kept for ever."""
    return f"/static/{name}?v={hashlib.sha256((HERE.parent / 'static' / name).read_bytes()).hexdigest()[:10]}"


env.globals["asset"] = asset


# ---- answers ---------------------------------------------------------------------------------------------


def html(*fragments: str, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response[str]:
    return Response("".join(fragments), media_type=MediaType.HTML, status_code=status_code, headers=headers)


def swap(target: str, fragment: str, how: str = "outerMorph") -> Markup:
    """Address a fragment to the element it replaces, wherever on the page that is."""
    where, way, what = escape(target), escape(how), escape(fragment)
    return Markup(f'<hx-partial hx-target="{where}" hx-swap="{way}">{what}</hx-partial>')  # noqa: S704
