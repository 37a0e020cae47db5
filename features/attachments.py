"""Attachments: the files that a visitor and the agents in a chat send each other ("Bijlage").

    POST   /chat/files                   a visitor adds one to the message being written; DELETE takes it back
    POST   /chats/{id}/files             an agent does
    GET    /chat/files, /chats/{id}/files    which of those can still be sent: after a reload
    GET    /chat/files/{file}            a sent one, for the visitor of that chat, with the token
    GET    /chats/{id}/files/{file}      … for the agents who are or were in it, and for who may read the log

Sent files are a message of kind "files": what was written with them, and what they are called.
"""

from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery
from litestar.response import Stream
from markupsafe import Markup

import db
from db.tables import Attachment, Chat, Message
from features import files, identity, messages, telling, visit
from features.access import agent_of, may, visitor, visitor_of
from features.messages import Line
from features.participations import taking_part
from features.telling import Told
from layouts import _, file_size, html, template

files.tables.append(Attachment)


# ---- adding ----------------------------------------------------------------------------------------------


@post("/chat/files", guards=[visitor], status_code=200, request_max_body_size=files.BODY_BYTES)
async def add(request: Request[Any, Any, Any]) -> Response[str]:
    chat = await visit.started(visitor_of(request))
    return await receive(request, chat["id"], None, "/chat/files")


@post(
    "/chats/{chat:int}/files", guards=[may("chat")], status_code=200, request_max_body_size=files.BODY_BYTES
)
async def add_as_agent(request: Request[Any, Any, Any], chat: FromPath[int]) -> Response[str]:
    person = agent_of(request)
    await taking_part(person, chat)
    return await receive(request, chat, person.id, f"/chats/{chat}/files")


async def receive(request: Request[Any, Any, Any], chat: int, agent: int | None, base: str) -> Response[str]:
    if not await is_open(chat):
        await files.drained(request)
        words = _("This conversation has ended. Your message was not sent.")
        return html(files.ui.refused(words), status_code=409)
    return await files.receive(Attachment, chat, agent, base, request)


async def is_open(chat: int) -> bool:
    return bool(await Chat.exists().where(Chat.id == chat).where(Chat.state.is_in(["waiting", "active"])))


@get("/chat/files", guards=[visitor])
async def added(request: Request[Any, Any, Any], ids: FromQuery[str] = "") -> Response[str]:
    chat = await visit.started(visitor_of(request))
    return await unsent(chat["id"], None, ids, "/chat/files")


@get("/chats/{chat:int}/files", guards=[may("chat")])
async def added_as_agent(
    request: Request[Any, Any, Any], chat: FromPath[int], ids: FromQuery[str] = ""
) -> Response[str]:
    person = agent_of(request)
    await taking_part(person, chat, or_did=True)
    return await unsent(chat, person.id, ids, f"/chats/{chat}/files")


async def unsent(chat: int, agent: int | None, ids: str, base: str) -> Response[str]:
    """None of a chat that is over: nothing more is sent in it."""
    return await files.still_there(Attachment, chat, agent, ids if await is_open(chat) else "", base)


@delete("/chat/files/{file:int}", guards=[visitor])
async def take_back(request: Request[Any, Any, Any], file: FromPath[int]) -> None:
    chat = await visit.started(visitor_of(request))
    await files.remove(Attachment, chat["id"], None, file)


@delete("/chats/{chat:int}/files/{file:int}", guards=[may("chat")])
async def take_back_as_agent(
    request: Request[Any, Any, Any], chat: FromPath[int], file: FromPath[int]
) -> None:
    person = agent_of(request)
    await taking_part(person, chat, or_did=True)
    await files.remove(Attachment, chat, person.id, file)


# ---- fetching --------------------------------------------------------------------------------------------


@get("/chat/files/{file:int}", guards=[visitor])
async def fetch(request: Request[Any, Any, Any], file: FromPath[int]) -> Stream:
    caller = visitor_of(request)
    row = await Attachment.select().where(Attachment.id == file).where(Attachment.seq.is_not_null()).first()
    if row is None or caller.id is None or not await is_shown(row, caller.id):
        raise NotFoundException
    return files.download(row)


async def is_shown(file: files.Row, visitor: int) -> bool:
    """To this visitor, and its message has not been withdrawn."""
    sent = Message.exists().where(Message.chat == file["chat"]).where(Message.seq == file["seq"])
    sent = sent.where(Message.chat.visitor == visitor)
    return await sent.where(Message.withdrawn_at.is_null())


@get("/chats/{chat:int}/files/{file:int}", guards=[may("chat", "read_log", "supervise")])
async def fetch_as_agent(request: Request[Any, Any, Any], chat: FromPath[int], file: FromPath[int]) -> Stream:
    sent = Attachment.select().where(Attachment.id == file).where(Attachment.chat == chat)
    row = await sent.where(Attachment.seq.is_not_null()).first()
    if row:
        await identity.reading(agent_of(request), chat, f"attachment:{file}")
    return files.download(row)


# ---- sending ---------------------------------------------------------------------------------------------


async def send(
    chat: int, key: str, text: str, tickets: str, *, author: str, name: str, agent: int | None = None
) -> int:
    """What a person wrote, with the files that were added to it, as one message; the same key again gives the
    first number again."""
    if not tickets.strip():
        return await messages.post(chat, key, text, author=author, name=name, agent=agent)
    body = messages.cleaned(text)
    if problem := messages.problem_with(key, body or "-"):  # files speak for themselves
        raise messages.Refused(problem)
    async with db.transaction():
        added = await files.claimed(Attachment, chat, agent, tickets)
        data = {"chat": chat, "files": files.facts(added)}
        seq, is_new = await messages.write(
            chat, key, author=author, agent=agent, name=name, body=body, kind="files", data=data
        )
        if is_new:
            await files.attach(Attachment, added, seq)
        return seq


@messages.shown_by("files")
def show(line: Line, side: str) -> Markup:
    """A visitor's window has one chat and needs no number for it."""
    base = "/chat/files" if side == "visitor" else f"/chats/{line.data['chat']}/files"
    return ui.message(line, base, side)


@telling.told_as("files")
def tell(told: Told) -> str:
    """The names are safe to be told: inspection has left nothing in them that cannot be seen."""
    words = _("Attachment: %(name)s, %(size)s")
    sent = [words % {"name": each["name"], "size": file_size(each["size"])} for each in told.data["files"]]
    return "\n".join([told.body, *sent] if told.body else sent)


routes = [add, add_as_agent, added, added_as_agent, take_back, take_back_as_agent, fetch, fetch_as_agent]

ui = template("""
{% from "components.html" import in_language %}
{% import "files" as files %}

{% macro message(line, base, side) %}
<div class="bubble with-files">
  {% if line.body %}<div class="bubble-words" dir="auto"{{ in_language(line.language) }}>{{ line.body }}</div>{% endif %}
  <p class="visually-hidden">{{ ngettext("%(num)s attachment", "%(num)s attachments", line.data.files | length) }}</p>
  {{ files.shown(line.data.files, base, side) }}
</div>
{% endmacro %}
""")  # noqa: E501
