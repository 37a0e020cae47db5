"""One process that becomes the program on the disk: nobody is refused, and what cannot take over does not."""

import asyncio
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

import db
from db.tables import Message
from tests import scenes
from tests.conftest import Clock
from tests.people import Visitor, new_key
from tests.processes import ROOT, STOP_S, Served, free_port, served, up

CANNOT = "cannot take over: the one that runs goes on"
PATIENCE_S = 60


@asynccontextmanager
async def served_here(database: str, data: Path, clock: Clock, count: str = "1") -> AsyncIterator[Served]:
    """A desk whose database is open here, too."""
    await db.connect(database)
    async with served(database, data, clock, "--workers", count) as running:
        yield running
    await db.disconnect()


def starts(desk: Served) -> int:
    return desk.output.read_text().count("Balie: http")


async def reload(desk: Served, is_done: Callable[[], bool]) -> None:
    desk.process.send_signal(signal.SIGHUP)
    await scenes.eventually(is_done, PATIENCE_S)


@asynccontextmanager
async def writing(jef: Visitor) -> AsyncIterator[list[str]]:
    """All the time, each on a line of its own; so many that read. What has been acknowledged."""
    said: list[str] = []
    is_over = asyncio.Event()

    async def ask(once: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
        while not is_over.is_set():
            url, headers = jef.client.base_url, jef.client.headers
            async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=30) as line:
                await once(line)
            await asyncio.sleep(0.02)

    async def write(line: httpx.AsyncClient) -> None:
        text = f"Bericht {len(said)}"
        form = {"key": new_key(), "body": text}
        (await line.post("/chat/messages", data=form)).raise_for_status()
        said.append(text)

    async def read(line: httpx.AsyncClient) -> None:
        (await line.get("/health/live")).raise_for_status()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask(write))
        tasks.create_task(ask(read))
        yield said
        is_over.set()


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_desk_of_one_process_begins_anew_and_loses_no_request(
    example_database: str, clock: Clock, tmp_path: Path
) -> None:
    async with served_here(example_database, tmp_path, clock) as desk:
        an = await desk.desk.agent("an", "Loket", ready=True)
        jef = desk.desk.visitor()
        async with an.stream() as console:
            await jef.begin(scenes.QUESTION)
            async with jef.stream() as window, writing(jef) as said:
                await scenes.eventually(lambda: said)
                await reload(desk, lambda: starts(desk) == 2)
                for stream in (window, console):
                    await stream.wait_for_end()
                    assert (stream.events[-1].name, stream.events[-1].data) == ("stopped", "restart")
                before = len(said)
                await scenes.eventually(lambda: len(said) > before + 1, PATIENCE_S)
        bodies = [row["body"] for row in await Message.select(Message.body).order_by(Message.seq)]
        assert bodies[-len(said) :] == said, "each that was acknowledged, once and in order"
        assert desk.process.returncode is None, "and it is the same process"
        assert await desk.stop() == -signal.SIGTERM
        with pytest.raises(httpx.ConnectError):
            await jef.get("/health/live")


@pytest.mark.long
@pytest.mark.parametrize(
    ("engine", "count"), [("sqlite", "1"), ("postgresql", "1"), ("postgresql", "2")], ids=str
)
async def test_a_program_that_cannot_take_over_leaves_the_one_that_runs_in_its_place(
    example_database: str, clock: Clock, tmp_path: Path, count: str
) -> None:
    """It says why, and the next time it may."""
    async with served_here(example_database, tmp_path, clock, count) as desk:
        desk.may_fail = True
        before = await desk.workers()
        jef = desk.desk.visitor()
        await db.sql("INSERT INTO migration (name, applied_at) VALUES ({}, {})", "9999", clock.now())
        await reload(desk, lambda: CANNOT in desk.output.read_text())
        assert "this database was made by a newer Balie: 9999" in desk.output.read_text()
        assert (await jef.get("/health/live")).is_success
        assert await desk.workers() == before
        assert starts(desk) == 1
        await db.sql("DELETE FROM migration WHERE name = {}", "9999")
        await reload(desk, lambda: starts(desk) == 2)
        await jef.open()
        assert desk.process.returncode is None


@pytest.mark.long
@pytest.mark.parametrize("engine", ["sqlite"])
async def test_who_closes_the_terminal_ends_the_desk(example_database: str, tmp_path: Path) -> None:
    keyboard, stdin = pty.openpty()
    port = free_port()
    output = tmp_path / "log"
    command = [sys.executable, str(ROOT / "app.py"), "demo", "--port", str(port), "--data", str(tmp_path)]
    own = {"BALIE_DATABASE_URL": example_database}
    with output.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | own, stdin=stdin, stdout=log, stderr=log
        )
    os.close(stdin)
    try:
        await up(f"http://127.0.0.1:{port}", process, output)
        os.close(keyboard)
        process.send_signal(signal.SIGHUP)
        await asyncio.wait_for(process.wait(), STOP_S)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == -signal.SIGTERM
