"""The request tab: what an agent is asked, and who may answer it, when."""

import asyncio
from typing import Any

import pytest

from db.tables import Chat, Profile, Reservation
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import AgentClient

TOO_LATE = "Dit verzoek is niet meer beschikbaar."


async def outcomes() -> list[str]:
    return [row["outcome"] for row in await Reservation.select(Reservation.outcome).order_by(Reservation.id)]


async def asked(desk: Desk, username: str = "an", **form: Any) -> AgentClient:
    """The only agent there is, being asked."""
    agent = await desk.agent(username, "Loket", ready=True)
    await desk.visitor().begin(**form)
    await agent.open()
    assert agent.request
    return agent


# ---- what it shows -----------------------------------------------------------------------------------------


async def test_a_request_shows_what_is_known_and_how_long_there_is(desk: Desk, clock: Clock) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    jef = desk.visitor(language="de")
    await jef.open()
    await jef.press()
    await jef.start("Darf ich parken?", name="Jürgen", subject=jef.subjects()[1])
    await an.open()
    pane = an.screen.text(f"#pane-request-{an.request}")
    for words in (
        "Nieuw chatverzoek",
        "Jürgen",
        "Darf ich parken?",
        "Vergunningen",
        "Duits",
        "Accepteren",
        "Afwijzen",
    ):
        assert words in pane
    row = await Reservation.select(Reservation.expires_at).first()
    assert row
    assert (
        an.screen.first(f"#tab-request-{an.request} progress").attributes["data-until"]
        == row["expires_at"].isoformat()
    )


async def test_a_request_arrives_by_itself_and_goes_by_itself(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    async with an.stream() as console:
        jef = await desk.visitor().begin()
        await console.wait_for(lambda: an.request)
        await jef.end()
        await console.wait_for(lambda: not an.request)
    assert await outcomes() == ["visitor_left"]


async def test_a_request_keeps_the_text_bars_of_other_chats_as_they_are(desk: Desk) -> None:
    """What is redrawn are tabs and panes; a thread on the page is not sent again."""
    async with scenes.live(desk) as talk:
        before = len(talk.console.events)
        await desk.visitor().begin("Een ander")
        await talk.console.wait_for(lambda: talk.an.request)
        assert scenes.QUESTION not in "".join(event.data for event in talk.console.events[before:])


async def test_only_one_agent_is_asked_at_a_time(desk: Desk) -> None:
    agents = [await desk.agent(username, "Loket", ready=True) for username in ("an", "bram", "eva")]
    await desk.visitor().begin()
    for agent in agents:
        await agent.open()
    assert [bool(agent.request) for agent in agents] == [True, False, False]


# ---- answers -----------------------------------------------------------------------------------------------


async def test_accepting_connects_at_once_and_selects_the_chat(desk: Desk) -> None:
    an = await asked(desk)
    answer = await an.accept()
    row = await Chat.select(Chat.id, Chat.state).first()
    assert row
    assert row["state"] == "active"
    assert answer.headers["hx-trigger"] == f'{{"conversation:opened": {{"chat": {row["id"]}}}}}'
    assert await outcomes() == ["accepted"]


async def test_rejected_it_goes_to_somebody_else_with_its_place_kept(desk: Desk) -> None:
    an = await asked(desk)
    bram = await desk.agent("bram", "Loket", ready=True)
    ticket = await Chat.select(Chat.ticket_at).first()
    assert (await an.reject()).status_code == 200
    await an.open()
    await bram.open()
    assert (bool(an.request), bool(bram.request)) == (False, True)
    assert await Chat.select(Chat.ticket_at).first() == ticket
    assert await outcomes() == ["rejected", ""]


async def test_a_colleagues_request_cannot_be_answered(desk: Desk) -> None:
    an = await asked(desk)
    bram = await desk.agent("bram", "Loket", ready=True)
    for answer in (await bram.accept(an.request), await bram.reject(an.request)):
        assert answer.status_code == 409
        assert TOO_LATE in answer.text
    assert bram.screen.text("#notices") == TOO_LATE
    assert await outcomes() == [""]
    assert (await an.accept()).status_code == 200


async def test_an_answer_counts_once(desk: Desk) -> None:
    an = await asked(desk)
    request = an.request
    answers = await asyncio.gather(
        *(an.accept(request) for _time in range(5)), *(an.reject(request) for _time in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert len(await outcomes()) == 1


@pytest.mark.usefixtures("by_itself")
async def test_a_late_answer_changes_nothing_and_says_so(desk: Desk, clock: Clock) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    async with an.stream() as console, (await desk.visitor().begin()).stream():
        await console.wait_for(lambda: an.request)
        request = an.request
        clock.shift(30)
        await console.wait_for(lambda: not an.request)
        for answer in (await an.accept(request), await an.reject(request)):
            assert answer.status_code == 409
            assert an.screen.text("#notices") == TOO_LATE
    assert await outcomes() == ["no_answer"]


async def test_too_late_is_said_in_the_agents_language(desk: Desk) -> None:
    chloe = await desk.agent("chloe", "Loket", ready=True)
    answer = await chloe.accept(999)
    assert answer.status_code == 409
    assert "Cette demande n’est plus disponible." in answer.text


@pytest.mark.usefixtures("by_itself")
async def test_who_does_not_answer_is_paused_and_comes_back_with_one_press(desk: Desk, clock: Clock) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    jef = await desk.visitor().begin()
    async with an.stream() as console, jef.stream():
        await console.wait_for(lambda: an.request)
        clock.shift(30)
        await console.wait_for(lambda: "Niet beantwoord" in an.screen.text("#me"))
        assert an.screen.has("#me [hx-put='/readiness']")
        await an.ready()
        await console.wait_for(lambda: an.request)


async def test_with_every_place_taken_nothing_is_asked(desk: Desk) -> None:
    await Profile.update({Profile.places: 1}).where(Profile.name == "Loket")
    talk = await scenes.connected(desk)
    await desk.visitor().begin()
    await talk.an.open()
    assert not talk.an.request
    await talk.an.end(talk.chat)
    await talk.an.open()
    assert talk.an.request
