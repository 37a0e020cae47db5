"""The proof that what is private stays private: a conversation is held twice, once with 50 private messages
and with private files in every state that a file can be in, and the visitor's client receives the same, byte
for byte. Then every route that a visitor may ask is asked, and none answers with a word of it."""

import io
import re
from typing import Any

import httpx
import pytest
from pypdf import PdfReader

from db.tables import Chat, PrivateAttachment, PrivateMessage
from tests.conftest import Databases, Desk, serving
from tests.people import AgentClient, Person, Visitor, new_key
from tests.scenes import taken
from tests.streams import Stream
from tests.test_attachments import PDF, SVG, added, picture, say, upload
from tests.test_conventions import routes

pytestmark = pytest.mark.either

CANARY = "kanarie-7319"  # in each private text
FILE_CANARY = "sijsje-4402"  # in the name of each private file
CONTENT_CANARY = b"putter-8816"  # in its content
CANARIES = (CANARY.encode(), FILE_CANARY.encode(), CONTENT_CANARY)
TURNS = 5


# ---- one conversation, without or with -------------------------------------------------------------------


async def conversation(desk: Desk, private: bool) -> list[str]:
    """All that a visitor's client receives of it: answers, headers and all, its stream, and what it keeps."""
    received: list[str] = []
    jef = recording(desk.visitor(), received)
    an = await desk.agent("an", "Loket", ready=True)
    await jef.open()
    await jef.press()
    await jef.start("Mag ik parkeren?")
    chat = await taken(an)
    await jef.open()
    async with jef.stream() as window:
        await window.wait_for("Verbonden met")
        await watched(desk, an, chat, private)
        for turn in range(TURNS):
            await aside(an, chat, turn, private)
            await turn_of(jef, an, chat, turn, window)
            await aside(an, chat, turn + TURNS, private)
        if private:
            await an.must("DELETE", f"/chats/{chat}/emergency")
        await jef.get("/chat")
        await keeps(jef)
        await an.end(chat)
        await window.wait_for("Gesprek beëindigd door An")
        await window.wait_for('data-state="ended"')
        await aside(an, chat, 2 * TURNS, private)
        received += stream_of(window)
    await jef.get("/chat")
    await keeps(jef)
    return received


async def watched(desk: Desk, an: AgentClient, chat: str, private: bool) -> None:
    """A supervisor reads along; the agent has raised an emergency without telling the visitor."""
    if private:
        await an.must("POST", f"/chats/{chat}/emergency")
        eva = await desk.agent("eva")
        await eva.must("GET", f"/settings/running/{chat}")


async def turn_of(jef: Visitor, an: AgentClient, chat: str, turn: int, window: Stream) -> None:
    """Question and answer, each with a file; one that is refused, one that is taken back, one never sent."""
    file = await added(an, f"/chats/{chat}/files", PDF, f"antwoord {turn}.pdf")
    await say(an, f"/chats/{chat}/messages", file, f"Antwoord {turn}")
    await window.wait_for(f"Antwoord {turn}")
    await upload(jef, "/chat/files", SVG, "geweigerd.png")
    back = await added(jef, "/chat/files", b"vergissing", "vergissing.txt")
    await jef.client.delete(f"/chat/files/{back}")
    left = await added(jef, "/chat/files", b"blijft liggen", "later.txt")
    mine = await added(jef, "/chat/files", PLAIN_PICTURE, f"vraag {turn}.png")
    await jef.get(f"/chat/files?ids={back}+{left}+{mine}")
    await jef.post("/chat/messages", {"key": new_key(), "body": f"Vraag {turn}", "files": mine})
    await window.wait_for(f"Vraag {turn}")
    for each in (file, mine, left):
        await jef.get(f"/chat/files/{each}")


async def aside(an: AgentClient, chat: str, moment: int, private: bool) -> None:
    """Notes; and every second time files that are sent, kept back, taken back and refused."""
    if not private:
        return
    base = f"/chats/{chat}/private-files"
    sent = []
    if moment % 2 == 0:
        sent.append(await added(an, base, CONTENT_CANARY + b" %d" % moment, f"{FILE_CANARY} {moment}.txt"))
        sent.append(await added(an, base, PDF, f"{FILE_CANARY} dezelfde.pdf"))  # the visitor has it too
        await added(an, base, CONTENT_CANARY + b" unsent", f"{FILE_CANARY} ongestuurd.txt")
        back = await added(an, base, CONTENT_CANARY + b" back", f"{FILE_CANARY} terug.txt")
        assert (await an.client.delete(f"{base}/{back}")).status_code == 204
        assert (await upload(an, base, SVG, f"{FILE_CANARY} geweigerd.png")).status_code == 422
    for number in range(5 if moment < 2 * TURNS else 1):
        note = {"key": new_key(), "body": f"{CANARY} {moment} {number}", "files": " ".join(sent)}
        await an.must("POST", f"/chats/{chat}/private-messages", note)
        sent = []


PLAIN_PICTURE = picture("PNG", (48, 32))


async def keeps(jef: Visitor) -> None:
    for kind in ("txt", "pdf"):
        await jef.must("GET", f"/chat/transcript.{kind}")


# ---- what is compared ------------------------------------------------------------------------------------


def recording(visitor: Visitor, received: list[str]) -> Visitor:
    async def keep(answer: httpx.Response) -> None:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return
        await answer.aread()
        if length := answer.headers.get("content-length"):  # it adds nothing to what is compared in full
            assert answer.request.method == "HEAD" or int(length) == answer.num_bytes_downloaded
        headers = sorted(
            f"{name}: {value}"
            for name, value in answer.headers.items()
            if name not in ("date", "content-length")
        )
        request = answer.request
        received.append(
            f"{request.method} {request.url.path} {answer.status_code} {headers}\n{readable(answer)}"
        )

    visitor.client.event_hooks["response"].append(keep)
    return visitor


def readable(answer: httpx.Response) -> str:
    """A transcript's PDF by what is written in it and how it is built; every other file as it is."""
    if answer.request.url.path != "/chat/transcript.pdf":
        return answer.content.decode("latin-1") if is_file(answer) else answer.text
    paper = PdfReader(io.BytesIO(answer.content))
    about = {name: value for name, value in (paper.metadata or {}).items() if "Date" not in name}
    pages = [page.extract_text() for page in paper.pages]
    return f"{len(paper.objects if hasattr(paper, 'objects') else paper.xref[0])} {about} {pages}"


def is_file(answer: httpx.Response) -> bool:
    return "attachment" in answer.headers.get("content-disposition", "")


def stream_of(window: Stream) -> list[str]:
    """Its messages one after another, and where each ended: how they were bundled is a matter of moments."""
    ids = [int(event.id) for event in window.events if event.id.isdigit()]
    assert ids == sorted(ids)
    said = [event for event in window.events if event.name == "message"]
    return ["".join(event.data for event in said), f"the last number: {ids[-1]}"]


def anonymous(received: list[str]) -> str:
    """Keys, tokens, ids and times by the order of their first appearance. The numbers of files are not: they
    are the same in both, or there would be gaps to be seen."""
    seen: dict[str, str] = {}
    unlike = r"[0-9a-f]{32}|m-step-\d+|\d{4}-\d\d-\d\dT[\d:.]+\+00:00|\b\d\d:\d\d\b"
    return re.sub(unlike, lambda found: seen.setdefault(found[0], f"#{len(seen)}"), "\n".join(received))


# ---- the proof -------------------------------------------------------------------------------------------


@pytest.mark.timeout(240)
async def test_a_visitor_receives_the_same_with_and_without_what_is_private(
    example_database: str, databases: Databases, engine: str, clock: Any, tmp_path: Any
) -> None:
    async with serving(example_database, tmp_path / "without") as desk:
        without = await conversation(desk, private=False)
        assert await PrivateMessage.count() == 0
        assert await PrivateAttachment.count() == 0
    again = await databases.make(engine, "example")
    clock.start_at("2026-03-11T10:00:00+01:00")
    async with serving(again, tmp_path / "with") as desk:
        with_private = await conversation(desk, private=True)
        assert await PrivateMessage.count() == 51, "the premise: they were written"
        sent = PrivateAttachment.count().where(PrivateAttachment.seq.is_not_null())
        assert (await sent, await PrivateAttachment.count()) == (12, 24), "… and files: sent, unsent, refused"
    await databases.drop(again)
    assert "Antwoord 4" in "".join(with_private)
    assert "vraag 4.png" in "".join(with_private)
    for canary in CANARIES:
        assert canary.decode() not in "".join(with_private)
    first, second = (anonymous(each).splitlines() for each in (without, with_private))
    for one, other in zip(first, second, strict=False):
        assert one == other
    assert first == second


# ---- every route that a visitor may ask ------------------------------------------------------------------


@pytest.fixture(scope="module")
def every_route() -> list[tuple[str, str, list[Any]]]:
    return routes()


@pytest.mark.timeout(240)
async def test_no_route_answers_a_visitor_with_anything_private(
    every_route: list[tuple[str, str, list[Any]]], desk: Desk
) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    jef = await desk.visitor().begin()
    chat = await taken(an)
    for moment in (0, 2):
        await aside(an, chat, moment, private=True)
    await say(an, f"/chats/{chat}/messages", await added(an, f"/chats/{chat}/files"), "Voor iedereen")
    await an.must("POST", f"/chats/{chat}/offers", {"key": new_key(), "title": "Wat?", "option": ["A", "B"]})
    await an.open()
    assert CANARY in str(an.screen.tree.html), "the premise: it is there, for An"
    assert FILE_CANARY in str(an.screen.tree.html)
    nobody = desk.nobody()
    for state in ("active", "ended"):
        if state == "ended":
            await an.end(chat)
            await aside(an, chat, 2 * TURNS, private=True)
        await nothing_private(asked_by_visitors(every_route, chat, state), jef, nobody)
    assert (await Chat.select(Chat.state).where(Chat.id == int(chat)).first() or {})["state"] == "ended"
    stranger = await desk.visitor().begin(name="Marie")
    await nothing_private(asked_by_visitors(every_route, chat, "ended"), stranger)


async def nothing_private(asked: list[tuple[str, str]], *people: Person) -> None:
    for method, url in asked:
        for person in people:
            answer = await answer_of(person, method, url)
            assert not [canary for canary in CANARIES if canary in answer], f"{method} {url}"


def asked_by_visitors(
    every_route: list[tuple[str, str, list[Any]]], chat: str, state: str
) -> list[tuple[str, str]]:
    """All routes, those of agents too, with each number that a private thing has; what ends the chat is left
    out while it runs."""
    found = []
    for method, path, _guards in every_route:
        path = path.replace("{key:str}", "voorbeeld").replace("{file_path:path}", "app.css")
        path = path.replace("{token:str}", "x").replace("{chat:int}", chat).replace("{reservation:int}", "1")
        numbers = range(1, 16) if "{file:int}" in path else range(1, 2)
        if path == "/chat/ending" and state == "active":
            continue
        found += [(method, re.sub(r"\{\w+:int\}", str(number), path)) for number in numbers]
        if path in ("/chat/files", f"/chats/{chat}/private-files") and method == "GET":
            found.append((method, f"{path}?ids={'+'.join(map(str, range(1, 40)))}"))
    return found


async def answer_of(person: Person, method: str, url: str) -> bytes:
    """Headers and body; of a stream what comes first. A PDF by what is written in it."""
    form = {"key": new_key(), "body": "Dag", "seq": "1", "files": "1", "ids": "1 2 3"}
    sends = method in ("POST", "PUT", "PATCH")
    request = person.client.build_request(method, url, data=form if sends else None)
    answer = await person.client.send(request, stream=True)
    assert answer.status_code < 500, f"{method} {url}"
    try:
        content = str(answer.headers).encode()
        async for piece in answer.aiter_bytes():
            content += piece
            if "event-stream" in answer.headers["content-type"]:
                break
    finally:
        await answer.aclose()
    if url == "/chat/transcript.pdf" and answer.is_success:
        paper = PdfReader(io.BytesIO(content[content.index(b"%PDF-") :]))
        content += "".join(page.extract_text() for page in paper.pages).encode()
        assert not paper.attachments
    return content
