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

    __slots__ = ("kept", "transport")  # an idle line has one of these, too

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.kept: bytearray | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def write(self, data: bytes) -> None:
        if self.kept is None:
            self.kept = bytearray()
            asyncio.get_running_loop().call_soon(self.flush)
        self.kept += data
        if len(self.kept) > MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        kept, self.kept = self.kept, None
        if kept and not self.transport.is_closing():
            self.transport.write(kept)

    def close(self) -> None:
        self.flush()
        self.transport.close()


class Protocol(HttpToolsProtocol):
    transport: Any  # a Gathering, once there is a line

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = Gathering(transport)

    def eof_received(self) -> None:
        """Whoever has asked all that it will ask still gets the answer: the line is closed after this."""
        self.transport.flush()
