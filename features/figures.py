"""Figures: what happened at the desk in a stretch of time, counted.

The database gives the rows, one query per kind; here they are counted, because medians, hours on the wall
and how many places were taken at once are the same on both databases only if neither computes them.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import db
from features import aside, rounds, routing, turns

LOOK_EVERY_S = 60  # with nobody there nothing is routed: that a queue opens is seen then
HOURS = range(24)


class Chat(NamedTuple):
    """One that was started in that time, whatever became of it later."""

    queue: int
    ticket_at: datetime
    state: str
    ended_at: datetime | None
    ended_how: str
    agent: int | None  # who answered first
    answered_at: datetime | None
    rating: int | None

    @property
    def waited_s(self) -> float | None:
        return (self.answered_at - self.ticket_at).total_seconds() if self.answered_at else None

    @property
    def handled_s(self) -> float | None:
        if self.answered_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.answered_at).total_seconds()


class Request(NamedTuple):
    queue: int
    agent: int
    outcome: str
    opened_at: datetime


class Seat(NamedTuple):
    """An agent in a chat: one place."""

    queue: int
    agent: int
    joined_at: datetime
    left_at: datetime | None


class Turn(NamedTuple):
    queue: int
    what: str
    turned_at: datetime


@dataclass
class Span:
    """From the first moment to the last."""

    since: datetime
    until: datetime

    def has(self, moment: datetime) -> bool:
        return self.since <= moment < self.until

    def overlap_s(self, begin: datetime, end: datetime) -> float:
        return max((min(end, self.until) - max(begin, self.since)).total_seconds(), 0)


@dataclass
class Times:
    """How long something took, in seconds."""

    n: int = 0
    median: float | None = None
    ninety: float | None = None  # nine of ten were no longer
    longest: float | None = None


@dataclass
class Figures:
    """Of one queue, or of all, in one stretch of time."""

    chats: int = 0
    answered: int = 0
    abandoned: int = 0  # the visitor was gone before an answer
    unanswered: int = 0  # ended because nobody was left for it
    waiting: int = 0  # now
    asked: int = 0  # requests put to agents
    rejected: int = 0
    no_answer: int = 0
    waited: Times = field(default_factory=Times)
    handled: Times = field(default_factory=Times)
    by_hour: list[tuple[int, int]] = field(default_factory=list)  # answered, and not
    places: list[float] = field(default_factory=list)  # per hour: so many were taken on average
    most_places: int = 0  # at once
    ratings: Counter[int] = field(default_factory=Counter)
    minutes: dict[str, int] = field(default_factory=dict)  # per turn

    @property
    def rated(self) -> int:
        return self.ratings.total()

    @property
    def rating(self) -> float | None:
        return sum(value * n for value, n in self.ratings.items()) / self.rated if self.rated else None


@dataclass
class Material:
    """The rows that belong to a stretch of time."""

    span: Span
    chats: list[Chat]
    requests: list[Request]
    seats: list[Seat]
    turns: list[Turn]

    def of(self, span: Span, queue: int = 0) -> "Material":
        """A part of it; queue 0 is all."""

        def mine(each: Any) -> bool:
            return queue in (0, each.queue)

        return Material(
            span,
            [chat for chat in self.chats if mine(chat) and span.has(chat.ticket_at)],
            [request for request in self.requests if mine(request) and span.has(request.opened_at)],
            [seat for seat in self.seats if mine(seat)],
            [turn for turn in self.turns if mine(turn)],
        )


# ---- reading ---------------------------------------------------------------------------------------------

CHATS = (
    "SELECT chat.queue, chat.ticket_at, chat.state, chat.ended_at, chat.ended_how, seat.agent,"
    " seat.joined_at AS answered_at, rating.value AS rating FROM chat"
    " LEFT JOIN participation AS seat ON seat.id ="
    " (SELECT min(id) FROM participation WHERE participation.chat = chat.id)"
    " LEFT JOIN rating ON rating.chat = chat.id"
    " WHERE chat.ticket_at >= {} AND chat.ticket_at < {} AND chat.started_at IS NOT NULL"
    " ORDER BY chat.id"
)
REQUESTS = (
    "SELECT queue, agent, outcome, opened_at FROM reservation"
    " WHERE opened_at >= {} AND opened_at < {} AND kind = 'chat'"
)
SEATS = (
    "SELECT chat.queue, seat.agent, seat.joined_at, seat.left_at FROM participation AS seat"
    " JOIN chat ON chat.id = seat.chat"
    " WHERE seat.joined_at < {} AND (seat.left_at IS NULL OR seat.left_at > {})"
)


async def read(span: Span) -> Material:
    rows = (
        await db.sql(CHATS, span.since, span.until),
        await db.sql(REQUESTS, span.since, span.until),
        await db.sql(SEATS, span.until, span.since),
        await turns.between(span.since, span.until),
    )
    return await aside.done(reckoner, gathered, span, *rows)


Rows = list[dict[str, Any]]
reckoner = aside.Threads(1, "figures")


def gathered(span: Span, chats: Rows, requests: Rows, seats: Rows, turned: Rows) -> Material:
    return Material(
        span,
        [Chat(**row) for row in chats],
        [Request(**row) for row in requests],
        [Seat(**row) for row in seats],
        [Turn(row["queue"], row["what"], row["turned_at"]) for row in turned],
    )


# ---- counting --------------------------------------------------------------------------------------------


def count(material: Material, zone: ZoneInfo, at: datetime) -> Figures:
    """`at` is now: what is not over yet lasts until then."""
    chats, outcomes = material.chats, Counter(request.outcome for request in material.requests)
    lost = [chat for chat in chats if chat.state == "ended" and chat.answered_at is None]
    return Figures(
        chats=len(chats),
        answered=sum(chat.answered_at is not None for chat in chats),
        abandoned=sum(chat.ended_how != "closed" for chat in lost),
        unanswered=sum(chat.ended_how == "closed" for chat in lost),
        waiting=sum(chat.state == "waiting" and chat.answered_at is None for chat in chats),
        asked=len(material.requests),
        rejected=outcomes["rejected"],
        no_answer=outcomes["no_answer"],
        waited=times(chat.waited_s for chat in chats),
        handled=times(chat.handled_s for chat in chats),
        by_hour=by_hour(chats, zone),
        places=places_by_hour(material, zone, at),
        most_places=most_at_once(material, at),
        ratings=Counter(chat.rating for chat in chats if chat.rating is not None),
        minutes=minutes(material, at),
    )


def times(spans: Iterable[float | None]) -> Times:
    known = sorted(span for span in spans if span is not None)
    if not known:
        return Times()
    return Times(len(known), percentile(known, 50), percentile(known, 90), known[-1])


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The smallest that so many of a hundred do not exceed: one that really was; of an even number the
    median lies between the middle two."""
    if percent == 50 and len(ordered) % 2 == 0:
        return (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def by_hour(chats: Iterable[Chat], zone: ZoneInfo) -> list[tuple[int, int]]:
    """By the hour that the clock on the wall showed at the press."""
    found = Counter((chat.ticket_at.astimezone(zone).hour, chat.answered_at is not None) for chat in chats)
    return [(found[hour, True], found[hour, False]) for hour in HOURS]


def places_by_hour(material: Material, zone: ZoneInfo, at: datetime) -> list[float]:
    """Over all days of the stretch, as far as it has gone."""
    taken, whole = [0.0] * 24, [0.0] * 24
    span = Span(material.span.since, min(material.span.until, at))
    for begin, end in hours_of(span):
        whole[begin.astimezone(zone).hour] += (end - begin).total_seconds()
    for seat in material.seats:
        stay = Span(max(seat.joined_at, span.since), min(seat.left_at or at, span.until))
        for begin, end in hours_of(stay):
            taken[begin.astimezone(zone).hour] += (end - begin).total_seconds()
    return [taken[hour] / whole[hour] if whole[hour] else 0.0 for hour in HOURS]


def hours_of(span: Span) -> Iterable[tuple[datetime, datetime]]:
    """It, cut at every full hour."""
    begin = span.since
    while begin < span.until:
        full = begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        yield begin, min(full, span.until)
        begin = full


def most_at_once(material: Material, at: datetime) -> int:
    span = Span(material.span.since, min(material.span.until, at))
    steps = []
    for seat in material.seats:
        steps.append((max(seat.joined_at, span.since), 1))
        steps.append((min(seat.left_at or at, span.until), -1))
    most = taken = 0
    for _moment, step in sorted(steps):  # whoever leaves at that moment goes first
        taken += step
        most = max(most, taken)
    return most


def minutes(material: Material, at: datetime) -> dict[str, int]:
    """Of every queue, added up: how long its buttons were green, and blue by cause."""
    span = Span(material.span.since, min(material.span.until, at))
    seconds: Counter[str] = Counter()
    for n, this in enumerate(material.turns, 1):
        following = material.turns[n] if n < len(material.turns) else None
        same = following is not None and following.queue == this.queue
        end = following.turned_at if following and same else span.until
        seconds[this.what] += int(span.overlap_s(this.turned_at, end))
    return {what: round(seconds[what] / 60) for what in turns.WHATS}


def per(rows: Iterable[Any], key: Callable[[Any], int | None]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in rows:
        if (its := key(row)) is not None:
            found.setdefault(its, []).append(row)
    return found


@dataclass
class OfAgent:
    """What one agent did."""

    name: str
    answered: int
    rejected: int
    no_answer: int
    handled: Times
    rated: int
    rating: float | None


def of_agents(material: Material, names: dict[int, str]) -> list[OfAgent]:
    """By name. A chat counts for whoever answered it first."""
    chats, asked = per(material.chats, lambda c: c.agent), per(material.requests, lambda r: r.agent)
    found = []
    for agent in sorted(chats.keys() | asked.keys(), key=lambda id: names.get(id, "").lower()):
        mine = chats.get(agent, [])
        outcomes = Counter(request.outcome for request in asked.get(agent, []))
        ratings = [chat.rating for chat in mine if chat.rating is not None]
        found.append(
            OfAgent(
                names.get(agent, ""),
                len(mine),
                outcomes["rejected"],
                outcomes["no_answer"],
                times(chat.handled_s for chat in mine),
                len(ratings),
                sum(ratings) / len(ratings) if ratings else None,
            )
        )
    return found


# ---- days ------------------------------------------------------------------------------------------------


def span_of(first: date, last: date, zone: ZoneInfo) -> Span:
    """Whole days, by the desk's clock on the wall."""
    return Span(midnight(first, zone), midnight(last + timedelta(days=1), zone))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


routes: list[Any] = []
tasks = [rounds.every(LOOK_EVERY_S, routing.settle, at_once=False)]
