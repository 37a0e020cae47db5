"""Appending a message: many at once share a commit, and each is answered for itself."""

import asyncio
import contextlib
import sqlite3
from typing import Any

import pytest

import db
from db.appending import Appended, Entry
from db.clock import now
from db.tables import Chat, Message, Queue, Visitor, Widget
from tests.room import made

MANY = 40


@pytest.fixture
async def chat(connected: str) -> int:
    return await new_chat("een")


async def new_chat(name: str) -> int:
    widget, queue = await made(Widget(key=name, name=name)), await made(Queue(name=name))
    visitor = await made(Visitor(widget=widget, token_hash=name, created_at=now()))
    return await made(Chat(visitor=visitor, widget=widget, queue=queue, state="active"))


def entry(chat: int, key: str, author: str = "visitor") -> Entry:
    return Entry(chat, f"key-{key}", "text", author, None, "Jef", f"tekst {key}", "{}", now())


async def append(chat: int, key: str) -> Appended | None:
    return await db.append(entry(chat, key), lambda _appended: None)


async def numbers(chat: int) -> dict[str, int]:
    rows = await Message.select(Message.key, Message.seq).where(Message.chat == chat)
    return {row["key"]: row["seq"] for row in rows}


async def head(chat: int) -> int:
    row = await Chat.select(Chat.seq).where(Chat.id == chat).first()
    assert row
    return int(row["seq"])


async def test_many_at_once_are_numbered_without_a_gap(chat: int) -> None:
    answers = await asyncio.gather(*(append(chat, str(n)) for n in range(MANY)))
    assert sorted(answer.seq for answer in answers if answer) == list(range(1, MANY + 1))
    assert sorted((await numbers(chat)).values()) == list(range(1, MANY + 1))
    assert await head(chat) == MANY


async def test_the_same_key_at_once_is_one_message(chat: int) -> None:
    answers = [each for each in await asyncio.gather(*(append(chat, "a") for _ in range(20))) if each]
    assert {answer.seq for answer in answers} == {1}
    assert sum(answer.is_new for answer in answers) == 1
    assert len(answers) == 20
    assert await head(chat) == 1, "a retry leaves no gap"


async def test_a_chat_that_is_over_takes_none_and_the_others_theirs(chat: int) -> None:
    other = await new_chat("twee")
    await Chat.update({Chat.state: "ended"}).where(Chat.id == other)
    refused, taken = await asyncio.gather(append(other, "a"), append(chat, "a"))
    assert (refused, taken) == (None, Appended(1, is_new=True))
    assert await numbers(other) == {}
    assert await head(other) == 0


async def test_one_that_fails_takes_nothing_of_the_others_along(chat: int) -> None:
    """There is no such agent: the database refuses that one after it has counted."""
    bad = entry(chat, "bad", "agent")._replace(agent=999_999)
    answers = await asyncio.gather(
        append(chat, "a"), db.append(bad, lambda _appended: None), append(chat, "b"), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Appended, type(answers[1]), Appended]
    assert isinstance(answers[1], Exception)
    assert sorted((await numbers(chat)).values()) == [1, 2]
    assert await head(chat) == 2


async def test_what_is_answered_is_there_for_everybody(chat: int, connected: str) -> None:
    await append(chat, "a")
    if connected.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(connected.removeprefix("sqlite:///"))) as other:
            assert other.execute("SELECT seq FROM message").fetchall() == [(1,)]
    assert await numbers(chat) == {"key-a": 1}


async def test_who_goes_away_has_still_said_it_and_it_is_told(chat: int) -> None:
    told: asyncio.Queue[Appended | None] = asyncio.Queue()
    task = asyncio.create_task(db.append(entry(chat, "a"), told.put_nowait))
    await asyncio.sleep(0)  # it has asked
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled(), "or there was nobody to go away"
    async with asyncio.timeout(5):
        assert await told.get() == Appended(1, is_new=True)
    assert await numbers(chat) == {"key-a": 1}


async def test_in_a_transaction_it_is_a_part_of_it(chat: int) -> None:
    told: list[Any] = []
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            assert await db.append(entry(chat, "a"), told.append) == Appended(1, is_new=True)
            raise ZeroDivisionError
    assert (await numbers(chat), told) == ({}, [])
    async with db.transaction():
        await db.append(entry(chat, "a"), told.append)
        assert told == [], "not before it is committed"
    assert (await numbers(chat), told) == ({"key-a": 1}, [Appended(1, is_new=True)])


async def test_in_a_transaction_an_agents_retry_is_the_first_again(chat: int) -> None:
    await append(chat, "a")
    async with db.transaction():
        assert await append(chat, "a") == Appended(1, is_new=False)
        assert await append(chat, "b") == Appended(2, is_new=True), "and the transaction goes on"
