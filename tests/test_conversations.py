"""The agent's chats: tabs, threads, unread counts, the end; and that nobody else's chat is there."""

import pytest

from db.tables import Chat, Participation
from features import live
from features.console import Console
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import AgentClient, new_key
from tests.streams import Stream, reading

NOT_THERE = "Deze pagina bestaat niet of niet meer."


async def state_of(chat: str) -> str:
    row = await Chat.select(Chat.state).where(Chat.id == int(chat)).first()
    assert row
    return str(row["state"])


def unread(agent: AgentClient, chat: str) -> str:
    return str(agent.screen.first(f"#tab-{chat}").attributes["data-unread"])


# ---- whose chat it is --------------------------------------------------------------------------------------


async def test_a_chat_of_a_colleague_is_not_there(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for username in ("bram", "eva"):
        other = await desk.agent(username, "Loket", ready=True)
        asked = [
            await other.post(f"/chats/{talk.chat}/messages", {"key": new_key(), "body": "Stiekem"}),
            await other.post(f"/chats/{talk.chat}/typing"),
            await other.post(f"/chats/{talk.chat}/read", {"seq": "1"}),
            await other.post(f"/chats/{talk.chat}/ending"),
            await other.send("DELETE", f"/chats/{talk.chat}/tab"),
        ]
        assert [answer.status_code for answer in asked] == [404] * 5
        assert all(NOT_THERE in answer.text for answer in asked)
        assert scenes.QUESTION not in (await other.get("/console")).text
    assert await state_of(talk.chat) == "active"
    assert await scenes.bodies() == [scenes.QUESTION]


async def test_a_cursor_that_names_a_colleagues_chat_brings_nothing_of_it(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    bram = await desk.agent("bram", "Loket")
    async with reading(bram.client, f"/console/stream?after={talk.chat}:0.0", bram.see, {}) as spying:
        async with talk.an.stream() as console:
            await talk.jef.say("Dit is voor An.")
            await console.wait_for("Dit is voor An.")
            await spying.wait_for('id="tabs"')
            await talk.jef.say("Dit ook.")
            await console.wait_for("Dit ook.")
        assert "voor An" not in spying.data
        assert "Dit ook" not in spying.data
        assert scenes.QUESTION not in spying.data


async def test_nor_does_it_for_the_moment_before_the_first_look(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should that look fail, nothing of the cursor is left to follow."""
    followed = []

    async def before_the_others(viewer: Console, event: live.Event) -> None:
        followed.append((set(viewer.seen), set(viewer.subscription.topics)))

    place: tuple[str, type[live.Event]] = ("console", live.Connected)
    first: list[live.Redraw] = [before_the_others, *live.redraws[place]]
    monkeypatch.setitem(live.redraws, place, first)
    talk = await scenes.connected(desk)
    bram = await desk.agent("bram", "Loket")
    for agent in (bram, talk.an):
        async with reading(agent.client, f"/console/stream?after={talk.chat}:0.0", agent.see, {}) as stream:
            await stream.wait_for('id="tabs"')
    (his_seen, his_topics), (her_seen, her_topics) = followed
    assert not his_seen
    assert f"chat:{talk.chat}" not in his_topics
    assert her_seen == {int(talk.chat)}
    assert f"chat:{talk.chat}" in her_topics


async def test_an_agent_who_lost_a_chat_has_no_part_in_it_any_more(desk: Desk) -> None:
    """Not even when it ends with somebody else in it."""
    talk = await scenes.connected(desk)
    await talk.an.sign_out(anyway="true")
    bram = await desk.agent("bram", "Loket", ready=True)
    assert await scenes.taken(bram) == talk.chat
    await bram.say(talk.chat, "Alleen voor Jef en Bram")
    an = await desk.agent("an", "Loket")
    answer = await an.post(f"/chats/{talk.chat}/messages", {"key": new_key(), "body": "Ik weer"})
    assert answer.status_code == 404
    assert (await an.post(f"/chats/{talk.chat}/ending")).is_success, "she puts away what is not hers"
    assert await state_of(talk.chat) == "active", "and nothing happens to it"
    await bram.end(talk.chat)
    async with an.stream() as console:
        await console.wait_for('id="panels"')
    assert an.chats == []
    assert "Alleen voor Jef en Bram" not in (await an.get("/console")).text


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_numbers_that_no_page_sends_break_nothing(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for chat in ("0", "-1", "999999", "9" * 12, "9" * 30):
        for method, path in (("POST", "messages"), ("POST", "ending"), ("DELETE", "tab")):
            form = {"key": new_key(), "body": "Dag"} if method == "POST" else None
            answer = await talk.an.send(method, f"/chats/{chat}/{path}", form)
            assert answer.status_code in (400, 404), f"{method} {chat}/{path}"
    for seq in ("-1", "x", "9" * 12, "9" * 30):
        assert (await talk.an.post(f"/chats/{talk.chat}/read", {"seq": seq})).status_code == 400
    for cursor in ("x", ";;", f"{talk.chat}:{'9' * 30}", f"{'9' * 30}:1", "a:b:c", "9" * 5000):
        async with reading(talk.an.client, f"/console/stream?after={cursor}", talk.an.see, {}) as stream:
            await stream.wait_for('id="tabs"')
    await talk.an.open()
    assert talk.an.chats == [talk.chat]


# ---- what is said ------------------------------------------------------------------------------------------


async def test_both_sides_see_what_is_said_once_and_in_order(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        for n in range(4):
            await talk.jef.say(f"vraag {n}")
            await talk.an.say(talk.chat, f"antwoord {n}")
        await talk.console.wait_for("antwoord 3")
        await talk.window.wait_for("antwoord 3")
    said = [scenes.QUESTION, *(words for n in range(4) for words in (f"vraag {n}", f"antwoord {n}"))]
    assert talk.an.screen.texts(f"#thread-{talk.chat} .bubble") == said
    assert talk.jef.screen.texts("#thread .bubble") == said


async def test_two_chats_never_mix(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    jef, marie = desk.visitor(), desk.visitor()
    await jef.begin("Ik ben Jef", name="Jef")
    his = await scenes.taken(an)
    await marie.begin("Ik ben Marie", name="Marie")
    hers = await scenes.taken(an)
    async with an.stream() as console, jef.stream() as window:
        await console.wait_for('id="panels"')
        await an.say(his, "Dag Jef")
        await an.say(hers, "Dag Marie")
        await marie.say("Dag An")
        await console.wait_for("Dag An")
        await window.wait_for("Dag Jef")
        assert "Marie" not in window.data
    assert an.screen.texts(f"#thread-{his} .bubble") == ["Ik ben Jef", "Dag Jef"]
    assert an.screen.texts(f"#thread-{hers} .bubble") == ["Ik ben Marie", "Dag Marie", "Dag An"]
    assert an.screen.text(f"#bar-{his} label") == "Bericht aan Jef"
    assert an.screen.text(f"#bar-{hers} label") == "Bericht aan Marie"


async def test_a_refused_message_is_named_at_its_own_bar(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    key = new_key()
    answer = await talk.an.post(f"/chats/{talk.chat}/messages", {"key": key, "body": "x" * 4001})
    assert answer.status_code == 422
    assert "4.001" in talk.an.screen.text(f"#refused-{talk.chat}")
    assert talk.an.screen.first(f"#refused-{talk.chat}").attributes["data-key"] == key


async def test_a_message_in_an_ended_chat_is_refused_with_words_at_its_bar(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    taken = new_key()
    await talk.an.say(talk.chat, "Dit kwam aan", taken)
    await talk.jef.end()
    key = new_key()
    answer = await talk.an.post(f"/chats/{talk.chat}/messages", {"key": key, "body": "Te laat"})
    assert answer.status_code == 409
    assert "Dit gesprek is beëindigd." in talk.an.screen.text(f"#refused-{talk.chat}")
    assert talk.an.screen.first(f"#refused-{talk.chat}").attributes["data-key"] == key
    again = await talk.an.post(f"/chats/{talk.chat}/messages", {"key": taken, "body": "Dit kwam aan"})
    assert again.status_code == 200, "a retry of what was taken is not refused"
    assert await scenes.bodies() == [scenes.QUESTION, "Dit kwam aan"]


# ---- read and unread ---------------------------------------------------------------------------------------


async def test_unread_is_what_the_visitor_said_since_one_looked(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        assert unread(talk.an, talk.chat) == "1"
        await talk.jef.say("En nog iets")
        await talk.console.wait_for(lambda: unread(talk.an, talk.chat) == "2")
        await talk.an.post(f"/chats/{talk.chat}/read", {"seq": "1"})
        await talk.console.wait_for(lambda: unread(talk.an, talk.chat) == "1")
        await talk.an.post(f"/chats/{talk.chat}/read", {"seq": "99"})
        assert unread(talk.an, talk.chat) == "1", "what is not there has not been read"
        await talk.an.say(talk.chat, "Ik zoek het op.")
        await talk.console.wait_for(lambda: unread(talk.an, talk.chat) == "0")
        await talk.an.say(talk.chat, "Nog even.")
        await talk.jef.say("Goed")
        await talk.console.wait_for(lambda: unread(talk.an, talk.chat) == "1")
    assert "1 ongelezen bericht" in talk.an.screen.text(f"#tab-{talk.chat}")


async def test_what_is_read_in_one_window_is_read_in_the_other(desk: Desk) -> None:
    async with scenes.live(desk) as talk, scenes.second_window(desk, talk.an) as (window, stream):
        assert unread(window, talk.chat) == "1"
        await talk.an.post(f"/chats/{talk.chat}/read", {"seq": "1"})
        await stream.wait_for(lambda: unread(window, talk.chat) == "0")


# ---- two windows of one agent ------------------------------------------------------------------------------


async def test_what_is_accepted_said_and_closed_in_one_window_shows_in_the_other(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    async with scenes.second_window(desk, an) as (window, stream):
        jef = await desk.visitor().begin()
        await stream.wait_for(lambda: window.request)
        chat = await scenes.taken(an)
        await stream.wait_for(lambda: window.chats == [chat] and not window.request)
        await an.say(chat, "Uit de ene")
        await stream.wait_for("Uit de ene")
        await window.say(chat, "Uit de andere")
        await jef.end()
        await stream.wait_for(lambda: window.screen.has(f"#head-{chat}[data-state=ended]"))
        await an.send("DELETE", f"/chats/{chat}/tab")
        await stream.wait_for(lambda: not window.chats)


# ---- the end -----------------------------------------------------------------------------------------------


async def test_ending_asks_first_and_does_nothing_yet(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.an.send("DELETE", f"/chats/{talk.chat}/tab")
    asked = talk.an.screen.first("#ask-body").text()
    assert "Weet u zeker dat u deze chat wilt sluiten?" in asked
    assert "Jef Peeters is er nog." in asked
    assert talk.an.screen.first("#ask-body [autofocus]").text().strip() == "Annuleren"
    assert talk.an.screen.has(f"#ask-body [hx-post='/chats/{talk.chat}/ending']")
    assert await state_of(talk.chat) == "active"


async def test_it_asks_in_a_mere_interruption_too(desk: Desk, clock: Clock) -> None:
    async with scenes.live(desk) as talk:
        await Chat.update({Chat.visitor_gone_at: clock.now(), Chat.visitor_here: False}, force=True)
        await talk.an.send("DELETE", f"/chats/{talk.chat}/tab")
        assert "Jef Peeters is even weg" in talk.an.screen.first("#ask-body").text()


async def test_ending_ends_it_for_both_and_takes_the_tab_away(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        await talk.an.end(talk.chat)
        await talk.window.wait_for('data-state="ended"')
        await talk.console.wait_for(lambda: not talk.an.chats)
        assert (await talk.an.post(f"/chats/{talk.chat}/ending")).is_success, "twice is once"
    assert await state_of(talk.chat) == "ended"


async def test_what_the_visitor_has_ended_stays_to_be_read_and_closes_without_a_question(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        await talk.jef.end()
        await talk.console.wait_for(lambda: talk.an.screen.has(f"#head-{talk.chat}[data-state=ended]"))
        assert "De bezoeker heeft het gesprek beëindigd" in talk.an.screen.text(f"#thread-{talk.chat}")
        await talk.an.open()
        assert talk.an.chats == [talk.chat], "also after a reload"
        answer = await talk.an.send("DELETE", f"/chats/{talk.chat}/tab")
        assert (answer.status_code, answer.text) == (200, "")
        await talk.console.wait_for(lambda: not talk.an.chats)


async def test_the_tab_of_a_running_chat_does_not_close_without_a_question(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.an.send("DELETE", f"/chats/{talk.chat}/tab")
    assert "Weet u zeker" in talk.an.screen.first("#ask-body").text()
    await talk.an.open()
    assert talk.an.chats == [talk.chat]


async def test_nor_does_it_ask_about_what_is_over_when_the_page_does_not_say_so_yet(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.jef.end()
    answer = await talk.an.send("DELETE", f"/chats/{talk.chat}/tab")
    assert (answer.status_code, answer.text) == (200, "")
    await talk.an.open()
    assert talk.an.chats == []


async def test_an_end_frees_the_place(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.an.end(talk.chat)
    assert not await Participation.exists().where(Participation.left_at.is_null())
    await desk.visitor().begin()
    assert await scenes.taken(talk.an)


# ---- who the visitor is ------------------------------------------------------------------------------------


async def test_the_details_say_who_whence_and_in_which_language(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    jef = desk.visitor(language="fr")
    await jef.open()
    await jef.press()
    page = "https://www.voorbeeld.be/aanvraag/stap-2?geheim=ja"
    await jef.start("Bonjour", name="Jérôme", email="j@voorbeeld.be", subject=jef.subjects()[1], page=page)
    chat = await scenes.taken(an)
    details = an.screen.text(f"#details-{chat}")
    for words in ("Jérôme", "j@voorbeeld.be", "Vergunningen", "Frans", "/aanvraag/stap-2"):
        assert words in details
    assert "geheim" not in details


async def test_a_page_address_that_is_none_breaks_nothing(desk: Desk) -> None:
    """It comes from the visitor's browser: whatever stands there, the agent can work."""
    an = await desk.agent("an", "Loket", ready=True)
    jef = desk.visitor()
    await jef.open()
    await jef.press()
    await jef.start(page="http://[x")
    chat = await scenes.taken(an)
    assert "http://[x" in an.screen.text(f"#details-{chat}")


@pytest.mark.usefixtures("by_itself")
async def test_a_visitor_who_went_away_is_said_to_be_away_since_when(desk: Desk, clock: Clock) -> None:
    talk = await scenes.connected(desk)
    async with talk.an.stream() as console:
        async with talk.jef.stream() as window:
            await window.wait_for("Verbonden met")
        await scenes.line_is_gone()
        clock.shift(11)
        await console.wait_for(lambda: "Bezoeker weg" in talk.an.screen.text(f"#head-{talk.chat}"))
        assert talk.an.screen.has(f"#tab-{talk.chat} .timer[data-since]")
        async with talk.jef.stream():
            await console.wait_for(lambda: "Verbonden" in talk.an.screen.text(f"#head-{talk.chat}"))


async def test_typing_in_a_chat_that_is_over_is_not_shown(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        await talk.jef.end()
        await talk.jef.post("/chat/typing")
        await talk.console.wait_for('data-state="ended"')
        marie = await desk.visitor().begin()
        await talk.console.wait_for(lambda: talk.an.request)
        assert "typt" not in talk.console.data
        await marie.end()


# ---- after a break -----------------------------------------------------------------------------------------


async def test_a_console_that_comes_back_gets_what_it_missed_and_no_more(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    cursor = cursor_of(talk.an)
    assert cursor == f"{talk.chat}:2.0"
    await talk.jef.say("Gemist")
    async with reading(talk.an.client, f"/console/stream?after={cursor}", talk.an.see, {}) as stream:
        await stream.wait_for("Gemist")
        assert stream.last_id == f"{talk.chat}:3.0"
        assert scenes.QUESTION not in thread_of(stream, talk.chat)
    await talk.jef.say("Ook gemist")
    async with talk.an.stream(last_id=stream.last_id) as stream:
        await stream.wait_for("Ook gemist")
        assert ">Gemist<" not in stream.data
    assert talk.an.screen.texts(f"#thread-{talk.chat} .bubble") == [scenes.QUESTION, "Gemist", "Ook gemist"]


def cursor_of(agent: AgentClient) -> str:
    return str(agent.screen.first("#stream").attributes["hx-sse:connect"]).rpartition("after=")[2]


def thread_of(stream: Stream, chat: str) -> str:
    swaps = stream.data.split("<hx-partial")
    return "".join(swap for swap in swaps if f'"#thread-{chat}"' in swap)
