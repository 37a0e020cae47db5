"""Finding: which conversations the log is asked for, and what it shows of each in a list.

`Wish` is the form as it came; `listed` answers it, newest first, page by page. Which conversations those are
comes first, and stops at the last one that is counted: a word that is in all of them costs no more than a
rare one. What is shown of them is read for one page only.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct, structs

import db
import layouts
from db.clock import now
from features import details, searching
from layouts import LANGUAGES, _

A_PAGE = 25
COUNTED = 1_000  # more are not counted, nor exported
LARGEST = 2**31 - 1
TEXT_LENGTH = 200
ENDINGS: dict[str, Callable[[], str]] = {
    "running": lambda: _("Not over yet"),
    "by_visitor": lambda: _("By the visitor"),
    "by_agent": lambda: _("By an agent"),
    "behaviour": lambda: _("Because of behaviour"),
    "visitor_gone": lambda: _("Visitor gone"),
    "idle": lambda: _("Inactivity"),
    "closed": lambda: _("The desk has closed"),
    "unanswered": lambda: _("Without an answer"),
}
RATINGS: dict[str, Callable[[], str]] = {
    "any": lambda: _("Rated"),
    "low": lambda: _("Dissatisfied or worse"),
    "none": lambda: _("Not rated"),
    "remark": lambda: _("With a remark"),
}


class Wish(Struct):
    """As the page sends it; what is empty does not matter."""

    words: str = ""
    since: str = ""  # days, in the desk's time zone
    until: str = ""
    queue: str = ""
    agent: str = ""
    language: str = ""
    how: str = ""
    rating: str = ""
    private: str = ""
    files: str = ""
    person: str = ""
    case: str = ""

    def given(self) -> dict[str, str]:
        return {name: value for name, value in structs.asdict(self).items() if value}

    def filters(self) -> int:
        """How many beside the words."""
        return len(self.given().keys() - {"words"})

    def query(self, **more: Any) -> str:
        return urlencode(self.given() | more)


@dataclass(frozen=True)
class Found:
    id: int
    started_at: datetime
    ended_at: datetime | None
    visitor: str
    site: str  # who vouched for the name; "" = nobody
    queue: str
    language: str
    case_number: str
    how: str
    begun: bool
    rating: int | None
    private: bool
    files: bool
    agents: tuple[str, ...]

    @property
    def ended(self) -> str:
        if not self.ended_at:
            return ENDINGS["running"]()
        return ENDINGS[self.how if self.begun and self.how in ENDINGS else "unanswered"]()


@dataclass(frozen=True)
class Page:
    rows: list[Found]
    count: int
    older: int | None  # the id from which the next page goes on

    @property
    def more(self) -> bool:
        """Than were counted."""
        return self.count > COUNTED


# ---- what was asked --------------------------------------------------------------------------------------


def tidy(wish: Wish) -> Wish:
    return structs.replace(
        wish,
        **{
            name: " ".join(value.replace("\x00", "").split())[:TEXT_LENGTH]
            for name, value in structs.asdict(wish).items()
        },
    )


def problems_with(wish: Wish) -> dict[str, str]:
    errors = {}
    for name in ("since", "until"):
        if (said := getattr(wish, name)) and day(said) is None:
            errors[name] = _("This is not a day. Write it as 2026-03-31.")
    if not errors and wish.since and wish.until and wish.since > wish.until:
        errors["until"] = _("This day comes before the first one.")
    return errors


def day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"[12]\d{3}-\d\d-\d\d", text) else None
    except ValueError:
        return None


def midnight(of: date) -> datetime:
    return datetime.combine(of, time(), layouts.zone)


def next_day(of: date) -> date:
    return of + timedelta(days=1) if of < date.max else of


def conditions(wish: Wish, id: str) -> tuple[str, list[Any]]:
    """For hand-written SQL about `chat`, which is gone through by `id`, a column with its number."""
    said: list[tuple[str, list[Any]]] = [("chat.started_at IS NOT NULL", [])]
    if since := day(wish.since):
        first = f"{id} >= (SELECT min(id) FROM chat WHERE started_at >= {{}})"  # noqa: S608
        said.append((f"{first} AND chat.started_at >= {{}}", [midnight(since)] * 2))
    if until := day(wish.until):
        last = f"{id} <= (SELECT max(id) FROM chat WHERE started_at < {{}})"  # noqa: S608
        said.append((f"{last} AND chat.started_at < {{}}", [midnight(next_day(until))] * 2))
    if wish.queue:
        said.append(("chat.queue = {}", [number(wish.queue)]))
    if wish.agent:
        took_part = "SELECT 1 FROM participation WHERE participation.chat = chat.id"
        said.append((f"EXISTS ({took_part} AND participation.agent = {{}})", [number(wish.agent)]))
    if wish.language:
        said.append(("chat.language = {}", [wish.language]))
    said += endings(wish.how) + ratings(wish.rating)
    if wish.private:
        said.append(("EXISTS (SELECT 1 FROM private_message WHERE private_message.chat = chat.id)", []))
    if wish.files:
        said.append((f"({with_files('attachment')} OR {with_files('private_attachment')})", []))
    if wish.person:
        who = wish.person.lower()
        known = "SELECT visitor FROM identity WHERE lower(sub) = {} OR lower(email) = {}"
        said.append((f"(chat.visitor IN ({known}) OR lower(chat.visitor_email) = {{}})", [who, who, who]))
    if wish.case:
        bare = (
            "lower(replace(replace(replace(replace(chat.case_number, ' ', ''), '-', ''), '/', ''), '.', ''))"
        )
        said.append(
            (f"chat.case_number <> '' AND {bare} = {{}}", [re.sub(r"[\s./-]", "", wish.case).lower()])
        )
    return " AND ".join(where for where, _more in said), [each for _where, more in said for each in more]


def endings(how: str) -> list[tuple[str, list[Any]]]:
    if how == "running":
        return [("chat.state <> 'ended'", [])]
    if how == "unanswered":
        return [("chat.state = 'ended' AND NOT chat.begun", [])]
    return [("chat.begun AND chat.ended_how = {}", [how])] if how else []


def ratings(rating: str) -> list[tuple[str, list[Any]]]:
    rated = "SELECT 1 FROM rating WHERE rating.chat = chat.id"
    match rating:
        case "any":
            return [(f"EXISTS ({rated})", [])]
        case "low":
            return [(f"EXISTS ({rated} AND value <= 2)", [])]
        case "remark":
            return [(f"EXISTS ({rated} AND remark <> '')", [])]
        case "none":
            return [(f"NOT EXISTS ({rated})", [])]
    return []


def with_files(table: str) -> str:
    return f"EXISTS (SELECT 1 FROM {table} WHERE {table}.chat = chat.id AND {table}.seq IS NOT NULL)"  # noqa: S608


def number(text: str) -> int:
    return min(int(text), LARGEST) if re.fullmatch("[0-9]{1,12}", text) else 0


# ---- what is found ---------------------------------------------------------------------------------------


async def listed(wish: Wish, before: int = 0, most: int = A_PAGE) -> Page:
    counted = await ids(wish, most=COUNTED + 1)
    here = await ids(wish, before, most + 1) if before else counted[: most + 1]
    if not here:
        return Page([], len(counted), None)
    numbers = ", ".join(map(str, here[:most]))
    rows = await db.sql(
        "SELECT chat.id, chat.started_at, chat.ended_at, chat.visitor_name AS visitor, chat.language,"  # noqa: S608
        " chat.case_number, chat.ended_how AS how, chat.begun, queue.name AS queue,"
        " COALESCE(identity.site, '') AS site, COALESCE(identity.name, '') AS vouched,"
        " rating.value AS rating,"
        " EXISTS (SELECT 1 FROM private_message WHERE private_message.chat = chat.id) AS private,"
        f" {with_files('attachment')} OR {with_files('private_attachment')} AS files"
        " FROM chat JOIN queue ON queue.id = chat.queue"
        " LEFT JOIN identity ON identity.visitor = chat.visitor LEFT JOIN rating ON rating.chat = chat.id"
        f" WHERE chat.id IN ({numbers}) ORDER BY chat.id DESC"
    )
    agents = await details.agents_of(here[:most])
    found = [a_found(row, tuple(agents.get(row["id"], ()))) for row in rows]
    return Page(found, len(counted), here[most - 1] if len(here) > most else None)


async def ids(wish: Wish, before: int = 0, most: int = COUNTED) -> list[int]:
    """The newest of them; those that may be exported, unless more or fewer are asked for."""
    if wish.words and not searching.sought(wish.words):
        return []
    source, id, having, given = "chat", "chat.id", "", []
    if wish.words:
        words = searching.having(wish.words)
        # CROSS: SQLite goes through the words, and looks up the chat of each.
        source, id, given = f"{words.table} CROSS JOIN chat", words.id, [words.argument]
        having = f"{words.condition} AND chat.id = {id} AND "
    where, arguments = conditions(wish, id)
    found = f"SELECT {id} AS id FROM {source} WHERE {having}{where}"  # noqa: S608
    newest = f"{found} AND {id} < {{}} ORDER BY {id} DESC LIMIT {{}}"
    rows = await db.sql(newest, *given, *arguments, before or LARGEST, most)
    return [row["id"] for row in rows]


def a_found(row: dict[str, Any], agents: tuple[str, ...]) -> Found:
    row = dict(row)
    if not row.pop("vouched"):
        row["site"] = ""
    for name in ("begun", "private", "files"):
        row[name] = bool(row[name])
    return Found(**row, agents=agents)


@dataclass(frozen=True)
class Choices:
    queues: list[tuple[str, str]]
    agents: list[tuple[str, str]]
    languages: list[tuple[str, str]]
    endings: list[tuple[str, str]]
    ratings: list[tuple[str, str]]


async def choices() -> Choices:
    rows = await db.sql(
        "SELECT 'queue' AS what, id, name FROM queue"
        " UNION ALL SELECT 'agent', id, name FROM agent ORDER BY name"
    )

    def named(what: str) -> list[tuple[str, str]]:
        return [("", "–"), *((str(row["id"]), row["name"]) for row in rows if row["what"] == what)]

    return Choices(
        named("queue"),
        named("agent"),
        [("", "–"), *((code, layouts.language_name(code)) for code in LANGUAGES)],
        [("", "–"), *((code, words()) for code, words in ENDINGS.items())],
        [("", "–"), *((code, words()) for code, words in RATINGS.items())],
    )


def today() -> str:
    return f"{now().astimezone(layouts.zone):%Y-%m-%d}"
