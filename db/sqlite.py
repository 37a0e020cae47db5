"""SQLite under Piccolo.

Its own engine opens a connection for every query and begins transactions that cannot become writers when two
do it at once. Ours keeps one writing connection, whose transactions wait for each other in order of arrival,
and two reading ones.
"""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from piccolo.engine.sqlite import SQLiteEngine

from db import appending, waits
from db.appending import Appended, Entry
from db.connections import Connections, Tidying, connection, fetch, roll_back, scrub
from db.grouping import Group
from db.transactions import Rows, Transaction, Transactional

READERS = 2

_ONLY_READS = re.compile(r"\s*(SELECT|EXPLAIN)\b", re.IGNORECASE)
_ONLY_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)


class Sqlite(Transactional, SQLiteEngine):  # type: ignore[misc]
    """One writer, a few readers, each query on a thread of theirs."""

    dialect = "sqlite"

    def __init__(self, url: str) -> None:
        super().__init__(path=url.removeprefix("sqlite:///"), cached_statements=512, check_same_thread=False)

    async def open(self) -> None:
        if sqlite3.sqlite_version_info < (3, 35):
            raise RuntimeError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or later is needed")
        self._make_file()
        self.turn = asyncio.Lock()  # to write; in order of arrival
        self.writer = Connections(self.connection_kwargs, 1)
        self.readers = Connections(self.connection_kwargs, READERS, "query_only = ON")
        self.eye = connection(self.connection_kwargs, "query_only = ON", "busy_timeout = 0")
        self.tidying = Tidying(self.connection_kwargs, str(self.path))
        self.group = Group(self.turn, self.writer.run, self.tidying.committed)

    async def close(self) -> None:
        await self.group.close()
        self.eye.close()
        self.readers.close()
        self.tidying.close()
        self.writer.close()

    def _make_file(self) -> None:
        """People's conversations are for nobody else on this machine."""
        Path(self.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(self.path).touch(mode=0o600)

    def new_transaction(self) -> "SqliteTransaction":
        return SqliteTransaction(self)

    def snapshot(self) -> "SqliteSnapshot":
        return SqliteSnapshot(self)

    async def lock(self, key: int) -> None:
        self._mine("lock")  # and that is all: the writer is alone

    async def most_processes(self) -> int:
        return 1

    def connections(self) -> tuple[int, int]:
        """How many, and how many of them have nothing to do."""
        return READERS + 1, self.readers.idle + self.writer.idle

    async def scrub(self, tables: Sequence[str]) -> bool:
        async with self.turn:
            return await self.writer.run(scrub)

    async def glance(self, sql: str, args: Sequence[Any]) -> Rows:
        """On the spot: handing it to a thread costs ten times as much as reading."""
        if self.current_transaction.get() is None:
            with contextlib.suppress(sqlite3.OperationalError):  # locked: then it waits elsewhere
                return fetch(self.eye, sql, args)
        return await self.run(sql, args)

    append_within = staticmethod(appending.on_sqlite)

    async def append_alone(self, entry: Entry, then: Callable[[Appended | None], object]) -> Appended | None:
        return await self.group.add(appending.on_sqlite, entry, then=then)  # type: ignore[no-any-return]

    async def run_alone(self, sql: str, args: Sequence[Any]) -> Rows:
        if _ONLY_READS.match(sql):
            return await self.readers.run(fetch, sql, args)
        if _ONLY_WRITES.match(sql):
            return await self.group.add(fetch, sql, args)  # type: ignore[no-any-return]
        async with self.turn:
            return await self.writer.run(fetch, sql, args)


class SqliteTransaction(Transaction):
    engine: Sqlite

    async def take_connection(self) -> None:
        await waits.line.measure(self.engine.turn.acquire())

    async def begin(self) -> None:
        await self.engine.writer.run(fetch, "BEGIN IMMEDIATE", ())

    async def execute(self, sql: str, args: Sequence[Any], timeout_s: float | None = None) -> Rows:
        return await self.engine.writer.run(fetch, sql, args)

    async def apply(self, work: Callable[..., Any], *args: Any) -> Any:
        return await self.engine.writer.run(work, *args)

    async def commit(self) -> None:
        await self.engine.writer.run(sqlite3.Connection.commit)
        self.engine.tidying.committed()

    async def roll_back(self) -> None:
        # What a cancelled task had asked of the writer may still be going on: this comes after it.
        await self.engine.writer.run(roll_back)

    async def give_connection_back(self) -> None:
        self.engine.turn.release()


class SqliteSnapshot(Transaction):
    """On a connection of its own: readers and the writer go on."""

    engine: Sqlite

    async def take_connection(self) -> None:
        self.connection = Connections(self.engine.connection_kwargs, 1, "query_only = ON")

    async def begin(self) -> None:
        await self.connection.run(fetch, "BEGIN", ())
        await self.connection.run(fetch, "SELECT 1 FROM sqlite_master", ())  # from here on nothing changes

    async def execute(self, sql: str, args: Sequence[Any], timeout_s: float | None = None) -> Rows:
        return await self.connection.run(fetch, sql, args)

    async def commit(self) -> None:
        await self.roll_back()

    async def roll_back(self) -> None:
        await self.connection.run(roll_back)

    async def give_connection_back(self) -> None:
        self.connection.close()
