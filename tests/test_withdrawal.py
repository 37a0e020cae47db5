"""Withdrawal: what an agent takes back is gone for the visitor, and stays for the desk."""

import asyncio
import io
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from pypdf import PdfReader

from db.tables import Chat, Message, Offer
from features import messages
from tests.conftest import Clock, Desk
from tests.people import AgentClient, Visitor, new_key
from tests.scenes import Talk, at_work, connected, joined_by, live, taken
from tests.test_attachments import added
from tests.test_offers import choose, offer

CANARY = "kanarie-7319"
GONE = "Bericht ingetrokken"


async def withdraw(agent: AgentClient, chat: int | str, seq: int | str) -> httpx.Response:
    return await agent.post(f"/chats/{chat}/messages/{seq}/withdrawal")


async def last_seq(chat: str) -> int:
    row = await Chat.select(Chat.seq).where(Chat.id == int(chat)).first()
    assert row
    return int(row["seq"])


async def said(talk: Talk, text: str = CANARY) -> int:
    await talk.an.say(talk.chat, text)
    return await last_seq(talk.chat)


def bubbles(visitor: Visitor) -> list[str]:
    return visitor.screen.texts("#thread .bubble")


def buttons(agent: AgentClient) -> list[Any]:
    return agent.screen.css(".thread .withdraw")


async def unanswered(chat: str) -> datetime | None:
    row = await Chat.select(Chat.unanswered_since_at).where(Chat.id == int(chat)).first()
    assert row
    since: datetime | None = row["unanswered_since_at"]
    return since


# ---- what each sees ----------------------------------------------------------------------------------------


async def test_the_visitor_sees_that_it_was_withdrawn_and_the_agents_what_it_was(desk: Desk) -> None:
    async with live(desk) as talk:
        seq = await said(talk)
        await talk.window.wait_for(CANARY)
        before = len(talk.window.events)
        answer = await withdraw(talk.an, talk.chat, seq)
        assert answer.status_code == 200
        await talk.window.wait_for(GONE)
        assert bubbles(talk.jef)[-1] == GONE
        assert CANARY not in "".join(event.data for event in talk.window.events[before:])
        (item,) = talk.an.screen.css(f"#thread-{talk.chat} .withdrawn")
        assert CANARY in item.text()
        assert "Ingetrokken om 10:00 · An" in " ".join(item.text().split())
        assert not item.css(".mark"), "nothing of it is delivered or read"
    assert await Message.exists().where(Message.body == CANARY), "the log keeps it"


async def test_a_colleague_in_the_chat_sees_it_too(desk: Desk) -> None:
    talk = await connected(desk)
    bram = await joined_by(desk, talk, "bram")
    async with bram.stream() as console:
        await console.wait_for('id="panels"')
        await withdraw(talk.an, talk.chat, await said(talk))
        await console.wait_for("Ingetrokken om")
        assert CANARY in bram.screen.text(f"#thread-{talk.chat} .withdrawn")


async def test_nothing_that_a_visitor_can_fetch_holds_it(desk: Desk) -> None:
    talk = await connected(desk)
    seq = await said(talk)
    assert CANARY in (await talk.jef.get("/chat/transcript.txt")).text, "the premise"
    await withdraw(talk.an, talk.chat, seq)
    await talk.jef.end()
    for path in ("/chat", "/chat/transcript.txt"):
        answer = await talk.jef.must("GET", path)
        assert CANARY not in answer.text
        assert GONE in answer.text
    pdf = PdfReader(io.BytesIO((await talk.jef.get("/chat/transcript.pdf")).content))
    text = "".join(page.extract_text() for page in pdf.pages)
    assert CANARY not in text
    assert "ingetrokken" in text


async def test_the_transcript_says_who_and_when(desk: Desk, clock: Clock) -> None:
    talk = await connected(desk)
    seq = await said(talk)
    clock.shift(60)
    await withdraw(talk.an, talk.chat, seq)
    text = (await talk.jef.get("/chat/transcript.txt")).text
    assert "10:00 An:\n[Bericht ingetrokken om 10:01]\n" in text


async def test_a_page_that_was_away_hears_of_it_when_it_comes_back(desk: Desk) -> None:
    talk = await connected(desk)
    seq = await said(talk)
    await talk.jef.open()
    await talk.an.open()
    await withdraw(talk.an, talk.chat, seq)
    assert CANARY in bubbles(talk.jef), "the premise: it stands there still"
    async with talk.jef.stream(after=seq) as window:
        await window.wait_for(GONE)
        assert bubbles(talk.jef)[-1] == GONE
        await talk.an.say(talk.chat, "En verder?")
        await window.wait_for("En verder?")
        assert window.last_id == str(seq + 1), "and goes on where it was"
    async with talk.an.stream(last_id=f"{talk.chat}:{seq + 1}.0") as console:
        await console.wait_for("Ingetrokken om")


# ---- files and offers --------------------------------------------------------------------------------------


async def test_its_files_are_gone_for_the_visitor_and_kept_for_the_desk(desk: Desk) -> None:
    talk = await connected(desk)
    file = await added(talk.an, f"/chats/{talk.chat}/files", name=f"{CANARY}.pdf")
    await talk.an.must(
        "POST", f"/chats/{talk.chat}/messages", {"key": new_key(), "body": "Zie hier", "files": file}
    )
    assert (await talk.jef.get(f"/chat/files/{file}")).status_code == 200
    await withdraw(talk.an, talk.chat, await last_seq(talk.chat))
    assert (await talk.jef.get(f"/chat/files/{file}")).status_code == 404
    assert (await talk.an.get(f"/chats/{talk.chat}/files/{file}")).status_code == 200
    for path in ("/chat", "/chat/transcript.txt"):
        answer = (await talk.jef.get(path)).text
        assert CANARY not in answer
        assert "Zie hier" not in answer


async def test_a_withdrawn_menu_cannot_be_chosen_from(desk: Desk) -> None:
    talk = await connected(desk)
    await offer(talk.an, talk.chat)
    row = await Offer.select(Offer.id).first()
    assert row
    await talk.jef.open()
    assert (await withdraw(talk.an, talk.chat, await last_seq(talk.chat))).status_code == 200
    answer = await choose(talk.jef, row["id"], 0)
    assert answer.status_code == 409
    assert "Dit menu is ingetrokken." in talk.jef.screen.text("#refused")
    assert "Verlengen" not in answer.text
    assert not talk.jef.screen.has("#thread [name=option]")
    assert not await Message.exists().where(Message.kind == "choice")


async def test_a_menu_that_was_chosen_from_stays(desk: Desk) -> None:
    talk = await connected(desk)
    await offer(talk.an, talk.chat)
    seq = await last_seq(talk.chat)
    row = await Offer.select(Offer.id).first()
    assert row
    await choose(talk.jef, row["id"], 0)
    await talk.an.open()
    assert not buttons(talk.an)
    assert (await withdraw(talk.an, talk.chat, seq)).status_code == 409
    assert "De bezoeker heeft al uit dit menu gekozen." in talk.an.screen.text(f"#refused-{talk.chat}")
    assert "Verlengen" in (await talk.jef.get("/chat")).text


async def test_choosing_and_withdrawing_at_once_one_of_them_wins(desk: Desk) -> None:
    talk = await connected(desk)
    for _try in range(5):
        await offer(talk.an, talk.chat)
        seq = await last_seq(talk.chat)
        row = await Offer.select(Offer.id).order_by(Offer.id, ascending=False).first()
        assert row
        answers = await asyncio.gather(withdraw(talk.an, talk.chat, seq), choose(talk.jef, row["id"], 0))
        assert sorted(answer.status_code for answer in answers) == [200, 409]


# ---- what is refused ---------------------------------------------------------------------------------------


async def test_two_minutes_long_and_not_longer(desk: Desk, clock: Clock) -> None:
    talk = await connected(desk)
    first = await said(talk, "Eerste")
    clock.shift(messages.WITHDRAWN_WITHIN_S - 30)
    second = await said(talk, "Tweede")
    await talk.an.open()
    assert len(buttons(talk.an)) == 2
    clock.shift(30)
    await talk.an.open()
    assert len(buttons(talk.an)) == 1
    answer = await withdraw(talk.an, talk.chat, first)
    assert answer.status_code == 409
    assert "binnen twee minuten" in talk.an.screen.text(f"#refused-{talk.chat}")
    assert (await withdraw(talk.an, talk.chat, second)).status_code == 200
    page = (await talk.jef.get("/chat")).text
    assert "Eerste" in page
    assert "Tweede" not in page


async def test_only_ones_own_and_only_what_was_said(desk: Desk) -> None:
    talk = await connected(desk)
    bram = await joined_by(desk, talk, "bram")
    seq = await said(talk)
    await bram.open()
    assert not buttons(bram)
    for agent, number in ((bram, seq), (talk.an, 1), (talk.an, 2), (talk.an, 99), (talk.an, 0)):
        assert (await withdraw(agent, talk.chat, number)).status_code == 404
    for wrong in ("-1", "x", str(2**31), "9" * 30):
        assert (await withdraw(talk.an, talk.chat, wrong)).status_code in (400, 404)
    chloe = await desk.agent("chloe", "Loket")
    assert (await withdraw(chloe, talk.chat, seq)).status_code == 404
    assert (await talk.jef.post(f"/chats/{talk.chat}/messages/{seq}/withdrawal")).status_code == 401
    assert not await Message.exists().where(Message.withdrawn_at.is_not_null())
    assert (await withdraw(talk.an, talk.chat, seq)).status_code == 200


async def test_a_message_of_another_chat_is_not_meant(desk: Desk) -> None:
    an = await at_work(desk)
    await desk.visitor().begin()
    first = Talk(desk.visitor(), an, await taken(an))
    await desk.visitor().begin()
    second = Talk(desk.visitor(), an, await taken(an))
    await said(first, "Een")
    await said(second, "Twee")
    seq = await said(second, "Drie")
    assert (await withdraw(an, first.chat, seq)).status_code == 404
    assert (await withdraw(an, second.chat, seq)).status_code == 200
    rows = await Message.select(Message.body).where(Message.withdrawn_at.is_not_null())
    assert [row["body"] for row in rows] == ["Drie"]


async def test_a_private_message_is_not_withdrawn(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.an.must("POST", f"/chats/{talk.chat}/private-messages", {"key": new_key(), "body": CANARY})
    await talk.an.open()
    assert not buttons(talk.an)


# ---- once --------------------------------------------------------------------------------------------------


async def test_again_is_the_same_withdrawal(desk: Desk, clock: Clock) -> None:
    talk = await connected(desk)
    seq = await said(talk)
    assert (await withdraw(talk.an, talk.chat, seq)).status_code == 200
    clock.shift(600)
    assert (await withdraw(talk.an, talk.chat, seq)).status_code == 200
    assert "Ingetrokken om 10:00" in talk.an.screen.text(f"#thread-{talk.chat} .withdrawn")


async def test_a_retry_of_the_message_does_not_bring_it_back(desk: Desk) -> None:
    async with live(desk) as talk:
        key = new_key()
        await talk.an.say(talk.chat, CANARY, key)
        seq = await last_seq(talk.chat)
        await withdraw(talk.an, talk.chat, seq)
        await talk.window.wait_for(GONE)
        await talk.an.say(talk.chat, CANARY, key)
        assert CANARY not in bubbles(talk.jef)
        assert await last_seq(talk.chat) == seq
        assert talk.an.screen.has(f"#thread-{talk.chat} .withdrawn")
        assert CANARY not in (await talk.jef.get("/chat")).text


# ---- what follows from it ----------------------------------------------------------------------------------


async def test_a_visitor_whose_answer_is_withdrawn_waits_since_the_question(desk: Desk, clock: Clock) -> None:
    async with live(desk) as talk:
        since = await unanswered(talk.chat)
        assert since
        clock.shift(30)
        seq = await said(talk)
        assert await unanswered(talk.chat) is None
        await withdraw(talk.an, talk.chat, seq)
        again = await unanswered(talk.chat)
        assert again
        assert abs(again - since) < timedelta(seconds=1)
        await talk.console.wait_for(lambda: talk.an.screen.has(f"#tab-{talk.chat} .timer[data-since]"))
        await said(talk, "Dag Jef")
        await withdraw(talk.an, talk.chat, await said(talk))
        assert await unanswered(talk.chat) is None, "another answer stands"


async def test_after_the_end_it_can_still_be_taken_back(desk: Desk) -> None:
    talk = await connected(desk)
    seq = await said(talk)
    await talk.jef.end()
    assert (await withdraw(talk.an, talk.chat, seq)).status_code == 200
    assert await unanswered(talk.chat) is None, "nobody waits any more"
    assert CANARY not in (await talk.jef.get("/chat/transcript.txt")).text


@pytest.mark.parametrize("language", ["fr", "de", "en"])
async def test_each_reads_it_in_the_own_language(desk: Desk, language: str) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    jef = await desk.visitor(language=language).begin()
    chat = await taken(an)
    await an.say(chat, CANARY)
    await withdraw(an, chat, await last_seq(chat))
    await jef.open()
    words = {"fr": "Message retiré", "de": "Nachricht zurückgezogen", "en": "Message withdrawn"}
    assert bubbles(jef)[-1] == words[language]
