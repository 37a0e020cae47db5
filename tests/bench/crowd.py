"""Thousands of open host pages, each with the stream of its button, held as lightly as can be."""

import asyncio
import time

from tests.bench.load import request

PATIENCE_S = 60


class Page(asyncio.Protocol):
    """Counts the frames that have come; nothing is kept of them but where one may have been cut in two."""

    def __init__(self, crowd: "Crowd") -> None:
        self.crowd = crowd
        self.end = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.crowd.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        data = self.end + data
        self.end = data[1 - len(self.crowd.counted) :]
        self.crowd.came(data.count(self.crowd.counted))


class Crowd:
    def __init__(self, port: int, widget: str, asked: bytes = b"", counted: bytes = b"data: ") -> None:
        self.port = port
        self.request = asked or request("GET", f"/widget/{widget}/status", "")
        self.counted = counted
        self.pages: list[Page] = []
        self.frames = 0
        self.wanted = 0
        self.reached = asyncio.Event()

    def came(self, frames: int) -> None:
        self.frames += frames
        if self.frames >= self.wanted:
            self.reached.set()

    async def until(self, frames: int) -> float:
        """Seconds until so many more frames have come in all."""
        began = time.perf_counter()
        self.wanted = frames
        self.reached.clear()
        if self.frames < frames:
            async with asyncio.timeout(PATIENCE_S):
                await self.reached.wait()
        return time.perf_counter() - began

    async def open(self, count: int, at_once: int = 200) -> float:
        """Seconds until all of them have had their first frame."""
        began, loop = time.perf_counter(), asyncio.get_running_loop()
        self.frames = 0
        gate = asyncio.Semaphore(at_once)

        async def come() -> None:
            async with gate:
                _transport, page = await loop.create_connection(lambda: Page(self), "127.0.0.1", self.port)
                self.pages.append(page)

        await asyncio.gather(*(come() for _page in range(count)))
        await self.until(count)
        return time.perf_counter() - began

    def close(self) -> None:
        for page in self.pages:
            page.transport.close()
        self.pages.clear()
