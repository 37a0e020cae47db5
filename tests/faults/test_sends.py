"""What is said stays said, once and in its order, whatever happens to the server or to an answer."""

import asyncio
import random

import pytest

from tests.bench import load
from tests.bench.load import Line
from tests.faults.conftest import Server
from tests.faults.people import NONE, Room, Upload


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
async def test_the_server_is_killed_while_everybody_writes(room: Room, server: Server, long: bool) -> None:
    """And while somebody uploads a file."""
    messages, kills = (50, 10) if long else (8, 1)
    upload = Upload(server, room.talks[0])
    await upload.begin()
    talking = asyncio.create_task(room.converse(messages, pause_s=0.05))
    for _kill in range(kills):
        before = len(room.keys("taken"))
        await room.until(lambda before=before: len(room.keys("taken")) > before + 10)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
    assert not talking.done(), "or nobody was interrupted"
    assert await upload.has_left_nothing()
    assert await upload.succeeds()
    await talking
    assert len(room.keys("taken")) == 3 * len(room.talks) * messages
    assert await room.faults() == NONE


@pytest.mark.parametrize("chats", [1])
async def test_an_answer_that_is_lost_is_asked_for_again(room: Room, long: bool) -> None:
    """The line goes after the message has been sent, at any moment up to the answer."""
    writer = room.writer(room.talks[0], "v")
    for _message in range(200 if long else 20):
        body = writer.think("woord")
        _reader, sending = await asyncio.open_connection("127.0.0.1", room.server.port)
        sending.write(load.request("POST", writer.path, writer.headers, body))
        await sending.drain()
        await asyncio.sleep(random.random() * 0.01)
        sending.transport.abort()
        await writer.insist(body)
    assert await room.faults() == NONE


@pytest.mark.parametrize("chats", [1])
@pytest.mark.parametrize(("engine", "workers"), [("sqlite", 1), ("postgresql", 2)], indirect=["engine"])
async def test_the_same_message_twenty_times_at_once(room: Room, long: bool) -> None:
    writer = room.writer(room.talks[0], "v")
    for _message in range(50 if long else 3):
        body = writer.think("woord")
        assert all(await asyncio.gather(*(writer.attempt(body) for _ in range(20))))
        writer.taken.append(writer.tried[-1])
    assert await room.faults() == NONE


@pytest.mark.parametrize("chats", [1])
async def test_the_first_connection_is_refused(room: Room, server: Server) -> None:
    """By a server that was stopped in the middle of an upload, and comes back."""
    upload = Upload(server, room.talks[0])
    await upload.begin()
    await asyncio.to_thread(server.stop)
    assert await upload.has_left_nothing()
    with pytest.raises(ConnectionRefusedError):
        await Line(server.port).ask("GET", "/health", "")
    talking = asyncio.create_task(room.converse(2))
    await room.until(lambda: room.keys("tried"))
    assert not room.keys("taken")
    await asyncio.to_thread(server.start)
    await talking
    assert await upload.succeeds()
    assert await room.faults() == NONE
