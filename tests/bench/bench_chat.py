"""How fast conversations are: messages written, and the turn from one page to the other.

python -m tests.bench.bench_chat [sqlite] [postgresql] [--seconds 5] [--chats 1,100,500]

The server has one core to itself, the load another. Beside each figure stands the floor, in the same run: a
bare Litestar application that answers as many bytes after one synced insert, without any rules.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path

import db
from tests.bench import desk, load
from tests.conftest import Databases

ROOT = Path(__file__).resolve().parents[2]
SERVER_CORE, LOAD_CORE = 0, 1
WIDGET = "bench"
BUTTONS = 5_000


async def main() -> int:
    given = argparse.ArgumentParser()
    given.add_argument("engines", nargs="*", default=["sqlite", "postgresql"])
    given.add_argument("--seconds", type=float, default=5)
    given.add_argument("--chats", default="1,100,500")
    options = given.parse_args()
    counts = [int(each) for each in options.chats.split(",")]
    with tempfile.TemporaryDirectory() as directory:
        databases = Databases(Path(directory) / "bench")
        databases.directory.mkdir()
        for engine in options.engines:
            await measure(engine, databases, counts, options.seconds)
        if databases.server is not None:
            databases.server.cleanup()
    return 0


async def measure(engine: str, databases: Databases, counts: list[int], seconds: float) -> None:
    with floor(databases.directory) as (port, pid):
        print(f"{engine}: floor   ", told(work("posts", port, pid, talks_of_floor(), seconds)), flush=True)
    url = await databases.make(engine, "empty")
    await db.connect(url)
    talks = await desk.fill(max(counts))
    await db.disconnect()
    with balie(url, databases.directory) as (port, pid):
        print(f"{engine}: balie   ", told(work("posts", port, pid, talks[:32], seconds)), flush=True)
        print(f"{engine}: windows ", told(work("windows", port, pid, talks, 20)), flush=True)
        for count in counts:
            done = work("turns", port, pid, talks[:count], seconds)
            print(f"{engine}: turn {count:4}", told(done), flush=True)
    await db.connect(url)
    (last,) = await desk.fill(1)
    await db.disconnect()
    with balie(url, databases.directory) as (port, pid):
        print(f"{engine}: buttons ", told(work("buttons", port, pid, [last], BUTTONS)), flush=True)


def told(done: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.1f}" for name, value in done.items())


def work(kind: str, port: int, pid: int, talks: list[load.Talk], *how: float | str) -> dict[str, float]:
    """In a process of its own; with the share of its core that the server needed for it."""
    given = json.dumps([kind, port, pid, [asdict(talk) for talk in talks], *how])
    child = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_chat_load"],
        input=given.encode(),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}),
    )
    done: dict[str, float] = json.loads(child.stdout)
    return done


# ---- servers ---------------------------------------------------------------------------------------------


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
    )
    try:
        until = time.monotonic() + 30
        while not listening(port):
            assert process.poll() is None
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def balie(url: str, directory: Path) -> AbstractContextManager[tuple[int, int]]:
    port = free_port()
    return running(
        [sys.executable, "app.py", "serve", "--port", str(port), "--data", str(directory / "data")],
        port,
        {"BALIE_DATABASE_URL": url, "BALIE_TRUSTED_PROXIES": "127.0.0.1"},
    )


def floor(directory: Path) -> AbstractContextManager[tuple[int, int]]:
    port = free_port()
    return running(
        [sys.executable, "-m", "tests.bench.floor", str(port), str(directory / "floor.sqlite3")], port, {}
    )


def talks_of_floor() -> list[load.Talk]:
    return [load.Talk(number, secrets.token_urlsafe(32), WIDGET, "", "") for number in range(32)]


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
