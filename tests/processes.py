"""Balie in processes of its own, beside the one that the tests run in, or with workers."""

import asyncio
import contextlib
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

import db
import workers
from tests.conftest import WEDNESDAY_MORNING, Clock, Desk, widget_key
from tests.people import PASSWORD

ROOT = Path(__file__).parents[1]
START_S = 60
ports = itertools.count(secrets.randbelow(1_000))
STOP_S = 20


@dataclass
class Served:
    """A desk, and the process that serves it or keeps those that do."""

    desk: Desk
    process: Process
    output: Path
    may_fail: bool = False  # and say so

    async def workers(self) -> list[int]:
        return await asyncio.to_thread(children_of, self.process.pid)

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_S):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def served(
    database: str, data: Path, clock: Clock, *arguments: str, widget: str = ""
) -> AsyncIterator[Served]:
    """`balie demo`, on a database which has the example desk. All go by the test's clock, at its own pace."""
    clock.go(1)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    own = {"BALIE_DATABASE_URL": database, "BALIE_DEMO_PASSWORD": PASSWORD, "BALIE_URL": url}
    own |= {workers.HANDED_OVER: json.dumps({"clock": db.clock.reading()})}
    output = data / f"{port}.log"
    command = [sys.executable, str(ROOT / "app.py"), "demo", "--port", str(port), "--data", str(data)]
    with output.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, *arguments, env=foreign() | own, stdout=log, stderr=log
        )
    desk = Desk(url, None, widget or await widget_key())
    try:
        await up(url, process, output)
        running = Served(desk, process, output)
        yield running
        for person in desk.people:
            await person.close()
        if process.returncode is None:
            await running.stop()
        assert running.may_fail or "Traceback" not in output.read_text(), output.read_text()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def foreign() -> dict[str, str]:
    """The environment, without what is said to Balie and its tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BALIE_")}


async def up(url: str, process: Process, output: Path) -> None:
    async with asyncio.timeout(START_S), httpx.AsyncClient(trust_env=False, verify=False) as client:
        while True:
            assert process.returncode is None, output.read_text()
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(f"{url}/health")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def writing(
    log: Path, database: str, data: Path, *under: str, code: str = "", **environment: str
) -> AsyncIterator[Desk]:
    """The example desk in a process of its own, whose standard error goes there. `under`: a program that runs
    it; `code`: what starts it in another way."""
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    own = {"BALIE_DATABASE_URL": database, "BALIE_PORT": port, "BALIE_URL": url}
    own["BALIE_NOW"] = WEDNESDAY_MORNING
    program = ("-c", code) if code else (str(ROOT / "app.py"),)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(*under, sys.executable, *program, "demo", "--data", str(data)),
            cwd=ROOT,
            env=foreign() | own | environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
        )
    desk = Desk(url, None, "voorbeeld")
    try:
        await up(url, process, log)
        yield desk
    finally:
        for person in desk.people:
            await person.close()
        with contextlib.suppress(ProcessLookupError):  # it has ended already: what is wrong is told above
            os.killpg(process.pid, signal.SIGTERM)
        await asyncio.wait_for(process.wait(), START_S)


def wait_until_up(port: int, process: "subprocess.Popen[bytes]", output: Path) -> None:
    """For those who have no event loop."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert process.poll() is None, f"it ended:\n{output.read_text(errors='replace')}"
        if is_up(port):
            return
        time.sleep(0.05)
    raise AssertionError(f"not up after {START_S} s:\n{output.read_text(errors='replace')}")


def is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def children_of(pid: int) -> list[int]:
    """In the order in which they were born."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def free_port() -> int:
    """That nobody takes before it is used: of those which the system gives to nobody by itself, and of a
    thousand that only this worker of the tests chooses from."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = 10_000 + 1_000 * (worker % 20) + next(ports) % 1_000
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
