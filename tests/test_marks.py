"""Marks: the agents see how far the visitor has got and read what they wrote; nobody else does."""

from db.tables import Chat
from tests.conftest import Desk
from tests.people import AgentClient, Visitor
from tests.scenes import LiveTalk, connected, joined_by, live
from tests.streams import Stream


def marks(agent: AgentClient, chat: str) -> tuple[str | None, str | None]:
    region = agent.screen.first(f"#marks-{chat}").attributes
    return region["data-got"], region["data-read"]


async def got(visitor: Visitor, seq: int) -> int:
    return (await visitor.post("/chat/read", {"got": str(seq)})).status_code


async def read(visitor: Visitor, seq: int) -> int:
    return (await visitor.post("/chat/read", {"seq": str(seq)})).status_code


async def said(talk: LiveTalk, text: str) -> int:
    """By An, and known on both sides. Its number."""
    await talk.an.say(talk.chat, text)
    await talk.window.wait_for(text)
    row = await Chat.select(Chat.seq).where(Chat.id == int(talk.chat)).first()
    assert row
    return int(row["seq"])


async def test_a_message_is_sent_then_delivered_then_read(desk: Desk) -> None:
    async with live(desk) as talk:
        seq = await said(talk, "Dag Jef")
        await talk.an.open()
        assert marks(talk.an, talk.chat) == ("0", "0"), "sent"
        await got(talk.jef, seq)
        await talk.console.wait_for(lambda: marks(talk.an, talk.chat) == (str(seq), "0"))
        await read(talk.jef, seq)
        await talk.console.wait_for(lambda: marks(talk.an, talk.chat) == (str(seq), str(seq)))
        await talk.an.open()
        assert marks(talk.an, talk.chat) == (str(seq), str(seq)), "after a reload too"


async def test_what_is_read_has_been_delivered(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.an.say(talk.chat, "Dag")
    await read(talk.jef, 3)
    await talk.an.open()
    assert marks(talk.an, talk.chat) == ("3", "3")


async def test_marks_never_go_back_nor_past_what_is_there(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.an.say(talk.chat, "Dag")
    for move, seq, then in (
        (got, 3, ("3", "0")),
        (got, 2, ("3", "0")),
        (read, 2, ("3", "2")),
        (read, 1, ("3", "2")),
        (got, 4, ("3", "2")),
        (read, 4, ("3", "2")),
    ):
        assert await move(talk.jef, seq) == 204
        await talk.an.open()
        assert marks(talk.an, talk.chat) == then


async def test_what_cannot_be_read_is_refused(desk: Desk) -> None:
    talk = await connected(desk)
    for wrong in ("-1", "x", "", "9" * 12):
        for name in ("seq", "got"):
            assert (await talk.jef.post("/chat/read", {name: wrong})).status_code == 400
    await talk.an.open()
    assert marks(talk.an, talk.chat) == ("0", "0")


async def test_a_strangers_reading_marks_nothing(desk: Desk) -> None:
    talk = await connected(desk)
    marie = await desk.visitor().begin("Is de hondenweide open?")
    await read(marie, 1)
    assert await read(desk.visitor(), 1) == 404
    await talk.an.open()
    assert marks(talk.an, talk.chat) == ("0", "0")


async def test_no_message_is_drawn_again_for_a_mark(desk: Desk) -> None:
    async with live(desk) as talk:
        seq = await said(talk, "Dag Jef")
        await talk.console.wait_for("Dag Jef")
        before = len(talk.console.events)
        await read(talk.jef, seq)
        await talk.console.wait_for(f'id="marks-{talk.chat}"')
        await talk.console.wait_for(lambda: marks(talk.an, talk.chat)[1] == str(seq))
        assert 'class="message' not in "".join(event.data for event in talk.console.events[before:])


async def test_the_mark_of_a_message_is_not_announced_but_can_be_heard(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.an.say(talk.chat, "Dag Jef")
    await talk.an.open()
    delivery = f"#thread-{talk.chat} .from-agent .delivery"
    assert talk.an.screen.first(delivery).attributes["aria-live"] == "off"
    assert talk.an.screen.texts(f"{delivery} .mark") == ["Verzonden", "Afgeleverd", "Gelezen"]


# ---- the visitor's side ------------------------------------------------------------------------------------


async def settled(talk: LiveTalk, window: Stream, words: str) -> None:
    """All that went before has arrived as well."""
    await talk.an.say(talk.chat, words)
    await window.wait_for(words)


async def test_the_visitor_gets_nothing_of_it(desk: Desk) -> None:
    async with live(desk) as talk:
        await said(talk, "Dag Jef")
        before = len(talk.window.events)
        await got(talk.jef, 3)
        await talk.console.wait_for(lambda: marks(talk.an, talk.chat)[0] == "3")
        await settled(talk, talk.window, "En verder?")
        assert len(talk.window.events) == before + 1, "the next message alone"
        page = (await talk.jef.get("/chat")).text + talk.window.data
        assert not [word for word in ("Afgeleverd", "Gelezen", "data-got", "marks-") if word in page]


async def test_what_was_read_in_one_tab_is_not_unread_in_another(desk: Desk) -> None:
    async with live(desk) as talk:
        seq = await said(talk, "Dag Jef")
        other = desk.visitor(talk.jef.token)
        await other.open()
        async with other.stream(after=seq) as stream:
            await stream.wait_for("#state")
            assert other.screen.first("#state").attributes["data-read"] == "0"
            await read(talk.jef, seq)
            await stream.wait_for(lambda: other.screen.first("#state").attributes["data-read"] == str(seq))
            before = len(stream.events)
            await read(talk.jef, seq)
            await settled(talk, stream, "En verder?")
            assert len(stream.events) == before + 1, "what is known already is not said again"


# ---- several agents, several chats -------------------------------------------------------------------------


async def test_no_other_desk_hears_of_it(desk: Desk) -> None:
    async with live(desk) as talk:
        await said(talk, "Dag Jef")
        bram = await desk.agent("bram", "Loket", ready=True)
        async with bram.stream() as console:
            await console.wait_for('id="panels"')
            await read(talk.jef, 3)
            await talk.console.wait_for(lambda: marks(talk.an, talk.chat)[1] == "3")
            assert "marks-" not in console.data


async def test_both_agents_in_a_chat_see_the_marks(desk: Desk) -> None:
    async with live(desk) as talk:
        bram = await joined_by(desk, talk, "bram")
        seq = await said(talk, "Dag Jef")
        async with bram.stream() as console:
            await console.wait_for('id="panels"')
            await read(talk.jef, seq)
            await talk.console.wait_for(lambda: marks(talk.an, talk.chat)[1] == str(seq))
            await console.wait_for(lambda: marks(bram, talk.chat)[1] == str(seq))
