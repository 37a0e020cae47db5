"""Opening hours: when a queue lets newcomers in, and why it does or does not.

A queue is always open, or open in blocks of weekdays, by the desk's own clock on the wall. A holiday that the
desk keeps, and then a day of its own, stand in for the week. A block belongs to the day on which it opens; it
may run past midnight, and then closes the next day. When the clock is put forward, a time that is skipped
comes at the jump; when it is put back, a block opens the first time its hour strikes and closes the last
time. Before it closes there may be a last intake, and at any time it can be closed by hand.

Routing asks who is open; the info card shows today; the settings pages ask why.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import db
import layouts
from features import calendars, desk

DAY_MINUTES = 24 * 60
NEAR_DAYS = 3  # yesterday's blocks may still be open, and tomorrow's may follow without a gap
AHEAD_DAYS = 60  # so far ahead one looks for the next change
INTAKE_MOST_MINUTES = 240


@dataclass(frozen=True, order=True)
class Block:
    weekday: int  # on which it opens; 0 = Monday
    opens_minute: int  # of that day
    closes_minute: int  # of that day: past 1440, or before it opens, is on the next

    @property
    def length_minutes(self) -> int:
        if self.closes_minute < self.opens_minute:
            return self.closes_minute - self.opens_minute + DAY_MINUTES
        return min(self.closes_minute - self.opens_minute, DAY_MINUTES)

    @property
    def opens(self) -> str:
        return clock(self.opens_minute)

    @property
    def closes(self) -> str:
        return clock(self.closes_minute)


@dataclass(frozen=True)
class Exceptional:
    """A day of one's own, or a row of them."""

    name: str
    first: date
    last: date
    blocks: tuple[tuple[int, int], ...] = ()  # minutes; none: closed

    def on(self, weekday: int) -> tuple[Block, ...]:
        return tuple(Block(weekday, *block) for block in self.blocks)


@dataclass(frozen=True)
class Closing:
    """Somebody has closed the queue by hand."""

    at: datetime
    until: datetime | None = None  # None: until it is reopened by hand
    by: str = ""
    words: Mapping[str, str] = field(default_factory=dict)  # per language

    def shuts(self, at: datetime) -> bool:
        return self.at <= at and (self.until is None or at < self.until)


@dataclass(frozen=True)
class Hours:
    """Of one queue."""

    always: bool = False
    blocks: tuple[Block, ...] = ()
    last_intake_minutes: int = 0
    days: tuple[Exceptional, ...] = ()  # the first that covers a day counts
    holidays: frozenset[tuple[str, str]] = frozenset()  # by calendar and name
    closing: Closing | None = None


@dataclass(frozen=True)
class Day:
    """What one day is, and which blocks open on it."""

    kind: str  # hours, always, holiday, closed_day, exceptional
    blocks: tuple[Block, ...] = ()
    name: str = ""  # of the holiday, or of the day of one's own
    calendar: str = ""

    @property
    def always(self) -> bool:
        return self.kind == "always"

    @property
    def title(self) -> str:
        """Its name, in the language that is being spoken."""
        return calendars.name_of(self.calendar, self.name) if self.calendar else self.name


@dataclass(frozen=True)
class Verdict:
    """Whether newcomers are let in at a moment, and why."""

    open: bool
    why: str  # the kind of its day; or, when it is not open, also last_intake, closing
    day: Day
    block: Block | None = None  # in which the moment is
    last_intake_at: datetime | None = None
    closing: Closing | None = None


# ---- what other features ask -----------------------------------------------------------------------------


async def open_queues(at: datetime) -> set[int]:
    """The ids of the queues that are open."""
    zone = desk.facts.time_zone
    return {queue for queue, hours in (await of_queues(at)).items() if is_open(hours, at, zone)}


async def today(queue: int, at: datetime) -> Day:
    """What today is for a queue, and the blocks that open today, in order."""
    hours = (await of_queues(at)).get(queue, Hours())
    return day_of(hours, at.astimezone(desk.facts.time_zone).date())


async def verdict(queue: int, at: datetime) -> Verdict:
    hours = (await of_queues(at)).get(queue, Hours())
    return judge(hours, at, desk.facts.time_zone)


QUEUES = (
    "SELECT queue.id, always_open, keeps_holidays, last_intake_minutes, closed_at, closed_until_at,"
    " closed_words, agent.name AS closed_by, weekday, opens_minute, closes_minute"
    " FROM queue LEFT JOIN opening_hours ON opening_hours.queue = queue.id"
    " LEFT JOIN agent ON agent.id = queue.closed_by AND queue.closed_at IS NOT NULL"
)
DAYS = (
    "SELECT id, queue, name, first_day, last_day, blocks, '' AS calendar FROM special_day"
    " WHERE last_day >= {} UNION ALL SELECT id, NULL, name, '', '', '', calendar FROM holiday"
)


async def of_queues(at: datetime) -> dict[int, Hours]:
    """As they are from that moment on."""
    blocks: defaultdict[int, list[Block]] = defaultdict(list)
    queues = {}
    for row in await db.sql(QUEUES):
        queues[row["id"]] = row
        if row["weekday"] is not None:
            blocks[row["id"]].append(Block(row["weekday"], row["opens_minute"], row["closes_minute"]))
    yesterday = at.astimezone(desk.facts.time_zone).date() - timedelta(days=1)
    rows = await db.sql(DAYS, yesterday.isoformat())
    holidays = frozenset((row["calendar"], row["name"]) for row in rows if row["calendar"])
    days = [row for row in rows if not row["calendar"]]
    return {
        id: Hours(
            row["always_open"],
            tuple(sorted(blocks[id])),
            row["last_intake_minutes"],
            in_order_for(id, days),
            holidays if row["keeps_holidays"] else frozenset(),
            closing_of(row),
        )
        for id, row in queues.items()
    }


def in_order_for(queue: int, rows: Sequence[Mapping[str, Any]]) -> tuple[Exceptional, ...]:
    """What is narrower counts: a day of this queue before one of all, one day before a row of them; of equal
    ones the latest."""
    found = [(row["queue"], row["id"], exceptional(row)) for row in rows if row["queue"] in (None, queue)]
    found.sort(key=lambda each: (each[0] is None, each[2].last - each[2].first, -each[1]))
    return tuple(day for _queue, _id, day in found)


def exceptional(row: Mapping[str, Any]) -> Exceptional:
    first, last = date.fromisoformat(row["first_day"]), date.fromisoformat(row["last_day"])
    return Exceptional(row["name"], first, last, read_blocks(row["blocks"]))


def read_blocks(text: str) -> tuple[tuple[int, int], ...]:
    """From "540-720 780-1020"."""
    found = []
    for block in text.split():
        opens, _dash, closes = block.partition("-")
        found.append((int(opens), int(closes)))
    return tuple(found)


def closing_of(row: Mapping[str, Any]) -> Closing | None:
    if row["closed_at"] is None:
        return None
    words = json.loads(row["closed_words"])
    return Closing(row["closed_at"], row["closed_until_at"], row["closed_by"] or "", words)


# ---- the rules -------------------------------------------------------------------------------------------


def is_open(hours: Hours, at: datetime, zone: ZoneInfo) -> bool:
    if hours.closing and hours.closing.shuts(at):
        return False
    yesterday = at.astimezone(zone).date() - timedelta(days=1)
    return _within(intakes(hours, yesterday, NEAR_DAYS, zone), at)


def next_change(hours: Hours, at: datetime, zone: ZoneInfo) -> datetime | None:
    """When it next opens or closes to newcomers; None when it never does, or not in the next weeks."""
    yesterday = at.astimezone(zone).date() - timedelta(days=1)
    spans = intakes(hours, yesterday, AHEAD_DAYS + NEAR_DAYS, zone)
    known_until = _moment(yesterday, AHEAD_DAYS * DAY_MINUTES, zone, 0)
    edges = {edge for span in spans for edge in span if edge < known_until}
    if closing := hours.closing:
        edges |= {edge for edge in (closing.at, closing.until) if edge}

    def lets_in(moment: datetime) -> bool:
        return not (closing and closing.shuts(moment)) and _within(spans, moment)

    now_open = lets_in(at)
    return next((edge for edge in sorted(edges) if edge > at and lets_in(edge) != now_open), None)


def judge(hours: Hours, at: datetime, zone: ZoneInfo) -> Verdict:
    """As `is_open`, with the reason."""
    this = at.astimezone(zone).date()
    today = day_of(hours, this)
    if hours.closing and hours.closing.shuts(at):
        return Verdict(False, "closing", today, closing=hours.closing)
    for day in (this, this - timedelta(days=1)):
        for block, opens, closes in _spans(hours, day, 1, zone):
            if opens <= at < closes:
                return _judge_inside(hours, at, zone, day_of(hours, day), block)
    return Verdict(False, today.kind, today)


def _judge_inside(hours: Hours, at: datetime, zone: ZoneInfo, day: Day, block: Block) -> Verdict:
    yesterday = at.astimezone(zone).date() - timedelta(days=1)
    for opens, closes in stretches(hours, yesterday, NEAR_DAYS, zone):
        last_intake_at = closes - timedelta(minutes=hours.last_intake_minutes)
        if opens <= at < closes and at >= last_intake_at:
            return Verdict(False, "last_intake", day, block, max(opens, last_intake_at))
    return Verdict(True, day.kind, day, block)


def day_of(hours: Hours, day: date) -> Day:
    weekday = day.weekday()
    for own in hours.days:
        if own.first <= day <= own.last:
            return Day("exceptional" if own.blocks else "closed_day", own.on(weekday), own.name)
    if hours.holidays and (found := calendars.kept(hours.holidays, day.year).get(day)):
        calendar, name = found
        return Day("holiday", name=name, calendar=calendar)
    if hours.always:
        return Day("always", (Block(weekday, 0, DAY_MINUTES),))
    return Day("hours", tuple(block for block in hours.blocks if block.weekday == weekday))


def intakes(hours: Hours, first: date, days: int, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """From when to when newcomers are let in."""
    early = timedelta(minutes=hours.last_intake_minutes)
    spans = [(opens, closes - early) for opens, closes in stretches(hours, first, days, zone)]
    return [(opens, ends) for opens, ends in spans if opens < ends]


def stretches(hours: Hours, first: date, days: int, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """From when to when it is open, of the blocks that open on these days; those that touch are one."""
    found: list[tuple[datetime, datetime]] = []
    for opens, closes in sorted(
        (opens, closes) for _block, opens, closes in _spans(hours, first, days, zone)
    ):
        if found and opens <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], closes))
        elif opens < closes:
            found.append((opens, closes))
    return found


def _spans(
    hours: Hours, first: date, days: int, zone: ZoneInfo
) -> Iterator[tuple[Block, datetime, datetime]]:
    for day in (first + timedelta(days=n) for n in range(days)):
        for block in day_of(hours, day).blocks:
            if block.length_minutes:
                closes_minute = block.opens_minute + block.length_minutes
                yield block, _moment(day, block.opens_minute, zone, 0), _moment(day, closes_minute, zone, 1)


def _within(spans: Sequence[tuple[datetime, datetime]], at: datetime) -> bool:
    return any(opens <= at < closes for opens, closes in spans)


def _moment(day: date, minute: int, zone: ZoneInfo, last: int) -> datetime:
    """When the clock on the wall shows that minute of that day: the first time, or the last."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    times = [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    if times[0] <= times[1]:
        return times[last]
    jump = times[0]  # this minute is skipped: back to where the clock was put forward
    while (jump - timedelta(minutes=1)).astimezone(zone).replace(tzinfo=None) >= wall:
        jump -= timedelta(minutes=1)
    return jump


def clock(minute: int) -> str:
    return layouts.minute_time(minute)


routes: list[Any] = []
