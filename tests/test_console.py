"""The agent's page: what it shows whom, and that its stream keeps it whole."""

import pytest

from db.tables import Participation
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import AgentClient, Person
from tests.screen import Screen
from tests.streams import reading


async def page_of(person: Person) -> Screen:
    return Screen((await person.get("/console")).text)


# ---- who sees what -----------------------------------------------------------------------------------------


async def test_one_signs_in_then_chooses_a_profile_then_works(desk: Desk) -> None:
    person = AgentClient(desk.url, "an")
    desk.people.append(person)
    assert (await page_of(person)).has("#sign-in [name=password]")
    await person.sign_in()
    assert (await page_of(person)).has("#profile-form")
    await person.choose_profile("Loket")
    assert (await page_of(person)).has("#console")


async def test_an_account_that_takes_no_chats_is_told_so_and_can_sign_out(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    answer = await admin.get("/console")
    assert answer.status_code == 403
    assert "Met uw account kunt u geen chats aannemen." in Screen(answer.text).text()
    assert (await admin.sign_out()).headers["hx-redirect"] == "/console"


async def test_the_console_speaks_the_agents_language_whatever_the_browsers(desk: Desk) -> None:
    chloe = await desk.agent("chloe", "Loket", ready=True)
    page = await page_of(chloe)
    assert page.first("html").attributes["lang"] == "fr"
    assert "Disponible" in page.text("#me")
    async with chloe.stream() as console:
        await desk.visitor().begin()
        await console.wait_for("Nouvelle demande de chat")
    await chloe.accept()
    answer = await chloe.post("/chats/1/messages", {"key": "sleutel-1", "body": " "})
    assert "Écrivez d’abord un message." in answer.text


async def test_the_times_are_those_of_the_desk(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    times = talk.an.screen.texts(f"#thread-{talk.chat} .byline time")
    assert times == ["10:00"]
    assert talk.an.screen.text(f"#thread-{talk.chat} .day") == "woensdag 11 maart 2026"


# ---- what its stream keeps true ----------------------------------------------------------------------------


async def test_connecting_redraws_everything_that_can_have_changed(desk: Desk) -> None:
    an = await desk.agent("an", "Loket")
    async with an.stream() as console:
        await console.wait_for('id="panels"')
        for region in ("me", "lines", "tabs", "panels", "csrf"):
            assert f'<hx-partial hx-target="#{region}"' in console.data


async def test_what_is_said_while_a_chat_opens_is_not_missed(desk: Desk) -> None:
    """Also in the moment between the look at the thread and the first live line."""
    an = await desk.agent("an", "Loket", ready=True)
    async with an.stream() as console:
        for n in range(3):
            jef = await desk.visitor().begin(f"vraag {n}")
            await console.wait_for(lambda: an.request)
            known = set(an.chats)
            await an.accept()
            for more in range(5):
                await jef.say(f"meteen {n}.{more}")
            await console.wait_for(lambda known=known: set(an.chats) - known)  # type: ignore[misc]
            await console.wait_for(f"meteen {n}.4")
            (chat,) = set(an.chats) - known
            said = an.screen.texts(f"#thread-{chat} .bubble")
            assert said == [f"vraag {n}", *(f"meteen {n}.{more}" for more in range(5))]


async def test_a_thread_on_the_page_is_never_sent_again(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        before = len(talk.console.events)
        await talk.jef.say("Nieuw")
        await talk.an.pause()
        await talk.an.ready()
        await desk.visitor().begin("Een ander")
        await talk.console.wait_for(lambda: talk.an.request)
        after = "".join(event.data for event in talk.console.events[before:])
        assert scenes.QUESTION not in after
        assert after.count(">Nieuw<") == 1


async def test_the_cursor_follows_the_tabs_that_are_open(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        assert talk.console.last_id == f"{talk.chat}:2.0"
        await talk.jef.say("Nog iets")
        await talk.console.wait_for("Nog iets")
        assert talk.console.last_id == f"{talk.chat}:3.0"
        await talk.an.end(talk.chat)
        await talk.console.wait_for(lambda: not talk.an.chats)
        marie = await desk.visitor().begin("Dag")
        await talk.console.wait_for(lambda: talk.an.request)
        await talk.an.accept()
        await talk.console.wait_for(lambda: talk.an.chats)
        assert talk.console.last_id == f"{talk.an.chats[0]}:2.0"
        await marie.end()


@pytest.mark.usefixtures("by_itself")
async def test_a_supervisor_is_told_when_silence_leaves_a_queue_with_nobody(desk: Desk, clock: Clock) -> None:
    eva = await desk.agent("eva", "Loket")
    bram = await desk.agent("bram", "Loket")
    an = await desk.agent("an", "Loket", ready=True)
    async with (
        eva.stream() as hers,
        bram.stream() as his,
        an.stream(),
        (await desk.visitor().begin()).stream(),
    ):
        await hers.wait_for('id="panels"')
        clock.shift(30)
        await hers.wait_for("voor Algemeen is niemand meer beschikbaar")
        await his.wait_for('id="me"')
        assert "niemand meer beschikbaar" not in his.data, "an agent is not"


# ---- presence ----------------------------------------------------------------------------------------------


async def test_a_beat_keeps_a_console_and_only_a_console(desk: Desk) -> None:
    an = await desk.agent("an", "Loket")
    async with an.stream() as console:
        await console.wait_for('id="panels"')
        mine = console.events[0].data
        assert (await an.post("/console/beat", {"beat": mine})).status_code == 204
        assert (await an.post("/console/beat", {"beat": "onbekend"})).status_code == 404
        for guess in ("", "expected-agent-1", "a\0b"):
            assert (await an.post("/console/beat", {"beat": guess})).status_code == 400


@pytest.mark.usefixtures("by_itself")
async def test_an_agent_whose_browser_vanishes_gives_its_request_back_after_ten_seconds(
    desk: Desk, clock: Clock
) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    jef = await desk.visitor().begin()
    async with jef.stream() as window:
        async with an.stream() as console:
            await console.wait_for(lambda: an.request)
        await scenes.line_is_gone("an")
        bram = await desk.agent("bram", "Loket", ready=True)
        async with bram.stream() as other:
            await other.wait_for('id="panels"')
            clock.shift(8)
            await bram.open()
            assert not bram.request
            clock.shift(3)
            await other.wait_for(lambda: bram.request)
        await window.wait_for('id="status"')


@pytest.mark.usefixtures("by_itself")
async def test_its_chats_wait_for_a_minute_and_then_go_to_a_colleague_with_their_history(
    desk: Desk, clock: Clock
) -> None:
    talk = await scenes.connected(desk)
    bram = await desk.agent("bram", "Loket", ready=True)
    async with talk.jef.stream() as window, bram.stream() as other:
        async with talk.an.stream() as console:
            await console.wait_for('id="panels"')
        await scenes.line_is_gone("an")
        clock.shift(30)
        await window.wait_for("Even geduld, we verbinden u opnieuw")
        await bram.post("/console/beat", {"beat": other.events[0].data})
        await talk.jef.post("/chat/beat", {"beat": window.events[0].data})
        assert await Participation.exists().where(Participation.left_at.is_null())
        clock.shift(31)
        await other.wait_for(lambda: bram.request)
        assert "Dit gesprek was al begonnen" in bram.screen.text("#panels")
        assert await scenes.taken(bram) == talk.chat
        assert scenes.QUESTION in bram.screen.texts(f"#thread-{talk.chat} .bubble")
        await talk.an.open()
        assert not talk.an.chats


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_console_without_a_cursor_or_with_nonsense_is_drawn_whole(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for cursor in ("", "x", f"{talk.chat}", f"{talk.chat}:x", f"{talk.chat}:1:1;;"):
        await talk.an.open()
        async with reading(talk.an.client, f"/console/stream?after={cursor}", talk.an.see, {}) as stream:
            await stream.wait_for('id="panels"')
            assert talk.an.screen.texts(f"#thread-{talk.chat} .bubble") == [scenes.QUESTION]
