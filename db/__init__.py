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

from db import migrations
from db.appending import Appended, Entry
from db.engine import Database, Postgres, Sqlite, TransactionError, UniqueViolation
from db.tables import TABLES

__all__ = [
    "TransactionError",
    "UniqueViolation",
    "after_commit",
    "append",
    "connect",
    "dialect",
    "disconnect",
    "engine",
    "execute",
    "lock",
    "savepoint",
    "scrub",
    "snapshot",
    "sql",
    "transaction",
]

_engine: Database | None = None


async def connect(url: str) -> None:
    """Opens the database of this process and brings its tables up to date."""
    global _engine
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
    _engine = engine


async def disconnect() -> None:
    global _engine
    engine, _engine = _engine, None
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


async def sql(query: str, *args: Any) -> list[dict[str, Any]]:
    """The rows of hand-written SQL; each {} takes an argument.

    On SQLite a computed column has no type (max(sent_at) is text): select columns as they are where it
    matters."""
    engine = _connected()
    return engine.transform_response_to_dicts(await engine.run_querystring(QueryString(query, *args)))


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
