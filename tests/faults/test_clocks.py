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
async def test_the_clock_is_set_by_an_hour_forward_and_back(room: Room, server: Server) -> None:
    """What was running runs; who is being asked is asked on, and no longer than is usual."""
    async with server.reading():
        waiting = await asked(room.talks[0])
    for ahead in (timedelta(hours=1), timedelta()):
        await asyncio.to_thread(server.kill)
        server.environment["BALIE_NOW"] = (now() + ahead).isoformat()
        await asyncio.to_thread(server.start)
        await room.converse(2)
        async with server.reading():
            assert await requests(waiting) == [""]
            columns = Reservation.select(Reservation.expires_at)
            request = await columns.where(Reservation.chat == waiting).first()
        assert request
        assert timedelta() < request["expires_at"] - (now() + ahead) < timedelta(minutes=2)
    server.environment.clear()  # it is as it was
    assert await room.faults() == NONE
