"""Presence: who has a live page: an open stream whose page answers its beat.

Each stream of a console or of a chat window is a row that lives until it is closed, or until its page has
not answered for a while: then its stream ends, too, for what is sent to a page that reads nothing may go on
being taken by whatever lies between. When somebody's page opens or the last one goes, whoever follows
presence (routing) hears it in the same transaction. No URLs: the streams of the window and of the console
call.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import db
from db.clock import now
from db.prepared import prepared
from db.tables import Presence
from features import live, rounds

OPENED = "INSERT INTO presence (key, agent, chat, alive_until_at) VALUES ({}, {}, {}, {})"
ANSWERED = "UPDATE presence SET alive_until_at = {} WHERE key = {} RETURNING id"
CLOSED = "DELETE FROM presence WHERE key = {} RETURNING agent, chat"
EXPIRED = "DELETE FROM presence WHERE alive_until_at <= {} RETURNING key, agent, chat"
ALIVE_S = 40  # a beat goes out every 15 s: two may be missed
RECHECK_S = 5
LOCK = "routing"  # routing decides what follows from presence: both change under the one lock


class Whose(NamedTuple):
    """A page's owner: an agent, or the visitor of a chat."""

    agent: int | None
    chat: int | None


Follower = Callable[[Whose, bool], Awaitable[None]]
followers: list[Follower] = []


def follow(follower: Follower) -> Follower:
    """Call the decorated function with whose page it was, and whether they are live now."""
    followers.append(follower)
    return follower


async def opened(key: str, agent_id: int | None = None, chat_id: int | None = None) -> None:
    """A stream is there. The key is its own; a stream that is opened again has a new one."""
    whose = Whose(agent_id, chat_id)
    async with db.transaction():
        await db.lock(LOCK)
        was_live = await _is_live(whose)  # then everybody knows: a thousand that come back are little work
        await db.sql(CLOSED, _expectation(whose))
        await db.sql(OPENED, key, *whose, _alive_until())
        if not was_live:
            await _tell(whose, True)


async def answered(key: str) -> bool:
    """The page answered a beat. False: it was given up meanwhile, and its stream must be opened again."""
    return bool(await db.sql(ANSWERED, _alive_until(), key))


async def closed(key: str) -> None:
    async with db.transaction():
        await db.lock(LOCK)
        await _gone(await db.sql(CLOSED, key))


async def expected(agent_id: int | None = None, chat_id: int | None = None) -> None:
    """Somebody has just asked for something: they count as here, until their stream opens or should have."""
    whose = Whose(agent_id, chat_id)
    if await answered(_expectation(whose)) or await _is_live(whose):
        return
    await db.sql(OPENED, _expectation(whose), *whose, _alive_until())


async def expire() -> None:
    """The pages that have not answered in time are given up, whichever process has their streams."""
    async with db.transaction():
        await db.lock(LOCK)
        rows = await db.sql(EXPIRED, now())
        for row in rows:
            db.after_commit(partial(live.give_up, row["key"]))
        await _gone(rows)


cuts_seen = 0


async def recheck() -> None:
    """Who was given up may have gone unheard, too: all pages of this process, in one query."""
    global cuts_seen
    if (cuts := live.cuts) == cuts_seen:
        return
    pages = live.pages()  # before it is read who is there: whoever comes now is not looked for
    there = {row["key"] for row in await db.sql("SELECT key FROM presence")} if pages else set()
    for page in pages - there:
        live.give_up(page)
    cuts_seen = cuts


async def spare() -> None:
    """Nobody's answer could be written for a while: each page has the usual time for the next."""
    await Presence.update({Presence.alive_until_at: _alive_until()}, force=True)


async def forget() -> None:
    """The server was down, and so every line is cut. What follows is routing's: nobody is told."""
    await Presence.delete(force=True)


async def _gone(rows: list[dict[str, Any]]) -> None:
    for whose in dict.fromkeys(Whose(row["agent"], row["chat"]) for row in rows):
        if not await _is_live(whose):
            await _tell(whose, False)


async def _is_live(whose: Whose) -> bool:
    if whose.agent is not None:
        return bool(await pages_of_agent(whose.agent))
    return bool(await pages_of_chat(whose.chat))


@prepared
def pages_of_agent(agent: int) -> Any:
    return Presence.select(Presence.id).where(Presence.agent == agent).limit(1)


@prepared
def pages_of_chat(chat: int | None) -> Any:
    return Presence.select(Presence.id).where(Presence.chat == chat).limit(1)


async def _tell(whose: Whose, live: bool) -> None:
    for follower in followers:
        await follower(whose, live)


def _expectation(whose: Whose) -> str:
    return f"expected-agent-{whose.agent}" if whose.agent is not None else f"expected-chat-{whose.chat}"


def _alive_until() -> datetime:
    return now() + timedelta(seconds=ALIVE_S)


routes: list[Any] = []
tasks = [rounds.every(RECHECK_S, recheck)]
