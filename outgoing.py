"""Outgoing: what is said on a line in one go leaves in one piece.

The head of an answer and its body are two writes, each a call of the system and a packet of its own. Here
they are kept until the event loop comes round, and leave together.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 65_536  # are kept back; whoever sends more than that waits for whoever reads


class Gathering:
    """A transport as uvicorn uses it."""

    __slots__ = ("bytes", "loop", "pieces", "transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.pieces: list[bytes] = []
        self.bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def write(self, data: bytes) -> None:
        if not self.pieces:
            self.loop.call_soon(self.flush)
        self.pieces.append(data)
        self.bytes += len(data)
        if self.bytes > MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        pieces, self.pieces, self.bytes = self.pieces, [], 0
        if pieces and not self.transport.is_closing():
            self.transport.write(b"".join(pieces))

    def close(self) -> None:
        self.flush()
        self.transport.close()


class Protocol(HttpToolsProtocol):
    gathering: Gathering

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = self.gathering = Gathering(transport)  # type: ignore[assignment]

    def eof_received(self) -> None:
        """Whoever has asked all that it will ask still gets the answer: the line is closed after this."""
        self.gathering.flush()
