"""The visitor's window: who may open it, what is said in it, and what it says itself in every state."""

import asyncio
import secrets
from typing import Any

import pytest

from db.tables import Message, Presence, Visitor, Widget
from features import chat as window_feature
from features import live, visit
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import new_key
from tests.streams import Stream

# ---- who may open it ---------------------------------------------------------------------------------------


async def test_the_shell_is_the_same_for_all_and_may_be_kept(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await desk.visitor().begin()
    first, second = await jef.get("/widget/voorbeeld"), await desk.nobody().get("/widget/voorbeeld")
    assert first.text == second.text
    assert first.headers["cache-control"] == "public, max-age=300"
    assert "frame-ancestors 'self'" in first.headers["content-security-policy"]


async def test_the_shell_speaks_the_language_it_is_asked_for_else_the_widgets(desk: Desk) -> None:
    await Widget.update({Widget.language: "de"}).where(Widget.key == "voorbeeld")
    person = desk.nobody()
    person.client.headers["Accept-Language"] = "fr"
    said = {"": "de", "en": "en", "fr-BE": "fr", "xx": "de", "NL": "nl"}
    for asked, spoken in said.items():
        page = await person.get(f"/widget/voorbeeld?lang={asked}")
        assert f'<html lang="{spoken}"' in page.text, asked


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_without_a_good_token_nobody_gets_anything(desk: Desk) -> None:
    good = secrets.token_urlsafe(32)
    tokens = [
        "",
        "Bearer",
        f"Bearer {good[:42]}",
        f"Bearer {good}!",
        f"Basic {good}",
        good,
        "Bearer " + "é" * 43,
    ]
    person = desk.nobody()
    for token in tokens:
        headers = [(b"authorization", token.encode("latin-1")), (b"x-widget", b"voorbeeld")]
        answer = await person.client.get("/chat", headers=headers)
        assert answer.status_code == 401, token
        assert "Laad de pagina opnieuw" in answer.text, "a visitor has nothing to sign in to"
    answer = await person.client.get(
        "/chat", headers={"Authorization": f"Bearer {good}", "X-Widget": "voorbeeld"}
    )
    assert answer.status_code == 200


async def test_a_token_is_good_at_its_own_widget_only(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await desk.visitor().begin()
    elsewhere = desk.visitor(token=jef.token, widget="direct")
    assert (await elsewhere.get("/chat")).status_code == 404
    assert (await elsewhere.post("/chat/hold")).status_code == 404
    assert (await desk.visitor(widget="onbekend").get("/chat")).status_code == 404
    assert (await desk.visitor(token=jef.token, widget="onbekend").get("/chat")).status_code == 404
    assert (await jef.get("/chat")).status_code == 200


async def test_a_token_is_not_stored_as_it_is(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await desk.visitor().begin()
    row = await Visitor.select(Visitor.token_hash).first()
    assert row
    assert jef.token not in row["token_hash"]


async def test_another_visitor_of_the_same_widget_sees_nothing(desk: Desk) -> None:
    await scenes.at_work(desk)
    jef = await desk.visitor().begin("Mijn rijksregisternummer is geheim")
    marie = desk.visitor()
    await marie.open()
    assert scenes.state(marie) == "none"
    assert "geheim" not in (await marie.get("/chat")).text
    for method, path in (
        ("POST", "/chat/messages"),
        ("POST", "/chat/typing"),
        ("POST", "/chat/read"),
        ("GET", "/chat/stream"),
    ):
        answer = await marie.send(method, path, {"key": new_key(), "body": "Dag"})
        assert answer.status_code == 404, "there is no chat of hers"
    await marie.end()
    await jef.open()
    assert scenes.state(jef) == "waiting", "which is still there"


# ---- the conversation --------------------------------------------------------------------------------------


async def test_a_reload_shows_what_was_said_and_goes_on_from_there(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.an.say(talk.chat, "Ja hoor.")
    await talk.jef.open()
    assert talk.jef.screen.texts("#thread .bubble") == [scenes.QUESTION, "Ja hoor."]
    assert "after=3" in str(talk.jef.screen.first("#stream").attributes["hx-sse:connect"])


async def test_a_message_in_an_ended_chat_is_refused_and_its_text_kept(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.jef.open()
    await talk.an.end(talk.chat)
    key = new_key()
    answer = await talk.jef.post("/chat/messages", {"key": key, "body": "Nog één ding"})
    assert answer.status_code == 409
    assert "Dit gesprek is beëindigd." in talk.jef.screen.text("#refused")
    assert talk.jef.screen.first("#refused").attributes["data-key"] == key
    assert scenes.state(talk.jef) == "ended", "and the window learns that it is over"
    assert await scenes.bodies() == [scenes.QUESTION]


async def test_a_retry_of_what_was_taken_before_the_end_is_not_refused(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    key = new_key()
    await talk.jef.say("Bedankt!", key)
    await talk.an.end(talk.chat)
    assert (await talk.jef.say("Bedankt!", key)).status_code == 200
    assert await scenes.bodies() == [scenes.QUESTION, "Bedankt!"]


async def test_an_end_is_ended_once(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for _time in range(2):
        await talk.jef.end()
    rows = await Message.select(Message.kind).where(Message.kind == "ended")
    assert len(rows) == 1


async def test_after_the_end_a_new_chat_is_a_new_one(desk: Desk) -> None:
    talk = await scenes.connected(desk, "De eerste")
    await talk.jef.end()
    await talk.jef.press()
    assert scenes.state(talk.jef) == "forming"
    await talk.jef.start("De tweede")
    assert talk.jef.screen.texts("#thread .bubble") == ["De tweede"]
    assert [row["state"] for row in await scenes.chats()] == ["ended", "waiting"]


async def test_an_ended_chat_is_not_shown_to_the_next_person_at_the_machine(desk: Desk, clock: Clock) -> None:
    talk = await scenes.connected(desk)
    await talk.jef.end()
    await talk.jef.open()
    assert scenes.state(talk.jef) == "ended"
    clock.shift(visit.SHOWN_AFTER_END_S + 1)
    answer = await talk.jef.get("/chat")
    assert scenes.QUESTION not in answer.text
    assert scenes.state(talk.jef) == "none"
    assert (await talk.jef.get("/chat/stream")).status_code == 404


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_numbers_that_no_page_sends_break_nothing(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for seq in ("-1", "x", "", "9" * 12, "9" * 30, "9" * 5000):
        assert (await talk.jef.post("/chat/read", {"seq": seq})).status_code == 400
        async with talk.jef.client.stream("GET", f"/chat/stream?after={seq}") as answer:
            assert answer.status_code == 200
        async with talk.jef.client.stream("GET", "/chat/stream", headers={"Last-Event-ID": seq}) as answer:
            assert answer.status_code == 200
    assert (await talk.jef.post("/chat/read", {"seq": "1"})).status_code == 204


async def test_what_the_visitor_has_read_is_known_and_never_less(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.an.say(talk.chat, "Dag")
    for sent, kept in ((2, 2), (1, 2), (3, 3), (4, 3)):
        await talk.jef.post("/chat/read", {"seq": str(sent)})
        await talk.jef.open()
        assert talk.jef.screen.first("#state").attributes["data-read"] == str(kept)


# ---- the stream --------------------------------------------------------------------------------------------


def numbers(stream: Stream) -> list[str]:
    return [event.id for event in stream.events if event.id]


async def test_a_cursor_brings_exactly_what_came_after_it(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for n in range(3, 8):
        await talk.jef.say(f"bericht {n}")
    for after, last_id, first in (("4", "", 5), ("0", "6", 7), ("7", "", 8)):
        await talk.jef.open()
        async with talk.jef.stream(after, last_id) as stream:
            await stream.wait_for('id="status"')
            for n in range(3, 8):
                assert (f"bericht {n}<" in stream.data) == (n >= first)
            assert numbers(stream) == (["7"] if first < 8 else []), "the cursor moves only with messages"


async def test_everything_comes_once_and_in_order_however_often_the_line_breaks(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.jef.open()
    got, last_id = "", "2"
    for n in range(4):
        async with talk.jef.stream(last_id=last_id) as stream:
            await talk.an.say(talk.chat, f"live {n}")
            await stream.wait_for(f"live {n}")
            got, last_id = got + stream.data, stream.last_id
        await talk.an.say(talk.chat, f"gemist {n}")
    said = [word for n in range(4) for word in (f"live {n}", f"gemist {n}")][:-1]
    assert [got.count(f">{word}<") for word in said] == [1] * 7
    assert sorted(said, key=got.index) == said


async def test_connecting_redraws_what_has_changed_meanwhile(desk: Desk) -> None:
    an = await scenes.at_work(desk)
    jef = await desk.visitor().begin()
    assert scenes.status(jef) == "Verbinden met een medewerker…"
    await scenes.taken(an)
    async with jef.stream(after=1) as stream:
        await stream.wait_for("Verbonden met")
    assert (scenes.state(jef), scenes.status(jef), scenes.colour(jef)) == (
        "active",
        "Verbonden met An",
        "dot green",
    )
    assert not jef.screen.text("#waiting")


async def test_both_tabs_of_a_visitor_are_live(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        tab = desk.visitor(token=talk.jef.token)
        await tab.open()
        async with tab.stream(after=2) as stream:
            await talk.jef.say("Uit de ene tab")
            await stream.wait_for("Uit de ene tab")
            await talk.an.say(talk.chat, "Voor allebei")
            await stream.wait_for("Voor allebei")
            await talk.window.wait_for("Voor allebei")
            await tab.end()
            await talk.window.wait_for('data-state="ended"')


async def test_typing_is_seen_by_the_other_side_of_this_chat_alone(desk: Desk) -> None:
    marie = None
    async with scenes.live(desk) as talk:
        marie = await desk.visitor().begin(name="Marie")
        other = await scenes.taken(talk.an)
        async with marie.stream() as elsewhere:
            await elsewhere.wait_for("Verbonden met")
            await talk.an.must("POST", f"/chats/{talk.chat}/typing")
            await talk.window.wait_for("An typt…")
            await talk.jef.must("POST", "/chat/typing")
            await talk.console.wait_for("Jef Peeters typt…")
            await talk.an.say(other, "Dag Marie")
            await elsewhere.wait_for("Dag Marie")
            assert "typt" not in elsewhere.data
            assert "Jef Peeters typt" not in talk.window.data, "nor by oneself"
            assert f'id="typing-{other}">M' not in talk.console.data


# ---- the words and the dot ---------------------------------------------------------------------------------


async def test_waiting_says_ones_place_and_how_to_stop(desk: Desk) -> None:
    an = await scenes.at_work(desk, places=1)
    await desk.visitor().begin()
    await scenes.taken(an)
    marie, piet = await desk.visitor().begin(), await desk.visitor().begin()
    assert (scenes.status(marie), scenes.colour(marie)) == ("U bent nummer 1 in de wachtrij", "dot grey")
    assert (scenes.status(piet), scenes.colour(piet)) == ("U bent nummer 2 in de wachtrij", "dot grey")
    assert "U kunt uw vraag alvast typen" in piet.screen.text("#waiting")
    assert piet.screen.text("#waiting [data-act=stop-waiting]") == "Stoppen met wachten"


async def test_with_nobody_left_the_wait_says_so_and_leads_to_the_info_card(desk: Desk) -> None:
    an = await scenes.at_work(desk)
    jef = await desk.visitor().begin()
    async with jef.stream() as stream:
        await an.pause()
        await stream.wait_for("Alle medewerkers zijn in gesprek")
    assert scenes.colour(jef) == "dot grey"
    assert jef.screen.has("#waiting [data-act=info]")
    assert jef.screen.has("#waiting [data-act=stop-waiting]")


async def test_a_place_is_told_at_most_every_half_minute(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT_S", 0.1)
    an = await scenes.at_work(desk, places=1)
    await desk.visitor().begin()
    await scenes.taken(an)
    first, second, third = [await desk.visitor().begin() for _who in range(3)]
    async with an.stream(), third.stream() as stream:
        await stream.wait_for("nummer 3")
        await first.end()
        await asyncio.sleep(0.5)
        assert scenes.status(third) == "U bent nummer 3 in de wachtrij", "told a moment ago"
        clock.shift(window_feature.PLACE_TOLD_S)
        await stream.wait_for("nummer 2")
        await second.end()
        await asyncio.sleep(0.5)
        assert "nummer 1" not in stream.data


@pytest.mark.usefixtures("by_itself")
async def test_an_agent_whose_line_is_gone_turns_the_dot_grey_until_it_is_back(
    desk: Desk, clock: Clock
) -> None:
    talk = await scenes.connected(desk)
    await talk.jef.open()
    async with talk.jef.stream(after=2) as stream:
        async with talk.an.stream() as console:
            await console.wait_for('id="tabs"')
        await scenes.line_is_gone("an")
        clock.shift(5)
        await asyncio.sleep(1.5)
        assert scenes.colour(talk.jef) == "dot green", "a short break is none"
        clock.shift(6)
        await stream.wait_for("Even geduld, we verbinden u opnieuw")
        assert scenes.colour(talk.jef) == "dot grey"
        async with talk.an.stream():
            await stream.wait_for(lambda: scenes.colour(talk.jef) == "dot green")
    assert scenes.status(talk.jef) == "Verbonden met An"


async def test_a_chat_that_lost_its_agent_is_said_to_be_connected_again(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        await talk.an.sign_out(anyway="true")
        await talk.window.wait_for(lambda: scenes.state(talk.jef) == "waiting")
        assert scenes.status(talk.jef) == "Even geduld, we verbinden u opnieuw"
        assert scenes.colour(talk.jef) == "dot grey"
        await talk.window.wait_for("An heeft het gesprek verlaten")
        bram = await desk.agent("bram", "Loket", ready=True)
        assert await scenes.taken(bram) == talk.chat
        await talk.window.wait_for(lambda: scenes.status(talk.jef) == "Verbonden met Bram")


async def test_the_end_says_who_and_when(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        await talk.an.end(talk.chat)
        await talk.window.wait_for('data-state="ended"')
    assert (scenes.status(talk.jef), scenes.colour(talk.jef)) == ("Niet verbonden", "dot red")
    assert talk.jef.screen.text("#after-title") == "Gesprek beëindigd door An om 10:00"
    assert talk.jef.screen.texts("#thread .event-words")[-1] == "Gesprek beëindigd door An om 10:00"
    assert not talk.jef.screen.has("#stream[hx-sse\\:connect]"), "and nothing more is listened to"


async def test_who_ends_it_is_told_so_too(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.jef.open()
    await talk.jef.end()
    assert talk.jef.screen.text("#after-title") == "U hebt het gesprek beëindigd om 10:00"


async def test_who_stops_waiting_is_asked_for_no_more(desk: Desk) -> None:
    an = await scenes.at_work(desk)
    jef = await desk.visitor().begin()
    async with an.stream() as console:
        await console.wait_for(lambda: an.request)
        await jef.end()
        await console.wait_for(lambda: not an.request)
    assert scenes.state(jef) == "ended"


async def test_the_visitor_sees_nothing_of_the_agent_but_its_name(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        await talk.an.say(talk.chat, "Dag")
        await talk.window.wait_for(">Dag<")
        seen = talk.window.data + (await talk.jef.get("/chat")).text
    assert ">An<" in seen
    assert "Loket" not in seen
    assert "username" not in seen


async def test_a_beat_keeps_a_page_and_only_a_page(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        mine = talk.window.events[0].data
        assert (await talk.jef.post("/chat/beat", {"beat": mine})).status_code == 204
        for other in ("onbekend", mine[:-1]):
            assert (await talk.jef.post("/chat/beat", {"beat": other})).status_code == 404
        for guess in ("", f"expected-chat-{talk.chat}", "expected-agent-1", "a\0", "'"):
            assert (await talk.jef.post("/chat/beat", {"beat": guess})).status_code == 400


@pytest.mark.usefixtures("by_itself")
async def test_a_page_that_was_given_up_is_told_so_by_its_beat(desk: Desk, clock: Clock) -> None:
    talk = await scenes.connected(desk)
    async with talk.jef.stream() as stream:
        await stream.wait_for("Verbonden met")
        beat = {"beat": stream.events[0].data}
        clock.shift(41)
        mine = Presence.exists().where(Presence.key == beat["beat"])
        await scenes.eventually_true(lambda: gone(mine))
        assert (await talk.jef.post("/chat/beat", beat)).status_code == 404


async def gone(row: Any) -> bool:
    return not await row
