"""The database: the same promises on SQLite and on PostgreSQL."""

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from piccolo.columns import ForeignKey
from piccolo.columns.indexes import IndexMethod
from piccolo.table import Table

import db
from db import migrations
from db.clock import now
from db.tables import (
    TABLES,
    Agent,
    Chat,
    Message,
    Participation,
    Presence,
    Queue,
    Refusal,
    Reservation,
    Role,
    Session,
    Step,
    Visitor,
    Widget,
)

ROOT = Path(__file__).parent.parent
TASKS = 50


@pytest.fixture
async def blank(database: str) -> str:
    """The URL of a database with nothing in it at all."""
    if database.startswith("sqlite"):
        Path(database.removeprefix("sqlite:///")).unlink()
    else:
        connection = await asyncpg.connect(database)
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await connection.close()
    return database


# ---- the tables --------------------------------------------------------------------------------------------


async def test_the_migrations_make_the_tables_that_the_code_believes_in(blank: str) -> None:
    await db.connect(blank)
    try:
        made = await schema()
        await wipe()
        for table in TABLES:
            await table.create_table()
        believed = await schema()
    finally:
        await db.disconnect()
    assert set(made) == {table._meta.tablename for table in TABLES}
    for table in believed:
        assert made[table] == believed[table], table


async def schema() -> dict[str, dict[str, tuple[Any, ...]]]:
    """(type, required, default, unique, reference, what happens when that is deleted) of each column of each table."""
    rows = await db.sql(SCHEMA[db.dialect()])
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    for row in rows:
        facts = (
            row["type"].lower().replace("bigint", "integer"),
            bool(row["required"]),
            _default(row),
            bool(row["is_unique"]),
            row["refers_to"],
            row["on_delete"],
        )
        found.setdefault(row["in_table"], {})[row["name"]] = facts
    return found


def _default(row: dict[str, Any]) -> str | None:
    text = (row["standard"] or "").partition("::")[0].lower()
    by_itself = row["name"] == "id" or "timestamp" in row["type"].lower()  # our clock is not the database's
    return None if by_itself or text in ("", "null") else text


SCHEMA = {
    "sqlite": """
        SELECT t.name AS in_table, c.name, c.type, c."notnull" AS required, c.dflt_value AS standard,
               f."table" AS refers_to, f.on_delete,
               EXISTS (SELECT 1 FROM pragma_index_list(t.name) AS i, pragma_index_info(i.name) AS n
                       WHERE i.origin = 'u' AND n.name = c.name) AS is_unique
        FROM sqlite_master AS t, pragma_table_info(t.name) AS c
        LEFT JOIN pragma_foreign_key_list(t.name) AS f ON f."from" = c.name
        WHERE t.type = 'table' AND t.name NOT IN ('migration', 'sqlite_sequence')
        """,
    "postgresql": """
        SELECT c.table_name AS in_table, c.column_name AS name, c.data_type AS type, c.is_nullable = 'NO' AS required,
               c.column_default AS standard, f.confrelid::regclass::text AS refers_to,
               CASE f.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'r' THEN 'RESTRICT' WHEN 'n' THEN 'SET NULL'
                    WHEN 'a' THEN 'NO ACTION' END AS on_delete,
               EXISTS (SELECT 1 FROM pg_constraint AS u WHERE u.contype = 'u' AND u.conrelid = a.attrelid
                       AND a.attnum = ANY (u.conkey)) AS is_unique
        FROM information_schema.columns AS c
        JOIN pg_attribute AS a ON a.attrelid = ('"' || c.table_name || '"')::regclass AND a.attname = c.column_name
        LEFT JOIN pg_constraint AS f ON f.contype = 'f' AND f.conrelid = a.attrelid AND f.conkey = ARRAY[a.attnum]
        WHERE c.table_schema = 'public' AND c.table_name <> 'migration'
        """,
}


async def wipe() -> None:
    if db.dialect() == "sqlite":
        await db.sql("PRAGMA foreign_keys = OFF")
    for table in reversed(TABLES):
        await db.sql(f'DROP TABLE "{table._meta.tablename}"' + (" CASCADE" if db.dialect() != "sqlite" else ""))


async def test_rows_survive_every_migration(blank: str) -> None:
    """With rows in all tables that there are by then."""
    engine = db.Sqlite(blank) if blank.startswith("sqlite") else db.Postgres(blank)
    await engine.open()
    for table in TABLES:
        table._meta.db = engine
    try:
        while name := await migrations.apply_next(engine):
            before = await filled(engine)
            assert before, name
            assert await migrations.apply_next(engine) is None or await counts(before) == before
    finally:
        await engine.close()


async def filled(engine: Any) -> dict[type[Table], int]:
    """Puts a row into every table, and counts the rows of each."""
    ids: dict[type[Table], int] = {}
    for table in TABLES:
        with contextlib.suppress(Exception):
            row = table(**{each._meta.name: _some(each, ids) for each in table._meta.columns if each._meta.name != "id"})
            await row.save()
            ids[table] = row.id  # type: ignore[attr-defined]
    return await counts(ids)


def _some(column: Any, ids: dict[type[Table], int]) -> Any:
    if isinstance(column, ForeignKey):
        return ids.get(column._foreign_key_meta.resolved_references)
    return f"{random.random()}" if column._meta.unique else column.get_default_value()  # noqa: S311


async def counts(tables: Any) -> dict[type[Table], int]:
    return {table: await table.count() for table in tables}
