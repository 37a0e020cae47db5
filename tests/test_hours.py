"""Opening hours: blocks of weekdays by the clock on the desk's wall, also when it is put forward or back."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

import db
from db.tables import Desk, Queue
from features import desk
from features.hours import Block, Day, Hours, is_open, next_change, open_queues, today

BRUSSELS = ZoneInfo("Europe/Brussels")
OFFICE = Hours(blocks=tuple(Block(day, *block) for day in range(5) for block in ((540, 720), (780, 1020))))
SATURDAY, SUNDAY = 5, 6
FORWARD, BACK = "2026-03-29", "2026-10-25"  # Sundays, at 2:00 and at 3:00


def wall(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BRUSSELS, fold=fold).astimezone(UTC)


def open_at(hours: Hours, text: str, fold: int = 0) -> bool:
    return is_open(hours, wall(text, fold), BRUSSELS)


def open_hours_of_day(hours: Hours, day: str) -> list[tuple[str, bool]]:
    """Every hour of a day as it passes, with what the wall shows: 23, 24 or 25 of them."""
    moment, end = wall(f"{day} 00:00"), wall(f"{day} 00:00").astimezone(BRUSSELS) + timedelta(days=1)
    found = []
    while moment < end.astimezone(UTC):
        found.append((moment.astimezone(BRUSSELS).strftime("%H"), is_open(hours, moment, BRUSSELS)))
        moment += timedelta(hours=1)
    return found


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23 08:59:59", False),
        ("2026-11-23 09:00:00", True),
        ("2026-11-23 11:59:59", True),
        ("2026-11-23 12:00:00", False),
        ("2026-11-23 13:00:00", True),
        ("2026-11-23 17:00:00", False),
        ("2026-11-28 10:00:00", False),  # a Saturday
    ],
)
def test_a_queue_is_open_in_its_blocks_and_not_beside_them(moment: str, expected: bool) -> None:
    assert open_at(OFFICE, moment) is expected


def test_the_hours_are_those_of_the_desk_in_summer_and_in_winter() -> None:
    assert is_open(OFFICE, datetime(2026, 7, 20, 7, 0, tzinfo=UTC), BRUSSELS)
    assert not is_open(OFFICE, datetime(2026, 11, 23, 7, 0, tzinfo=UTC), BRUSSELS)


def test_always_open_needs_no_blocks_and_without_blocks_a_queue_is_closed() -> None:
    assert open_at(Hours(always=True), "2026-11-28 03:00")
    assert next_change(Hours(always=True), wall("2026-11-28 03:00"), BRUSSELS) is None
    assert not open_at(Hours(), "2026-11-23 10:00")
    assert next_change(Hours(), wall("2026-11-23 10:00"), BRUSSELS) is None


@pytest.mark.parametrize("closes_minute", [120, 1440 + 120])
def test_a_block_may_run_past_midnight(closes_minute: int) -> None:
    night = Hours(blocks=(Block(SATURDAY, 1320, closes_minute),))
    assert not open_at(night, "2026-11-28 21:59")
    assert open_at(night, "2026-11-28 22:00")
    assert open_at(night, "2026-11-29 01:59")
    assert not open_at(night, "2026-11-29 02:00")
    assert not open_at(night, "2026-11-28 01:00")
    assert not open_at(night, "2026-11-29 22:00")


def test_a_whole_day_ends_at_midnight_and_an_empty_block_is_never_open() -> None:
    day = Hours(blocks=(Block(SATURDAY, 0, 1440),))
    assert open_at(day, "2026-11-28 00:00")
    assert open_at(day, "2026-11-28 23:59:59.999999")
    assert not open_at(day, "2026-11-29 00:00")
    assert not open_at(Hours(blocks=(Block(SATURDAY, 600, 600),)), "2026-11-28 10:00")


def test_on_the_short_day_the_skipped_hour_counts_for_nobody() -> None:
    day = Hours(blocks=(Block(SUNDAY, 60, 240),))
    expected = [(f"{hour:02}", 1 <= hour < 4) for hour in range(24) if hour != 2]
    assert open_hours_of_day(day, FORWARD) == expected


def test_on_the_long_day_the_repeated_hour_counts_twice() -> None:
    day = Hours(blocks=(Block(SUNDAY, 60, 240),))
    expected = [(f"{hour:02}", 1 <= hour < 4) for hour in sorted([*range(24), 2])]
    assert open_hours_of_day(day, BACK) == expected


def test_a_time_that_is_skipped_comes_when_the_clock_jumps() -> None:
    jump = wall(f"{FORWARD} 03:00")
    opening = Hours(blocks=(Block(SUNDAY, 150, 300),))
    assert next_change(opening, jump - timedelta(hours=1), BRUSSELS) == jump
    closing = Hours(blocks=(Block(SATURDAY, 1320, 150),))
    assert next_change(closing, jump - timedelta(hours=1), BRUSSELS) == jump
    inside = Hours(blocks=(Block(SUNDAY, 130, 150),))
    assert not any(is_open(inside, jump + timedelta(minutes=n), BRUSSELS) for n in range(-90, 90))


def test_a_time_that_comes_twice_opens_the_first_time_and_closes_the_last() -> None:
    opening = Hours(blocks=(Block(SUNDAY, 150, 300),))
    assert not open_at(opening, f"{BACK} 02:29")
    assert open_at(opening, f"{BACK} 02:30")
    assert open_at(opening, f"{BACK} 02:10", fold=1)
    closing = Hours(blocks=(Block(SATURDAY, 1320, 150),))
    assert open_at(closing, f"{BACK} 02:40")
    assert open_at(closing, f"{BACK} 02:29", fold=1)
    assert not open_at(closing, f"{BACK} 02:30", fold=1)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23 08:00", "2026-11-23 09:00"),
        ("2026-11-23 09:00", "2026-11-23 12:00"),
        ("2026-11-23 12:30", "2026-11-23 13:00"),
        ("2026-11-27 17:00", "2026-11-30 09:00"),  # over the weekend
    ],
)
def test_the_next_change(moment: str, expected: str) -> None:
    assert next_change(OFFICE, wall(moment), BRUSSELS) == wall(expected)


def test_blocks_that_touch_are_one() -> None:
    touching = Hours(blocks=(Block(0, 540, 720), Block(0, 720, 1020)))
    assert next_change(touching, wall("2026-11-23 10:00"), BRUSSELS) == wall("2026-11-23 17:00")


def test_one_block_a_week_is_found_again_a_week_later() -> None:
    weekly = Hours(blocks=(Block(0, 540, 720),))
    assert next_change(weekly, wall("2026-11-23 12:00"), BRUSSELS) == wall("2026-11-30 09:00")


@pytest.mark.parametrize(
    ("block", "shown"), [((540, 720), "9:00 12:00"), ((1320, 120), "22:00 2:00"), ((0, 1440), "0:00 24:00")]
)
def test_how_a_block_is_shown(block: tuple[int, int], shown: str) -> None:
    found = Block(0, *block)
    assert f"{found.opens} {found.closes}" == shown


# ---- of the example desk -----------------------------------------------------------------------------------


@pytest.fixture
async def queues(example_database: str) -> AsyncIterator[dict[str, int]]:
    await db.connect(example_database)
    await desk.load()
    yield {row["name"]: row["id"] for row in await Queue.select(Queue.name, Queue.id)}
    await db.disconnect()


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-11 10:00", {"Algemeen", "Vergunningen"}),
        ("2026-03-11 12:30", {"Algemeen"}),
        ("2026-03-14 10:00", {"Algemeen"}),
    ],
)
async def test_which_queues_are_open(queues: dict[str, int], moment: str, expected: set[str]) -> None:
    assert await open_queues(wall(moment)) == {queues[name] for name in expected}


async def test_the_hours_of_today(queues: dict[str, int]) -> None:
    permits = await today(queues["Vergunningen"], wall("2026-03-11 23:30"))
    assert [(block.opens, block.closes) for block in permits.blocks] == [
        ("9:00", "12:00"),
        ("13:00", "17:00"),
    ]
    assert (await today(queues["Vergunningen"], wall("2026-03-14 00:30"))).blocks == ()
    assert (await today(queues["Algemeen"], wall("2026-03-14 00:30"))).always
    assert await today(0, wall("2026-03-11 10:00")) == Day("hours")


async def test_the_desk_says_which_zone(queues: dict[str, int]) -> None:
    await Desk.update({Desk.time_zone: "Asia/Tokyo"}, force=True)
    await desk.load()
    try:
        assert await open_queues(datetime(2026, 3, 11, 1, 0, tzinfo=UTC)) == set(queues.values())
        assert await open_queues(datetime(2026, 3, 11, 9, 0, tzinfo=UTC)) == {queues["Algemeen"]}
    finally:
        await Desk.update({Desk.time_zone: "Europe/Brussels"}, force=True)
        await desk.load()
