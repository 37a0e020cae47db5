"""Turns the template at the foot of a feature module into pages and fragments, in the viewer's language.

A template is a set of macros: `page` is the whole page, every other macro is a fragment that the page, an
htmx response and a live update all share.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from functools import cache
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

language: ContextVar[str] = ContextVar("language", default="nl")
inline: dict[str, tuple[str, str]] = {}
zone = ZoneInfo("Europe/Brussels")  # the desk's, set at the start and by its settings page
own_language = "nl"  # and so is this: for whoever wants none that we have


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


def _(message: str) -> str:
    return translations(language.get()).gettext(message)


def ngettext(one: str, many: str, n: int) -> str:
    return translations(language.get()).ngettext(one, many, n)


@cache
def translations(code: str) -> GNUTranslations:
    compiled = BytesIO()
    with (HERE / "locales" / f"{code}.po").open("rb") as source:
        write_mo(compiled, read_po(source, locale=code))
    compiled.seek(0)
    return GNUTranslations(compiled)


def clock_time(moment: datetime, there: ZoneInfo | None = None) -> str:
    return format_time(moment.astimezone(there or zone), "short", locale=LANGUAGES[language.get()])


def day(moment: datetime) -> str:
    return format_date(moment.astimezone(zone), "full", locale=LANGUAGES[language.get()])


def short_day(moment: datetime) -> str:
    return format_date(moment.astimezone(zone), "medium", locale=LANGUAGES[language.get()])


def weekday(n: int) -> str:
    """0 = Monday."""
    return format_date(date(2024, 1, 1 + n), "EEEE", locale=LANGUAGES[language.get()])


def short_date(of: date) -> str:
    """With its weekday: "wo 11 mrt 2026"."""
    return format_skeleton("yMMMEd", of, locale=LANGUAGES[language.get()])


def weekday_date(of: date) -> str:
    """Where the year is known: "wo 11 mrt"."""
    return format_skeleton("MMMEd", of, locale=LANGUAGES[language.get()])


def number(n: float) -> str:
    return format_decimal(n, locale=LANGUAGES[language.get()])


def decimal(n: float) -> str:
    """With one digit behind the point."""
    return format_decimal(n, format="0.0", locale=LANGUAGES[language.get()])


def file_size(n: int) -> str:
    """In the unit that people read it in; JavaScript says the same while it uploads."""
    kilobytes, megabytes = n / 1024, n / 1024**2
    value, unit = (megabytes, "megabyte") if megabytes >= 1 else (max(kilobytes, 0.1), "kilobyte")
    shown = round(value, 1) if value < 10 else round(value)
    return str(format_unit(shown, f"digital-{unit}", "short", locale=LANGUAGES[language.get()]))


def all_of(names: Iterable[str]) -> str:
    """As one says them: An, Bram en Chloé."""
    return str(format_list(list(names), locale=LANGUAGES[language.get()]))


def language_name(code: str) -> str:
    """What the language being spoken calls this one, as a line of its own."""
    name: str = Locale.parse(LANGUAGES[language.get()]).languages.get(code, code)
    return name[:1].upper() + name[1:]


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
env.install_gettext_callables(_, ngettext, newstyle=True)  # type: ignore[attr-defined]
env.filters["all_of"] = all_of
env.filters["clock_time"] = clock_time
env.filters["day"] = day
env.filters["short_day"] = short_day
env.filters["short_date"] = short_date
env.filters["weekday_date"] = weekday_date
env.filters["file_size"] = file_size
env.filters["language_name"] = language_name
env.globals["language"] = language.get


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


def warm() -> None:
    """All templates are made now, and not while somebody waits for the first of them."""
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
