"""What is measured: Balie, and beside it what the same stack, and Node, do without any rules. Each has one
core to itself."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.bench.load import Talk
from tests.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
SERVER_CORE, LOAD_CORE = 0, 1
START_S = 60
WIDGET = "bench"

Server = AbstractContextManager[tuple[int, int]]  # its port, and its process


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
        until = time.monotonic() + START_S
        while not listening(port):
            assert process.poll() is None
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def balie(url: str, directory: Path) -> Server:
    port = free_port()
    return running(
        [sys.executable, "app.py", "serve", "--port", str(port), "--data", str(directory / "data")],
        port,
        {"BALIE_DATABASE_URL": url, "BALIE_TRUSTED_PROXIES": "127.0.0.1"},
    )


def floor(directory: Path) -> Server:
    port = free_port()
    file = directory / f"floor-{port}.sqlite3"
    return running([sys.executable, "-m", "tests.bench.floor", str(port), str(file)], port, {})


def node(directory: Path) -> Server | None:
    """If it is at hand."""
    found, port = shutil.which("node"), free_port()
    if found is None:
        return None
    return running([found, "tests/bench/floor.mjs", str(port), str(directory / f"node-{port}")], port, {})


def talks_of_floor() -> list[Talk]:
    return [Talk(number, secrets.token_urlsafe(32), WIDGET, "", "") for number in range(32)]
