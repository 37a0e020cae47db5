"""How fast Balie is: messages written, the turn from page to page, open pages, and who waits for whom.

python -m tests.bench.bench_chat [sqlite] [postgresql] [--seconds 10] [--chats 1,100,500] [--past 10000]

The server has one core to itself, the load another; give it a machine on which nothing else happens. Beside
the figures stand, in the same run, the floor (a bare Litestar application that answers as many bytes after
one synced insert, and bare streams) and Node's bare http, where there is Node. Every history is checked. At
the end: what had to be reached, and whether it was; a status other than 0 says that something was not.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import db
from tests.bench import delays as waits
from tests.bench import desk, load
from tests.bench.servers import LOAD_CORE, ROOT, balie, floor, node, talks_of_floor
from tests.conftest import Databases

BUTTONS = 5_000
WRITERS = 32
IDLE_S = 20
SYNCED_WRITES = 500
PURGED_S = 30
WAITING_CHATS = 25  # in which somebody talks while others do something heavy
MOST_WAIT_MS = 50
FAN_OUT = {"windows": 500, "consoles": 100}  # pages on which one conversation is open
MOST_MS = {100: 5, 500: 10}  # of 99 turns in a hundred
WRONG = ("lost", "doubled", "disordered", "phantom")
HEAVY = ("nothing", "sign-ins", "upload", "transcript", "report")

Figures = dict[str, Any]  # numbers, and what is not shown
Work = Callable[..., Figures]


@dataclass
class Verdicts:
    """What has to be reached, and what was."""

    lines: list[tuple[bool, str]] = field(default_factory=list)

    def most(self, what: str, figure: float, bound: float, unit: str = "", beside: str = "") -> None:
        self.lines.append(
            (figure <= bound, f"{what:58} {figure:10.1f} ≤ {bound:8.1f} {unit} {beside}".rstrip())
        )

    def least(self, what: str, figure: float, bound: float, unit: str = "") -> None:
        self.lines.append((figure >= bound, f"{what:58} {figure:10.2f} ≥ {bound:8.2f} {unit}"))

    def none(self, what: str, done: Figures) -> None:
        wrong = {fault: done[fault] for fault in WRONG if done.get(fault)}
        self.most(f"{what}: lost, twice, disordered", sum(wrong.values()), 0, beside=str(wrong or ""))

    def told(self) -> int:
        print("\nwhat had to be reached")
        for good, line in self.lines:
            print("  " if good else "✗ ", line)
        return 0 if all(good for good, _line in self.lines) else 1


async def main() -> int:
    given = argparse.ArgumentParser()
    given.add_argument("engines", nargs="*", default=["sqlite", "postgresql"])
    given.add_argument("--seconds", type=float, default=10)
    given.add_argument("--chats", default="1,100,500")
    given.add_argument("--past", type=int, default=10_000)
    options = given.parse_args()
    counts = [int(each) for each in options.chats.split(",")]
    verdicts = Verdicts()
    posts: Figures = {}
    with tempfile.TemporaryDirectory() as directory:
        databases = Databases(Path(directory) / "bench", durable=True)
        databases.directory.mkdir()
        floors(databases.directory, options.seconds, posts)
        for engine in options.engines:
            await conversations(engine, databases, counts, options.seconds, posts, verdicts)
            await open_pages(engine, databases, max(counts), verdicts)
            await fan_out(engine, databases, verdicts)
            await delays(engine, databases, options.seconds, options.past, verdicts)
        if databases.server is not None:
            databases.server.cleanup()
    if {"sqlite", "postgresql"} <= posts.keys():
        verdicts.least("posts on PostgreSQL / on SQLite", posts["postgresql"] / posts["sqlite"], 0.5)
    return verdicts.told()


# ---- what is measured ------------------------------------------------------------------------------------


def floors(directory: Path, seconds: float, posts: Figures) -> None:
    print(f"{'disk':10} {'synced writes':20}", load.table(synced_writes(directory)), flush=True)
    for name, made in (("floor", floor(directory)), ("node", node(directory))):
        if made is None:
            continue
        with made as (port, pid):
            ask = partial(work, name, port, pid, talks_of_floor())
            posts[name] = ask("posts", seconds)["per_s"]
            ask("bare_streams", BUTTONS)
            for count in FAN_OUT.values():
                ask("bare_streams", count)


def synced_writes(directory: Path) -> Figures:
    """How long one takes, now and then: what is slower than this was not the disk."""
    took_s = []
    with (directory / "disk").open("wb", buffering=0) as file:
        for _write in range(SYNCED_WRITES):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            took_s.append(time.perf_counter() - began)
            time.sleep(0.004)
    return load.percentiles(took_s)


async def conversations(
    engine: str, databases: Databases, counts: list[int], seconds: float, posts: Figures, verdicts: Verdicts
) -> None:
    url, talks = await filled(engine, databases, WRITERS)
    with balie(url, databases.directory) as (port, pid):
        done = work(engine, port, pid, talks, "posts", seconds)
        posts[engine] = done["per_s"]
        verdicts.least(f"{engine}: posts", posts[engine], 2_500, "a second")
        verdicts.least(f"{engine}: posts / floor", posts[engine] / posts["floor"], 0.5)
    await db.connect(url)
    found = load.faults_in({int(chat): count for chat, count in done["taken"].items()}, await desk.texts())
    await db.disconnect()
    verdicts.none(f"{engine}: posts, as the database has them", found)
    # Whoever stays away too long is no longer in its conversation: each a desk of its own.
    for count in counts:
        url, talks = await filled(engine, databases, count)
        with balie(url, databases.directory) as (port, pid):
            done = work(engine, port, pid, talks, "turns", seconds)
        verdicts.none(f"{engine}: turns in {count} chats", done)
        if count in MOST_MS:
            verdicts.most(f"{engine}: turn p99 in {count} chats", done["p99"], MOST_MS[count], "ms")


async def open_pages(engine: str, databases: Databases, count: int, verdicts: Verdicts) -> None:
    url, talks = await filled(engine, databases, count)
    for kind in ("windows", "consoles"):
        with balie(url, databases.directory) as (port, pid):
            done = work(engine, port, pid, talks, "streams", IDLE_S, kind)
            verdicts.most(f"{engine}: memory of each of {kind}", done["kb_each"], 60, "kB")
    own, (only,) = await filled(engine, databases, 1)
    with balie(own, databases.directory) as (port, pid):
        done = work(engine, port, pid, [only], "buttons", BUTTONS)
        verdicts.most(f"{engine}: memory of a button", done["kb_each"], 14, "kB")
        verdicts.most(f"{engine}: {BUTTONS} buttons turn", done["turned_ms"], 150, "ms")
        verdicts.most(f"{engine}: {BUTTONS} buttons come back", done["all_again_s"], 3, "s")
    with balie(url, databases.directory) as (port, pid):
        done = work(engine, port, pid, talks, "together", BUTTONS)
        verdicts.most(f"{engine}: {count} chats, {BUTTONS} buttons", done["whole_process_mb"], 200, "MB")


async def fan_out(engine: str, databases: Databases, verdicts: Verdicts) -> None:
    """Nothing was promised: the figures stand beside those of the floor's `bare_streams` for as many."""
    url, talks = await filled(engine, databases, 1)
    with balie(url, databases.directory) as (port, pid):
        for kind, count in FAN_OUT.items():
            work(engine, port, pid, talks, "fan_out", count, kind)


async def delays(engine: str, databases: Databases, seconds: float, past: int, verdicts: Verdicts) -> None:
    url, talks = await filled(engine, databases, WAITING_CHATS + waits.UPLOADERS, past)
    await db.connect(url)
    await desk.passwords()
    await db.disconnect()
    with balie(url, databases.directory) as (port, pid):
        work(engine, port, pid, talks, "sign_ins", seconds)
        quiet = 0.0
        for what in HEAVY:
            done = work(engine, port, pid, talks, "delays", seconds, what)
            if what == HEAVY[0]:
                quiet = done["most"]
                verdicts.none(f"{engine}: when nothing goes on", done)
            else:
                verdicts.least(f"{engine}: times {what}", done["times"], 1)
                judge_wait(f"{engine}: longest wait through {what}", done, quiet, verdicts)
    await db.connect(url)
    await desk.kept_for_a_while()
    await db.disconnect()
    with balie(url, databases.directory) as (port, pid):
        done = work(engine, port, pid, talks, "delays", PURGED_S, "purge")
        judge_wait(f"{engine}: longest wait through a purge", done, quiet, verdicts)
    await db.connect(url)
    verdicts.least(f"{engine}: conversations purged then", past - await desk.left_of_the_past(), 1)
    await db.disconnect()


def judge_wait(what: str, done: Figures, quiet: float, verdicts: Verdicts) -> None:
    """By itself. Where the machine lets somebody wait as long when nothing goes on, it is said."""
    beside = f"(with nothing going on: {quiet:.1f}{', TOO LONG BY ITSELF' if quiet > MOST_WAIT_MS else ''})"
    verdicts.most(what, done["most"], MOST_WAIT_MS, "ms", beside)
    verdicts.none(what, done)


async def filled(engine: str, databases: Databases, count: int, past: int = 0) -> tuple[str, list[load.Talk]]:
    """A desk at which so many talk, and so many have talked."""
    url = await databases.make(engine, "empty")
    await db.connect(url)
    talks = await desk.fill(count)
    if past:
        await desk.long_ago(past)
        await desk.one_long(talks[0])
    await db.disconnect()
    return url, talks


def work(who: str, port: int, pid: int, talks: list[load.Talk], kind: str, *how: float | str) -> Figures:
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
    done: Figures = json.loads(child.stdout)
    what = f"{kind} {how[-1] if isinstance(how[-1], str) else len(talks)}"
    shown = {name: value for name, value in done.items() if isinstance(value, float | int)}
    print(f"{who:10} {what:20}", load.table(shown), flush=True)
    return done


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
