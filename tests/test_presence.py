"""Who has a live page, and what follows when the last one goes."""

from typing import Any

import pytest

from db import tables
from features import presence, routing, sweeping
from tests.room import Room, made


@pytest.fixture
async def an(room: Room) -> int:
    """On duty, with a live console."""
    agent = await room.agent("an", {await room.queue(): 1}, places=3)
    await presence.opened("console", agent_id=agent)
    return agent


async def gone_at(room: Room, agent: int) -> Any:
    return (await room.readiness(agent))["gone_at"]


async def test_an_agent_is_gone_when_its_last_page_closes(room: Room, an: int) -> None:
    await presence.opened("second screen", agent_id=an)
    await presence.closed("console")
    assert await gone_at(room, an) is None
    await presence.closed("second screen")
    assert await gone_at(room, an) is not None
    await presence.opened("console again", agent_id=an)
    assert await gone_at(room, an) is None


async def test_a_page_that_closes_twice_is_closed_once(room: Room, an: int) -> None:
    await presence.opened("second screen", agent_id=an)
    await presence.closed("console")
    await presence.closed("console")
    assert await gone_at(room, an) is None


async def test_the_pages_of_others_do_not_count(room: Room, an: int) -> None:
    bram = await room.agent("bram", {await room.queue(): 1})
    await presence.opened("bram", agent_id=bram)
    await presence.closed("console")
    assert await gone_at(room, an) is not None
    assert await gone_at(room, bram) is None


async def test_a_page_that_does_not_answer_for_40_s_is_gone(room: Room, an: int) -> None:
    room.clock.shift(39)
    await sweeping.sweep()
    assert await gone_at(room, an) is None
    room.clock.shift(1)
    await sweeping.sweep()
    assert await gone_at(room, an) is not None
    assert (await room.readiness(an))["here"], "and its line has 10 s to come back"
    room.clock.shift(10)
    await sweeping.sweep()
    assert not (await room.readiness(an))["here"]


async def test_a_page_that_answers_stays(room: Room, an: int) -> None:
    for _ in range(10):
        room.clock.shift(15)
        assert await presence.answered("console")
        await sweeping.sweep()
    assert await gone_at(room, an) is None


async def test_a_page_that_was_given_up_is_told_so(room: Room, an: int) -> None:
    room.clock.shift(40)
    await sweeping.sweep()
    assert not await presence.answered("console")
    assert not await presence.answered("never opened")


async def test_who_asks_for_something_is_expected_to_open_a_stream(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {queue: 1})
    hold = await room.press(queue)
    assert hold
    room.clock.shift(39)
    await sweeping.sweep()
    assert (await room.chat(hold.id))["visitor_gone_at"] is None
    room.clock.shift(1)
    await sweeping.sweep()
    assert (await room.chat(hold.id))["visitor_gone_at"] is not None


async def test_a_chat_whose_window_never_came_ends(room: Room) -> None:
    queue = await room.queue()
    an = await room.agent("an", {queue: 1})
    await presence.opened("console", agent_id=an)
    chat = await room.waits(queue)
    await room.rejects(an)
    room.clock.shift(40)
    await sweeping.sweep()
    await presence.opened("console again", agent_id=an)
    room.clock.shift(120)
    await sweeping.sweep()
    assert (await room.chat(chat))["ended_how"] == "visitor_gone"


async def test_the_stream_takes_the_place_of_the_expectation(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {queue: 1})
    chat = await room.waits(queue)
    await presence.opened("window", chat_id=chat)
    await presence.closed("window")
    assert (await room.chat(chat))["visitor_gone_at"] is not None
    room.clock.shift(10)
    await routing.settle()
    assert not (await room.chat(chat))["visitor_here"]


async def test_typing_is_a_sign_of_life(room: Room) -> None:
    queue = await room.queue()
    await room.agent("an", {queue: 1})
    visitor = await room.visitor()
    hold = await room.press(queue, visitor)
    assert hold
    for _ in range(4):
        room.clock.shift(30)
        await sweeping.sweep()
        assert await routing.renew_hold(visitor)
    assert await room.state(hold.id) == "forming"


async def test_the_page_of_an_ended_chat_changes_nothing(room: Room, an: int) -> None:
    queue = (await room.readiness(an))["profile"] and (await tables.Queue.select().first() or {})["id"]
    chat = await room.waits(queue)
    await presence.opened("window", chat_id=chat)
    await room.accepts(an)
    await routing.end(an, chat)
    before = await room.chat(chat)
    await presence.closed("window")
    await presence.opened("window again", chat_id=chat)
    assert await room.chat(chat) == before


async def test_whoever_follows_hears_in_the_same_transaction(
    room: Room, an: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[presence.Whose, bool]] = []

    async def listen(whose: presence.Whose, live: bool) -> None:
        heard.append((whose, live))
        if not live:
            raise ZeroDivisionError

    bram = await room.person("bram")
    monkeypatch.setattr(presence, "followers", [listen])
    await presence.opened("second screen", agent_id=an)
    await presence.opened("first screen", agent_id=bram)
    await presence.closed("console")
    with pytest.raises(ZeroDivisionError):
        await presence.closed("second screen")
    assert heard == [((bram, None), True), ((an, None), False)], "what was known already is not told"
    assert await presence.answered("second screen"), "as the rest failed, it has not closed"


async def test_somebody_who_is_not_on_duty_may_have_a_page(room: Room) -> None:
    chloe = await made(
        tables.Agent(username="chloe", name="Chloé", role=room.role, created_at=room.clock.now())
    )
    await presence.opened("console", agent_id=chloe)
    await presence.closed("console")
    assert not await tables.Readiness.exists().where(tables.Readiness.agent == chloe)
