"""Connections to SQLite, each with a thread of its own: nobody else waits while it works."""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from piccolo.engine.sqlite import dict_factory

T = TypeVar("T")
Rows = list[Any]

BUSY_MS = 5_000  # how long to wait for another process that writes to the same SQLite file
SCRUB_TRIES = 5
TIDY_COMMITS = 200
TIDY_BYTES = 4_000_000
TIDY_AGAIN_S = 1.0
CLOSED = "the database is closed"

# SQLite has nothing but integers in such a column, so the quick conversion will do.
sqlite3.register_converter("INTEGER", int)

PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a commit is on the disk: nothing acknowledged is lost when the power fails
    "foreign_keys = ON",
    "secure_delete = ON",  # with zeros over it
    f"busy_timeout = {BUSY_MS}",
    "temp_store = MEMORY",
    "cache_size = -16000",
    "wal_autocheckpoint = 16000",  # pages: long before, somebody else than the writer has done it (`Tidying`)
)


class SqliteUniqueViolation(sqlite3.IntegrityError):
    pass


class Connections:
    """A number of connections, each with a thread. What is asked of a single one is done in that order."""

    def __init__(self, arguments: dict[str, Any], count: int, *pragmas: str) -> None:
        self.working: set[int] = set()
        self.closed = False
        self.jobs: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self.all = [connection(arguments, *pragmas) for _ in range(count)]
        self.threads = [threading.Thread(target=self._serve, args=[each], daemon=True) for each in self.all]
        for thread in self.threads:
            thread.start()

    def run(self, work: Callable[..., T], *args: Any) -> "asyncio.Future[T]":
        """Does work(connection, *args); if the caller is cancelled before it has begun, it never begins."""
        if self.closed:
            raise RuntimeError(CLOSED)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self.jobs.put((work, args, answer, loop))
        return answer

    def _serve(self, connection: sqlite3.Connection) -> None:
        while job := self.jobs.get():
            work, args, answer, loop = job
            if answer.cancelled():
                continue
            self.working.add(id(connection))
            try:
                told: tuple[Callable[..., None], Any] = _answer, work(connection, *args)
            except BaseException as error:
                told = _fail, error
            self.working.discard(id(connection))
            with contextlib.suppress(RuntimeError):  # nobody is left to be told
                loop.call_soon_threadsafe(told[0], answer, told[1])

    @property
    def idle(self) -> int:
        """How many have nothing to do."""
        return len(self.all) - len(self.working)

    def close(self) -> None:
        """When what has been asked for is done."""
        self.closed = True
        for _thread in self.threads:
            self.jobs.put(None)
        for thread in self.threads:
            thread.join()
        for connection in self.all:
            connection.close()


_Asked = tuple[Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


def _answer(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


def connection(arguments: dict[str, Any], *pragmas: str) -> sqlite3.Connection:
    made: sqlite3.Connection = sqlite3.connect(**arguments)
    made.row_factory = dict_factory
    for pragma in (*PRAGMAS, *pragmas):
        made.execute(f"PRAGMA {pragma}")
    return made


def fetch(connection: sqlite3.Connection, sql: str, args: Sequence[Any]) -> Rows:
    try:
        return connection.execute(sql, args).fetchall()
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorname in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"):
            raise SqliteUniqueViolation(str(error)) from error
        raise


def roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.rollback()


class Tidying:
    """Brings what has been committed from the log into the file, on a connection of its own: left to SQLite,
    whoever happens to commit the thousandth page waits for all of it to be on the disk."""

    def __init__(self, arguments: dict[str, Any], file: str) -> None:
        self.connections = Connections(arguments, 1)
        self.log = f"{file}-wal"
        self.commits = 0
        self.since_s = 0.0
        self.doing: asyncio.Future[None] | None = None

    def committed(self) -> None:
        self.commits += 1
        if (self.doing is None or self.doing.done()) and self.is_due():
            self.commits, self.since_s = 0, time.monotonic()
            self.doing = self.connections.run(tidy)

    def is_due(self) -> bool:
        if time.monotonic() < self.since_s + TIDY_AGAIN_S:
            return False
        return self.commits >= TIDY_COMMITS or size_of(self.log) > TIDY_BYTES

    def close(self) -> None:
        self.connections.close()


def size_of(file: str) -> int:
    with contextlib.suppress(OSError):
        return os.path.getsize(file)
    return 0


def tidy(connection: sqlite3.Connection) -> None:
    """As far as nobody still reads what was before. Never in the way of who writes."""
    with contextlib.suppress(sqlite3.OperationalError):  # no room, or the disk fails: the next time
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def scrub(connection: sqlite3.Connection) -> bool:
    """Zeros do not reach the copies that remain where a page was divided: VACUUM leaves nothing of them."""
    connection.execute("PRAGMA temp_store = FILE")
    connection.execute("VACUUM")
    connection.execute("PRAGMA temp_store = MEMORY")
    for _again in range(SCRUB_TRIES):
        if not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()["busy"]:
            return True
    return False
