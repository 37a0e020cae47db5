"""Withdrawal: an agent takes back what it has just said, in the wrong tab perhaps ("Intrekken").

    POST /chats/{id}/messages/{seq}/withdrawal

Within two minutes, only one's own, and only what the visitor can see. The visitor sees that a message was
withdrawn and gets nothing of it any more; the agents still see what it was, and the log keeps it. A private
message has been read by colleagues alone and is part of the record: it stays.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter
from markupsafe import Markup
from piccolo.columns import Column

import db
from db.clock import now
from db.tables import Chat, Message
from features import live, messages
from features.access import Person, agent_of, may
from features.messages import MessageChanged, Refused
from features.participations import taking_part
from layouts import _, html, swap

Number = Annotated[int, PathParameter(ge=0, le=messages.MOST)]
Check = Callable[[dict[str, Any]], Awaitable[None]]
checks: dict[str, Check] = {}


def asked_of(kind: str) -> Callable[[Check], Check]:
    """Let the decorated function have its say before a message of this kind is withdrawn, in the same
    transaction: it may refuse. It gets the message's data."""

    def register(check: Check) -> Check:
        checks[kind] = check
        return check

    return register


@post("/chats/{chat:int}/messages/{seq:int}/withdrawal", guards=[may("chat")], status_code=200)
async def withdraw(
    request: Request[Any, Any, Any],
    chat: Number,
    seq: Number,
) -> Response[str]:
    person = agent_of(request)
    await taking_part(person, chat)
    try:
        await take_back(person, chat, seq)
    except Refused as refused:
        redrawn = await drawn(person, chat, seq)
        return html(redrawn, messages.refusal("", str(refused), chat), status_code=409)
    return html(await drawn(person, chat, seq))


async def drawn(person: Person, chat: int, seq: int) -> Markup:
    line = await messages.line(chat, seq)
    shown = messages.drawn([line] if line else [], "agent", person.id, person.may_reveal)
    return swap(f"#thread-{chat}", shown, "thread")


async def take_back(person: Person, chat: int, seq: int) -> None:
    """Again is the same withdrawal: its time stays the first."""
    async with db.transaction():
        line = await messages.line(chat, seq)
        if line is None or line.agent != person.id or line.kind not in messages.WITHDRAWABLE:
            raise NotFoundException
        if not line.withdrawn_at:
            if now() >= line.withdrawable_until:
                raise Refused(
                    _("A message can be withdrawn within two minutes. This one stays with the visitor.")
                )
            if line.kind in checks:
                await checks[line.kind](line.data)
            own = Message.update({Message.withdrawn_at: now()}).where(Message.chat == chat)
            await own.where(Message.seq == seq).where(Message.withdrawn_at.is_null())
            await wait_again(chat)
        db.after_commit(partial(live.publish, f"chat:{chat}", MessageChanged(chat, seq)))


async def wait_again(chat: int) -> None:
    """A visitor whose question got no other answer has been waiting since that question."""
    answers = Message.select(Message.seq).where(Message.chat == chat).where(Message.author == "agent")
    last = await answers.where(Message.withdrawn_at.is_null()).order_by(Message.seq, ascending=False).first()
    questions = Message.select(Message.sent_at).where(Message.chat == chat).where(Message.author == "visitor")
    first = await questions.where(Message.seq > (last["seq"] if last else 0)).order_by(Message.seq).first()
    if first:
        waits: dict[Column | str, Any] = {Chat.unanswered_since_at: first["sent_at"]}
        waits |= {Chat.silent_since_at: None, Chat.idle_asked_at: None}
        await Chat.update(waits).where(Chat.id == chat).where(Chat.state != "ended")


routes = [withdraw]
