"""Lines: how what a stream says reaches its page, and how it is noticed that nobody is there. No URLs."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from sse_starlette import EventSourceResponse
from sse_starlette.event import ensure_bytes

from features import rounds

SEND_TIMEOUT_S = 30
LOOK_S = 5
END_OF_LINE = re.compile("\r\n|\r|\n")


class Line(EventSourceResponse):
    """What the library says to a page, with a quarter of its tasks: it keeps four for each stream, which
    weigh more than all that we hold for it, and a cancel scope for each message. Its ping is our beat, its
    end of the server our `stop`; what is left is to notice a page that goes, and one that reads nothing."""

    def __init__(self, messages: AsyncIterator[dict[str, Any]], gone: Callable[[], object]) -> None:
        """`gone` is called when the page has left: the messages are to end."""
        super().__init__(messages, headers={"Cache-Control": "no-store"})
        self.headers["connection"] = "close"  # when it has ended: who reads nothing asks for nothing more
        self.gone = gone
        self.sending_since: float | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        self.task = asyncio.current_task()
        watch = loop.create_task(self.watch(receive))
        lines.add(self)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with contextlib.aclosing(self.body_iterator) as messages:  # type: ignore[type-var]
                async for message in messages:
                    self.sending_since = loop.time()
                    body = encoded(message)
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                    self.sending_since = None
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            lines.discard(self)
            watch.cancel()

    async def watch(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone()


lines: set[Line] = set()


def encoded(message: Any) -> bytes:
    """As the library does it, except for the one kind of message that goes out all the time."""
    if message.keys() <= {"data", "id"}:
        data = END_OF_LINE.sub("\r\ndata: ", message["data"])
        name = f"id: {message['id']}\r\n" if "id" in message else ""
        return f"{name}data: {data}\r\n\r\n".encode()
    return ensure_bytes(message, EventSourceResponse.DEFAULT_SEPARATOR)


async def look() -> None:
    cut_off(asyncio.get_running_loop().time())


def cut_off(moment: float) -> None:
    """Who has read nothing for so long, although there was something to read."""
    for line in tuple(lines):
        if line.sending_since and line.sending_since < moment - SEND_TIMEOUT_S and line.task:
            line.task.cancel()


tasks = [rounds.every(LOOK_S, look)]
