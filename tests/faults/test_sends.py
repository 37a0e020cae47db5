"""What is said stays said, once and in its order, whatever happens to the server or to the line meanwhile."""

import asyncio
import contextlib
import random
import secrets

import pytest

from tests.bench import load
from tests.bench.load import Line
from tests.faults.conftest import Server
from tests.faults.people import NONE, Room

pytestmark = pytest.mark.long


async def test_the_server_is_killed_while_everybody_writes(room: Room, server: Server, long: bool) -> None:
    messages, kills = (50, 10) if long else (8, 1)
    talking = asyncio.create_task(room.converse(messages, pause_s=0.05))
    for _kill in range(kills):
        before = len(room.keys("taken"))
        await room.until(lambda before=before: len(room.keys("taken")) > before + 10)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
    assert not talking.done(), "or nobody was interrupted"
    await talking
    assert len(room.keys("taken")) == 3 * len(room.talks) * messages
    assert await room.faults() == NONE


async def test_an_answer_that_is_lost_is_asked_for_again(room: Room, long: bool) -> None:
    """The line goes after the message has been sent, at any moment up to the answer."""
    writer = room.writer(room.talks[0], "v")
    for number in range(200 if long else 20):
        key = f"v{writer.talk.chat}-{number}-{secrets.token_hex(4)}"
        writer.tried.append(key)
        body = f"key={key}&body=woord".encode()
        _reader, sending = await asyncio.open_connection("127.0.0.1", room.server.port)
        sending.write(load.request("POST", writer.path, writer.headers, body))
        await sending.drain()
        await asyncio.sleep(random.random() * 0.01)
        sending.transport.abort()
        while not await writer.attempt(body):
            pass
        writer.taken.append(key)
    assert await room.faults() == NONE


async def test_the_same_message_twenty_times_at_once(room: Room, long: bool) -> None:
    writer = room.writer(room.talks[0], "v")
    for number in range(50 if long else 5):
        key = f"v{writer.talk.chat}-{number}-{secrets.token_hex(4)}"
        writer.tried.append(key)
        taken = await asyncio.gather(*(writer.attempt(f"key={key}&body=woord".encode()) for _ in range(20)))
        assert all(taken)
        writer.taken.append(key)
    assert await room.faults() == NONE


async def test_streams_are_cut_anywhere(room: Room, long: bool) -> None:
    """In the middle of a message, of a letter, of a line of the protocol."""
    pages = [*room.windows, *room.consoles]
    talking = asyncio.create_task(room.converse(40 if long else 6, pause_s=0.05))
    for _cut in range(1000 if long else 40):
        with contextlib.suppress(AssertionError, TimeoutError):
            async with asyncio.timeout(1):
                await random.choice(pages).read_once(cut_after=random.randrange(1, 4000))
    await talking
    assert await room.faults() == NONE


async def test_the_server_is_frozen_for_a_while(room: Room, server: Server) -> None:
    """Whoever asks meanwhile is answered afterwards."""
    talking = asyncio.create_task(room.converse(6, pause_s=0.1))
    await room.until(lambda: room.keys("taken"))
    with server.frozen():
        await asyncio.sleep(1)
        seen = len(room.keys("taken"))
        await asyncio.sleep(0.5)
        assert len(room.keys("taken")) == seen, "or it was not frozen"
    await talking
    assert await room.faults() == NONE


@pytest.mark.parametrize("chats", [1])
async def test_the_clock_is_set_by_an_hour_between_two_starts(room: Room, server: Server) -> None:
    """Forward, and back again: nothing is lost or doubled, and what was running runs."""
    for moment in ("2026-03-11T10:00:00+01:00", "2026-03-11T11:00:00+01:00", "2026-03-11T10:00:30+01:00"):
        await asyncio.to_thread(server.stop)
        server.environment["BALIE_NOW"] = moment
        await asyncio.to_thread(server.start)
        await room.converse(2)
    assert await room.faults() == NONE


async def test_the_first_connection_is_refused(room: Room, server: Server) -> None:
    await asyncio.to_thread(server.stop)
    line = Line(server.port)
    with pytest.raises(ConnectionRefusedError):
        await line.ask("GET", "/health", "")
    talking = asyncio.create_task(room.converse(2))
    await asyncio.sleep(0.3)
    assert room.keys("tried")
    assert not room.keys("taken")
    await asyncio.to_thread(server.start)
    await talking
    assert await room.faults() == NONE
