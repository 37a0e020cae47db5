"""Participations: which agents are, or were, in a chat. Routing writes them; everybody else asks here."""

from typing import Any

from litestar.exceptions import NotFoundException

import db
from db.prepared import prepared
from db.tables import Participation
from features.access import Person


async def taking_part(person: Person, chat: int, or_did: bool = False) -> None:
    """Somebody else's chat is not there. One is in a chat until one leaves, and in one that has ended for
    ever."""
    if not await (ever_in if or_did else still_in)(person.id, chat):
        raise NotFoundException


@prepared
def ever_in(agent: int, chat: int) -> Any:
    mine = Participation.select(Participation.id).where(Participation.agent == agent)
    return mine.where(Participation.chat == chat).limit(1)


@prepared
def still_in(agent: int, chat: int) -> Any:
    still = Participation.left_at.is_null() | (Participation.left_how == "ended")
    mine = Participation.select(Participation.id).where(Participation.agent == agent)
    return mine.where(Participation.chat == chat).where(still).limit(1)


async def agents_in(chats: list[int]) -> dict[int, list[str]]:
    """Who is in each of them now, by name, in the order in which they came."""
    if not chats:
        return {}
    rows = await present_in(chats)
    present: dict[int, list[str]] = {}
    for row in rows:
        present.setdefault(row["chat"], []).append(row["name"])
    return present


@prepared
def present_in(chats: list[int]) -> Any:
    query = Participation.select(Participation.chat, Participation.agent.name.as_alias("name"))
    query = query.where(Participation.chat.is_in(chats)).where(Participation.left_at.is_null())
    return query.order_by(Participation.id)


async def visitors_of(agent: int) -> list[tuple[int, str]]:
    """The chats that it is in now, with the visitor's name, oldest first."""
    rows = await (
        Participation.select(Participation.chat, Participation.chat.visitor_name.as_alias("name"))
        .where(Participation.agent == agent)
        .where(Participation.left_at.is_null())
        .order_by(Participation.id)
    )
    return [(row["chat"], row["name"]) for row in rows]


async def mark_read(agent: int, chat: int, seq: int) -> None:
    """Up to a message that is there; never back."""
    await db.sql(
        "UPDATE participation SET read_seq = {} WHERE agent = {} AND chat = {} AND read_seq < {}"
        " AND {} <= (SELECT seq FROM chat WHERE chat.id = {})",
        *(seq, agent, chat, seq, seq, chat),
    )
