"""Opening hours: when a queue lets newcomers in.

A queue is always open, or open in blocks of weekdays, by the desk's own clock on the wall. A block may run
past midnight: it then closes the next day. When the clock is put forward, a time that is skipped comes at the
jump; when it is put back, a block opens the first time its hour strikes and closes the last time. Routing
asks who is open; the info card shows today.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import db
from features import desk

DAY_MINUTES = 24 * 60
WEEK_DAYS = 7


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
        return _clock(self.opens_minute)

    @property
    def closes(self) -> str:
        return _clock(self.closes_minute)


@dataclass(frozen=True)
class Hours:
    """Of one queue."""

    always: bool = False
    blocks: tuple[Block, ...] = ()


async def open_queues(at: datetime) -> set[int]:
    """The ids of the queues that are open."""
    zone = desk.facts.time_zone
    return {queue for queue, hours in (await of_queues()).items() if is_open(hours, at, zone)}


async def today(queue: int, at: datetime) -> Hours:
    """What is left of a queue's hours when only the blocks of today are looked at, in order."""
    hours = (await of_queues()).get(queue, Hours())
    weekday = at.astimezone(desk.facts.time_zone).weekday()
    return Hours(hours.always, tuple(block for block in hours.blocks if block.weekday == weekday))


async def of_queues() -> dict[int, Hours]:
    rows = await db.sql(
        "SELECT queue.id, always_open, weekday, opens_minute, closes_minute"
        " FROM queue LEFT JOIN opening_hours ON opening_hours.queue = queue.id"
    )
    blocks: defaultdict[int, list[Block]] = defaultdict(list)
    for row in rows:
        if row["weekday"] is not None:
            blocks[row["id"]].append(Block(row["weekday"], row["opens_minute"], row["closes_minute"]))
    return {row["id"]: Hours(row["always_open"], tuple(sorted(blocks[row["id"]]))) for row in rows}


def is_open(hours: Hours, at: datetime, zone: ZoneInfo) -> bool:
    yesterday = at.astimezone(zone).date() - timedelta(days=1)
    return hours.always or any(opens <= at < closes for opens, closes in _spans(hours, yesterday, 2, zone))


def next_change(hours: Hours, at: datetime, zone: ZoneInfo) -> datetime | None:
    """When it next opens or closes; None when it never does."""
    if hours.always:
        return None
    yesterday = at.astimezone(zone).date() - timedelta(days=1)
    edges = {edge for span in _spans(hours, yesterday, WEEK_DAYS + 2, zone) for edge in span if edge > at}
    now_open = is_open(hours, at, zone)
    return next((edge for edge in sorted(edges) if is_open(hours, edge, zone) != now_open), None)


def _spans(hours: Hours, first: date, days: int, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """From when to when it is open, of the blocks that open on these days."""
    for day in (first + timedelta(days=n) for n in range(days)):
        for block in hours.blocks:
            if block.weekday == day.weekday() and block.length_minutes:
                closes_minute = block.opens_minute + block.length_minutes
                yield _moment(day, block.opens_minute, zone, 0), _moment(day, closes_minute, zone, 1)


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


def _clock(minute: int) -> str:
    hour, minute = divmod(minute, 60)
    return f"{hour if hour <= 24 else hour - 24}:{minute:02}"


routes: list[Any] = []
