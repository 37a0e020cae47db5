"""The floor: what the same stack does without rules. One synced insert, then as many bytes as Balie answers.

python -m tests.bench.floor PORT FILE
"""

import asyncio
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import uvicorn
from litestar import Litestar, MediaType, post
from litestar.enums import RequestEncodingType
from litestar.params import Body
from msgspec import Struct

ANSWER = "<hx-partial>" + "x" * 700 + "</hx-partial>"


class Said(Struct):
    key: str = ""
    body: str = ""


def application(file: str) -> Litestar:
    connection = sqlite3.connect(file, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, key TEXT, body TEXT)")
    writer = ThreadPoolExecutor(1)

    def write(said: Said) -> None:
        connection.execute("INSERT INTO message (key, body) VALUES (?, ?)", (said.key, said.body))
        connection.commit()

    @post("/chat/messages", status_code=200, media_type=MediaType.HTML)
    async def say(data: Annotated[Said, Body(media_type=RequestEncodingType.URL_ENCODED)]) -> str:
        await asyncio.get_running_loop().run_in_executor(writer, write, data)
        return ANSWER

    return Litestar([say], openapi_config=None, logging_config=None)


if __name__ == "__main__":
    port, file = sys.argv[1:]
    config: dict[str, Any] = {"log_config": None, "access_log": False}
    uvicorn.run(application(file), host="127.0.0.1", port=int(port), **config)
