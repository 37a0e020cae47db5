"""Files that were added and are not sent: they come back after a reload, to whoever added them and to nobody
else; and whoever is still adding one is there."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pypdf import PdfReader

from db.tables import Chat
from tests.conftest import Clock, Desk
from tests.people import Person, new_key
from tests.scenes import connected, eventually_true
from tests.test_attachments import added, say, talking, upload
from tests.test_idle import asked, passes, spoken, state

pytestmark = pytest.mark.either


async def brought_back(person: Person, url: str, *tickets: str) -> list[str]:
    answer = await person.client.get(url, params={"ids": " ".join(tickets)})
    assert answer.status_code == 200, answer.text
    return re.findall(r'data-ticket="(\d+)"', answer.text)


async def test_what_was_added_comes_back_and_can_be_sent_or_taken_back(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    places = (
        (visitor, "/chat/files"),
        (agent, f"/chats/{chat}/files"),
        (agent, f"/chats/{chat}/private-files"),
    )
    for person, url in places:
        first, second = await added(person, url, name="een.pdf"), await added(person, url, name="twee.pdf")
        answer = await person.client.get(url, params={"ids": f"{first} {second} 99999 x -1"})
        assert re.findall(r'data-ticket="(\d+)"', answer.text) == [first, second]
        assert "een.pdf" in answer.text
        assert f'data-remove-file="{url}/{first}"' in answer.text
        await person.client.delete(f"{url}/{first}")
        assert await brought_back(person, url, first, second) == [second]
        messages = re.sub("files$", "messages", url)
        assert (await say(person, messages, second)).status_code == 200
        assert await brought_back(person, url, first, second) == [], "it is sent"


async def test_nothing_comes_back_that_was_not_asked_for_or_was_refused(desk: Desk) -> None:
    visitor, _agent, _chat = await talking(desk)
    ticket = await added(visitor, "/chat/files")
    assert (await upload(visitor, "/chat/files", b"<svg/>", "a.png")).status_code == 422
    assert await brought_back(visitor, "/chat/files") == []
    assert await brought_back(visitor, "/chat/files", str(int(ticket) + 1)) == []
    assert await brought_back(visitor, "/chat/files", *["7"] * 500, ticket) == [ticket]


async def test_only_to_whoever_added_it(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    by_visitor = await added(visitor, "/chat/files")
    by_agent = await added(agent, f"/chats/{chat}/files")
    private = await added(agent, f"/chats/{chat}/private-files", b"geheim", "geheim.txt")
    everything = (by_visitor, by_agent, private)
    other = await desk.visitor().begin()
    bram = await desk.agent("bram", "Loket")
    assert await brought_back(visitor, "/chat/files", *everything) == [by_visitor]
    assert (
        "geheim" not in (await visitor.client.get("/chat/files", params={"ids": " ".join(everything)})).text
    )
    assert await brought_back(agent, f"/chats/{chat}/files", *everything) == [by_agent]
    assert await brought_back(agent, f"/chats/{chat}/private-files", *everything) == [private]
    assert await brought_back(other, "/chat/files", *everything) == []
    for room in ("files", "private-files"):
        assert (await bram.client.get(f"/chats/{chat}/{room}", params={"ids": by_agent})).status_code == 404


async def test_to_nobody_once_the_chat_is_over_but_for_a_private_note(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    by_visitor = await added(visitor, "/chat/files")
    by_agent = await added(agent, f"/chats/{chat}/files")
    private = await added(agent, f"/chats/{chat}/private-files")
    await visitor.end()
    assert await brought_back(visitor, "/chat/files", by_visitor) == []
    assert await brought_back(agent, f"/chats/{chat}/files", by_agent) == []
    assert await brought_back(agent, f"/chats/{chat}/private-files", private) == [private]


# ---- whoever uploads is there ----------------------------------------------------------------------------


async def test_nobody_is_asked_whether_they_are_there_while_they_upload(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    step, going = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        for _each in range(4):
            yield b"a" * 65_536
            going.set()
            await step.wait()
            step.clear()

    headers = {"X-Key": new_key(), "X-Name": "a.txt"}
    upload = asyncio.create_task(
        talk.jef.client.post("/chat/files", content=slowly(), headers=headers, timeout=60)
    )
    for _each in range(4):
        await going.wait()
        going.clear()
        await heard(clock)
        await passes(clock, 9.5)
        assert (await chat_row())["idle_asked_at"] is None
        step.set()
    assert (await upload).status_code == 200
    assert await state(talk) == ("active", "")
    await passes(clock, 9.5)
    assert not await asked(talk), "the end of the upload is a sign, too"
    await passes(clock, 0.7)
    assert await asked(talk), "the premise: without one, the visitor is asked"


async def heard(clock: Clock) -> None:
    """The server has read what was uploaded so far."""

    async def lately() -> bool:
        row = await chat_row()
        return bool(clock.now() - row["silent_since_at"] < timedelta(seconds=30))

    await eventually_true(lately)


async def chat_row() -> dict[str, Any]:
    row = await Chat.select(Chat.silent_since_at, Chat.idle_asked_at).first()
    assert row
    return row


async def test_an_upload_answers_the_open_question(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await passes(clock, 10.1)
    assert await asked(talk)
    await added(talk.jef, "/chat/files")
    assert not await asked(talk)
    assert await state(talk) == ("active", "")


async def test_an_agents_upload_answers_nothing_for_the_visitor(desk: Desk, clock: Clock) -> None:
    talk = await spoken(desk)
    await passes(clock, 10.1)
    await added(talk.an, f"/chats/{talk.chat}/files")
    await added(talk.an, f"/chats/{talk.chat}/private-files")
    assert await asked(talk)
    await passes(clock, 2.5)
    assert await state(talk) == ("ended", "idle")


# ---- in the copy that the visitor takes along --------------------------------------------------------------


async def test_the_transcript_names_the_files_with_their_size(desk: Desk) -> None:
    talk = await connected(desk)
    tickets = [
        await added(talk.jef, "/chat/files", b"a" * 2_200_000, "meting \u202efdp.txt"),
        await added(talk.jef, "/chat/files", b"a" * 300, "x\r\n10:00 An:\r\nbetaal.txt"),
    ]
    await say(talk.jef, "/chat/messages", " ".join(tickets), "Hierbij <b>alles</b>")
    ticket = await added(talk.an, f"/chats/{talk.chat}/files", b"%PDF-1.4 x", "#panic(1).pdf")
    await say(talk.an, f"/chats/{talk.chat}/messages", ticket)
    await added(talk.jef, "/chat/files", b"nooit verstuurd", "nooit.txt")
    private = await added(talk.an, f"/chats/{talk.chat}/private-files", b"geheim", "geheim.txt")
    await say(talk.an, f"/chats/{talk.chat}/private-messages", private)
    text = (await talk.jef.must("GET", "/chat/transcript.txt")).content.decode().replace("\xa0", " ")
    assert (
        "Jef Peeters:\nHierbij <b>alles</b>\n"
        "Bijlage: meting fdp.txt, 2,1 MB\nBijlage: x 10_00 An_ betaal.txt, 0,3 kB\n" in text
    )
    assert "An:\nBijlage: #panic(1).pdf, 0,1 kB\n" in text
    assert "nooit" not in text
    assert "geheim" not in text
    assert "Bijlage: meting fdp.txt, 2,1 MB" in await printed(talk.jef)


async def printed(visitor: Person) -> str:
    content = (await visitor.must("GET", "/chat/transcript.pdf")).content
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).replace(
        "\xa0", " "
    )


async def test_the_transcript_speaks_of_files_in_the_language_of_the_chat(desk: Desk) -> None:
    await desk.agent("an", "Loket", ready=True)
    visitor = await desk.visitor(language="fr").begin("Bonjour", name="Marie")
    await say(visitor, "/chat/messages", await added(visitor, "/chat/files", b"a" * 3_000, "lettre.txt"))
    text = (await visitor.must("GET", "/chat/transcript.txt")).content.decode()
    text = text.replace("\xa0", " ").replace("\u202f", " ")
    assert "Pièce jointe : lettre.txt, 2,9 ko" in text
