"""The machine's clock is set between two starts."""

import asyncio
from datetime import timedelta

import pytest

from db.clock import now
from db.tables import Chat, Reservation, Visitor
from features import routing
from tests.bench.load import Talk
from tests.faults.conftest import Server
from tests.faults.people import NONE, Room
from tests.room import made


async def asked(talk: Talk) -> int:
    """Somebody else waits, and the agent of this conversation is being asked."""
    row = await Chat.select(Chat.queue, Chat.widget).where(Chat.id == talk.chat).first()
    assert row
    visitor = await made(Visitor(widget=row["widget"], token_hash=f"beside {talk.chat}", created_at=now()))
    chat = await routing.start(visitor, row["widget"], row["queue"])
    assert chat
    assert await requests(chat) == [""]
    return chat


async def requests(chat: int) -> list[str]:
    """How each of them has ended; "": it has not."""
    rows = await Reservation.select(Reservation.outcome).where(Reservation.chat == chat)
    return [row["outcome"] for row in rows]


@pytest.mark.parametrize("chats", [1])
@pytest.mark.parametrize("hours", [1, -1])
async def test_the_clock_is_set_by_an_hour(room: Room, server: Server, hours: int) -> None:
    """What was running runs, and nobody was asked for nothing: a request goes on, and ends in its time."""
    await room.converse(2)
    async with server.reading():
        waiting = await asked(room.talks[0])
    await asyncio.to_thread(server.kill)
    server.environment["BALIE_NOW"] = (now() + timedelta(hours=hours)).isoformat()
    await asyncio.to_thread(server.start)
    await room.converse(2)
    async with server.reading():
        assert await requests(waiting) == [""]
        open_ = await Reservation.select(Reservation.expires_at).where(Reservation.chat == waiting).first()
    assert open_
    left = open_["expires_at"] - (now() + timedelta(hours=hours))
    assert timedelta() < left < timedelta(minutes=2)
    assert await room.faults() == NONE
