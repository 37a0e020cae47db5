"""PostgreSQL is restarted, stands still or cuts its lines, commits come late, and workers are killed."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest

import db
from db.tables import Message, Queue, Readiness
from features import live
from tests import scenes
from tests.bench.load import Talk
from tests.conftest import Clock, Databases, Desk
from tests.faults.conftest import Server
from tests.faults.people import NONE, Room
from tests.people import Visitor, new_key
from tests.processes import children_of, served
from tests.test_workers import heard, tabs

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])

MESSAGES, ROUNDS = (20, 50), (1, 10)  # once, and with --long
STANDS_STILL_S = 1.5
ANSWER_S = 4
WIRES = "FROM pg_stat_activity WHERE application_name = 'balie wire' AND datname = current_database()"


@pytest.fixture
def chats(long: bool) -> int:
    return 10 if long else 2


@pytest.fixture
def workers() -> int:
    return 2


# ---- what happens ----------------------------------------------------------------------------------------


async def a_worker_is_killed(server: Server, databases: Databases) -> None:
    """And replaced: the one that has been there longest."""
    killed = workers_of(server)[0]
    os.kill(killed, signal.SIGKILL)
    await scenes.eventually(lambda: len(set(workers_of(server)) - {killed}) == 2, within_s=60)


def workers_of(server: Server) -> list[int]:
    return children_of(server.pid)


async def what_listens_is_cut(server: Server, databases: Databases) -> None:
    await ask(server.database, f"SELECT pg_terminate_backend(pid) {WIRES}")


async def it_stands_still(server: Server, databases: Databases) -> None:
    with stopped(databases):
        await asyncio.sleep(STANDS_STILL_S)


@contextmanager
def stopped(databases: Databases) -> Iterator[None]:
    """All of its processes."""
    postmaster = int((databases.server.pgdata / "postmaster.pid").read_text().split()[0])
    pids = [postmaster, *children_of(postmaster)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def it_is_restarted(server: Server, databases: Databases) -> None:
    await databases.restart()


async def ask(url: str, sql: str) -> None:
    async with connected(url) as connection:
        await connection.execute(sql)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


Fault = Callable[[Server, Databases], Awaitable[None]]
FAULTS: tuple[Fault, ...] = (a_worker_is_killed, what_listens_is_cut, it_stands_still, it_is_restarted)


@pytest.mark.timeout(600)
async def test_while_everybody_writes_workers_are_killed_and_postgresql_fails(
    room: Room, server: Server, databases: Databases, long: bool
) -> None:
    talking = asyncio.create_task(room.converse(MESSAGES[long], pause_s=1.5 if long else 0.05))
    for _round in range(ROUNDS[long]):
        for happens in FAULTS:
            taken = len(room.keys("taken"))
            await room.until(lambda taken=taken: len(room.keys("taken")) > taken + 5)
            assert not talking.done(), "or nobody was interrupted"
            await happens(server, databases)
    await talking
    assert len(room.keys("taken")) == 3 * len(room.talks) * MESSAGES[long]
    assert await room.faults() == NONE


# ---- longer than anybody may take to answer --------------------------------------------------------------


@pytest.fixture
async def two_workers(example_database: str, clock: Clock, tmp_path: Path) -> AsyncIterator[Desk]:
    await db.connect(example_database)
    await Queue.update({Queue.answer_s: ANSWER_S}, force=True)
    async with served(example_database, tmp_path, clock, "--workers", "2") as running:
        yield running.desk
    await db.disconnect()


async def test_who_answers_while_it_stands_still_has_answered_in_time(
    two_workers: Desk, databases: Databases
) -> None:
    an = await two_workers.agent("an", "Loket", ready=True)
    async with an.stream() as console:
        jef = await two_workers.visitor().begin("Is de balie open?")
        await console.wait_for(lambda: an.request)
        with stopped(databases):
            accepting = asyncio.create_task(an.accept())
            await asyncio.sleep(ANSWER_S + 2)
        assert (await accepting).status_code == 200
        await jef.open()
        assert scenes.state(jef) == "active"
        assert await Readiness.exists().where(Readiness.ready.eq(True)), "and nobody is blamed"


# ---- a late commit ---------------------------------------------------------------------------------------

LATE = """
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock(47); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON message DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.body = 'laat') EXECUTE FUNCTION late();
"""
HELD_UP = "FROM pg_locks WHERE locktype = 'advisory' AND objid = 47 AND NOT granted"


@pytest.mark.parametrize("is_lost", [False, True])
async def test_nobody_reads_past_a_message_whose_commit_is_late(
    desk: Desk, example_database: str, is_lost: bool
) -> None:
    """Its number is taken, and a later one has come before it is there, or will never be."""
    async with scenes.live(desk) as talk, connected(example_database) as database:
        await database.execute(LATE)
        await database.execute("SELECT pg_advisory_lock(47)")
        key = new_key()
        late = asyncio.create_task(talk.jef.send("POST", "/chat/messages", {"key": key, "body": "laat"}))
        await scenes.eventually_true(lambda: database.fetchval(f"SELECT pid {HELD_UP}"))
        soon = asyncio.create_task(talk.an.say(talk.chat, "vlug"))
        note = {"key": new_key(), "body": "onder ons"}
        await talk.an.must("POST", f"/chats/{talk.chat}/private-messages", note)
        await talk.console.wait_for("onder ons")
        assert "vlug" not in talk.window.data + talk.console.data
        if is_lost:
            await database.execute(f"SELECT pg_terminate_backend(pid) {HELD_UP}")
            assert (await late).status_code == 503
            await soon
        await database.execute("SELECT pg_advisory_unlock(47)")
        if is_lost:
            await talk.jef.say("laat", key)
        await asyncio.gather(late, soon)
        order = ["vlug", "laat"] if is_lost else ["laat", "vlug"]
        await talk.window.wait_for(lambda: heard(talk)[0][1:] == order)
        await talk.console.wait_for(lambda: heard(talk)[1][1:] == ["onder ons", *order])
        numbers = [row["seq"] for row in await Message.select(Message.seq).order_by(Message.seq)]
        assert numbers == [*range(1, len(numbers) + 1)]


# ---- a restart -------------------------------------------------------------------------------------------

PAGES, BACK_S, BUCKET_S = 1_000, 10, 0.1


@pytest.mark.timeout(180)
async def test_a_new_program_that_finds_no_database_waits_for_it_as_the_old_one_does(
    room: Room, server: Server, databases: Databases
) -> None:
    before, begun = workers_of(server), server.log.read_text().count("Balie: http")
    with databases.shut():
        os.kill(server.pid, signal.SIGHUP)
        await scenes.eventually(lambda: "what ran before goes on" in server.log.read_text(), within_s=60)
        talking = asyncio.create_task(room.converse(5, pause_s=0.05))
        await room.until(lambda: room.keys("taken"))
        assert set(before) <= set(workers_of(server))
    await scenes.eventually(lambda: server.log.read_text().count("Balie: http") > begun, within_s=60)
    await scenes.eventually(lambda: not set(workers_of(server)) & set(before), within_s=60)
    await talking
    assert await room.faults() == NONE


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_thousand_pages_come_back_after_a_restart_and_not_all_at_once(
    server: Server, talks: list[Talk]
) -> None:
    visitors = [Visitor(f"http://127.0.0.1:{server.port}", talk.widget, talk.token) for talk in talks]
    async with tabs(visitors, PAGES) as pages:
        os.kill(server.pid, signal.SIGHUP)
        await scenes.eventually(lambda: all(page.is_back for page in pages), 120)
    told = [page.told_ms[0] for page in pages]
    came = Counter(int(page.came_s / BUCKET_S) for page in pages)
    took = max(page.away_s for page in pages)
    print(f"{PAGES} pages were back after {took:.1f} s, at most {max(came.values())} in {BUCKET_S} s")
    assert live.RECONNECT_MS <= min(told) <= max(told) <= live.RECONNECT_MS + live.COME_BACK_MOST_MS
    assert max(came.values()) < PAGES / 5
    assert took < BACK_S
    for visitor in visitors:
        await visitor.close()
