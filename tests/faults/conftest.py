"""Faults: a real server, on a real file or a real PostgreSQL, to which bad things are done while people talk.

Each fault happens once; with `--long` as often as it takes to be sure. One server serves all tests of a run:
each has a desk's worth of people of its own, and who stops it has it started again.
"""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import db
from tests.bench import desk
from tests.bench.load import Talk
from tests.conftest import Databases
from tests.faults.people import Room
from tests.processes import free_port, is_up, wait_until_up

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 20
LONG_S = 900


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --long a server is started many times."""
    for item in items:
        if config.getoption("--long") and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(LONG_S))


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long"))


class Server:
    """`bin/balie demo`, as a service manager would run it: it is up sooner than a desk of one's own."""

    def __init__(self, database: str, data: Path, workers: int = 1) -> None:
        self.database, self.data, self.port, self.workers = database, data, free_port(), workers
        self.environment: dict[str, str] = {}
        self.log = data.parent / f"{data.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        own = {"BALIE_DATABASE_URL": self.database, "BALIE_DATA": str(self.data)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py", "demo", "--port", str(self.port), "--workers", str(self.workers)],
                cwd=ROOT,
                env={**os.environ, **own, **self.environment},
                stdout=log,
                stderr=log,
            )
        wait_until_up(self.port, self.process, self.log)

    def answers(self) -> bool:
        return is_up(self.port)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def memory(self) -> int:
        """Bytes of it that are in use."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    def kill(self) -> None:
        """As a power cut would."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        self.wait()

    def wait(self) -> None:
        assert self.process is not None
        self.process.wait(STOP_S)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Its database, beside it."""
        await db.connect(self.database)
        try:
            yield
        finally:
            await db.disconnect()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """As if the machine had no time for it."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    @contextmanager
    def without_room(self) -> Iterator[None]:
        """No file may grow, nor be written to: neither its database, nor its files, nor its log."""
        _soft, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (hard, hard))


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest) -> str:
    """Where the fault does not look at the database, it happens on one."""
    return str(request.param)


@pytest.fixture(scope="session")
def servers(databases: Databases) -> Iterator[dict[tuple[str, int], Server]]:
    """By the database on which each is, and how many workers it has."""
    running: dict[tuple[str, int], Server] = {}
    yield running
    for server in running.values():
        if server.runs:
            server.kill()
        asyncio.run(databases.drop(server.database))


@pytest.fixture
def workers() -> int:
    """How many serve; override it for another number."""
    return 1


@pytest.fixture
async def server(
    servers: dict[tuple[str, int], Server],
    engine: str,
    workers: int,
    databases: Databases,
    cheap_passwords: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Server:
    if (engine, workers) not in servers:
        url = await databases.make(engine, "example")
        servers[engine, workers] = Server(url, tmp_path_factory.mktemp(engine) / "data", workers)
    found = servers[engine, workers]
    if not found.runs or found.environment:
        await asyncio.to_thread(again, found)
    return found


def again(server: Server) -> None:
    """As it is meant to be, whatever a test has done to it."""
    if server.runs:
        server.kill()
    server.environment.clear()
    server.start()


@pytest.fixture
def chats(long: bool) -> int:
    """How many conversations there are; parametrize it for another number."""
    return 10 if long else 3


@pytest.fixture
async def talks(server: Server, chats: int) -> list[Talk]:
    async with server.reading():
        return await desk.fill(chats)


@pytest.fixture
async def room(server: Server, talks: list[Talk]) -> AsyncIterator[Room]:
    """Everybody is there, with a page open; and what they said and saw is looked at in the end."""
    room = Room(server, talks)
    async with room.pages():
        yield room
