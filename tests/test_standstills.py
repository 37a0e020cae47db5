"""The database does not answer for a while, and nobody pays for it."""

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

import pytest

import db
from db import tables
from features import presence, routing, standstills, sweeping
from tests import scenes
from tests.room import Room, made

ANSWER_S, STILL_S = 30, 40


@pytest.fixture
async def room(room: Room) -> Room:
    await made(tables.Desk(name="desk"))
    return room


@pytest.fixture
def long_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstills, "LEAST_S", 0.05)


class Asked:
    """An, about a chat; both have a live page, and a sweep has just gone by."""

    def __init__(self, room: Room, agent: int, chat: int, request: int) -> None:
        self.room, self.agent, self.chat, self.request = room, agent, chat, request

    async def expires_at(self) -> datetime:
        table = tables.Reservation
        row = await table.select(table.expires_at).where(table.id == self.request).first()
        assert row
        return datetime.fromisoformat(str(row["expires_at"]))


@pytest.fixture
async def asked(room: Room) -> Asked:
    queue = await room.queue(answer_s=ANSWER_S)
    an = await room.agent("an", {queue: 1})
    chat = await room.waits(queue)
    await presence.opened("console", agent_id=an)
    await presence.opened("window", chat_id=chat)
    await sweeping.sweep_again()
    return Asked(room, an, chat, await room.request(an))


async def stands_still(room: Room, *verbs: Coroutine[Any, Any, Any]) -> list[Any]:
    """All that these wait for, while a sweep waits with them, for longer than anybody may take to answer."""
    over = asyncio.Event()
    begun = asyncio.Event()

    async def hold() -> None:
        async with db.transaction():
            await db.lock(routing.LOCK)
            begun.set()
            await over.wait()

    holding = asyncio.create_task(hold())
    await begun.wait()
    sweep = asyncio.create_task(sweeping.sweep_again())
    await scenes.eventually(lambda: standstills.seen.sweep)
    tasks = [asyncio.create_task(verb) for verb in verbs]
    await asyncio.sleep(0.1)  # longer than `long_is_short`
    room.clock.shift(STILL_S)
    over.set()
    await asyncio.gather(holding, sweep)
    return await asyncio.gather(*tasks)


@pytest.mark.usefixtures("long_is_short")
async def test_whoever_accepted_meanwhile_has_accepted(room: Room, asked: Asked) -> None:
    assert await stands_still(room, routing.accept(asked.request, asked.agent)) == [asked.chat]
    assert await room.outcomes(asked.chat) == ["accepted"]
    assert (await room.readiness(asked.agent))["ready"]


async def test_a_sweep_that_was_merely_slow_gives_nobody_more_time(room: Room, asked: Asked) -> None:
    assert await stands_still(room, routing.accept(asked.request, asked.agent)) == [None]
    assert await room.outcomes(asked.chat) in (["no_answer"], ["gone"])


@pytest.mark.usefixtures("long_is_short")
async def test_it_is_made_up_for_once_whoever_comes_first(
    room: Room, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await asked.expires_at()
    await stands_still(room, routing.settle(), sweeping.sweep())
    after = await asked.expires_at()
    assert timedelta(seconds=STILL_S) <= after - before < timedelta(seconds=STILL_S + 1)
    monkeypatch.setattr(standstills, "LEAST_S", 3_600)  # what takes long from here on is this machine
    for _more in range(3):
        await sweeping.sweep_again()
        await routing.settle()
    assert await asked.expires_at() == after
    room.clock.shift(ANSWER_S)
    await sweeping.sweep_again()
    assert await room.outcomes(asked.chat) == ["no_answer"], "the time that was left"


@pytest.mark.usefixtures("long_is_short")
async def test_nobody_is_gone_who_could_not_say_that_it_was_there(room: Room, asked: Asked) -> None:
    await stands_still(room)
    assert (await room.readiness(asked.agent))["here"]
    assert (await room.chat(asked.chat))["visitor_here"]
    assert await tables.Presence.count() == 2


@pytest.mark.usefixtures("long_is_short")
async def test_whose_line_was_cut_has_the_usual_time_to_come_back(room: Room, asked: Asked) -> None:
    await presence.closed("console")
    await room.after(5)
    await stands_still(room)
    await room.after(4)
    assert (await room.readiness(asked.agent))["here"]
    await room.after(1)
    assert not (await room.readiness(asked.agent))["here"]


@pytest.mark.usefixtures("long_is_short")
async def test_a_place_that_was_held_is_still_held(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {queue: 1})
    hold = await room.press(queue)
    assert hold
    await room.after(30)
    await sweeping.sweep_again()
    await stands_still(room)
    assert await room.state(hold.id) == "forming"
