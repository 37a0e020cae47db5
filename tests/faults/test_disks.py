"""A disk without room, a database that somebody else holds: nothing is lost, whoever writes is told so,
whoever reads goes on, and it passes by itself."""

import asyncio
import contextlib
import sqlite3
import time

import pytest

from tests.bench import load
from tests.bench.load import Line
from tests.faults.conftest import Server
from tests.faults.people import NONE, Page, Room

CANNOT = "Er kan nu niets verzonden of opgeslagen worden"


async def can_be_read(room: Room) -> None:
    """The console, and a window that opens now."""
    line = Line(room.server.port)
    status, page = await line.ask("GET", "/console", load.agents(room.talks[0]))
    line.close()
    assert status == 200
    assert b'id="thread-' in page
    window = Page(room, room.talks[0], "v")
    reading = asyncio.create_task(window.read_once())
    await room.until(lambda: window.items)
    reading.cancel()


async def test_there_is_no_room_on_the_disk(room: Room, server: Server) -> None:
    talking = asyncio.create_task(room.converse(5, pause_s=0.05))
    await room.until(lambda: len(room.keys("taken")) > 10)
    with server.without_room():
        await room.until(lambda: all(writer.refusals for writer in room.writers))
        taken = len(room.keys("taken"))
        await can_be_read(room)
        assert len(room.keys("taken")) == taken, "or there was room"
    await talking
    refusals = [each for writer in room.writers for each in writer.refusals]
    assert {status for status, _words in refusals} == {503}
    assert all(CANNOT in words for _status, words in refusals)
    assert await room.faults() == NONE


@pytest.mark.parametrize("chats", [1])
async def test_there_is_no_room_for_a_file(room: Room, server: Server) -> None:
    line, headers = Line(server.port), load.visitors(room.talks[0])
    named = f"{headers}X-Key: bestand-zonder-plaats\r\nX-Name: a.txt\r\n"
    with server.without_room():
        status, words = await line.ask("POST", "/chat/files", named, b"brief")
        assert (status, CANNOT in words.decode()) == (503, True)
    status, row = await line.ask("POST", "/chat/files", named, b"brief")
    assert status == 200, row
    assert b"data-ticket" in row
    line.close()


async def test_another_process_holds_the_database(room: Room, server: Server, long: bool) -> None:
    """With --long for longer than anybody waits for it."""
    talking = asyncio.create_task(room.converse(5, pause_s=0.05))
    await room.until(lambda: len(room.keys("taken")) > 10)
    with contextlib.closing(sqlite3.connect(server.database.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        held_at, taken = time.monotonic(), len(room.keys("taken"))
        await can_be_read(room)
        await asyncio.sleep(10 if long else 1)
        assert len(room.keys("taken")) - taken <= len(room.writers), "or it was not held"
        assert time.monotonic() - held_at < 15
    await talking
    refusals = [each for writer in room.writers for each in writer.refusals]
    assert all(status == 503 and CANNOT in words for status, words in refusals)
    assert bool(refusals) is long
    assert await room.faults() == NONE
