"""The server ends in the middle of an upload."""

import asyncio
from pathlib import Path

import pytest

from db.tables import Attachment
from tests.bench import load
from tests.bench.load import Line
from tests.faults.conftest import Server
from tests.faults.people import NONE, Room

CONTENT = b"brief " * 50_000


def lying(server: Server) -> list[Path]:
    return [each for each in (server.data / "files").rglob("*") if each.is_file()]


@pytest.mark.parametrize("chats", [1])
@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_half_a_file_is_none_and_it_can_be_sent_again(room: Room, server: Server, how: str) -> None:
    headers = f"{load.visitors(room.talks[0])}X-Key: halverwege-{how}\r\nX-Name: {how}.txt\r\n"
    before = lying(server)
    _reader, sending = await asyncio.open_connection("127.0.0.1", server.port)
    sending.write(load.request("POST", "/chat/files", headers, CONTENT)[: len(CONTENT) // 2])
    await room.until(lambda: len(lying(server)) > len(before))
    await asyncio.to_thread(getattr(server, how))
    sending.transport.abort()
    await asyncio.to_thread(server.start)
    assert lying(server) == before, "nothing of it is left"
    async with server.reading():
        assert (
            not await Attachment.exists()
            .where(Attachment.chat == room.talks[0].chat)
            .where(Attachment.sha256 != "")
        )
    line = Line(server.port)
    status, row = await line.ask("POST", "/chat/files", headers, CONTENT + how.encode())
    assert (status, b"data-ticket" in row) == (200, True)
    assert len(lying(server)) == len(before) + 1
    line.close()
    assert await room.faults() == NONE
