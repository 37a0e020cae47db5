"""What leaves on a line: in how many pieces, and that none stays behind."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.conftest import Desk

ASKED = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
MANY = 20
DATA_SEGS_IN = 152  # in Linux's tcp_info: packets with something in them that have come

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])


class Pieces(asyncio.Protocol):
    """What arrives, as it arrives."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes] = asyncio.Queue()

    def data_received(self, data: bytes) -> None:
        self.came.put_nowait(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.came.put_nowait(b"")


@asynccontextmanager
async def line(desk: Desk) -> AsyncIterator[tuple[asyncio.Transport, Pieces]]:
    port = int(desk.url.rpartition(":")[2])
    transport, pieces = await asyncio.get_running_loop().create_connection(Pieces, "127.0.0.1", port)
    yield transport, pieces
    transport.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="only Linux counts them")
async def test_an_answer_leaves_in_one_piece(desk: Desk) -> None:
    async with line(desk) as (transport, pieces):
        for times in range(1, MANY):
            transport.write(ASKED)
            answer = await pieces.came.get()
            assert answer.startswith(b"HTTP/1.1 200")
            head, _blank, body = answer.partition(b"\r\n\r\n")
            assert f"content-length: {len(body)}".encode() in head
            info = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            assert struct.unpack_from("I", info, DATA_SEGS_IN) == (times,)


async def test_whoever_has_asked_all_it_will_ask_gets_its_answer(desk: Desk) -> None:
    """If there was nothing to wait for: the question and the end of the line are read together."""
    for _time in range(MANY):
        async with line(desk) as (transport, pieces):
            transport.write(ASKED.replace(b"/health", b"/nowhere"))
            transport.write_eof()
            assert (await pieces.came.get()).startswith(b"HTTP/1.1 404")
            assert await pieces.came.get() == b"", "and the line ends"


async def test_questions_asked_in_one_go_are_answered_in_their_order(desk: Desk) -> None:
    paths = ["/health", "/widget/voorbeeld", "/nowhere"] * 3
    asked = b"".join(ASKED.replace(b"/health", path.encode()) for path in paths)
    async with line(desk) as (transport, pieces):
        transport.write(asked)
        got = b""
        while got.count(b"HTTP/1.1 ") < len(paths):
            got += await pieces.came.get()
        statuses = [each[:3] for each in got.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"200", b"404"] * 3
