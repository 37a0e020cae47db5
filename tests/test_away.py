"""There is no room, or no database, for a while: everybody is told so, nothing is lost, nobody has to come
back for it."""

import asyncio
import contextlib
import errno
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest
import structlog

import db
from db.away import is_away
from db.clock import now
from db.connections import BUSY_MS, fetch
from db.settings import settings
from db.tables import Chat, Profile, Readiness, Reservation, Session
from db.tables import Desk as Desk_
from features import files
from tests import scenes
from tests.conftest import Clock, Databases, Desk
from tests.people import new_key
from tests.test_attachments import PDF

Away = Callable[[Databases], AbstractAsyncContextManager[object]]
CANNOT = "Er kan nu niets verzonden of opgeslagen worden"


@contextlib.asynccontextmanager
async def no_room(databases: Databases) -> AsyncIterator[None]:
    """SQLite's file may not grow."""
    writer = db.engine().writer  # type: ignore[union-attr]
    (size,) = await writer.run(fetch, "PRAGMA page_count", ())
    await writer.run(fetch, f"PRAGMA max_page_count = {size['page_count']}", ())
    yield
    await writer.run(fetch, f"PRAGMA max_page_count = {2**30}", ())


@contextlib.asynccontextmanager
async def locked(databases: Databases) -> AsyncIterator[None]:
    """By another process, for longer than anybody waits."""
    writer, file = db.engine().writer, settings.database_url.removeprefix("sqlite:///")  # type: ignore[union-attr]
    with contextlib.closing(sqlite3.connect(file, timeout=30, check_same_thread=False)) as other:
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")  # whose turn it is finishes first
        await writer.run(fetch, "PRAGMA busy_timeout = 50", ())
        yield
    await writer.run(fetch, f"PRAGMA busy_timeout = {BUSY_MS}", ())


@contextlib.asynccontextmanager
async def read_only(databases: Databases) -> AsyncIterator[None]:
    """As one that stands by, after the lines to it have gone."""
    name = settings.database_url.partition("?")[0].rpartition("/")[2]

    async def become(how: str) -> None:
        await databases.administer(f"ALTER DATABASE {name} SET default_transaction_read_only = {how}")
        lines = f"FROM pg_stat_activity WHERE datname = '{name}'"
        await databases.administer(f"SELECT pg_terminate_backend(pid) {lines}")

    await become("on")
    yield
    await become("off")


@pytest.mark.parametrize(
    ("engine", "away"),
    [("sqlite", no_room), ("sqlite", locked), ("postgresql", read_only)],
    indirect=["engine"],
)
async def test_what_cannot_be_done_now_is_said_and_can_be_done_later(
    desk: Desk, databases: Databases, away: Away
) -> None:
    talk = await scenes.connected(desk)
    said, keys = f"Lang verhaal {'x' * 3_900}", (new_key(), new_key())
    visitors, agents = "/chat/messages", f"/chats/{talk.chat}/messages"

    async def say() -> list[httpx.Response]:
        return [
            await talk.jef.post(visitors, {"key": keys[0], "body": said}),
            await talk.an.post(agents, {"key": keys[1], "body": said}, headers={"HX-Request": "true"}),
        ]

    async with away(databases):
        for answer in await say():
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert CANNOT in answer.text
        assert CANNOT in talk.an.screen.text("#notices")
    await scenes.eventually_true(lambda: all_taken(say()))  # a line may have been cut just now
    assert [body for body in await scenes.bodies() if body == said] == [said, said]


async def all_taken(answers: Awaitable[list[httpx.Response]]) -> bool:
    return all(answer.status_code == 200 for answer in await answers)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_who_reads_goes_on_while_nothing_can_be_written(desk: Desk, databases: Databases) -> None:
    """Also who comes only now."""
    talk = await scenes.connected(desk)
    await talk.an.say(talk.chat, "Dat mag")
    await Session.update({Session.seen_at: None}, force=True)
    async with locked(databases):
        await talk.an.open()
        await talk.jef.open()
        async with talk.jef.stream() as window, talk.an.stream() as console:
            await window.wait_for("Dat mag")
            await console.wait_for("Dat mag")
        assert (await desk.nobody().get("/demo")).status_code == 200
    async with talk.jef.stream() as window:
        await window.wait_for("Dat mag")
        await talk.an.say(talk.chat, "En nu weer")
        await window.wait_for("En nu weer")


@pytest.mark.usefixtures("by_itself")
@pytest.mark.parametrize("engine", ["sqlite"])
async def test_nobody_is_given_up_because_nothing_could_be_written(
    desk: Desk, databases: Databases, clock: Clock
) -> None:
    """For a minute: who is there could not say so, who was asked could not accept."""
    talk = await scenes.connected(desk)
    await Profile.update({Profile.places: 3}, force=True)
    async with talk.jef.stream(), talk.an.stream() as console:
        await console.wait_for('id="tabs"')
        asked = await desk.visitor().begin()
        await console.wait_for("tab request")
        with structlog.testing.capture_logs() as told:
            async with locked(databases):
                await scenes.eventually(
                    lambda: [each for each in told if each.get("work") == "sweeping.sweep_again"]
                )
                clock.shift(60)
        await scenes.eventually_true(is_alive)
        assert not await Chat.exists().where(Chat.visitor_gone_at.is_not_null())
        assert not await Readiness.exists().where(Readiness.gone_at.is_not_null())
        assert await Reservation.count().where(Reservation.outcome == "") == 1
    assert scenes.state(asked) == "waiting"


async def is_alive() -> bool:
    row = await Desk_.select(Desk_.alive_at).first()
    return bool(row and row["alive_at"] and now() - row["alive_at"] < timedelta(seconds=10))


async def test_a_file_that_finds_no_room_is_not_called_broken(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(PDF)
    with pytest.raises(OSError, match="No space left") as raised:
        await files.inspected(raw, Path("/dev/full"), "brief.pdf", True)
    assert is_away(raised.value)


FULL = OSError(errno.ENOSPC, "No space left on device")


def test_what_is_wrong_with_the_question_stays_wrong() -> None:
    told: dict[str, BaseException] = {}
    with contextlib.closing(sqlite3.connect(":memory:")) as line:
        for name, statement in (("table", "SELECT * FROM missing"), ("words", "SELEKT")):
            with pytest.raises(sqlite3.Error) as raised:
                line.execute(statement)
            told[name] = raised.value
    told["mistake"] = asyncpg.UndefinedTableError()
    told["use"] = asyncpg.DataError("an argument is of another type")
    told["library"] = asyncpg.InternalClientError("unknown error in protocol implementation")
    told["file"] = FileNotFoundError(errno.ENOENT, "No such file", "/somewhere")
    told["ours"] = ZeroDivisionError()
    assert not [name for name, fault in told.items() if is_away(fault)]
    later = ZeroDivisionError()
    later.__context__ = FULL
    assert all(map(is_away, (FULL, ConnectionRefusedError(), asyncpg.CannotConnectNowError())))
    assert all(map(is_away, (asyncpg.DiskFullError(), asyncpg.InterfaceError("connection is closed"))))
    between = asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
    assert is_away(between), "the server has ended the session, and the end of the line is still to come"
    assert is_away(later), "what follows from it is no fault of ours either"
