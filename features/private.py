"""Private messages: what agents write for colleagues only, in the same thread, with the eye beside the name.

    POST   /chats/{id}/private-messages
    POST   /chats/{id}/private-files           adds a file to the one being written; DELETE takes it back
    GET    /chats/{id}/private-files           which of those can still be sent: after a reload
    GET    /chats/{id}/private-files/{file}    a sent one, for who is or was in it, or reads along or the log

They live in tables of their own, are counted on their own and are told on topics of their own: no visitor's
page, stream, count or transcript reads any of them. They can be written after the visitor has left, as notes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Stream
from markupsafe import Markup
from msgspec import Struct

import db
from db.clock import now
from db.prepared import prepared
from db.tables import Chat, PrivateAttachment, PrivateMessage, PrivateThread
from features import files, identity, live, messages
from features.access import Person, agent_of, may
from features.links import linked
from features.messages import Line
from features.participations import taking_part
from layouts import Form, html, swap, template

files.tables.append(PrivateAttachment)


class PrivatelyPosted(live.Event, frozen=True):
    """A chat's private thread has grown."""

    chat: int


@dataclass(frozen=True)
class Note:
    """One private message, ready to be drawn. `after_seq` is the public message it stands behind."""

    key: str
    seq: int
    after_seq: int
    agent: int
    name: str
    body: Markup
    at: datetime
    chat: int
    files: list[dict[str, Any]]

    @property
    def place(self) -> str:
        """Its number among the public messages, for the page to sort by."""
        return f"{self.after_seq}.{self.seq:06}"


def topic(chat: int) -> str:
    return f"private:{chat}"


class Said(Struct):
    key: str = ""
    body: str = ""
    files: str = ""  # the numbers of those that were added


@post("/chats/{chat:int}/private-messages", guards=[may("chat")], status_code=200)
async def say(request: Request[Any, Any, Any], chat: FromPath[int], data: Form[Said]) -> Response[str]:
    person = agent_of(request)
    await taking_part(person, chat, or_did=True)
    body = messages.cleaned(data.body)
    if problem := messages.problem_with(data.key, body or data.files):
        return html(messages.refusal(data.key, problem, chat), status_code=422)
    try:
        seq = await write(chat, data.key, person, body, data.files)
    except messages.Refused as refused:
        return html(messages.refusal(data.key, str(refused), chat), status_code=422)
    return html(swap(f"#thread-{chat}", ui.notes(await thread(chat, seq - 1)), "thread"))


async def write(chat: int, key: str, person: Person, body: str, tickets: str = "") -> int:
    """The same key again is the same message: its first number."""
    async with db.transaction():
        seq = await counted(chat, 1)
        earlier = PrivateMessage.select(PrivateMessage.seq).where(PrivateMessage.chat == chat)
        if row := await earlier.where(PrivateMessage.key == key).first():
            await counted(chat, -1)
            seq = int(row["seq"])
        else:
            public = await Chat.select(Chat.seq).where(Chat.id == chat).first()
            assert public
            note = PrivateMessage(chat=chat, seq=seq, key=key, after_seq=public["seq"], agent=person.id)
            note.name, note.body, note.sent_at = person.name, body, now()
            await PrivateMessage.insert(note)
            added = await files.claimed(PrivateAttachment, chat, person.id, tickets)
            await files.attach(PrivateAttachment, added, seq)
        db.after_commit(partial(live.publish, topic(chat), PrivatelyPosted(chat)))
        return seq


async def counted(chat: int, by: int) -> int:
    """It holds the chat's counter, so that nobody can read past a message that is not committed yet."""
    rows = await db.sql(
        "INSERT INTO private_thread (chat, seq) VALUES ({}, 1)"
        " ON CONFLICT (chat) DO UPDATE SET seq = private_thread.seq + {} RETURNING seq",
        *(chat, by),
    )
    return int(rows[0]["seq"])


async def thread(chat: int, after: int = 0) -> list[Note]:
    rows = await rows_after(chat, after)
    added = await files_of(chat, after) if rows else {}
    return [
        Note(
            row["key"],
            row["seq"],
            row["after_seq"],
            row["agent"],
            row["name"],
            linked(row["body"]),
            row["sent_at"],
            chat,
            added.get(row["seq"], []),
        )
        for row in rows
    ]


@prepared
def rows_after(chat: int, after: int) -> Any:
    note = PrivateMessage
    query = note.select(note.key, note.seq, note.after_seq, note.agent, note.name, note.body, note.sent_at)
    return query.where(note.chat == chat).where(note.seq > after).order_by(note.seq)


async def files_of(chat: int, after: int) -> dict[int, list[dict[str, Any]]]:
    """By the private message that they were sent with."""
    rows = await (
        PrivateAttachment.select()
        .where(PrivateAttachment.chat == chat)
        .where(PrivateAttachment.seq > after)
        .order_by(PrivateAttachment.id)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row, facts in zip(rows, files.facts(rows), strict=True):
        found.setdefault(row["seq"], []).append(facts)
    return found


def woven(lines: Sequence[Line], notes: Sequence[Note], agent: int = 0, reveals: bool = False) -> Markup:
    """This agent's thread: the public messages with the private ones where they were written."""
    drawn = [((line.seq, 0), messages.ui.message(line, "agent", agent, reveals)) for line in lines]
    drawn += [((note.after_seq, note.seq), ui.note(note)) for note in notes]
    return Markup("").join(fragment for _place, fragment in sorted(drawn, key=lambda pair: pair[0]))


@live.on(PrivatelyPosted, page="console")
async def redraw_thread(viewer: Any, event: PrivatelyPosted) -> Markup | None:
    if event.chat not in viewer.seen:
        return None
    return grown(viewer, event.chat, await thread(event.chat, viewer.whispered.get(event.chat, 0)))


def grown(viewer: Any, chat: int, notes: Sequence[Note]) -> Markup | None:
    if not notes:
        return None
    viewer.whispered[chat] = notes[-1].seq
    return swap(f"#thread-{chat}", ui.notes(notes), "thread")


@live.numbered("private", PrivatelyPosted)
async def last_in(chats: list[int]) -> dict[int, int]:
    """The number of the last private message of each."""
    rows = await PrivateThread.select().where(PrivateThread.chat.is_in(chats))
    return {row["chat"]: row["seq"] for row in rows}


def last_of(notes: Iterable[Note]) -> int:
    return max((note.seq for note in notes), default=0)


# ---- files -----------------------------------------------------------------------------------------------


@post(
    "/chats/{chat:int}/private-files",
    guards=[may("chat")],
    status_code=200,
    request_max_body_size=files.BODY_BYTES,
)
async def add(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    person = agent_of(request)
    await taking_part(person, chat, or_did=True)
    base = f"/chats/{chat}/private-files"
    return await files.receive(PrivateAttachment, chat, person.id, base, request)


@get("/chats/{chat:int}/private-files", guards=[may("chat")])
async def added(
    request: Request[Any, Any, Any], chat: FromPath[int], ids: FromQuery[str] = ""
) -> Response[str]:
    person = agent_of(request)
    await taking_part(person, chat, or_did=True)
    return await files.still_there(PrivateAttachment, chat, person.id, ids, f"/chats/{chat}/private-files")


@delete("/chats/{chat:int}/private-files/{file:int}", guards=[may("chat")])
async def take_back(request: Request[Any, Any, Any], chat: FromPath[int], file: FromPath[int]) -> None:
    person = agent_of(request)
    await taking_part(person, chat, or_did=True)
    await files.remove(PrivateAttachment, chat, person.id, file)


@get("/chats/{chat:int}/private-files/{file:int}", guards=[may("chat", "read_log", "supervise")])
async def fetch(request: Request[Any, Any, Any], chat: FromPath[int], file: FromPath[int]) -> Stream:
    sent = PrivateAttachment.select().where(PrivateAttachment.id == file)
    row = await sent.where(PrivateAttachment.chat == chat).where(PrivateAttachment.seq.is_not_null()).first()
    if row:
        await identity.reading(agent_of(request), chat, f"private_attachment:{file}")
    return files.download(row)


routes = [say, add, added, take_back, fetch]

ui = template("""
{% from "components.html" import icon %}

{% import "files" as files %}

{% macro notes(notes) %}{% for each in notes %}{{ note(each) }}{% endfor %}{% endmacro %}

{% macro note(note) %}
<li id="m-{{ note.key }}" data-seq="{{ note.place }}" class="message mine from-agent private">
  <p class="byline">{{ icon("eye") }}<span class="author" translate="no">{{ note.name }}</span> <span>{{ _("private") }}</span></p>
  {% if note.files %}
  <div class="bubble with-files">
    {% if note.body %}<div class="bubble-words" dir="auto">{{ note.body }}</div>{% endif %}
    <p class="visually-hidden">{{ ngettext("%(num)s attachment", "%(num)s attachments", note.files | length) }}</p>
    {{ files.shown(note.files, "/chats/" ~ note.chat ~ "/private-files", "agent") }}
  </div>
  {% else %}
  <div class="bubble" dir="auto">{{ note.body }}</div>
  {% endif %}
  <p class="delivery" aria-live="off"><time datetime="{{ note.at.isoformat() }}">{{ note.at | clock_time }}</time></p>
</li>
{% endmacro %}

{# What the page shows at once and until the server has it. #}
{% macro pending(name) %}
<template id="pending-private">
  <li class="message mine from-agent private pending">
    <p class="byline">{{ icon("eye") }}<span class="author" translate="no">{{ name }}</span> <span>{{ _("private") }}</span></p>
    <div class="bubble" dir="auto"></div>
    <p class="delivery" aria-live="off"><span class="sending">{{ _("sending…") }}</span>
      <span class="unsent" role="status">{{ _("Not sent.") }} <button type="button" class="link" data-retry>{{ _("Try again") }}</button></span></p>
  </li>
</template>
{% endmacro %}
""")  # noqa: E501
