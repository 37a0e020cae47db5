"""What large files cost the server: a process of its own, measured from outside while they come and go."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.people import AgentClient, Person, Visitor, new_key
from tests.scenes import taken
from tests.stories.conftest import Server
from tests.test_attachments import added, say

MB = 1024 * 1024
FILES = 5
FILE_BYTES = 20 * MB
MOST_BYTES = 10 * MB


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "data")
    running.start()
    yield running
    running.stop()
    running.close()
    assert "Traceback" not in running.log


@pytest.mark.timeout(240)
async def test_five_files_of_20_mb_cost_the_server_less_than_10_mb(server: Server) -> None:
    an, jef = AgentClient(server.url, "an"), Visitor(server.url, "voorbeeld")
    await an.sign_in()
    await an.choose_profile("Loket")
    await an.ready()
    await jef.begin()
    chat = await taken(an)
    places = {
        "/chat/files": ("/chat/messages", jef),
        f"/chats/{chat}/files": (f"/chats/{chat}/messages", an),
        f"/chats/{chat}/private-files": (f"/chats/{chat}/private-messages", an),
    }
    for url, (_messages, person) in places.items():  # what is loaded at the first is not the files' cost
        ticket = await added(person, url)
        await person.client.delete(f"{url}/{ticket}")  # the large ones fill the conversation to its last byte
    before = resident(server)
    highest, finished = [before], asyncio.Event()
    watcher = asyncio.create_task(watch(server, highest, finished))
    for url, (messages, person) in places.items():
        tickets = [await large(person, url) for _each in range(FILES)]
        assert (await say(person, messages, " ".join(tickets))).status_code == 200
        await asyncio.gather(*(fetched(person, f"{url}/{ticket}") for ticket in tickets))
    finished.set()
    await watcher
    for person in (an, jef):
        await person.close()
    assert len(highest) > 20, "the premise: it was looked at all the while"
    assert max(highest) - before < MOST_BYTES


async def large(person: Person, url: str) -> str:
    async def streamed() -> AsyncIterator[bytes]:
        for _each in range(FILE_BYTES // 65_536):
            yield b"a" * 65_536

    headers = {"X-Key": new_key(), "X-Name": "groot.txt"}
    answer = await person.client.post(url, content=streamed(), headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.text.partition('data-ticket="')[2].partition('"')[0]


async def fetched(person: Person, url: str) -> None:
    size = 0
    async with person.client.stream("GET", url, timeout=60) as answer:
        assert answer.status_code == 200
        async for chunk in answer.aiter_raw():
            size += len(chunk)
    assert size == FILE_BYTES


async def watch(server: Server, highest: list[int], finished: asyncio.Event) -> None:
    while not finished.is_set():
        highest.append(resident(server))
        await asyncio.sleep(0.02)


def resident(server: Server) -> int:
    assert server.process is not None
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
