"""The database: one desk, on SQLite or PostgreSQL, with the same code on both.

    await db.connect(url)                       # migrates too
    async with db.transaction():                # nested: one transaction, the outer one
        await db.lock("routing")
        await Chat.update(...)
        db.after_commit(lambda: live.publish(...))
    await db.disconnect()

A transaction belongs to the task that began it: do not start a task inside one. After an error inside it the
whole transaction is lost, on both databases; `async with db.savepoint():` around a part that may fail saves
the rest.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from piccolo.querystring import QueryString

from db import migrations, wire
from db.appending import Appended, Entry
from db.engine import Database, UniqueViolation
from db.postgresql import Postgres
from db.sqlite import Sqlite
from db.tables import TABLES
from db.transactions import TransactionError
from db.wire import Wire

__all__ = [
    "TransactionError",
    "UniqueViolation",
    "after_commit",
    "append",
    "begin_to_serve",
    "connect",
    "connections",
    "dialect",
    "disconnect",
    "engine",
    "execute",
    "has_others",
    "is_alone",
    "listen",
    "lock",
    "most_processes",
    "savepoint",
    "scrub",
    "snapshot",
    "somebody_died",
    "sql",
    "tell",
    "transaction",
]

_engine: Database | None = None
_wire: Wire | None = None
_beside = False


async def connect(url: str, beside: bool = False) -> None:
    """Opens the database of this process and brings its tables up to date. `beside`: others serve the desk at
    this moment, as whoever begins it knows; otherwise the database is asked."""
    global _engine, _beside
    await disconnect()
    engine: Database = Sqlite(url) if url.startswith("sqlite:") else Postgres(url)
    await engine.open()
    try:
        await migrations.apply(engine)
    except BaseException:
        await engine.close()
        raise
    for table in TABLES:
        table._meta.db = engine
    _engine, _beside = engine, beside


async def disconnect() -> None:
    global _engine, _wire
    engine, _engine = _engine, None
    line, _wire = _wire, None
    if line:
        await line.close()
    if engine:
        await engine.close()


def dialect() -> str:
    """ "sqlite" or "postgresql", for the few lines of SQL that differ."""
    return _connected().dialect


def transaction() -> AbstractAsyncContextManager[object]:
    """All of the block or nothing of it. On SQLite it is the only writer from its first line."""
    return _connected().transaction()


def snapshot() -> AbstractAsyncContextManager[object]:
    """Everything as it is now, however long the block reads it. It writes nothing and holds nobody up."""
    return _connected().snapshot()


def savepoint() -> AbstractAsyncContextManager[object]:
    """A part of a transaction that may fail without taking the rest along."""
    return _connected().savepoint()


def after_commit(then: Callable[[], object]) -> None:
    """Calls `then` once what this transaction did is there for everybody to see, never when it is undone, and
    at once outside a transaction."""
    _connected().after_commit(then)


async def lock(name: str) -> None:
    """Until the end of this transaction no other one has the lock of that name."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    await _connected().lock(key)


async def scrub() -> bool:
    """Outside a transaction: what was deleted is no longer in the database's own files either. It writes
    all of SQLite's file anew, and nobody else writes meanwhile. False if it was read all the time."""
    return await _connected().scrub([table._meta.tablename for table in TABLES])


# ---- other processes of the same desk, on PostgreSQL -------------------------------------------------------


async def listen(hear: Callable[[str], None], missed: Callable[[], None]) -> None:
    """From here on this process hears what others `tell`; `missed` is called when it may not have. On SQLite
    there are no others."""
    global _wire
    engine = _connected()
    if isinstance(engine, Postgres):
        line = Wire(engine.config["dsn"], hear, missed)
        await line.open(_beside)
        _wire = line


def is_alone() -> bool:
    """When this process began, no other served the desk: nobody held the lines that are in the database."""
    return _wire is None or _wire.alone


async def begin_to_serve(orderly: bool) -> None:
    """What is done once per start of a desk is done: those that start beside this one may go on. Unless the
    start is an orderly one, they hear that they may have missed what a process that died had committed."""
    if _wire:
        await _wire.be_ready()
        if not (orderly or _wire.alone):
            _wire.say(wire.MISSED)


def somebody_died() -> None:
    """A process of this desk, which may not have told all that it had committed."""
    if _wire:
        _wire.missed()
        _wire.say(wire.MISSED)


def has_others() -> bool:
    """There is somebody to `tell`, perhaps."""
    return _wire is not None


def tell(words: str) -> None:
    """After a commit."""
    if _wire:
        _wire.say(words)


async def most_processes() -> int:
    """For how many that serve at once there are connections."""
    return await _connected().most_processes()


async def sql(query: str, *args: Any) -> list[dict[str, Any]]:
    """The rows of hand-written SQL; each {} takes an argument.

    On SQLite a computed column has no type (max(sent_at) is text): select columns as they are where it
    matters."""
    engine = _connected()
    return engine.transform_response_to_dicts(await engine.run_querystring(QueryString(query, *args)))


def connections() -> tuple[int, int]:
    """How many this process has, and how many of them have nothing to do."""
    return _connected().connections()


async def append(entry: Entry, then: Callable[[Appended | None], object]) -> Appended | None:
    """Writes a message, alone or in this transaction; `then` is called once it is committed, whatever has
    become of who wrote it. None: the chat takes no more messages."""
    return await _connected().append(entry, then)


async def execute(query: str, args: Sequence[Any]) -> None:
    """A query with the database's own placeholders: for thousands of values at a time."""
    await _connected().run(query, args)


def engine() -> Database:
    return _connected()


def _connected() -> Database:
    if _engine is None:
        raise RuntimeError("no database: db.connect(url) comes first")
    return _engine
