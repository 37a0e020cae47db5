"""Whole tables, out of one database and into another: a line of JSON for each row, the same from both.

A line is an object with all columns. Times are UTC, and what is kept as JSON stands in it as it is.
"""

import functools
import itertools
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import asyncpg
import msgspec
from msgspec import Meta, Raw
from piccolo.table import Table

import db
from db import migrations
from db.tables import TABLES

AT_A_TIME = 500  # rows
MOST_VALUES = 30_000  # in one statement; both databases take 32,766
Number = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Id = Annotated[int, Meta(ge=1, le=2**53)]  # far from where counting ends
Moment = Annotated[datetime, Meta(tz=True)]
# By the kind of column: what it is called, and what a line may hold there.
KINDS: dict[str, tuple[str, Any]] = {
    "Serial": ("id", Id),
    "ForeignKey": ("id", Id),
    "Integer": ("number", Number),
    "Text": ("text", str),
    "Boolean": ("true or false", bool),
    "Timestamptz": ("moment", Moment),
    "JSON": ("JSON", Raw),
}


class Misfit(ValueError):
    """Rows that this database does not take; says where, and nothing of what they hold."""


def name_of(table: type[Table]) -> str:
    return str(table._meta.tablename)


def described(table: type[Table]) -> dict[str, str]:
    """Its columns, for people and for other programs."""
    return {column._meta.name: told(column) for column in table._meta.columns}


def told(column: Any) -> str:
    known, _type = KINDS[type(column).__name__]
    if references := getattr(column, "_foreign_key_meta", None):
        known = f"{known} of {name_of(references.resolved_references)}"
    return f"{known} or null" if column._meta.null else known


def migrated() -> list[str]:
    """The steps that made the tables what they are now."""
    return sorted(file.stem for file in migrations.HERE.glob("*.sql"))


# ---- out -------------------------------------------------------------------------------------------------


async def lines(table: type[Table], instead: Mapping[str, Any]) -> AsyncIterator[list[bytes]]:
    """All its rows in order, some at a time. `instead` has the columns that are worth nothing elsewhere."""
    names = list(described(table))
    json = {column._meta.name for column in table._meta.columns if type(column).__name__ == "JSON"}
    listed = ", ".join(f'"{name}"' for name in names)
    query = f'SELECT {listed} FROM "{name_of(table)}" WHERE id > {{}} ORDER BY id LIMIT {{}}'  # noqa: S608
    last = 0
    while rows := await db.sql(query, last, AT_A_TIME):
        last = rows[-1]["id"]
        yield [line({**{name: row[name] for name in names}, **instead}, json) for row in rows]


def line(row: dict[str, Any], json: Iterable[str]) -> bytes:
    return msgspec.json.encode(row | {name: as_it_is(row[name]) for name in json}) + b"\n"


def as_it_is(text: str) -> Raw | str:
    """To the letter. As a text if it is no object and no array, or not in one line."""
    if text[:1] in ("{", "[") and text[-1:] in ("}", "]") and "\n" not in text and "\r" not in text:
        try:
            msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return text
        return Raw(text.encode())
    return text


# ---- in --------------------------------------------------------------------------------------------------


async def put(table: type[Table], given: Iterable[bytes]) -> int:
    """Within a transaction. How many there were."""
    name, columns = name_of(table), len(described(table))
    at_a_time = min(AT_A_TIME, MOST_VALUES // columns)
    read = rows_in(table, given)
    count = 0
    while part := list(itertools.islice(read, at_a_time)):
        try:
            await db.execute(insertion(table, db.dialect(), len(part)), [*itertools.chain(*part)])
        except (sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OverflowError) as error:
            raise Misfit(f"{name}: {str(error).partition(chr(10))[0]}") from error
        count += len(part)
    return count


def rows_in(table: type[Table], given: Iterable[bytes]) -> Iterator[list[Any]]:
    decoder = msgspec.json.Decoder(form(table))
    for number, each in enumerate(given, 1):
        try:
            row = decoder.decode(each)
            yield [text_of(value) if type(value) is Raw else value for value in msgspec.structs.astuple(row)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Misfit(f"{name_of(table)}, line {number}: {error}") from error


@functools.cache
def form(table: type[Table]) -> type[msgspec.Struct]:
    """What a line of it has to look like: every column, and nothing else."""
    fields = []
    for column in table._meta.columns:
        kind = KINDS[type(column).__name__][1]
        fields.append((column._meta.name, kind | None if column._meta.null else kind))
    return msgspec.defstruct(name_of(table), fields, forbid_unknown_fields=True)


def text_of(raw: Raw) -> str:
    given = bytes(raw)
    if given[:1] in (b"{", b"["):
        return given.decode()
    return msgspec.json.decode(given, type=str)


@functools.lru_cache(maxsize=4)
def insertion(table: type[Table], dialect: str, rows: int) -> str:
    names = [f'"{name}"' for name in described(table)]
    numbers = iter(range(1, MOST_VALUES + 1))
    signs = itertools.repeat("?") if dialect == "sqlite" else (f"${number}" for number in numbers)
    values = ", ".join(f"({', '.join(itertools.islice(signs, len(names)))})" for _row in range(rows))
    return f'INSERT INTO "{name_of(table)}" ({", ".join(names)}) VALUES {values}'  # noqa: S608


# ---- what comes next -------------------------------------------------------------------------------------


async def last_ids() -> dict[str, int]:
    """The last id that each table has ever given; that row may have gone."""
    if db.dialect() == "sqlite":
        given = {row["name"]: row["seq"] for row in await db.sql("SELECT name, seq FROM sqlite_sequence")}
        return {name_of(table): int(given.get(name_of(table)) or 0) for table in TABLES}
    return {name_of(table): await last_id_on_postgresql(name_of(table)) for table in TABLES}


async def last_id_on_postgresql(table: str) -> int:
    query = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS n FROM {await counter(table)}"  # noqa: S608
    return int((await db.sql(query))[0]["n"])


async def counter(table: str) -> str:
    rows = await db.sql("SELECT pg_get_serial_sequence({}, 'id') AS name", f'"{table}"')
    return str(rows[0]["name"])


async def go_on_after(given: Mapping[str, int]) -> None:
    """No id is given twice, not even that of a row that has gone: the audit may speak of it."""
    for table in TABLES:
        name = name_of(table)
        rows = await db.sql(f'SELECT max(id) AS id FROM "{name}"')  # noqa: S608
        last = max(rows[0]["id"] or 0, given.get(name, 0))
        if db.dialect() == "sqlite":
            await db.sql("DELETE FROM sqlite_sequence WHERE name = {}", name)
            await db.sql("INSERT INTO sqlite_sequence (name, seq) VALUES ({}, {})", name, last)
        else:
            await db.sql("SELECT setval({}, {}, {})", await counter(name), max(last, 1), last > 0)
