"""Opening hours: blocks of weekdays by the clock on the desk's wall, also when it is put forward or back."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import db
import layouts
from db.tables import Desk, Queue
from features import calendars, desk
from features.hours import (
    Block,
    Closing,
    Day,
    Exceptional,
    Hours,
    intakes,
    is_open,
    judge,
    next_change,
    open_queues,
    today,
)

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
    ("block", "shown"),
    [((540, 720), "09:00 12:00"), ((1320, 120), "22:00 02:00"), ((0, 1440), "00:00 24:00")],
)
def test_how_a_block_is_shown(block: tuple[int, int], shown: str) -> None:
    found = Block(0, *block)
    assert f"{found.opens} {found.closes}" == shown


# ---- holidays, own days, the last intake, closing by hand --------------------------------------------------

ARMISTICE = frozenset({("BE", "Armistice Day")})
EVE, CHRISTMAS = date(2026, 12, 24), date(2026, 12, 25)


def why(hours: Hours, text: str) -> str:
    found = judge(hours, wall(text), BRUSSELS)
    assert found.open is is_open(hours, wall(text), BRUSSELS)
    return found.why


def test_on_a_holiday_that_is_kept_nothing_opens_and_on_another_day_all_is_as_usual() -> None:
    keeps = Hours(blocks=OFFICE.blocks, holidays=ARMISTICE)
    assert why(OFFICE, "2026-11-11 10:00") == "hours"
    assert why(keeps, "2026-11-11 10:00") == "holiday"
    assert judge(keeps, wall("2026-11-11 10:00"), BRUSSELS).day.name == "Armistice Day"
    assert why(keeps, "2026-11-12 10:00") == "hours"
    assert next_change(keeps, wall("2026-11-10 17:30"), BRUSSELS) == wall("2026-11-12 09:00")


def test_a_block_belongs_to_the_day_on_which_it_opens() -> None:
    """The night before a holiday runs on into it; that of the holiday itself does not begin."""
    nights = tuple(Block(day, 1320, 120) for day in range(7))
    hours = Hours(blocks=nights, holidays=ARMISTICE)
    assert open_at(hours, "2026-11-11 01:59")
    assert not open_at(hours, "2026-11-11 22:00")
    assert not open_at(hours, "2026-11-12 01:00")
    assert open_at(hours, "2026-11-12 22:00")


def test_a_day_of_ones_own_goes_before_the_week_and_before_a_holiday() -> None:
    closed = Exceptional("Brugdag", EVE, EVE)
    short = Exceptional("Kerstloket", CHRISTMAS, CHRISTMAS, ((600, 660),))
    hours = Hours(blocks=OFFICE.blocks, days=(closed, short), holidays=frozenset({("BE", "Christmas Day")}))
    assert why(hours, "2026-12-24 10:30") == "closed_day"
    assert why(hours, "2026-12-25 10:30") == "exceptional"
    assert not open_at(hours, "2026-12-25 11:00")
    assert why(hours, "2026-12-23 10:30") == "hours"


def test_a_row_of_days_covers_its_first_and_its_last() -> None:
    hours = Hours(
        blocks=OFFICE.blocks, days=(Exceptional("Verhuizing", date(2026, 6, 8), date(2026, 6, 10)),)
    )
    expected = [True, False, False, False, True]
    found = [open_at(hours, f"2026-06-{day:02} 10:00") for day in (5, 8, 9, 10, 11)]
    assert found == expected


def test_always_open_too_can_have_a_day_of_its_own() -> None:
    hours = Hours(always=True, days=(Exceptional("Onderhoud", EVE, EVE),))
    assert not open_at(hours, "2026-12-24 00:00")
    assert open_at(hours, "2026-12-23 23:59")
    assert open_at(hours, "2026-12-25 00:00")
    assert next_change(hours, wall("2026-12-20 10:00"), BRUSSELS) == wall("2026-12-24 00:00")


def test_the_last_intake_comes_before_each_closing_time() -> None:
    hours = Hours(blocks=OFFICE.blocks, last_intake_minutes=15)
    assert open_at(hours, "2026-11-23 11:44:59")
    assert why(hours, "2026-11-23 11:45") == "last_intake"
    assert judge(hours, wall("2026-11-23 16:50"), BRUSSELS).last_intake_at == wall("2026-11-23 16:45")
    assert why(hours, "2026-11-23 17:00") == "hours"
    assert open_at(OFFICE, "2026-11-23 11:50"), "without one: until closing time"
    assert next_change(hours, wall("2026-11-23 10:00"), BRUSSELS) == wall("2026-11-23 11:45")


def test_there_is_no_last_intake_where_the_next_block_follows_at_once() -> None:
    hours = Hours(blocks=(Block(0, 540, 720), Block(0, 720, 1020)), last_intake_minutes=30)
    assert open_at(hours, "2026-11-23 11:45")
    assert not open_at(hours, "2026-11-23 16:45")
    assert open_at(Hours(always=True, last_intake_minutes=30), "2026-11-23 23:45")


def test_closed_by_hand_until_a_moment_or_until_it_is_reopened() -> None:
    at = wall("2026-11-23 10:00")
    shut = Hours(blocks=OFFICE.blocks, closing=Closing(at))
    assert open_at(shut, "2026-11-23 09:59")
    assert why(shut, "2026-11-23 10:00") == "closing"
    assert not open_at(shut, "2026-11-30 10:00")
    assert next_change(shut, at, BRUSSELS) is None
    hour = Hours(blocks=OFFICE.blocks, closing=Closing(at, wall("2026-11-23 11:00")))
    assert not open_at(hour, "2026-11-23 10:59")
    assert open_at(hour, "2026-11-23 11:00")
    assert next_change(hour, at, BRUSSELS) == wall("2026-11-23 11:00")
    assert next_change(hour, wall("2026-11-23 09:30"), BRUSSELS) == at


def test_reopened_outside_the_hours_it_opens_with_them() -> None:
    evening = Closing(wall("2026-11-23 10:00"), wall("2026-11-23 20:00"))
    shut = Hours(blocks=OFFICE.blocks, closing=evening)
    assert next_change(shut, wall("2026-11-23 10:00"), BRUSSELS) == wall("2026-11-24 09:00")


# ---- against the clock on the wall, minute by minute -------------------------------------------------------

# The last Sundays of March and October, which are the days of the change, and Nov 1 where it follows one.
CHANGES = [
    max(day for day in (date(year, month, 31 - n) for n in range(7)) if day.weekday() == SUNDAY)
    for year in range(2026, 2036)
    for month in (3, 10)
]
EASTER_ON_A_CHANGE = {date(2027, 3, 28), date(2032, 3, 28), date(2035, 3, 25)}
KEPT = frozenset({("BE", "Easter Sunday"), ("BE", "All Saints' Day")})
AWKWARD = [0, 1, 59, 60, 90, 119, 120, 121, 150, 179, 180, 181, 240, 540, 1020, 1380, 1439]


def minutes_that_pass(middle: date) -> list[datetime]:
    """Three days on either side of it."""
    begin = datetime.combine(middle - timedelta(days=3), time(), UTC)
    return [begin + timedelta(minutes=n) for n in range(7 * 1440)]


def let_in(hours: Hours, middle: date) -> dict[datetime, bool]:
    """By looking at the clock each minute, and knowing nothing of time zones."""
    passing = minutes_that_pass(middle)
    shown = [moment.astimezone(BRUSSELS).replace(tzinfo=None) for moment in passing]
    times: dict[datetime, list[int]] = {}
    for at, wall_time in enumerate(shown):
        times.setdefault(wall_time, []).append(at)

    def when(target: datetime, which: int) -> int:
        if target in times:
            return times[target][which]
        return next((at for at, wall_time in enumerate(shown) if wall_time > target), len(shown))

    inside = [False] * len(passing)
    for day in (middle + timedelta(days=n) for n in (-2, -1, 0, 1, 2)):
        for opens, closes in blocks_on(hours, day):
            midnight = datetime.combine(day, time())
            end = closes if closes > opens else closes + 1440
            begins = when(midnight + timedelta(minutes=opens), 0)
            for at in range(begins, when(midnight + timedelta(minutes=end), -1)):
                inside[at] = True
    found, left = {}, 0
    for at in range(len(passing) - 1, -1, -1):  # from the end: how long it stays open from here
        left = left + 1 if inside[at] else 0
        found[passing[at]] = left > hours.last_intake_minutes
    return found


def blocks_on(hours: Hours, day: date) -> list[tuple[int, int]]:
    for own in hours.days:
        if day in (own.first, own.last):
            return [block for block in own.blocks if block[0] != block[1]]
    if hours.holidays and (day in EASTER_ON_A_CHANGE or (day.month, day.day) == (11, 1)):
        return []
    if hours.always:
        return [(0, 1440)]
    week = [
        (block.opens_minute, block.closes_minute) for block in hours.blocks if block.weekday == day.weekday()
    ]
    return [block for block in week if block[0] != block[1]]


def agrees_with_the_wall(hours: Hours, middle: date) -> None:
    """On the day of the change and on both days beside it."""
    expected = let_in(hours, middle)
    spans = intakes(hours, middle - timedelta(days=2), 5, BRUSSELS)
    begin = datetime.combine(middle - timedelta(days=1), time(), UTC)
    near = [begin + timedelta(minutes=n) for n in range(3 * 1440)]
    wrong = [at for at in near if any(opens <= at < ends for opens, ends in spans) != expected[at]]
    assert not wrong, f"{len(wrong)} minutes, from {wrong[0].astimezone(BRUSSELS)}"
    edges = [at for at in near[1:-1] if expected[at] != expected[at - timedelta(minutes=1)]]
    for at in {*edges, *(edge - timedelta(minutes=1) for edge in edges), *near[::240]}:
        assert is_open(hours, at, BRUSSELS) is expected[at]
        assert judge(hours, at, BRUSSELS).open is expected[at]
    for edge, following in pairwise(edges[:3]):
        assert next_change(hours, edge, BRUSSELS) == following


def test_the_days_of_the_change_are_those() -> None:
    assert len(CHANGES) == 20
    for day in CHANGES:
        begin, end = (datetime.combine(day + timedelta(days=n), time(), BRUSSELS) for n in (0, 1))
        assert end.astimezone(UTC) - begin.astimezone(UTC) != timedelta(days=1)


@pytest.mark.parametrize("middle", CHANGES, ids=str)
def test_right_on_each_day_on_which_the_clock_changes(middle: date) -> None:
    for opens, closes in ((0, 1440), (60, 150), (150, 240), (130, 150), (1320, 150), (1380, 120), (120, 180)):
        every = tuple(Block(day, opens, closes) for day in range(7))
        agrees_with_the_wall(Hours(blocks=every, last_intake_minutes=opens % 40), middle)


minutes = st.sampled_from(AWKWARD) | st.integers(0, 1439)
pairs = st.tuples(minutes, minutes | st.just(1440))
some_days = st.tuples(st.integers(-2, 2), st.lists(pairs, max_size=2))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    middle=st.sampled_from(CHANGES),
    always=st.integers(0, 4).map(lambda n: n == 0),
    blocks=st.lists(st.tuples(st.integers(0, 6), pairs), max_size=12),
    intake=st.sampled_from([0, 0, 1, 15, 60, 240]),
    own=st.lists(some_days, max_size=2),
    keeps=st.booleans(),
)
def test_right_whatever_the_hours_when_the_clock_changes(
    middle: date,
    always: bool,
    blocks: list[tuple[int, tuple[int, int]]],
    intake: int,
    own: list[tuple[int, list[tuple[int, int]]]],
    keeps: bool,
) -> None:
    days = tuple(
        Exceptional("", middle + timedelta(days=n), middle + timedelta(days=n), tuple(at)) for n, at in own
    )
    week = tuple(sorted(Block(day, *at) for day, at in blocks))
    hours = Hours(always, week, intake, days, KEPT if keeps else frozenset())
    agrees_with_the_wall(hours, middle)


# ---- the calendars -----------------------------------------------------------------------------------------


def test_the_calendars_know_when_the_holidays_are() -> None:
    belgian = {day.name: day.date for day in calendars.days("BE", 2027)}
    assert belgian["Easter Monday"] == date(2027, 3, 29)
    assert belgian["National Day"] == date(2027, 7, 21)
    communities = [day.date for day in calendars.days("BE", 2027) if day.group == "community"]
    assert communities == [date(2027, 7, 11), date(2027, 9, 27), date(2027, 11, 15)]
    dutch = {day.name: day.date for day in calendars.days("NL", 2027)}
    assert dutch["King's Day"] == date(2027, 4, 27)
    assert "National Day" not in dutch


def test_a_holiday_keeps_its_name_from_year_to_year() -> None:
    """A tick is meant for every year; one that is not yearly would come and go."""
    for calendar in calendars.SOURCES:
        names = {day.name for day in calendars.days(calendar, 2026)}
        for year in range(2025, 2036):
            assert {day.name for day in calendars.days(calendar, year)} == names


@pytest.mark.parametrize("code", ["nl", "fr", "de"])
def test_every_holiday_has_a_name_in_each_language(code: str) -> None:
    with layouts.speaking(code):
        for calendar in calendars.SOURCES:
            for day in calendars.days(calendar, 2026):
                assert calendars.name_of(calendar, day.name) != day.name


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


async def test_who_is_open_is_asked_in_two_queries(
    queues: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    sql = db.sql

    async def counting(query: str, *values: object) -> list[dict[str, object]]:
        asked.append(query)
        return await sql(query, *values)

    monkeypatch.setattr(db, "sql", counting)
    assert await open_queues(wall("2026-03-11 10:00")) == set(queues.values())
    assert len(asked) <= 2


async def test_the_example_desk_keeps_the_belgian_holidays(queues: dict[str, int]) -> None:
    assert await open_queues(wall("2026-11-11 10:00")) == {queues["Algemeen"]}, "which is always open"
    assert (await today(queues["Vergunningen"], wall("2026-11-11 10:00"))).kind == "holiday"
    assert await open_queues(wall("2026-11-12 10:00")) == set(queues.values())


async def test_the_hours_of_today(queues: dict[str, int]) -> None:
    permits = await today(queues["Vergunningen"], wall("2026-03-11 23:30"))
    assert [(block.opens, block.closes) for block in permits.blocks] == [
        ("09:00", "12:00"),
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
