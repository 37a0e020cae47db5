"""The process that makes the work: reads what to do from standard input, says what came of it."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.bench import load


async def main() -> None:
    kind, port, pid, talks, seconds = json.load(sys.stdin)
    done = await DO[kind](port, pid, [load.Talk(**talk) for talk in talks], seconds)
    json.dump(done, sys.stdout)


async def posts(port: int, pid: int, talks: list[load.Talk], seconds: float) -> dict[str, Any]:
    before = cpu_s(pid)
    count, took = await load.posts(port, talks, seconds)
    return {"count": count, "per_s": count / took, "cpu_us_each": (cpu_s(pid) - before) / count * 1e6}


async def turns(port: int, pid: int, talks: list[load.Talk], seconds: float) -> dict[str, Any]:
    history = load.History()
    before = cpu_s(pid)
    async with load.pages(port, talks, history):
        opened = cpu_s(pid)
        await load.turns(port, talks, seconds, history)
        used = cpu_s(pid) - opened
    count = len(history.took_s)
    ms = {f"p{share}": load.percentile(history.took_s, share / 100) * 1000 for share in (50, 95, 99)}
    cost = {"cpu_us_each": used / max(count, 1) * 1e6, "opening_s": opened - before}
    return {"count": count, **ms, **history.faults(), **cost}


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


DO = {"posts": posts, "turns": turns}

asyncio.run(main())
