"""Messages: what is taken, what is refused and with which words, and how it is shown on both sides."""

import asyncio
import re

import pytest
from markupsafe import escape

from db.tables import Chat, Message, Step
from features import messages
from tests import scenes
from tests.conftest import Desk
from tests.people import Visitor, new_key

AS_A_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def bubbles(visitor: Visitor) -> list[str]:
    return visitor.screen.texts("#thread .bubble")


async def stored(chat: str) -> list[str]:
    rows = (
        await Message.select(Message.body)
        .where(Message.chat == int(chat))
        .where(Message.kind == "text")
        .order_by(Message.seq)
    )
    return [row["body"] for row in rows]


# ---- what is taken ---------------------------------------------------------------------------------------


async def test_text_arrives_as_it_was_typed(desk: Desk) -> None:
    texts = [
        "Ça va? Ĳmuiden, garçon, über, ñ",
        "שלום, אני רוצה לחנות ברחוב",
        "👩‍👩‍👧‍👦 🇧🇪 👍🏽",
        "een\u2028twee\u00a0drie\ttab",
        "e\u0301 is geen é",
        "%00 %41 + & = ;",
    ]
    talk = await scenes.connected(desk, texts[0])
    for text in texts[1:]:
        await talk.jef.say(text)
        await talk.an.say(talk.chat, text)
    assert await stored(talk.chat) == [texts[0], *(text for text in texts[1:] for _side in range(2))]
    for page in (await talk.jef.get("/chat"), await talk.an.get("/console")):
        assert all(str(escape(text)) in page.text for text in texts)


async def test_every_bubble_finds_its_own_direction(desk: Desk) -> None:
    talk = await scenes.connected(desk, "שלום")
    await talk.jef.open()
    bubble = talk.jef.screen.first("#thread .bubble")
    assert bubble.attributes["dir"] == "auto"


async def test_line_ends_are_kept_and_what_nobody_can_see_is_not(desk: Desk) -> None:
    kept = {
        "a\r\nb\rc\nd": "a\nb\nc\nd",
        "uit Word\x0bnieuwe regel": "uit Word\nnieuwe regel",
        "a\0b\x01c\x1b[31md\x7f": "abc[31md",
        "\n\n  ingesprongen\n\n": "  ingesprongen",
    }
    talk = await scenes.connected(desk)
    for typed in kept:
        await talk.jef.say(typed)
    assert (await stored(talk.chat))[1:] == list(kept.values())


async def test_four_thousand_characters_fit_whatever_they_cost_in_bytes(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for letter in ("x", "é", "🚗"):
        await talk.jef.say(letter * 4000)
        assert (await stored(talk.chat))[-1] == letter * 4000


async def test_one_more_is_refused_with_the_number_and_nothing_is_cut(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.jef.open()
    key = new_key()
    answer = await talk.jef.post("/chat/messages", {"key": key, "body": "🚗" * 4001})
    assert answer.status_code == 422
    assert "4.001" in talk.jef.screen.text("#refused")
    assert "4.000" in talk.jef.screen.text("#refused")
    assert talk.jef.screen.first("#refused").attributes["data-key"] == key, "whose text goes back to the bar"
    assert await stored(talk.chat) == [scenes.QUESTION]


# ---- what is refused -------------------------------------------------------------------------------------


async def test_nothing_is_not_a_message(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for text in ("", "   ", "\n\n", "\0\x01"):
        await talk.jef.open()
        answer = await talk.jef.post("/chat/messages", {"key": new_key(), "body": text})
        assert answer.status_code == 422
        assert talk.jef.screen.text("#refused") == "Schrijf eerst een bericht."
    assert await stored(talk.chat) == [scenes.QUESTION]


async def test_a_key_that_no_page_makes_is_refused(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for key in ("", "kort", "x" * 65, "met spatie", '"><script>'):
        answer = await talk.jef.post("/chat/messages", {"key": key, "body": "Dag"})
        assert answer.status_code == 422
        assert "<script>" not in answer.text
    assert await stored(talk.chat) == [scenes.QUESTION]


async def test_nobody_takes_the_keys_of_the_desks_own_lines(desk: Desk) -> None:
    """What happens next could not be written, and so could not happen."""
    talk = await scenes.connected(desk)
    last = await Step.select(Step.id).order_by(Step.id, ascending=False).first()
    assert last
    for n in range(1, 20):
        answer = await talk.jef.post("/chat/messages", {"key": f"step-{last['id'] + n:03}", "body": "Dag"})
        assert answer.status_code == 422
    await talk.jef.end()
    await talk.jef.open()
    assert talk.jef.screen.first("#state").attributes["data-state"] == "ended"


async def test_what_is_not_utf_8_is_refused_and_not_stored_as_something_else(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    form = f"key={new_key()}&".encode()
    for body in (b"body=%ff%fe", b"body=\xff\xfe", b"body=%ed%a0%80", b"body=caf%e9", b"%ff=1&body=Dag"):
        answer = await talk.jef.client.post("/chat/messages", content=form + body, headers=AS_A_FORM)
        assert answer.status_code == 400, body
        assert "niet leesbaar" in answer.text
    for body in (b"body=caf%C3%A9", "body=café".encode()):
        answer = await talk.jef.client.post("/chat/messages", content=form + body, headers=AS_A_FORM)
        assert answer.status_code == 200
    assert (await stored(talk.chat))[1:] == ["café"]


# ---- once, and in order ----------------------------------------------------------------------------------


async def test_the_same_key_is_the_same_message_however_often_and_at_once(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await talk.jef.open()
    key = new_key()
    answers = await asyncio.gather(*(talk.jef.say("Eén keer", key) for _ in range(20)))
    assert len({answer.text for answer in answers}) == 1, "all are told the same number"
    await talk.jef.say("En nog iets")
    assert await stored(talk.chat) == [scenes.QUESTION, "Eén keer", "En nog iets"]
    rows = await Message.select(Message.seq).where(Message.chat == int(talk.chat)).order_by(Message.seq)
    assert [row["seq"] for row in rows] == [1, 2, 3, 4], "and no number is left out"


async def test_many_at_once_each_get_a_number_of_their_own(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await asyncio.gather(
        *(talk.jef.say(f"bezoeker {n}") for n in range(10)),
        *(talk.an.say(talk.chat, f"An {n}") for n in range(10)),
    )
    rows = await Message.select(Message.seq).where(Message.chat == int(talk.chat)).order_by(Message.seq)
    assert [row["seq"] for row in rows] == list(range(1, 23))


async def test_one_key_in_two_chats_is_two_messages(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    key = new_key()
    for text in ("van Jef", "van Marie"):
        visitor = await desk.visitor().begin()
        await scenes.taken(an)
        await visitor.say(text, key)
        assert bubbles(visitor)[-1] == text


async def test_a_retry_after_a_lost_answer_is_told_to_those_who_look(desk: Desk) -> None:
    """The first try was committed, but nobody was told: the server had gone before it could."""
    async with scenes.live(desk) as talk:
        key = new_key()
        await messages.write(int(talk.chat), key, author="visitor", body="Verloren?")
        await talk.jef.say("Verloren?", key)
        await talk.console.wait_for("Verloren?")
    assert await stored(talk.chat) == [scenes.QUESTION, "Verloren?"]


@pytest.mark.usefixtures("impatient")
async def test_what_nobody_was_told_of_is_found(desk: Desk) -> None:
    """And no retry comes: the page went away too."""
    async with scenes.live(desk) as talk:
        await messages.write(int(talk.chat), new_key(), author="visitor", body="Verloren?")
        await talk.console.wait_for("Verloren?")


# ---- a visitor without an answer -------------------------------------------------------------------------


async def unanswered_since(chat: str) -> object:
    row = await Chat.select(Chat.unanswered_since_at).where(Chat.id == int(chat)).first()
    assert row
    return row["unanswered_since_at"]


async def test_a_visitor_waits_from_the_first_question_until_an_answer(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    since = await unanswered_since(talk.chat)
    assert since
    await talk.jef.say("Bent u er nog?")
    assert await unanswered_since(talk.chat) == since
    await talk.an.open()
    assert talk.an.screen.has(f"#tab-{talk.chat} .timer[data-since]")
    await talk.an.say(talk.chat, "Ja hoor.")
    assert await unanswered_since(talk.chat) is None
    await talk.an.open()
    assert not talk.an.screen.has(f"#tab-{talk.chat} .timer[data-since]")


async def test_a_late_retry_of_an_answered_question_does_not_start_the_wait_anew(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    key = new_key()
    await talk.jef.say("Bent u er nog?", key)
    await talk.an.say(talk.chat, "Ja hoor.")
    await talk.jef.say("Bent u er nog?", key)
    assert await unanswered_since(talk.chat) is None
    await talk.jef.say("Mooi.")
    assert await unanswered_since(talk.chat)


# ---- how it is shown -------------------------------------------------------------------------------------


async def test_what_is_typed_runs_nowhere(desk: Desk) -> None:
    attack = '<script>alert(1)</script><img src=x onerror="alert(2)">{{ 7 * 7 }}'
    talk = await scenes.connected(desk, attack)
    await talk.an.say(talk.chat, attack)
    for page in (await talk.jef.get("/chat"), await talk.an.get("/console")):
        assert page.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        assert "{{ 7 * 7 }}" in page.text


async def test_a_name_runs_nowhere_either(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    await desk.visitor().begin(name="<b onclick=alert(1)>Jef</b>")
    await an.open()
    assert "&lt;b onclick=alert(1)&gt;Jef&lt;/b&gt;" in (an.screen.tree.html or "")
    assert not an.screen.has("[onclick]")


async def test_a_message_that_comes_is_to_the_letter_what_a_reload_shows(desk: Desk) -> None:
    """Of what comes, most is not drawn anew for each: names, words and moments are filled in."""
    talk = await scenes.connected(desk)
    evil = "<b>&amp; %s {} \ufdd0\ufdd3 https://example.be/?a=1&b=2"
    answers = [
        *[await talk.jef.say(text) for text in (evil, "Nog iets")],
        *[await talk.an.say(talk.chat, text) for text in (evil, "Goed zo")],
    ]
    pages = [(await talk.jef.get("/chat")).text] * 2 + [(await talk.an.get("/console")).text] * 2
    for answer, page in zip(answers, pages, strict=True):
        (drawn,) = re.findall(r"<li .*</li>", answer.text, re.DOTALL)
        assert drawn in page
    assert "withdrawal" in answers[-1].text, "with what its author can do about it"
