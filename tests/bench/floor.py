"""The floor: what the same stack does without rules. One synced insert, then as many bytes as Balie answers;
and streams that are kept and told.

python -m tests.bench.floor PORT FILE
"""

import asyncio
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import uvicorn
from litestar import Litestar, MediaType, asgi, post
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.types import Receive, Scope, Send
from msgspec import Struct

ANSWER = "<hx-partial>" + "x" * 700 + "</hx-partial>"
TOLD: Any = {"type": "http.response.body", "body": b"data: {}\n\n", "more_body": True}
HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]


class Said(Struct):
    key: str = ""
    body: str = ""


def application(file: str) -> Litestar:
    connection = sqlite3.connect(file, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, key TEXT, body TEXT)")
    writer = ThreadPoolExecutor(1)
    streams: set[Send] = set()

    def write(said: Said) -> None:
        connection.execute("INSERT INTO message (key, body) VALUES (?, ?)", (said.key, said.body))
        connection.commit()

    @post("/chat/messages", status_code=200, media_type=MediaType.HTML)
    async def say(data: Annotated[Said, Body(media_type=RequestEncodingType.URL_ENCODED)]) -> str:
        await asyncio.get_running_loop().run_in_executor(writer, write, data)
        return ANSWER

    @asgi("/widget", is_mount=True)
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send(TOLD)
        streams.add(send)
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            streams.discard(send)

    @post("/turn", status_code=200, media_type=MediaType.HTML)
    async def turn() -> str:
        for send in tuple(streams):
            await send(TOLD)
        return ANSWER

    return Litestar([say, stream, turn], openapi_config=None, logging_config=None)


if __name__ == "__main__":
    port, file = sys.argv[1:]
    config: dict[str, Any] = {"log_config": None, "access_log": False, "timeout_graceful_shutdown": 1}
    uvicorn.run(application(file), host="127.0.0.1", port=int(port), **config)
