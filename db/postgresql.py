"""PostgreSQL under Piccolo: its own engine, with a pool."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import Context
from typing import Any

import asyncpg
from piccolo.engine.postgres import PostgresEngine

from db import appending, waits
from db.appending import Appended, Entry
from db.connections import CLOSED
from db.grouping import call
from db.transactions import Rows, Transaction, Transactional

log = logging.getLogger("balie.db")

POOL = 10
SPARE = 10
PATIENCE_S = 10  # until there is a connection
MOST_WAITING = 2_000  # for one
GIVEN_BACK_S = 10  # a connection that cannot be put in order within this time is cut
COMMAND_TIMEOUT_S = 60
MIGRATION_TIMEOUT_S = 3_600

# A commit is on the disk, also where the server's own answer to that is no.
PROMISED = {"synchronous_commit": "on"}
UNSAFE = (
    "SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM pg_settings"
    " WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'"
)


async def leave_as_it_is(connection: Any) -> None:
    """A connection that is given back: our locks and settings end with their transactions. To make sure,
    asyncpg would ask the server once more after each query."""


class Postgres(Transactional, PostgresEngine):  # type: ignore[misc]
    """Piccolo's, with a pool."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        super().__init__(config={"dsn": url})

    async def open(self) -> None:
        await self.start_connection_pool(
            min_size=1,
            max_size=POOL,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings=PROMISED | {"application_name": "balie", "jit": "off"},
            reset=leave_as_it_is,
        )
        for name in await self._pool().fetchval(UNSAFE):
            log.warning("the server's setting %s = off can lose what was acknowledged when power fails", name)

    async def close(self) -> None:
        await self.close_connection_pool()

    def new_transaction(self) -> "PostgresTransaction":
        return PostgresTransaction(self)

    def snapshot(self) -> "PostgresSnapshot":
        return PostgresSnapshot(self)

    async def lock(self, key: int) -> None:
        await self._mine("lock").run("SELECT pg_advisory_xact_lock($1)", [key])

    async def most_processes(self) -> int:
        """Each has a pool and the wire; a few connections are left for a second start, a backup, a person."""
        allowed = await self._pool().fetchval("SHOW max_connections")
        return max(1, (int(allowed) - SPARE) // (POOL + 1))

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> Rows:
        if transaction := self.current_transaction.get():
            return await transaction.run(ddl, (), MIGRATION_TIMEOUT_S)  # type: ignore[no-any-return]
        return await self._pool().fetch(ddl, timeout=MIGRATION_TIMEOUT_S)  # type: ignore[no-any-return]

    def connections(self) -> tuple[int, int]:
        """How many, and how many of them have nothing to do."""
        return self._pool().get_size(), self._pool().get_idle_size()

    async def scrub(self, tables: Sequence[str]) -> bool:
        names = ", ".join(f'"{name}"' for name in tables)
        await self._pool().execute(f"VACUUM {names}", timeout=MIGRATION_TIMEOUT_S)
        return True

    append_within = staticmethod(appending.within_on_postgresql)

    async def append_alone(self, entry: Entry, then: Callable[[Appended | None], object]) -> Appended | None:
        """In a task of its own: what is committed is told, even if whoever asked is gone by then."""
        return await asyncio.shield(asyncio.create_task(self._append(entry, then), context=Context()))

    async def _append(self, entry: Entry, then: Callable[[Appended | None], object]) -> Appended | None:
        try:
            appended = await self._append_once(entry)
        except asyncpg.UniqueViolationError:  # the same, a moment ago
            appended = await self._append_once(entry)
        call(then, appended)
        return appended

    async def _append_once(self, entry: Entry) -> Appended | None:
        async with self.lent() as connection:
            return await appending.on_postgresql(connection, entry)

    async def run_alone(self, sql: str, args: Sequence[Any]) -> Rows:
        async with self.lent() as connection:
            return await connection.fetch(sql, *args)  # type: ignore[no-any-return]

    @contextlib.asynccontextmanager
    async def lent(self) -> AsyncIterator[Any]:
        connection = await self.take()
        try:
            yield connection
        finally:
            await self.give_back(connection)

    async def take(self) -> Any:
        """A connection. While the server stands still all are in use, and people and pages go on asking: who
        has waited in vain for a while is told that the database is away, and beyond a number so is everybody
        else at once."""
        if waits.line.waiting >= MOST_WAITING:
            raise TimeoutError("too many wait for a connection to PostgreSQL")
        return await waits.line.measure(self._taken_soon())

    async def _taken_soon(self) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await self._pool().acquire()

    async def give_back(self, connection: Any) -> None:
        await self._pool().release(connection, timeout=GIVEN_BACK_S)

    def _pool(self) -> Any:
        if self.pool is None:
            raise RuntimeError(CLOSED)
        return self.pool


class PostgresTransaction(Transaction):
    engine: Postgres
    connection: Any

    async def take_connection(self) -> None:
        self.connection = await self.engine.take()

    async def begin(self) -> None:
        await self.connection.execute("BEGIN")

    async def execute(self, sql: str, args: Sequence[Any], timeout_s: float | None = None) -> Rows:
        return await self.connection.fetch(sql, *args, timeout=timeout_s)  # type: ignore[no-any-return]

    async def apply(self, work: Callable[..., Any], *args: Any) -> Any:
        return await work(self.connection, *args)

    async def commit(self) -> None:
        await self.connection.execute("COMMIT")

    async def roll_back(self) -> None:
        try:
            await self.connection.execute("ROLLBACK", timeout=GIVEN_BACK_S)
        except Exception:  # the line is gone, and the transaction with it
            self.connection.terminate()

    async def give_connection_back(self) -> None:
        await self.engine.give_back(self.connection)


class PostgresSnapshot(PostgresTransaction):
    async def begin(self) -> None:
        await self.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await self.connection.execute("SELECT 1")  # from here on nothing changes
