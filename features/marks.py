"""Marks: how far the visitor's window has got the messages, and how far they were in sight there; the agents
see it at their messages as sent, delivered, read.

    POST /chat/read    what the window has (`got`) and what has been in sight (`seq`)

Two numbers for each chat, not a row for each message; the page marks its messages by them. Visitors get
nothing of it but their own reading, for the count of what is unread in their other windows.
"""

from dataclasses import replace
from typing import Annotated, Any

from litestar import Request, post
from markupsafe import Markup
from msgspec import Meta, Struct

import db
from db.tables import Chat
from features import live, messages, visit
from features.access import visitor, visitor_of
from layouts import Form, swap, template


class VisitorReceived(live.Event, frozen=True):
    """A page of the visitor has got what is new in a chat."""

    chat: int


class VisitorRead(live.Event, frozen=True):
    """What is new in a chat has been in the visitor's sight."""

    chat: int


class Read(Struct):
    seq: Annotated[int, Meta(ge=0, le=messages.MOST)] = 0
    got: Annotated[int, Meta(ge=0, le=messages.MOST)] = 0


@post("/chat/read", guards=[visitor], status_code=204)
async def read(request: Request[Any, Any, Any], data: Form[Read]) -> None:
    chat = await visit.started(visitor_of(request))
    await move(chat["id"], max(data.got, data.seq), data.seq)


async def move(chat: int, got: int, read: int) -> None:
    """Up to a message that is there; never back."""
    rows = await db.sql(
        "UPDATE chat SET visitor_got_seq = CASE WHEN visitor_got_seq < {} THEN {} ELSE visitor_got_seq END,"
        " visitor_read_seq = CASE WHEN visitor_read_seq < {} THEN {} ELSE visitor_read_seq END"
        " WHERE id = {} AND seq >= {} AND (visitor_got_seq < {} OR visitor_read_seq < {})"
        " RETURNING visitor_read_seq",
        *(got, got, read, read, chat, got, got, read),
    )
    for row in rows:
        happened = VisitorRead if row["visitor_read_seq"] == read else VisitorReceived
        live.publish(f"chat:{chat}", happened(chat))


# ---- live ------------------------------------------------------------------------------------------------


@live.on(VisitorReceived, VisitorRead, page="console")
async def redraw_marks(viewer: Any, event: VisitorReceived | VisitorRead) -> Markup | None:
    if event.chat not in viewer.seen:
        return None
    columns = Chat.visitor_got_seq, Chat.visitor_read_seq
    row = await Chat.select(*columns).where(Chat.id == event.chat).first()
    assert row
    marks = ui.marks(event.chat, row["visitor_got_seq"], row["visitor_read_seq"])
    return swap(f"#marks-{event.chat}", marks)


@live.on(VisitorRead, page="chat")
async def redraw_unread(viewer: Any, event: VisitorRead) -> Markup | None:
    """What was read in one window is not unread in another."""
    row = await Chat.select(Chat.visitor_read_seq).where(Chat.id == event.chat).first()
    if row is None or row["visitor_read_seq"] == viewer.facts.read_seq:
        return None
    viewer.facts = replace(viewer.facts, read_seq=row["visitor_read_seq"])
    return swap("#state", visit.ui.state(viewer.facts))


routes = [read]

ui = template("""
{# Read by the script, which marks the messages. Outside the thread: what is marked is not said again. #}
{% macro marks(chat, got, read) %}
<div id="marks-{{ chat }}" data-got="{{ got }}" data-read="{{ read }}" hidden></div>
{% endmacro %}
""")
