"""GET /health, /health/live and /health/ready: what a monitor is told."""

import asyncio
import sqlite3
from pathlib import Path

import asyncpg
import pytest

import db
import features
from db.connections import BUSY_MS
from features import health
from tests.conftest import Clock, Desk, serving

GOOD = {
    "ready": True,
    "database": True,
    "writable": True,
    "migrated": True,
    "room": True,
    "stopping": False,
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FRESH_S", 0)


async def told(desk: Desk, path: str = "/health/ready") -> tuple[int, dict[str, bool]]:
    answer = await desk.nobody().get(path)
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()


async def all_told(desk: Desk) -> list[tuple[int, dict[str, bool]]]:
    return [await told(desk, path) for path in ("/health", "/health/live", "/health/ready")]


async def test_a_desk_that_can_serve_says_so_to_anybody(desk: Desk) -> None:
    assert await all_told(desk) == [(200, {"live": True, "ready": True}), (200, {"live": True}), (200, GOOD)]


async def test_who_wants_no_more_than_the_status_gets_that(desk: Desk) -> None:
    asked = [await desk.nobody().client.head(path) for path in ("/health", "/health/live", "/health/ready")]
    assert [(answer.status_code, answer.content) for answer in asked] == [(200, b"")] * 3
    await db.disconnect()
    assert (await desk.nobody().client.head("/health/ready")).status_code == 503


async def test_without_its_database_it_is_alive_but_not_ready(desk: Desk) -> None:
    await db.disconnect()
    nothing = dict.fromkeys(GOOD, False)
    assert await all_told(desk) == [
        (503, {"live": True, "ready": False}),
        (200, {"live": True}),
        (503, nothing),
    ]


async def test_a_database_that_takes_too_long_counts_as_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "ANSWER_S", 0)
    answer = await told(desk, "/health")
    assert answer == (503, {"live": True, "ready": False})


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_database_that_somebody_else_keeps_locked_takes_no_writes(
    desk: Desk, example_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "ANSWER_S", 0.3)
    file = example_database.removeprefix("sqlite:///")
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
    began = asyncio.get_running_loop().time()
    assert (await told(desk))[0] == (await told(desk))[0] == 503
    assert asyncio.get_running_loop().time() - began < BUSY_MS / 1000, "who asks is not made to wait for it"
    other.execute("ROLLBACK")
    other.close()
    assert health.watch.look
    await health.watch.look
    assert await told(desk) == (200, GOOD)


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_standby_takes_no_writes(desk: Desk, example_database: str) -> None:
    name = example_database.partition("?")[0].rpartition("/")[2]
    line = await asyncpg.connect(example_database)
    await line.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    await line.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")
    await line.close()
    async with asyncio.timeout(10):
        while not (answer := await told(desk))[1]["database"]:  # the lines of before are broken
            pass
    assert answer == (503, GOOD | {"ready": False, "writable": False})


async def test_tables_of_another_balie_are_not_served(desk: Desk) -> None:
    await db.sql("INSERT INTO migration (name, applied_at) VALUES ({}, {})", "9999_x", db_now())
    assert await told(desk) == (503, GOOD | {"ready": False, "migrated": False})
    await db.sql("DELETE FROM migration WHERE name = {}", "9999_x")
    assert await told(desk) == (200, GOOD)


def db_now() -> object:
    from db.clock import now

    return now()


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_full_disk_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FULL_BYTES", 10**18)
    assert await told(desk) == (503, GOOD | {"ready": False, "room": False})
    assert (await told(desk, "/health"))[0] == 503


async def test_whoever_was_asked_to_stop_is_not_to_be_sent_anybody(desk: Desk) -> None:
    for stop in features.each("stops"):  # what a signal does first
        stop()
    assert await all_told(desk) == [
        (503, {"live": True, "ready": False}),
        (200, {"live": True}),
        (503, GOOD | {"ready": False, "stopping": True}),
    ]


async def test_it_is_good_again_after_a_start(example_database: str, clock: Clock, tmp_path: Path) -> None:
    health.stop()
    async with serving(example_database, tmp_path) as desk:
        assert await told(desk) == (200, GOOD)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_however_many_ask_it_looks_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FRESH_S", 60)
    assert await told(desk) == (200, GOOD)
    await db.disconnect()
    assert [await told(desk) for _again in range(5)] == [(200, GOOD)] * 5
    monkeypatch.setattr(health, "FRESH_S", 0)
    assert (await told(desk))[0] == 503, "else that proves nothing"
