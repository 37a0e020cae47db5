"""A page that answers no beat any more: its stream ends, although what it is sent may still be taken by
whatever lies between. Buttons answer nothing: of those only the system knows that nobody reads."""

import contextlib

import pytest

import db
from db.tables import Presence
from features import live, presence, standstills, sweeping
from tests import scenes
from tests.conftest import Clock, Desk


async def passes(clock: Clock, seconds: float) -> None:
    clock.shift(seconds)
    await sweeping.sweep()


async def test_who_answers_no_beat_is_cut_and_who_does_is_not(desk: Desk, clock: Clock) -> None:
    """Neither its other page, nor one that has come in the meantime."""
    async with scenes.live(desk) as talk:
        await passes(clock, presence.ALIVE_S - 15)
        await talk.jef.beat("/chat/beat", talk.window)
        async with scenes.second_window(desk, talk.an) as (_an, beside):
            assert not talk.console.ended, "there is still time"
            await passes(clock, 16)
            await talk.console.wait_for_end()
            await talk.jef.beat("/chat/beat", talk.window)
            await talk.an.say(talk.chat, "Bent u er nog?")
            await talk.window.wait_for("Bent u er nog?")
            await beside.wait_for("Bent u er nog?")
            await passes(clock, 25)
            await beside.wait_for_end()
            assert "Bent u er nog?" not in talk.console.data
            assert [type(viewer).__name__ for viewer in live.streams.values()] == ["Window"]
            await passes(clock, 16)
            await talk.window.wait_for_end()
        assert not await Presence.exists()


async def test_its_line_is_not_kept_for_its_next_request(desk: Desk) -> None:
    """Which it does not make: it would be half a minute more until the line is closed."""
    talk = await scenes.connected(desk)
    for person, path in ((talk.jef, "/chat/stream"), (talk.an, "/console/stream")):
        async with person.client.stream("GET", path) as answer:
            assert answer.headers["connection"] == "close"


async def test_nobody_is_cut_for_an_answer_that_could_not_be_written_down(desk: Desk, clock: Clock) -> None:
    async with scenes.live(desk) as talk:
        with pytest.raises(ConnectionError), standstills.watched():
            raise ConnectionError("a sweep finds no database")
        clock.shift(60)
        await sweeping.sweep_again()
        await talk.jef.beat("/chat/beat", talk.window)
        await talk.an.beat("/console/beat", talk.console)
        await talk.jef.say("Daar is hij weer.")
        await talk.console.wait_for("Daar is hij weer.")
        assert not talk.window.ended


async def test_who_was_given_up_unheard_is_cut_when_something_may_have_been_missed(desk: Desk) -> None:
    """The word of it is lost with the process that had it to tell, or with the wire between them."""
    async with scenes.live(desk) as talk:
        await Presence.delete().where(Presence.key == talk.console.events[0].data)
        live.resync()
        await presence.recheck()
        await talk.console.wait_for_end()
        await talk.jef.beat("/chat/beat", talk.window)
        await talk.an.say(talk.chat, "Bent u er nog?")
        await talk.window.wait_for("Bent u er nog?")


async def test_nobody_is_cut_who_could_not_be_noted_yet(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "NOTED_S", 0.01)
    talk = await scenes.connected(desk)
    async with contextlib.AsyncExitStack() as stack:
        async with db.transaction():
            await db.lock(presence.LOCK)
            window = await stack.enter_async_context(talk.jef.stream())
            await window.wait_for("Verbonden met")
            live.resync()
            await presence.recheck()
        for words in ("Welkom.", "Zegt u het maar."):
            await talk.an.say(talk.chat, words)
            await window.wait_for(words)
