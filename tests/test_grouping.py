"""SQLite's one writer: what comes together shares a commit, and a full disk is survived."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import db
from db.appending import Appended
from tests.test_appending import MANY, append, entry, head, new_chat, numbers


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture
async def chat(connected: str) -> int:
    return await new_chat("een")


@pytest.fixture
async def commits(connected: str) -> AsyncIterator[list[str]]:
    """What the writer does, from here on."""
    seen: list[str] = []
    writer = db.engine().writer.all[0]  # type: ignore[union-attr]
    writer.set_trace_callback(lambda sql: seen.append(sql) if sql.startswith("COMMIT") else None)
    yield seen
    writer.set_trace_callback(None)


async def test_what_comes_together_shares_a_commit(chat: int, commits: list[str]) -> None:
    await append(chat, "first")
    assert len(commits) == 1
    await asyncio.gather(*(append(chat, str(n)) for n in range(MANY)))
    assert 2 <= len(commits) <= 4, "and each was answered after its own"
    assert await head(chat) == MANY + 1


async def test_so_does_whatever_is_one_statement(chat: int, commits: list[str]) -> None:
    """As the answers to the beats of many pages are; one that fails takes nothing of the others along."""
    insert = "INSERT INTO role (name) VALUES ({}) RETURNING id"
    answers: list[Any] = await asyncio.gather(
        *(db.sql(insert, str(n)) for n in range(MANY)),
        db.sql("INSERT INTO role (name) VALUES (NULL)"),
        return_exceptions=True,
    )
    assert isinstance(answers.pop(), sqlite3.IntegrityError)
    assert len({rows[0]["id"] for rows in answers}) == MANY
    assert len(commits) <= 3


@pytest.fixture
def full_disk(connected: str) -> Iterator[Any]:
    """A switch: the file may not grow any more; or it may again."""
    writer = db.engine().writer.all[0]  # type: ignore[union-attr]

    def switch(full: bool) -> None:
        pages = writer.execute("PRAGMA page_count").fetchone()["page_count"] if full else 2**30
        writer.execute(f"PRAGMA max_page_count = {pages}")

    yield switch
    switch(False)


async def test_when_the_disk_is_full_none_of_them_is_there_and_later_all_goes_on(
    chat: int, full_disk: Any
) -> None:
    full_disk(True)
    long = [entry(chat, str(n))._replace(body="x" * 4000) for n in range(MANY)]
    answers: list[Any] = await asyncio.gather(
        *(db.append(each, lambda _appended: None) for each in long), return_exceptions=True
    )
    assert any(isinstance(answer, sqlite3.OperationalError) for answer in answers)
    taken = {each.key for each, answer in zip(long, answers, strict=True) if isinstance(answer, Appended)}
    assert set(await numbers(chat)) == taken
    full_disk(False)
    again = await asyncio.gather(*(db.append(each, lambda _appended: None) for each in long))
    assert len(again) == MANY
    assert sorted((await numbers(chat)).values()) == list(range(1, MANY + 1))
