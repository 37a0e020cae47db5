"""A page's event stream, read as the browser reads it."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import httpx

SOON_S = 30  # on a machine that has other things to do; what comes sooner is not waited for


@dataclass(frozen=True)
class Event:
    id: str
    name: str
    data: str


class Stream:
    """Everything that has come, in order; and a way to wait for what is still to come."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.last_id = ""
        self.ended = False
        self.news = asyncio.Condition()

    async def wait_for(self, wanted: str | Callable[[], object], within_s: float = SOON_S) -> None:
        """Until some event contains the text, or until the condition holds (looked at after each event)."""
        holds = (
            wanted if callable(wanted) else lambda: any(wanted in as_read(each.data) for each in self.events)
        )
        try:
            async with asyncio.timeout(within_s), self.news:
                await self.news.wait_for(lambda: holds() or self.ended)
        except TimeoutError:
            pass
        assert holds(), f"{wanted!r} did not come within {within_s} s. Came:\n{self.events}"

    async def wait_for_end(self, within_s: float = SOON_S) -> None:
        async with asyncio.timeout(within_s), self.news:
            await self.news.wait_for(lambda: self.ended)

    @property
    def data(self) -> str:
        return "".join(as_read(event.data) for event in self.events)

    async def come(self, event: Event) -> None:
        async with self.news:
            self.events.append(event)
            self.last_id = event.id or self.last_id
            self.news.notify_all()

    async def end(self) -> None:
        async with self.news:
            self.ended = True
            self.news.notify_all()


def as_read(data: str) -> str:
    """A sentence as one: without what keeps a browser's translator off the names in it."""
    return re.sub(r'<span translate="no">([^<]*)</span>', r"\1", data)


@contextlib.asynccontextmanager
async def reading(
    client: httpx.AsyncClient, url: str, seen: Callable[[Event], object], headers: dict[str, str]
) -> AsyncIterator[Stream]:
    """An open stream; `seen` is called with each event before anybody is told of it."""
    stream = Stream()
    async with client.stream(
        "GET", url, headers=headers, timeout=httpx.Timeout(SOON_S, read=None)
    ) as response:
        assert response.status_code == 200, (
            f"{url}: {response.status_code} {(await response.aread()).decode()}"
        )
        assert response.headers["content-type"].startswith("text/event-stream")
        task = asyncio.create_task(read(response, stream, seen))
        try:
            yield stream
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def read(response: httpx.Response, stream: Stream, seen: Callable[[Event], object]) -> None:
    try:
        async for event in events_of(response.aiter_bytes()):
            seen(event)
            await stream.come(event)
    except httpx.TransportError:  # the server is gone, as a browser would notice
        pass
    finally:
        await stream.end()


async def events_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    # Not by str.splitlines: it also splits at characters that belong to the text of a message.
    pending = b""
    async for chunk in chunks:
        pending = (pending + chunk).replace(b"\r\n", b"\n")
        *whole, pending = pending.split(b"\n\n")
        for block in whole:
            if event := event_of(block.decode()):
                yield event


def event_of(block: str) -> Event | None:
    fields: dict[str, list[str]] = {}
    for line in block.split("\n"):
        name, _colon, value = line.partition(":")
        fields.setdefault(name, []).append(value.removeprefix(" "))
    if "data" not in fields:
        return None  # a comment: a ping
    return Event(
        "".join(fields.get("id", [])[-1:]),
        "".join(fields.get("event", ["message"])[-1:]),
        "\n".join(fields["data"]),
    )
