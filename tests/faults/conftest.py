"""Faults: a real server, on a real file or a real PostgreSQL, to which bad things are done while people talk.

Each fault happens once; with `--long` as often as it takes to be sure.
"""

import os
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


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long"))


class Server:
    """`bin/balie serve`, as a service manager runs it."""

    def __init__(self, database: str, data: Path) -> None:
        self.database, self.data, self.port = database, data, free_port()
        self.environment: dict[str, str] = {}
        self.log = data.parent / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        own = {"BALIE_DATABASE_URL": self.database, "BALIE_DATA": str(self.data)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py", "serve", "--port", str(self.port)],
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

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """As if the machine had no time for it."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


@pytest.fixture
async def server(database: str, tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(database, tmp_path / "data")
    yield server
    if server.process is not None and server.process.poll() is None:
        server.kill()


@pytest.fixture
def chats() -> int:
    """How many conversations there are; parametrize it for another number."""
    return 4


@pytest.fixture
async def talks(database: str, databases: Databases, chats: int) -> list[Talk]:
    await db.connect(database)
    made = await desk.fill(chats)
    await db.disconnect()
    return made


@pytest.fixture
async def room(server: Server, talks: list[Talk]) -> AsyncIterator[Room]:
    """Everybody is there, with a page open; and what they said and saw is looked at in the end."""
    server.start()
    room = Room(server, talks)
    async with room.pages():
        yield room
