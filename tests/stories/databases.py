"""The database under a story, which may look into it, and change it where waiting would take too long."""

import asyncio
import itertools
import re
import sqlite3
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
Statement = tuple[str, Sequence[Any]]
PATIENCE_S = 20

# A story leaves no row behind: what refers to what does not matter.
LOOSE = "SET session_replication_role = replica"


class Database(Protocol):
    def do(self, statements: Iterable[Statement]) -> Rows:
        """All of them or none; with ? for each value. The rows of the last."""
        ...


class Sqlite:
    def __init__(self, file: Path) -> None:
        self.file = file

    def do(self, statements: Iterable[Statement]) -> Rows:
        found: Rows = []
        with closing(sqlite3.connect(self.file, timeout=PATIENCE_S)) as database, database:
            for query, values in statements:
                found = database.execute(query, values).fetchall()
        return found


class Postgresql:
    def __init__(self, url: str) -> None:
        self.url = url

    def do(self, statements: Iterable[Statement]) -> Rows:
        return in_a_thread(self.done(list(statements)))

    async def done(self, statements: list[Statement]) -> Rows:
        found: list[Any] = []
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(LOOSE)
            async with connection.transaction():
                for query, values in statements:
                    found = await connection.fetch(numbered(query), *values)
        finally:
            await connection.close()
        return [tuple(row) for row in found]


def numbered(query: str) -> str:
    count = itertools.count(1)
    return re.sub(r"\?", lambda _mark: f"${next(count)}", query)


def in_a_thread(work: Coroutine[Any, Any, T]) -> T:
    """Playwright has this one's event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
