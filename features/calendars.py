"""Calendars: the public holidays of Belgium, with its communities, and of the Netherlands.

Dates and names are those of the `holidays` library; a holiday is known by its country and its English name,
which is the same every year. What the library lacks is added here: the day of the Flemish Community, and the
names of Dutch holidays in French and German.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache

from holidays import country_holidays

from layouts import _, language

LANGUAGES = {"nl": "nl", "fr": "fr", "de": "de", "en": "en_US"}
FLEMISH_DAY = "Flemish Community Day"
COMMUNITY_DAYS = (FLEMISH_DAY, "French Community Day", "German-speaking Community Day")


@dataclass(frozen=True)
class Source:
    """A part of the library."""

    group: str
    category: str
    community: str | None = None


SOURCES = {
    "BE": (
        Source("public", "public"),
        Source("community", "school", "French"),
        Source("community", "school", "German"),
        Source("other", "bank"),
    ),
    "NL": (Source("public", "public"), Source("public", "optional")),
}

OWN_NAMES: dict[str, Callable[[], str]] = {
    FLEMISH_DAY: lambda: _("Day of the Flemish Community"),
    "King's Day": lambda: _("King’s Day"),
    "Liberation Day": lambda: _("Liberation Day"),
    "Second Day of Christmas": lambda: _("Second day of Christmas"),
}


@dataclass(frozen=True)
class Day:
    """One holiday in one year."""

    calendar: str
    name: str  # in English: what it is known by
    group: str  # public, community (of one of the Belgian communities), other
    date: date


@cache
def days(calendar: str, year: int) -> tuple[Day, ...]:
    """In order of date."""
    found = {day.name: day for source in reversed(SOURCES[calendar]) for day in _of(calendar, source, year)}
    if calendar == "BE":
        found[FLEMISH_DAY] = Day("BE", FLEMISH_DAY, "community", date(year, 7, 11))
    return tuple(sorted(found.values(), key=lambda day: day.date))


def _of(calendar: str, source: Source, year: int) -> list[Day]:
    dates = _names(calendar, source, year, "en_US")
    listed = [(on, name) for on, names in dates.items() for name in names]
    if source.group == "community":  # among the days on which its schools are closed
        listed = [(on, name) for on, name in listed if name in COMMUNITY_DAYS]
    return [Day(calendar, name, source.group, on) for on, name in listed]


def _names(calendar: str, source: Source, year: int, language: str) -> dict[date, list[str]]:
    """Two may fall on one day."""
    found = country_holidays(
        calendar, subdiv=source.community, years=year, categories=(source.category,), language=language
    )
    return {on: found.get_list(on) for on in found}


@cache
def kept(switched: frozenset[tuple[str, str]], year: int) -> dict[date, tuple[str, str]]:
    """Which of a year's days are a holiday that the desk keeps, by calendar and name."""
    return {
        day.date: (day.calendar, day.name)
        for calendar in SOURCES
        for day in days(calendar, year)
        if (day.calendar, day.name) in switched
    }


def name_of(calendar: str, name: str) -> str:
    """In the language that is being spoken."""
    code = LANGUAGES[language.get()]
    for each in (calendar, *SOURCES):  # the other country may have the word
        if said := _dictionary(each, code).get(name):
            return said
    return OWN_NAMES[name]() if name in OWN_NAMES else name


@cache
def _dictionary(calendar: str, code: str) -> dict[str, str]:
    """From its English names to those of a language."""
    if code not in country_holidays(calendar).supported_languages:
        return {}
    words: dict[str, str] = {}
    for year in (2024, 2025, 2026):  # by then every one has been named
        for source in SOURCES[calendar]:
            english, said = (_names(calendar, source, year, each) for each in ("en_US", code))
            for on, names in english.items():
                words |= dict(zip(names, said[on], strict=True))
    return words
