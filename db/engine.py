"""The two engines under Piccolo: SQLite, embedded, and PostgreSQL.

Piccolo's own SQLite engine opens a connection for every query and begins transactions that cannot become
writers when two do it at once. Ours keeps one writing connection, whose transactions wait for each other in
order of arrival, and two reading ones. Its PostgreSQL engine is used with a pool. Transactions are ours on
both, so that both keep the same rules:

* a transaction belongs to one task, and refuses the queries of any other, also after its end;
* after an error in it nothing of it can be committed (PostgreSQL would say yes and drop it);
* cancelling its task at any moment leaves no open transaction and no lock that is held;
* what was given to `after_commit` is called once the commit has succeeded, even if it was cancelled by then.

A snapshot is a transaction that only reads, all of it as it was at its beginning, and holds nobody up.
"""

import asyncio
import contextlib
import logging
import re
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, Token
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import asyncpg
from piccolo.engine.base import BaseTransaction
from piccolo.engine.postgres import PostgresEngine
from piccolo.engine.sqlite import SQLiteEngine
from piccolo.querystring import QueryString

from db import appending, waits
from db.appending import Appended, Entry
from db.connections import Connections, SqliteUniqueViolation, connection, fetch, roll_back, scrub
from db.grouping import Group, call

T = TypeVar("T")
Rows = list[Any]
log = logging.getLogger("balie.db")

READERS = 2
POOL = 10
SPARE = 10
COMMAND_TIMEOUT_S = 60
MIGRATION_TIMEOUT_S = 3_600


class TransactionError(Exception):
    """A transaction was used in a way that cannot work; a fault in our code."""


UniqueViolation: tuple[type[Exception], ...] = (asyncpg.UniqueViolationError, SqliteUniqueViolation)


# ---- what both have in common ------------------------------------------------------------------------------


class _Transactional:
    """The part of an engine that sends a query to its task's transaction, or to a connection of its own."""

    current_transaction: Any  # a ContextVar of Piccolo's Engine
    engine_type: str

    def new_transaction(self) -> "Transaction":
        raise NotImplementedError

    def snapshot(self) -> "Transaction":
        raise NotImplementedError

    async def run_alone(self, sql: str, args: Sequence[Any]) -> Rows:
        raise NotImplementedError

    async def scrub(self, tables: Sequence[str]) -> bool:
        raise NotImplementedError

    async def glance(self, sql: str, args: Sequence[Any]) -> Rows:
        """A read of a few rows by their keys."""
        return await self.run(sql, args)

    async def append(self, entry: Entry, then: Callable[[Appended | None], object]) -> Appended | None:
        """Writes a message; `then` is called with its number once it is committed. A part of this task's
        transaction, if there is one. None: the chat takes no more."""
        if self.current_transaction.get() is None:
            return await self.append_alone(entry, then)
        appended: Appended | None = await self._mine("message").do(self.append_within, entry)
        self.after_commit(partial(then, appended))
        return appended

    append_within: Callable[..., Any]  # what a transaction does with its connection

    async def append_alone(self, entry: Entry, then: Callable[[Appended | None], object]) -> Appended | None:
        raise NotImplementedError

    async def check_version(self) -> None:
        """Piccolo would open a connection in another event loop to ask; `open` does it."""

    def transaction(self, *_: Any, **__: Any) -> "Transaction | Joined":
        outer = self.current_transaction.get()
        return Joined(outer) if outer else self.new_transaction()

    def savepoint(self) -> "Savepoint":
        return Savepoint(self._mine("savepoint"))

    def after_commit(self, then: Callable[[], object]) -> None:
        if transaction := self.current_transaction.get():
            transaction.check()
            transaction.callbacks.append(then)
        else:
            then()

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Rows:
        return await self.run(*querystring.compile_string(engine_type=self.engine_type))

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> Rows:
        return await self.run(ddl, ())

    async def run(self, sql: str, args: Sequence[Any]) -> Rows:
        if transaction := self.current_transaction.get():
            return await transaction.run(sql, args)  # type: ignore[no-any-return]
        return await self.run_alone(sql, args)

    def _mine(self, what: str) -> "Transaction":
        transaction: Transaction | None = self.current_transaction.get()
        if transaction is None:
            raise TransactionError(f"a {what} belongs inside a transaction")
        transaction.check()
        return transaction


class Transaction(BaseTransaction):
    """BEGIN … COMMIT of one task."""

    def __init__(self, engine: _Transactional) -> None:
        self.engine = engine
        self.task = asyncio.current_task()
        self.callbacks: list[Callable[[], object]] = []
        self.failed = False  # nothing but a rollback is possible any more
        self.over = False
        self.savepoints = 0

    async def take_connection(self) -> None:
        raise NotImplementedError

    async def begin(self) -> None:
        raise NotImplementedError

    async def execute(self, sql: str, args: Sequence[Any], timeout_s: float | None = None) -> Rows:
        raise NotImplementedError

    async def commit(self) -> None:
        raise NotImplementedError

    async def roll_back(self) -> None:
        """Ends the transaction if it has begun, whatever has happened to it."""
        raise NotImplementedError

    async def give_connection_back(self) -> None:
        raise NotImplementedError

    async def apply(self, work: Callable[..., Any], *args: Any) -> Any:
        """Calls work(connection, *args) on the connection's own thread, if it has one."""
        raise NotImplementedError

    async def run(self, sql: str, args: Sequence[Any], timeout_s: float | None = None) -> Rows:
        return await self._tried(self.execute(sql, args, timeout_s))

    async def do(self, work: Callable[..., Any], *args: Any) -> Any:
        return await self._tried(self.apply(work, *args))

    async def _tried(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if fault := self._fault():
            coroutine.close()
            raise fault
        try:
            return await coroutine
        except BaseException:
            self.failed = True
            raise

    def check(self) -> None:
        if fault := self._fault():
            raise fault

    def _fault(self) -> TransactionError | None:
        if self.over:
            return TransactionError(
                "the transaction is over: a task that was started inside it still uses it"
            )
        if asyncio.current_task() is not self.task:
            return TransactionError("a transaction belongs to one task: do not start another inside it")
        if self.failed:
            return TransactionError(
                "something failed earlier in this transaction: it can only be rolled back"
            )
        return None

    async def __aenter__(self) -> Self:
        await self.take_connection()
        try:
            await self.begin()
        except BaseException as error:
            if interruption := await _to_the_end(self._finish(commit=False)):
                raise interruption from error
            raise
        self.token: Token[Any] = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(  # type: ignore[override]
        self, kind: Any, error: BaseException | None, trace: Any
    ) -> None:
        fault = self._fault() if error is None else None
        good = error is None and fault is None
        self.over = True
        self.engine.current_transaction.reset(self.token)
        interruption = await _to_the_end(self._finish(commit=good))
        if good:
            self._call_back()
        if interruption:
            raise interruption
        if fault:
            raise fault

    async def _finish(self, commit: bool) -> None:
        try:
            await (self.commit() if commit else self.roll_back())
        except BaseException:
            await self.roll_back()
            raise
        finally:
            await self.give_connection_back()

    def _call_back(self) -> None:
        for then in self.callbacks:
            try:
                then()
            except Exception:  # it is committed: the caller must not be told otherwise
                log.exception("after a commit")


async def _to_the_end(work: Coroutine[Any, Any, None]) -> asyncio.CancelledError | None:
    """Does the work in a task of its own, so that it goes on when this one is cancelled; returns that."""
    cancelled = None
    task = asyncio.create_task(work)
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if failure := task.exception():
        raise cancelled or failure
    return cancelled


class Joined:
    """A transaction inside a transaction: a part of the outer one, which is lost when this part fails."""

    def __init__(self, outer: Transaction) -> None:
        self.outer = outer

    async def __aenter__(self) -> Transaction:
        self.outer.check()
        return self.outer

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None:
            self.outer.failed = True


class Savepoint:
    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction

    async def __aenter__(self) -> None:
        self.transaction.savepoints += 1
        self.name = f"part_{self.transaction.savepoints}"
        self.callbacks = len(self.transaction.callbacks)
        await self.transaction.run(f"SAVEPOINT {self.name}", ())

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception):
            self.transaction.failed = False
            del self.transaction.callbacks[self.callbacks :]
            await self.transaction.run(f"ROLLBACK TO SAVEPOINT {self.name}", ())
        if error is None or isinstance(error, Exception):
            await self.transaction.run(f"RELEASE SAVEPOINT {self.name}", ())


# ---- SQLite ------------------------------------------------------------------------------------------------

_ONLY_READS = re.compile(r"\s*(SELECT|EXPLAIN)\b", re.IGNORECASE)


class Sqlite(_Transactional, SQLiteEngine):  # type: ignore[misc]
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
        self.group = Group(self.turn, self.writer.run)

    async def close(self) -> None:
        await self.group.close()
        self.eye.close()
        self.readers.close()
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


# ---- PostgreSQL --------------------------------------------------------------------------------------------


# A commit is on the disk, also where the server's own answer to that is no.
PROMISED = {"synchronous_commit": "on"}
UNSAFE = (
    "SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM pg_settings"
    " WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'"
)


class AsItIs(asyncpg.Connection):  # type: ignore[misc]
    """Goes back to the pool as it is. Nothing here sets, locks or listens beyond its transaction; to reset a
    connection would be a second question to the server after each that we have."""

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""


class Postgres(_Transactional, PostgresEngine):  # type: ignore[misc]
    """Piccolo's, with a pool."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        super().__init__(config={"dsn": url})

    async def open(self) -> None:
        await self.start_connection_pool(
            min_size=1,
            max_size=POOL,
            connection_class=AsItIs,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings=PROMISED | {"application_name": "balie", "jit": "off"},
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
            appended = await appending.on_postgresql(self._pool(), entry)
        except asyncpg.UniqueViolationError:  # the same, a moment ago
            appended = await appending.on_postgresql(self._pool(), entry)
        call(then, appended)
        return appended

    async def run_alone(self, sql: str, args: Sequence[Any]) -> Rows:
        return await self._pool().fetch(sql, *args)  # type: ignore[no-any-return]

    def _pool(self) -> Any:
        if self.pool is None:
            raise RuntimeError("the database is closed")
        return self.pool


class PostgresTransaction(Transaction):
    engine: Postgres
    connection: Any

    async def take_connection(self) -> None:
        self.connection = await waits.line.measure(self.engine._pool().acquire())

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
            await self.connection.execute("ROLLBACK")
        except Exception:  # the line is gone, and the transaction with it
            self.connection.terminate()

    async def give_connection_back(self) -> None:
        await self.engine._pool().release(self.connection)


class PostgresSnapshot(PostgresTransaction):
    async def begin(self) -> None:
        await self.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await self.connection.execute("SELECT 1")  # from here on nothing changes


Database = Sqlite | Postgres
