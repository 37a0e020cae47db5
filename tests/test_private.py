"""Private messages: colleagues read them, the visitor never receives a byte of them."""

from typing import Any

from db.tables import PrivateMessage
from tests.conftest import Desk
from tests.people import AgentClient, new_key
from tests.scenes import connected, live

CANARY = "kanarie-7319"


async def whisper(agent: AgentClient, chat: str, text: str, key: str = "") -> Any:
    return await agent.send(
        "POST", f"/chats/{chat}/private-messages", {"key": key or new_key(), "body": text}
    )


async def test_a_colleague_in_the_chat_reads_it_with_the_eye(desk: Desk) -> None:
    async with live(desk) as talk:
        await whisper(talk.an, talk.chat, "Even nakijken in dossier 4471")
        await talk.console.wait_for("dossier 4471")
        (note,) = talk.an.screen.css(f"#thread-{talk.chat} .message.private")
        assert "An" in note.text()
        assert "privé" in note.text()
        assert talk.an.screen.has(f"#thread-{talk.chat} .private use[href$='#eye']")


async def test_it_stands_where_it_was_written(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.an.say(talk.chat, "Een")
    await whisper(talk.an, talk.chat, "geheim")
    await talk.an.say(talk.chat, "Twee")
    await talk.an.open()
    assert talk.an.screen.texts(f"#thread-{talk.chat} .bubble")[-3:] == ["Een", "geheim", "Twee"]


async def test_the_visitor_sees_the_public_ones_alone(desk: Desk) -> None:
    async with live(desk) as talk:
        await whisper(talk.an, talk.chat, CANARY)
        await talk.an.say(talk.chat, "Voor iedereen")
        await talk.window.wait_for("Voor iedereen")
        assert CANARY not in str(talk.window.events)
        assert CANARY not in (await talk.jef.get("/chat")).text


async def test_the_same_key_is_one_message(desk: Desk) -> None:
    talk = await connected(desk)
    key = new_key()
    for _ in range(3):
        assert (await whisper(talk.an, talk.chat, "Een keer", key)).is_success
    assert await PrivateMessage.count() == 1


async def test_after_the_visitor_left_it_is_a_note(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.jef.end()
    assert (await whisper(talk.an, talk.chat, "Teruggebeld")).is_success
    await talk.an.open()
    assert talk.an.screen.texts(f"#thread-{talk.chat} .message.private .bubble") == ["Teruggebeld"]


async def test_nobody_else_writes_or_reads_it(desk: Desk) -> None:
    talk = await connected(desk)
    bram = await desk.agent("bram", "Loket")
    assert (await whisper(bram, talk.chat, "Ik ook")).status_code == 404
    await whisper(talk.an, talk.chat, CANARY)
    assert CANARY not in (await bram.get("/console")).text
    stranger = await desk.visitor().open()
    assert not stranger.has("#thread .private")


async def test_an_empty_or_too_long_one_is_refused_with_words(desk: Desk) -> None:
    talk = await connected(desk)
    for text in ("  ", "x" * 4_001):
        answer = await whisper(talk.an, talk.chat, text)
        assert answer.status_code == 422
        assert f"refused-{talk.chat}" in answer.text
    assert await PrivateMessage.count() == 0


async def test_a_reload_and_a_dropped_line_bring_each_once(desk: Desk) -> None:
    async with live(desk) as talk:
        await whisper(talk.an, talk.chat, "eerste")
        await talk.console.wait_for("eerste")
        last = [event.id for event in talk.console.events if event.id][-1]
    await whisper(talk.an, talk.chat, "tweede")
    async with talk.an.stream(last_id=last) as console:
        await console.wait_for("tweede")
        assert "eerste" not in str(console.events)
