"""Attachments: who may send what to whom, what becomes of hostile files, and who gets to see them."""

import asyncio
import base64
import io
import json
import os
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import httpx
import pytest
from PIL import Image

from db.settings import settings
from db.tables import Attachment, PrivateAttachment, Widget
from features import files, inspection
from tests.conftest import Clock, Desk
from tests.people import AgentClient, Person, Visitor, new_key
from tests.scenes import eventually_true, longest_turn

pytestmark = pytest.mark.either

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
POLYGLOT = b"%PDF-1.4\n<!doctype html><script>alert(document.domain)</script>\n%%EOF"
MB = 1024 * 1024


def corpora() -> Path | None:
    """The collection of hostile input, where it lies beside the project."""
    named = [Path(os.environ["BALIE_CORPORA"])] if "BALIE_CORPORA" in os.environ else []
    near = [each / "shared" / "corpora" for each in Path(__file__).resolve().parents]
    return next((each for each in [*named, *near] if each.is_dir()), None)


OWN_NAMES = [
    "../../../etc/passwd",
    "C:\\boot.ini",
    "a.pdf\x00.html",
    "CON",
    "aux.pdf",
    "<img src=x onerror=alert(1)>.png",
    'a"; filename="b.html',
    "a\r\nX-Injected: 1.pdf",
    "..\\..\\x",
    "\u2066brief\u2069\u200f.pdf",
    "invoice\u202efdp.exe",
    "\u200b.htaccess",
    "a" * 251 + ".pdf",
    "é" * 300,
    "مرحبا.pdf",
    "{{7*7}}.pdf",
    "...",
    "",
]


def hostile_names() -> list[str]:
    found = corpora()
    more = json.loads((found / "names" / "hostile_filenames.json").read_text()) if found else []
    return [*OWN_NAMES, *more]


def hostile_contents() -> list[Path]:
    found = corpora()
    return (
        sorted(each for room in ("broken-images", "pdf") for each in (found / room).iterdir())
        if found
        else []
    )


# ---- what files are made of ------------------------------------------------------------------------------


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48), **more: object) -> bytes:
    made = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(made, kind, **more)
    return made.getvalue()


def packed(parts: dict[str, str | bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return made.getvalue()


def docx(**more: str | bytes) -> bytes:
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    types = f'<Types><Override PartName="/word/document.xml" ContentType="{main}"/></Types>'
    parts: dict[str, str | bytes] = {"[Content_Types].xml": types, "word/document.xml": "<w:document/>"}
    return packed({**parts, **more})


def odt(**more: str | bytes) -> bytes:
    return packed({"mimetype": inspection.ODT, "content.xml": "<x/>", **more})


def judged(content: bytes, documents: bool = True) -> str:
    """What it is taken for, or why it is refused."""
    try:
        return str(inspection.judged(content, documents)["media"])
    except inspection.Refused as refused:
        return f"refused: {refused}"


# ---- who is there ----------------------------------------------------------------------------------------


async def talking(desk: Desk, username: str = "an") -> tuple[Visitor, AgentClient, str]:
    agent = await desk.agent(username, "Loket", ready=True)
    visitor = await desk.visitor().begin()
    await agent.open()
    await agent.accept()
    await agent.open()
    await visitor.open()
    return visitor, agent, agent.chats[0]


async def upload(
    person: Person, url: str, content: bytes = PDF, name: str = "brief.pdf", key: str = ""
) -> httpx.Response:
    headers = {"X-Key": key or new_key(), "X-Name": quote(name, safe="", errors="ignore")}
    return await person.client.post(url, content=content, headers=headers, timeout=60)


async def added(
    person: Person, url: str, content: bytes = PDF, name: str = "brief.pdf", key: str = ""
) -> str:
    answer = await upload(person, url, content, name, key)
    assert answer.status_code == 200, answer.text
    found = re.search(r'data-ticket="(\d+)"', answer.text)
    assert found
    return found[1]


async def sent(visitor: Visitor, content: bytes = PDF, name: str = "brief.pdf", text: str = "") -> str:
    ticket = await added(visitor, "/chat/files", content, name)
    await say(visitor, "/chat/messages", ticket, text)
    return ticket


async def say(person: Person, url: str, tickets: str, text: str = "", key: str = "") -> httpx.Response:
    return await person.post(url, {"key": key or new_key(), "body": text, "files": tickets})


# ---- what a file is --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "media"),
    [
        (b"Hallo\r\nwereld\n", "text/plain"),
        ("naam;straat\nZoë;Rue de l’Été\n".encode(), "text/plain"),
        ("naam;straat\nZoë;Été\n".encode("cp1252"), "text/plain"),
        ("\ufeffZoë".encode("utf-16-le"), "text/plain"),
        (rb"{\rtf1\ansi hallo}", "text/plain"),
        (EICAR, "text/plain"),  # it is text, and only ever a download
        (b"BMW rijden", "text/plain"),
        (PDF, "application/pdf"),
        (POLYGLOT, "application/pdf"),
        (docx(), inspection.DOCX),
        (odt(), inspection.ODT),
        (picture("PNG"), "image/png"),
        (picture("JPEG"), "image/jpeg"),
        (picture("WEBP"), "image/jpeg"),
        (picture("AVIF"), "image/jpeg"),
        (picture("GIF"), "image/png"),
        (picture("BMP"), "image/png"),
        (picture("TIFF"), "image/png"),
    ],
)
def test_a_file_is_what_its_content_says(content: bytes, media: str) -> None:
    assert judged(content) == media


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"MZ\x90\x00\x03\x00\x00\x00\x04", "kind"),
        (b"\x7fELF\x02\x01\x01\x00", "kind"),
        (b"tekst met een \x00 erin", "kind"),
        (SVG, "kind"),
        (b"<?xml version='1.0'?>" + SVG, "kind"),
        (b"\n <!DOCTYPE html><script>alert(1)</script>", "kind"),
        (b"<!-- x -->" + PDF, "kind"),
        (docx(**{"word/vbaProject.bin": b"x"}), "macros"),
        (odt(**{"Basic/Standard/Module1.xml": "<x/>"}), "macros"),
        (packed({"[Content_Types].xml": "", "xl/workbook.xml": ""}), "kind"),
        (packed({"brief.txt": "hallo"}), "kind"),
        (docx()[:-40], "document"),
        (docx(**{"word/media/a.png": b"\0" * 30_000_000}), "document"),
        (picture("PNG")[:600], "image"),
        (picture("JPEG")[:600], "image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "kind"),
    ],
)
def test_everything_else_is_refused_with_its_reason(content: bytes, why: str) -> None:
    assert judged(content) == f"refused: {why}"


def test_documents_only_if_the_widget_allows() -> None:
    assert judged(docx(), documents=False) == "refused: kind"


def test_a_bomb_of_pixels_is_not_drawn() -> None:
    bomb = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(bomb, "PNG")
    assert len(bomb.getvalue()) < 100_000
    assert judged(bomb.getvalue()) == "refused: pixels"


def test_nothing_of_an_image_is_kept_but_its_pixels() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by the camera
    exif[0x010F] = "GEHEIM"
    exif.get_ifd(0x8825)[1] = "N"
    source = picture("JPEG", (64, 48), exif=exif, comment=b"GEHEIM")
    assert b"GEHEIM" in source
    found = inspection.judged(source, True)
    assert b"GEHEIM" not in found["kept"]
    with Image.open(io.BytesIO(found["kept"])) as kept:
        assert not kept.getexif()
        assert kept.size == (found["width"], found["height"]) == (48, 64)


def test_an_animation_becomes_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    made = io.BytesIO()
    frames[0].save(made, "GIF", save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(inspection.judged(made.getvalue(), True)["kept"])) as kept:
        assert getattr(kept, "n_frames", 1) == 1
        assert kept.convert("RGB").tobytes()[:3] == b"\xff\x00\x00"


@pytest.mark.parametrize("size", [(8, 8), (2_000, 1_500), (3_000, 40)])
def test_a_thumbnail_is_small(size: tuple[int, int]) -> None:
    url = str(inspection.judged(picture("JPEG", size), True)["thumbnail"])
    assert 0 < len(url) <= 10_000
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as small:
        assert max(small.size) <= 320


# ---- names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("media", list(inspection.EXTENSIONS))
def test_every_name_becomes_one_that_disks_take(media: str) -> None:
    for given in hostile_names():
        name = inspection.safe_name(given, media)
        assert name.lower().endswith(inspection.EXTENSIONS[media]), (given, name)
        assert len(name.encode()) <= 200
        assert not re.search(r'[\x00-\x1f\x7f/\\:"<>|?*\u202a-\u202e\u200b]', name), (given, name)
        assert not re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)", name), (given, name)
        assert name.strip(" .") == name


def test_ordinary_names_stay() -> None:
    for name in ("Brief van Zoë (2).pdf", "مرحبا.pdf", "été.PDF", "a.html.pdf"):
        assert inspection.safe_name(name, "application/pdf") == name
    assert inspection.safe_name("vakantie.webp", "image/jpeg") == "vakantie.jpg"
    assert inspection.safe_name("virus.exe", "text/plain") == "virus.exe.txt"


async def test_hostile_names_come_back_harmless(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    for given in hostile_names()[: files.MOST_A_MINUTE - 2]:
        ticket = await sent(visitor, PDF, given)
        answer = await agent.client.get(f"/chats/{chat}/files/{ticket}")
        header = answer.headers["content-disposition"]
        assert re.fullmatch(r"attachment; filename=\"[^\"\\]*\"; filename\*=UTF-8''[\w.%~-]+", header), header
        assert "x-injected" not in answer.headers
        assert unquote(header.partition("''")[2]) == inspection.safe_name(given, "application/pdf")
    page = (await agent.client.get("/console")).text
    assert "<img src=x" not in page
    assert "{{7_7}}.pdf" in page


# ---- hostile contents, through the front door ------------------------------------------------------------


async def test_hostile_contents_are_refused_or_kept_but_never_an_error(desk: Desk, clock: Clock) -> None:
    visitor, _agent, _chat = await talking(desk)
    own = {"a.png": SVG, "b.pdf": POLYGLOT, "c.txt": EICAR, "d.png": packed({"x": b"\0" * 9_000_000})}
    cases = {**own, **{each.name: each.read_bytes() for each in hostile_contents()}}
    for number, (name, content) in enumerate(cases.items()):
        if number % 20 == 19:
            clock.shift(61)
        answer = await upload(visitor, "/chat/files", content, name)
        assert answer.status_code in (200, 422), (name, answer.status_code)
        assert "niet toegevoegd" in answer.text or "data-ticket" in answer.text
    assert await Attachment.count() == len(cases)


async def test_what_kills_its_inspection_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    killer = Path(settings.data) / "killer.py"
    killer.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    visitor, _agent, _chat = await talking(desk)
    monkeypatch.setattr(inspection, "__file__", str(killer))
    answer = await upload(visitor, "/chat/files")
    assert answer.status_code == 422
    assert "brief.pdf is niet toegevoegd" in answer.text
    assert not list(files.inbox().iterdir())


async def test_who_goes_away_during_an_upload_leaves_nothing_and_can_come_back(desk: Desk) -> None:
    visitor, _agent, _chat = await talking(desk)
    key = new_key()
    await broken_off(visitor, key)
    await added(visitor, "/chat/files", b"a", "a.txt", key)
    assert not list(files.inbox().iterdir())


# ---- sending ---------------------------------------------------------------------------------------------


async def test_a_visitor_sends_files_with_the_text_as_one_message(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    async with agent.stream() as stream:
        tickets = [
            await added(visitor, "/chat/files", picture("JPEG", (800, 600)), "foto.jpeg"),
            await added(visitor, "/chat/files", PDF, "brief.pdf"),
        ]
        assert "brief.pdf" not in stream.data  # added, not sent
        answer = await say(visitor, "/chat/messages", " ".join(tickets), "Hierbij de stukken")
        assert answer.status_code == 200
        await stream.wait_for("Hierbij de stukken")
    (bubble,) = [each for each in agent.screen.css(".message") if "Hierbij" in each.text()]
    assert "2 bijlagen" in bubble.text()
    assert [each.attributes["href"] for each in bubble.css("a.attachment")] == [
        f"/chats/{chat}/files/{ticket}" for ticket in tickets
    ]
    (thumbnail,) = bubble.css("img")
    assert thumbnail.attributes["alt"] == "foto.jpeg"
    assert str(thumbnail.attributes["src"]).startswith("data:image/webp;base64,")
    assert [each.attributes["hx-get"] for each in visitor.screen.css("#thread .attachment")] == [
        f"/chat/files/{ticket}" for ticket in tickets
    ]


async def test_an_agent_sends_a_file_without_text(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    async with visitor.stream() as stream:
        ticket = await added(agent, f"/chats/{chat}/files", b"een;twee\n", "lijst.csv")
        assert (await say(agent, f"/chats/{chat}/messages", ticket)).status_code == 200
        await stream.wait_for("lijst.csv")
    answer = await visitor.client.get(f"/chat/files/{ticket}")
    assert (answer.status_code, answer.content) == (200, b"een;twee\n")
    assert "1 bijlage" in visitor.screen.text("#thread")


async def test_neither_text_nor_files_is_no_message(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    assert (await say(visitor, "/chat/messages", "")).status_code == 422
    assert (await say(agent, f"/chats/{chat}/private-messages", "")).status_code == 422


async def test_sent_again_it_is_still_one_message(desk: Desk) -> None:
    visitor, _agent, _chat = await talking(desk)
    key, ticket = new_key(), await added(visitor, "/chat/files")
    for _twice in range(2):
        assert (await say(visitor, "/chat/messages", ticket, "x", key)).status_code == 200
    assert len(visitor.screen.css("#thread .attachment")) == 1


async def test_uploaded_again_it_is_still_one_file(desk: Desk) -> None:
    visitor, _agent, _chat = await talking(desk)
    key, bad = new_key(), new_key()
    assert await added(visitor, "/chat/files", PDF, key=key) == await added(
        visitor, "/chat/files", PDF, key=key
    )
    assert await Attachment.count() == 1
    first, second = [await upload(visitor, "/chat/files", SVG, "a.png", bad) for _twice in range(2)]
    assert (first.status_code, first.text) == (second.status_code, second.text)
    assert first.status_code == 422


async def test_the_same_file_lies_on_the_disk_once(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    await added(visitor, "/chat/files")
    await added(visitor, "/chat/files")
    await added(agent, f"/chats/{chat}/private-files")
    assert len(files.lying()) == 1


@pytest.mark.parametrize("tickets", ["999999", "x", "1 2 3 4 5 6", "-1"])
async def test_a_ticket_that_is_not_there_sends_nothing(desk: Desk, tickets: str) -> None:
    visitor, _agent, _chat = await talking(desk)
    answer = await say(visitor, "/chat/messages", tickets, "Mijn tekst")
    assert answer.status_code == 422
    assert "Mijn tekst" not in visitor.screen.text("#thread")


async def test_nobody_sends_what_somebody_else_added(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    by_agent = await added(agent, f"/chats/{chat}/files")
    by_visitor = await added(visitor, "/chat/files")
    private = await added(agent, f"/chats/{chat}/private-files", b"geheim", "geheim.txt")
    other = await desk.visitor().begin()
    assert (await say(visitor, "/chat/messages", by_agent)).status_code == 422
    assert (await say(agent, f"/chats/{chat}/messages", by_visitor)).status_code == 422
    assert (await say(other, "/chat/messages", by_visitor)).status_code == 422
    await say(visitor, "/chat/messages", by_visitor)
    assert (await say(visitor, "/chat/messages", by_visitor)).status_code == 422  # it is sent
    await say(agent, f"/chats/{chat}/messages", private)
    assert "geheim.txt" not in (await visitor.client.get("/chat")).text


async def test_a_message_that_is_not_taken_leaves_its_files_to_be_sent(desk: Desk) -> None:
    visitor, _agent, _chat = await talking(desk)
    ticket = await added(visitor, "/chat/files")
    assert (await say(visitor, "/chat/messages", ticket, "x" * 4_001)).status_code == 422
    assert (await say(visitor, "/chat/messages", ticket, "korter")).status_code == 200


# ---- limits ----------------------------------------------------------------------------------------------


async def test_twenty_megabytes_fit_and_not_a_byte_more(desk: Desk) -> None:
    visitor, _agent, _chat = await talking(desk)
    full = b"a" * (20 * MB)
    await added(visitor, "/chat/files", full, "vol.txt")
    answer = await upload(visitor, "/chat/files", full + b"a", "meer.txt")
    assert answer.status_code == 422
    assert "meer.txt is niet toegevoegd: groter dan 20 MB" in answer.text
    assert (await upload(visitor, "/chat/files", full * 2, "veel.txt")).status_code == 413


async def test_an_empty_file_is_refused(desk: Desk) -> None:
    visitor, _agent, _chat = await talking(desk)
    answer = await upload(visitor, "/chat/files", b"", "leeg.txt")
    assert answer.status_code == 422
    assert "leeg.txt is niet toegevoegd: het bestand is leeg" in answer.text


async def test_a_widget_may_do_without_documents(desk: Desk) -> None:
    visitor, _agent, _chat = await talking(desk)
    assert (await upload(visitor, "/chat/files", docx(), "a.docx")).status_code == 200
    await Widget.update({Widget.documents: False}, force=True)
    assert (await upload(visitor, "/chat/files", docx(), "a.docx")).status_code == 422


async def test_a_chat_holds_so_much_and_no_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_CHAT_BYTES", 100)
    visitor, agent, chat = await talking(desk)
    await added(visitor, "/chat/files", b"a" * 100, "a.txt")
    answer = await upload(visitor, "/chat/files", b"a", "b.txt")
    assert answer.status_code == 422
    assert "200 MB" in answer.text
    # What is private counts on its own: nobody could tell from a refusal that there is any.
    await added(agent, f"/chats/{chat}/private-files", b"a", "c.txt")


async def test_too_many_in_a_minute_wait(desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_A_MINUTE", 2)
    visitor, _agent, _chat = await talking(desk)
    assert (await upload(visitor, "/chat/files", SVG, "a.png")).status_code == 422  # that counts, too
    await added(visitor, "/chat/files")
    assert (await upload(visitor, "/chat/files")).status_code == 429
    clock.shift(61)
    await added(visitor, "/chat/files")


async def test_of_many_at_once_no_more_are_taken_than_one_after_another(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_A_MINUTE", 4)
    visitor, _agent, _chat = await talking(desk)
    answers = await asyncio.gather(*(upload(visitor, "/chat/files") for _each in range(40)))
    assert sorted(each.status_code for each in answers) == [200] * 4 + [429] * 36
    assert await Attachment.count() == 4


async def test_what_is_under_way_takes_room_and_what_comes_to_nothing_gives_it_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_CHAT_BYTES", 1_000)
    monkeypatch.setattr(files, "MOST_BYTES", 400)
    visitor, _agent, _chat = await talking(desk)
    file = b"a" * 400
    answers = await asyncio.gather(*(upload(visitor, "/chat/files", file, "a.txt") for _each in range(8)))
    assert sorted(each.status_code for each in answers) == [200] * 2 + [422] * 6
    assert all("200 MB" in each.text for each in answers if each.status_code == 422)
    (ticket, *_more) = [row["id"] for row in await Attachment.select(Attachment.id)]
    await visitor.client.delete(f"/chat/files/{ticket}")

    bad = SVG.ljust(400)
    assert "200 MB" not in (await upload(visitor, "/chat/files", bad, "refused.png")).text
    line, key = asyncio.Event(), new_key()
    going = asyncio.create_task(broken_off(visitor, key, line))  # it does not say how large it will be
    await eventually_true(lambda: Attachment.exists().where(Attachment.key == key))
    assert "200 MB" in (await upload(visitor, "/chat/files", file, "b.txt")).text
    line.set()
    await going
    await eventually_true(lambda: fits(visitor, file))
    assert "200 MB" in (await upload(visitor, "/chat/files", file, "c.txt", key)).text, (
        "its room is another's"
    )


async def fits(visitor: Visitor, file: bytes) -> bool:
    return (await upload(visitor, "/chat/files", file, "d.txt")).status_code == 200


async def broken_off(visitor: Visitor, key: str, line: asyncio.Event | None = None) -> None:
    """In the middle of a file; or as soon as the line is cut."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a" * 300
        if line:
            await line.wait()
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        headers = {"X-Key": key, "X-Name": "a.txt"}
        await visitor.client.post("/chat/files", content=pieces(), headers=headers)


async def test_nothing_is_added_to_a_chat_that_is_over(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    ticket = await added(visitor, "/chat/files")
    await visitor.end()
    assert (await upload(visitor, "/chat/files")).status_code == 409
    assert (await upload(agent, f"/chats/{chat}/files")).status_code in (404, 409)
    assert (await say(visitor, "/chat/messages", ticket)).status_code == 409
    await added(agent, f"/chats/{chat}/private-files")  # a note can still be made


# ---- fetching --------------------------------------------------------------------------------------------


async def test_a_file_is_only_ever_downloaded(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    cases = {
        "a.txt": (EICAR, "application/octet-stream"),
        "a.pdf": (POLYGLOT, "application/pdf"),
        "a.docx": (docx(), "application/octet-stream"),
    }
    for name, (content, media) in cases.items():
        ticket = await sent(visitor, content, name)
        for answer in (
            await visitor.client.get(f"/chat/files/{ticket}"),
            await agent.client.get(f"/chats/{chat}/files/{ticket}"),
        ):
            assert answer.content == content
            assert answer.headers["content-type"] == media
            assert answer.headers["content-disposition"].startswith(f'attachment; filename="{name}"')
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in answer.headers["content-security-policy"]
            assert "no-store" in answer.headers["cache-control"]


async def test_nobody_else_gets_it(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    ticket = await sent(visitor)
    bram = await desk.agent("bram", "Loket")
    other = await desk.visitor().begin()
    assert (await other.client.get(f"/chat/files/{ticket}")).status_code == 404
    assert (await bram.client.get(f"/chats/{chat}/files/{ticket}")).status_code == 404
    assert (await agent.client.get(f"/chats/{int(chat) + 1}/files/{ticket}")).status_code == 404
    for path in (f"/chat/files/{ticket}", f"/chats/{chat}/files/{ticket}"):
        assert (await desk.nobody().client.get(path)).status_code in (401, 404)
    assert (await visitor.client.get(f"/chats/{chat}/files/{ticket}")).status_code in (401, 404)
    assert (await agent.client.get(f"/chat/files/{ticket}")).status_code in (401, 404)


async def test_files_of_one_name_stay_apart(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    tickets = [await added(visitor, "/chat/files", content, "brief.txt") for content in (b"een", b"twee")]
    await say(visitor, "/chat/messages", " ".join(tickets))
    for ticket, content in zip(tickets, (b"een", b"twee"), strict=True):
        assert (await agent.client.get(f"/chats/{chat}/files/{ticket}")).content == content


async def test_what_is_not_sent_is_nobody_elses(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    ticket = await added(visitor, "/chat/files")
    assert (await agent.client.get(f"/chats/{chat}/files/{ticket}")).status_code == 404


async def test_only_who_takes_part_adds(desk: Desk) -> None:
    _visitor, _agent, chat = await talking(desk)
    bram = await desk.agent("bram", "Loket")
    for room in ("files", "private-files"):
        assert (await upload(bram, f"/chats/{chat}/{room}")).status_code == 404
    assert (await upload(desk.visitor(), "/chat/files")).status_code == 404
    assert (await upload(desk.nobody(), "/chat/files")).status_code == 401


# ---- private ---------------------------------------------------------------------------------------------


async def test_a_private_file_is_the_agents_alone(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    async with visitor.stream() as stream:
        ticket = await added(agent, f"/chats/{chat}/private-files", b"kanarie", "kanarie.txt")
        await say(agent, f"/chats/{chat}/private-messages", ticket, "Voor collega's")
        await say(agent, f"/chats/{chat}/messages", "", "Dag Jef")
        await stream.wait_for("Dag Jef")
        assert "kanarie" not in stream.data
    await agent.open()
    assert "kanarie.txt" in agent.screen.text(".message.private")
    answer = await agent.client.get(f"/chats/{chat}/private-files/{ticket}")
    assert answer.content == b"kanarie"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "kanarie" not in (await visitor.client.get("/chat")).text
    assert (await visitor.client.get(f"/chat/files/{ticket}")).status_code == 404
    assert (await visitor.client.get(f"/chats/{chat}/private-files/{ticket}")).status_code in (401, 404)
    assert (await agent.client.get(f"/chats/{chat}/files/{ticket}")).status_code == 404
    assert await PrivateAttachment.count() == 1
    assert not await Attachment.exists()


# ---- what goes again -------------------------------------------------------------------------------------


async def test_what_is_taken_back_is_gone(desk: Desk) -> None:
    visitor, agent, chat = await talking(desk)
    ticket = await added(visitor, "/chat/files")
    await agent.client.delete(f"/chats/{chat}/files/{ticket}")  # not the agent's to take
    assert len(files.lying()) == 1
    assert (await visitor.client.delete(f"/chat/files/{ticket}")).status_code == 204
    assert files.lying() == []
    assert (await say(visitor, "/chat/messages", ticket)).status_code == 422
    kept = await sent(visitor)
    await visitor.client.delete(f"/chat/files/{kept}")  # it is sent
    assert (await visitor.client.get(f"/chat/files/{kept}")).status_code == 200


async def test_what_is_never_sent_goes_after_a_day(desk: Desk, clock: Clock) -> None:
    visitor, agent, chat = await talking(desk)
    kept = await sent(visitor, b"blijft", "a.txt")
    await added(visitor, "/chat/files", b"gaat", "b.txt")
    await added(agent, f"/chats/{chat}/private-files", b"gaat ook", "c.txt")
    await added(visitor, "/chat/files", b"blijft", "nog eens.txt")
    await files.purge_unsent()
    assert len(files.lying()) == 3
    clock.shift(timedelta(hours=25).total_seconds())
    await files.purge_unsent()
    assert len(files.lying()) == 1
    rows = await Attachment.select(Attachment.id)
    assert [str(row["id"]) for row in rows] == [kept]


# ---- what it costs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_nobody_waits_for_an_inspection(desk: Desk) -> None:
    """A large image is not drawn anew on the event loop."""
    visitor, _agent, _chat = await talking(desk)
    large = picture("JPEG", (4_000, 3_000), quality=60)
    answer, longest = await longest_turn(upload(visitor, "/chat/files", large, "groot.jpg"))
    assert answer.status_code == 200
    assert longest < 0.05
