"""Telling: the public thread of a chat in plain words, for transcripts and for what is put away."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import layouts
from db.tables import Message
from features import masks, messages
from layouts import _


@dataclass(frozen=True)
class Told:
    """One message as a transcript tells it: no marks, no links, no numbers."""

    kind: str
    author: str
    name: str
    body: str
    data: dict[str, Any]
    at: datetime
    withdrawn_at: datetime | None


Tell = Callable[[Told], str]
tellers: dict[str, Tell] = {}


def told_as(kind: str) -> Callable[[Tell], Tell]:
    """Let the decorated function say messages of this kind in plain words, for the visitor's transcript."""

    def register(tell: Tell) -> Tell:
        tellers[kind] = tell
        return tell

    return register


async def told(chat: int, side: str) -> list[Told]:
    """The whole public thread, for a transcript; without what was withdrawn, and for the agents without the
    visitor's numbers."""
    columns = Message.kind, Message.author, Message.name, Message.body, Message.data, Message.sent_at
    query = Message.select(*columns, Message.withdrawn_at, Message.numbers).where(Message.chat == chat)
    return [
        Told(
            row["kind"],
            row["author"],
            row["name"],
            "" if row["withdrawn_at"] else row["body"] if side == "visitor" else masks.told(row),
            {} if row["withdrawn_at"] else json.loads(row["data"]),
            row["sent_at"],
            row["withdrawn_at"],
        )
        for row in await query.order_by(Message.seq)
    ]


def in_words(told: Told, side: str = "visitor") -> str:
    """What a person wrote, exactly; what happened, in the language being spoken."""
    if told.withdrawn_at:
        return _("[Message withdrawn at %(time)s]") % {"time": layouts.clock_time(told.withdrawn_at)}
    if told.kind in tellers:
        return tellers[told.kind](told)
    if told.author != "desk":
        return told.body
    return " ".join(messages.ui.happened(told, side).striptags().split())
