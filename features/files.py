"""Files: how one that somebody adds to a message comes in, where it lies and how it goes out, for the public
thread (attachments) and the private one (private), each with a table of its own.

A file is streamed to disk, judged in a process of its own (inspection) and kept once, under its hash, in the
data directory. Until its message is sent it is only its sender's; what is never sent goes after a day.
"""

import asyncio
import contextlib
import json
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import structlog
from litestar import Request, Response
from litestar.exceptions import ClientException, InternalServerException, NotFoundException
from litestar.response import Stream
from markupsafe import Markup

import db
from db.away import unless_away
from db.clock import now
from db.settings import settings
from db.tables import Chat
from features import idle, inspection, messages, rounds
from layouts import _, html, template

log = structlog.get_logger(__name__)

MOST_BYTES = 20 * 1024 * 1024
BODY_BYTES = MOST_BYTES + 1  # so that the first byte too many is refused with words
MOST_FILES = 5  # a message
MOST_CHAT_BYTES = 200 * 1024 * 1024
MOST_A_MINUTE = 30  # in one chat
MOST_ASKED = 50  # at a time
UNSENT_HOURS = 24
PURGE_EVERY_S = 3_600
INSPECTORS = 2  # at a time
PATIENCE_S = 90
SIGN_EVERY_S = 20  # during an upload
CHUNK_BYTES = 65_536
THUMBNAIL_PX = (240, 160)
SHOWN = 100  # characters of the name of what is refused

Row = dict[str, Any]
Table = type[Any]  # attachment or private_attachment: the same columns
tables: list[Table] = []  # whose rows keep files from being purged


@dataclass
class Bench:
    """Of this process, from its start."""

    places: asyncio.Semaphore


bench = Bench(asyncio.Semaphore(INSPECTORS))


async def prepare() -> None:
    bench.places = asyncio.Semaphore(INSPECTORS)
    await asyncio.to_thread(inbox().mkdir, parents=True, exist_ok=True)
    if db.is_alone():  # nobody is uploading: it is what a crash left there
        await asyncio.to_thread(sweep_inbox, 0)
        for table in tables:
            await unfinished(table, table.update({table.size: 0}))


# ---- coming in -------------------------------------------------------------------------------------------


async def receive(
    table: Table, chat: int, agent: int | None, base: str, request: Request[Any, Any, Any]
) -> Response[str]:
    """One file is the whole body, its name and key are headers; the same key again is the same file. Answers
    with the row that stands above the text bar."""
    key, name = request.headers.get("x-key", ""), request.headers.get("x-name", "")
    if not messages.KEY.fullmatch(key):
        raise ClientException
    row, code = await begun(table, chat, agent, key, declared(request))
    if code or row is None or row["sha256"] or row["refused"]:
        await drained(request)
    else:
        row = await taken(table, row, name, request)
    if row and row["sha256"]:
        return html(ui.row(row, base))
    shown = shortened(inspection.readable_name(unquote(name))) or _("The file")
    code = code or str(row and row["refused"])
    return html(ui.refused(reason(code, shown)), status_code=429 if code == "rate" else 422)


def shortened(name: str) -> str:
    return f"{name[:SHOWN]}…" if len(name) > SHOWN else name


async def drained(request: Request[Any, Any, Any]) -> None:
    """A browser hears no answer before it has sent everything."""
    async for _chunk in body(request):
        pass


async def body(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    """Somebody who cancels, or whose line breaks, is no fault of ours."""
    try:
        async for chunk in request.stream():
            yield chunk
    except InternalServerException:
        raise ClientException from None


async def row_with(table: Table, chat: int, agent: int | None, key: str) -> Row | None:
    row: Row | None = await table.select().where(table.chat == chat).where(table.key == key).first()
    if row and row["agent"] != agent:
        raise NotFoundException
    return row


def declared(request: Request[Any, Any, Any]) -> int:
    """How large it will be; where that is not said, as large as a file can be."""
    said = request.headers.get("content-length", "")
    return min(int(said), MOST_BYTES) if said.isdecimal() else MOST_BYTES


async def begun(table: Table, chat: int, agent: int | None, key: str, size: int) -> tuple[Row | None, str]:
    """Its row, and why it cannot come in now, if so. Judged and noted in one: of many that are sent at once
    no more are taken than one after another. Until it is there it takes the room that it asks for."""
    async with db.transaction():
        await db.lock(scales(table, chat))
        row = await row_with(table, chat, agent, key)
        if row and (row["sha256"] or row["refused"]):
            return row, ""
        if code := await too_much(table, chat, key, size):
            return row, code
        if row:
            await table.update({table.size: size}).where(table.id == row["id"])
        else:
            await table.insert(table(chat=chat, key=key, agent=agent, size=size, uploaded_at=now()))
        return await row_with(table, chat, agent, key), ""


def scales(table: Table, chat: int) -> str:
    """The lock of who judges what fits into a chat."""
    return f"{table._meta.tablename} {chat}"


async def too_much(table: Table, chat: int, key: str, size: int) -> str:
    """With this one. What is refused counts among the many too, for it costs as much; what was broken off and
    comes again was counted then."""
    rows = await table.select(table.key, table.size, table.uploaded_at).where(table.chat == chat)
    others, lately = [row for row in rows if row["key"] != key], now() - timedelta(minutes=1)
    is_new = len(others) == len(rows)
    if is_new and sum(row["uploaded_at"] > lately for row in others) >= MOST_A_MINUTE:
        return "rate"
    return "total" if sum(row["size"] for row in others) + size > MOST_CHAT_BYTES else ""


async def unfinished(table: Table, query: Any) -> None:
    """The query, of what has not come in and was not refused."""
    await query.where(table.sha256 == "").where(table.refused == "").where(table.seq.is_null())


async def taken(table: Table, row: Row, name: str, request: Request[Any, Any, Any]) -> Row | None:
    """Streamed, judged, kept or refused; what comes to nothing gives its room back."""
    raw, result = (inbox() / secrets.token_hex(16) for _each in range(2))
    try:
        size = await spooled(request, raw, row)
        if size > MOST_BYTES:
            found: Row = {"refused": "large"}
        else:
            found = await inspected(raw, result, name, await documents_in(row["chat"]))
        await keep(table, row, found, result)
        await sign(row)
    except BaseException:
        with unless_away():
            await unfinished(table, table.update({table.size: 0}).where(table.id == row["id"]))
        raise
    finally:
        for path in (raw, result):
            await asyncio.to_thread(path.unlink, missing_ok=True)
    return await row_with(table, row["chat"], row["agent"], row["key"])


async def spooled(request: Request[Any, Any, Any], path: Path, row: Row) -> int:
    """Who uploads is there, however long it takes."""
    size, signed_at = 0, None
    file = await asyncio.to_thread(path.open, "xb")
    with file:
        async for chunk in body(request):
            size += file.write(chunk)
            if signed_at is None or now() - signed_at > timedelta(seconds=SIGN_EVERY_S):
                signed_at = now()
                await sign(row)
    return size


async def sign(row: Row) -> None:
    if row["agent"] is None:
        await idle.sign(row["chat"])


async def documents_in(chat: int) -> bool:
    """Whether the widget lets docx and odt through."""
    row = await Chat.select(Chat.widget.documents.as_alias("documents")).where(Chat.id == chat).first()
    return bool(row and row["documents"])


async def inspected(raw: Path, result: Path, name: str, documents: bool) -> Row:
    arguments = [str(raw), str(result), name, "yes" if documents else "no"]
    async with bench.places:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", inspection.__file__, *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                said, _nothing = await process.communicate()
        except TimeoutError:
            return {"refused": "broken"}
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode:
        log.warning("a file broke its inspection", status=process.returncode)
        return {"refused": "broken"}
    found: Row = json.loads(said)
    if "errno" in found:
        raise OSError(found["errno"], os.strerror(found["errno"]))
    return found


async def keep(table: Table, row: Row, found: Row, result: Path) -> None:
    """Judged once more, for an image that is drawn anew may have grown. The other lock keeps a purge from
    taking the file away before the row holds it."""
    own = ("name", "sha256", "media", "size", "width", "height", "thumbnail", "refused")
    async with db.transaction():
        await db.lock(scales(table, row["chat"]))
        if "sha256" in found and await too_much(table, row["chat"], row["key"], found["size"]):
            found = {"refused": "total"}
        await db.lock("files")
        if "sha256" in found:
            await asyncio.to_thread(put, result, place(found["sha256"]))
        found = {"size": 0} | found
        columns = {getattr(table, name): found[name] for name in own if name in found}
        await table.update(columns).where(table.id == row["id"]).where(table.sha256 == "")


# ---- where they lie --------------------------------------------------------------------------------------


def inbox() -> Path:
    return Path(settings.data) / "files" / "inbox"


def place(sha256: str) -> Path:
    return Path(settings.data) / "files" / sha256[:2] / sha256[2:]


def put(result: Path, there: Path) -> None:
    """It is on the disk already, under another name; now its new name is, too."""
    if there.exists():
        return
    there.parent.mkdir(parents=True, exist_ok=True)
    result.replace(there)
    for folder in (there.parent, there.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


async def purge_unsent() -> None:
    """What was added and never sent; then every file that no row holds, however it came to be left."""
    long_ago = now() - timedelta(hours=UNSENT_HOURS)
    for table in tables:
        await table.delete().where(table.seq.is_null()).where(table.uploaded_at < long_ago)
    held = {row["sha256"] for table in tables for row in await table.select(table.sha256)}
    for sha256 in set(await asyncio.to_thread(lying)) - held:
        await discard(sha256)
    await asyncio.to_thread(sweep_inbox, UNSENT_HOURS)


def lying() -> list[str]:
    files = (Path(settings.data) / "files").glob("[0-9a-f][0-9a-f]/*")
    return [path.parent.name + path.name for path in files]


async def discard(sha256: str) -> None:
    """Unless somebody holds it."""
    async with db.transaction():
        await db.lock("files")
        for table in tables:
            if await table.exists().where(table.sha256 == sha256):
                return
        await asyncio.to_thread(place(sha256).unlink, missing_ok=True)


def sweep_inbox(hours: int) -> None:
    """What a crash left there, so long ago. By the disk's own clock."""
    with tempfile.TemporaryFile(dir=inbox()) as fresh:
        disk_now = os.fstat(fresh.fileno()).st_mtime
    for path in inbox().glob("*"):
        with contextlib.suppress(FileNotFoundError):  # an upload has just ended
            if path.stat().st_mtime <= disk_now - hours * 3_600:
                path.unlink()


async def remove(table: Table, chat: int, agent: int | None, id: int) -> None:
    """Taken back before it was sent."""
    own = table.delete().where(table.chat == chat).where(table.id == id).where(table.seq.is_null())
    own = own.where(table.agent == agent) if agent else own.where(table.agent.is_null())
    for row in await own.returning(table.sha256):
        if row["sha256"]:
            await discard(row["sha256"])


# ---- added, and not sent yet: a page that is loaded again brings them back ------------------------------


async def still_there(table: Table, chat: int, agent: int | None, tickets: str, base: str) -> Response[str]:
    """The rows of those that are their sender's own and can still be sent."""
    wanted = numbers(tickets)[:MOST_ASKED]
    query = table.select().where(table.chat == chat).where(table.sha256 != "").where(table.seq.is_null())
    rows = await query.where(table.id.is_in(wanted)).order_by(table.id) if wanted else []
    return html(*(ui.row(row, base) for row in rows if row["agent"] == agent))


# ---- sent with a message ---------------------------------------------------------------------------------


def numbers(tickets: str) -> list[int]:
    """As the page sends them: ids, separated by spaces."""
    return list(dict.fromkeys(int(part) for part in tickets.split() if part.isdecimal() and len(part) < 10))


async def claimed(table: Table, chat: int, agent: int | None, tickets: str) -> list[Row]:
    """The sender's own files of these ids, within the transaction that writes their message."""
    wanted = numbers(tickets)
    if len(wanted) > MOST_FILES:
        raise messages.Refused(_("At most five files fit in one message. Send the others with the next one."))
    query = table.select().where(table.chat == chat).where(table.sha256 != "")
    rows = await query.where(table.id.is_in(wanted)) if wanted else []
    own = {row["id"]: row for row in rows if row["agent"] == agent}
    if len(own) != len(wanted) or len(wanted) != len(tickets.split()):
        raise messages.Refused(_("A file is no longer there. Add it again."))
    return [own[id] for id in wanted]


async def attach(table: Table, rows: Sequence[Row], seq: int) -> None:
    if not rows:
        return
    ids = [row["id"] for row in rows]
    update = table.update({table.seq: seq}).where(table.id.is_in(ids)).where(table.seq.is_null())
    if len(await update.returning(table.id)) != len(ids):
        raise messages.Refused(_("A file is no longer there. Add it again."))


def facts(rows: Iterable[Row]) -> list[Row]:
    """What a thread shows of them."""
    shown = ("id", "name", "media", "size", "thumbnail")
    return [
        {
            **{name: row[name] for name in shown},
            "shown": fitted(row["width"], row["height"]),
            "gone": not row["sha256"],
        }
        for row in rows
    ]


def fitted(width: int, height: int) -> tuple[int, int]:
    """How large its thumbnail is drawn: known before it is there, so that nothing jumps."""
    scale = min(1, THUMBNAIL_PX[0] / max(width, 1), THUMBNAIL_PX[1] / max(height, 1))
    return max(1, round(width * scale)), max(1, round(height * scale))


# ---- going out -------------------------------------------------------------------------------------------


def download(row: Row | None) -> Stream:
    """Always a download, never a page of ours: no sniffing, no script."""
    if row is None or not row["sha256"] or not place(row["sha256"]).exists():
        raise NotFoundException
    plain = "".join(each if each.isascii() and each not in '"\\' else "_" for each in row["name"])
    encoded = quote(row["name"], safe="")
    shown_as_it_is = row["media"].startswith("image/") or row["media"] == "application/pdf"
    return Stream(
        read(place(row["sha256"])),
        media_type=row["media"] if shown_as_it_is else "application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}",
            "Content-Length": str(row["size"]),
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        },
    )


async def read(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    with file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


# ---- words -----------------------------------------------------------------------------------------------


def reason(code: str, file: str) -> str:
    """Why it was not added, and what would work."""
    match code:
        case "large":
            words = _("%(file)s was not added: larger than 20 MB")
        case "empty":
            words = _("%(file)s was not added: the file is empty")
        case "image":
            words = _("%(file)s was not added: the image cannot be read. Save it again as PNG or JPEG")
        case "pixels":
            words = _(
                "%(file)s was not added: the image has more than 50 million pixels. Make it smaller first"
            )
        case "macros":
            words = _("%(file)s was not added: it contains macros. Save it as docx or odt without macros")
        case "document":
            words = _("%(file)s was not added: the document cannot be read. Save it as PDF")
        case "many":
            words = _(
                "%(file)s was not added: at most five files fit in one message. Send it with the next one"
            )
        case "total":
            words = _(
                "%(file)s was not added: this conversation holds 200 MB of files, which is all that fits"
            )
        case "rate":
            words = _("%(file)s was not added: too many files in a short time. Try again in a minute")
        case "broken":
            words = _("%(file)s was not added: it cannot be read. Save it again, as PDF for example")
        case "lost":
            words = _("%(file)s was not added: there is no connection. Try again")
        case "later":
            words = _("%(file)s was not added: nothing can be saved at the moment. Try again later")
        case _:
            words = _("%(file)s was not added: only text, PDF, images, docx and odt can be sent")
    return words % {"file": file}


starts = [prepare]
tasks = [rounds.every(PURGE_EVERY_S, purge_unsent)]

ui = template("""
{% from "components.html" import icon, icon_button %}

{# What stands in a text bar: the button's input, and a list for each draft. #}
{% macro picker() %}
<input type="file" multiple hidden data-pick aria-label="{{ _("Add attachment") }}">
{% endmacro %}

{% macro list(url, kind="public") %}
<ul class="files {{ kind }}-files" data-files="{{ url }}" aria-live="polite" aria-label="{{ _("Files to be sent") }}"></ul>
{% endmacro %}

{# What the script makes rows of, and says when it has not asked the server. #}
{% macro kit(words) %}
<template id="file-row"{% for code, text in words.items() %} data-{{ code }}="{{ text }}"{% endfor %}>
  <li class="file-row">
    {{ icon("paperclip") }}<bdi class="file-name" translate="no"></bdi><span class="file-size"></span>
    <progress max="1" value="0" aria-label="{{ _("Uploading") }}"></progress>
    {{ icon_button("x", _("Remove file"), attrs={"data-remove-file": true}) }}
  </li>
</template>
<template id="file-refused">{{ refused("") }}</template>
{% endmacro %}

{% macro row(file, base) %}
<li class="file-row ready" data-ticket="{{ file.id }}">
  {{ icon(sign(file)) }}<bdi class="file-name" translate="no" title="{{ file.name }}">{{ file.name }}</bdi><span class="file-size">{{ file.size | file_size }}</span>
  {{ icon_button("x", _("Remove file") ~ " " ~ file.name, attrs={"data-remove-file": base ~ "/" ~ file.id}) }}
</li>
{% endmacro %}

{% macro refused(words) %}
<li class="file-row refused">
  {{ icon("circle-alert") }}<span class="file-words">{{ words }}</span>
  {{ icon_button("x", _("Close"), attrs={"data-remove-file": true}) }}
</li>
{% endmacro %}

{# In a thread, under what was written with them. A visitor's button sends the token along, an agent's link need not. #}
{% macro shown(files, base, side) %}
<ul class="attachments">
  {% for file in files %}
  <li>
    {% if file.gone | default(false) %}
    <p class="attachment-line soft">{{ icon(sign(file)) }}<bdi class="file-name" translate="no" title="{{ file.name }}">{{ file.name }}</bdi><span>{{ _("no longer kept") }}</span></p>
    {% elif side == "visitor" %}
    <button type="button" class="attachment" hx-get="{{ base }}/{{ file.id }}" hx-swap="none">{{ face(file) }}</button>
    {% else %}
    <a class="attachment" href="{{ base }}/{{ file.id }}" download>{{ face(file) }}</a>
    {% endif %}
  </li>
  {% endfor %}
</ul>
{% endmacro %}

{% macro face(file) %}
<span class="visually-hidden">{{ _("Download") }}</span>
{% if file.thumbnail %}
<img class="thumbnail" src="{{ file.thumbnail }}" width="{{ file.shown[0] }}" height="{{ file.shown[1] }}" alt="{{ file.name }}">
<span class="attachment-line">{{ icon("image") }}<bdi class="file-name" translate="no" aria-hidden="true" title="{{ file.name }}">{{ file.name }}</bdi><span class="file-size">{{ file.size | file_size }}</span>{{ icon("download") }}</span>
{% else %}
<span class="attachment-line">{{ icon(sign(file)) }}<bdi class="file-name" translate="no" title="{{ file.name }}">{{ file.name }}</bdi><span class="file-size">{{ file.size | file_size }}</span>{{ icon("download") }}</span>
{% endif %}
{% endmacro %}

{% macro sign(file) %}{{ "image" if file.media.startswith("image/") else "file-text" }}{% endmacro %}
""")  # noqa: E501


def kit() -> Markup:
    """The parts of rows, once a page."""
    return ui.kit({code: reason(code, "{file}") for code in ("large", "empty", "many", "lost", "later")})
