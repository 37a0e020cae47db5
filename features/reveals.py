"""Reveals: a hidden number of a visitor's message is shown to who asks for it ("Tonen"), and hidden again.

    POST /chats/{id}/messages/{seq}/numbers

For whoever has a role that may, and may read the chat: is or was in it, reads along, or reads the log. Each
is written in the audit before anything is shown: who, which chat, which message, what kind of number; never
the number.
"""

from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter
from msgspec import Struct

import db
from db.tables import Message
from features import audit, identity, masks, messages, numbers
from features.access import agent_of, may
from features.links import linked
from layouts import Form, html

Number = Annotated[int, PathParameter(ge=0, le=messages.MOST)]


class Wish(Struct):
    shown: str = ""  # "yes", or hidden again


@post("/chats/{chat:int}/messages/{seq:int}/numbers", guards=[may("reveal_numbers")], status_code=200)
async def reveal(
    request: Request[Any, Any, Any], chat: Number, seq: Number, data: Form[Wish]
) -> Response[str]:
    person = agent_of(request)
    await identity.is_readers_own(person, chat)
    columns = Message.author, Message.kind, Message.body, Message.numbers
    row = await Message.select(*columns).where(Message.chat == chat).where(Message.seq == seq).first()
    spans = masks.spans_in(row) if row else ()
    if row is None or not spans:
        raise NotFoundException
    kinds = numbers.kinds_in(spans)
    if not data.shown:
        return html(masks.ui.inside(chat, seq, masks.hiding(row["body"], spans), kinds).strip())
    async with db.transaction():
        fields = {"message": (None, seq), "numbers": (None, " ".join(kinds))}
        await audit.note(person.id, "revealed", f"chat:{chat}", fields)
    return html(masks.ui.inside(chat, seq, linked(row["body"]), kinds, shown=True).strip())


routes = [reveal]
