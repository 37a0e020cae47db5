"""The process that makes the work: reads what to do from standard input, says what came of it."""

import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.bench import delays as waits
from tests.bench import load
from tests.bench.crowd import Crowd

FAN_OUTS = 5


async def main() -> None:
    kind, port, pid, talks, *how = json.load(sys.stdin)
    done = await DO[kind](port, pid, [load.Talk(**talk) for talk in talks], *how)
    json.dump(done, sys.stdout)


async def posts(port: int, pid: int, talks: list[load.Talk], seconds: float) -> dict[str, Any]:
    before = cpu_s(pid)
    taken, took = await load.posts(port, talks, seconds)
    count = sum(taken.values())
    cost = (cpu_s(pid) - before) / count * 1e6
    return {"count": count, "per_s": count / took, "cpu_us_each": cost, "taken": taken}


async def turns(port: int, pid: int, talks: list[load.Talk], seconds: float) -> dict[str, Any]:
    history = load.History()
    before = cpu_s(pid)
    async with load.pages(port, talks, history):
        opened = cpu_s(pid)
        await load.turns(port, talks, seconds, history)
        used = cpu_s(pid) - opened
    count = len(history.took_s)
    cost = {"cpu_us_each": used / max(count, 1) * 1e6, "opening_s": opened - before}
    return {"count": count, **load.percentiles(history.took_s), **history.faults(), **cost}


async def buttons(port: int, pid: int, talks: list[load.Talk], seconds: float) -> dict[str, Any]:
    """So many host pages open; all of them come back at once; the button turns; nothing happens for a
    while."""
    crowd, (talk,) = Crowd(port, talks[0].widget), talks
    count, agent = int(seconds), load.Line(port)
    console = asyncio.create_task(
        load.stay(port, "/console/stream", load.agents(talk), "/console/beat", load.History(), "a")
    )
    await asyncio.sleep(1)
    memory, cpu = rss(pid), cpu_s(pid)
    opened_s = await crowd.open(count)
    each, cost = (rss(pid) - memory) / count, (cpu_s(pid) - cpu) / count
    crowd.close()
    await asyncio.sleep(2)
    reconnected_s = await crowd.open(count)
    turned = []
    for state in (b"lunch", b"ready", b"lunch", b"ready"):
        await asyncio.sleep(1)
        seen, began = crowd.frames, time.perf_counter()
        status, answer = await agent.ask("PUT", "/readiness", load.agents(talk), b"state=" + state)
        assert status == 200, answer
        await crowd.until(seen + count)
        turned.append(time.perf_counter() - began)
    cpu = cpu_s(pid)
    await asyncio.sleep(10)
    assert not console.done()
    return {
        "count": count,
        "kb_each": each / 1024,
        "cpu_us_to_connect": cost * 1e6,
        "all_connected_s": opened_s,
        "all_again_s": reconnected_s,
        "turned_ms": max(turned) * 1000,
        "idle_cpu_percent": (cpu_s(pid) - cpu) * 10,
        "whole_process_mb": rss(pid) / 2**20,
    }


async def streams(port: int, pid: int, talks: list[load.Talk], seconds: float, kind: str) -> dict[str, Any]:
    """Everybody in a chat has a page open, and then every agent a console; nothing happens; then all of the
    kind come back."""
    side = kind[0]
    count = len(talks) if side == "w" else len({talk.cookie for talk in talks})
    async with AsyncExitStack() as pages:
        if side == "c":
            await pages.enter_async_context(load.pages(port, talks, load.History(), "w"))
            await asyncio.sleep(seconds)
        memory, cpu = rss(pid), cpu_s(pid)
        async with load.pages(port, talks, load.History(), side):
            cost = (cpu_s(pid) - cpu) / count
            cpu = cpu_s(pid)
            await asyncio.sleep(seconds)
            idle = (cpu_s(pid) - cpu) / seconds * 100
            each = (rss(pid) - memory) / count
        await asyncio.sleep(1)
        cpu = cpu_s(pid)
        async with load.pages(port, talks, load.History(), side):
            again = (cpu_s(pid) - cpu) / count
    return {
        "count": count,
        "kb_each": each / 1024,
        "cpu_us_to_connect": cost * 1e6,
        "cpu_us_to_come_back": again * 1e6,
        "idle_cpu_percent": idle,
    }


async def together(port: int, pid: int, talks: list[load.Talk], count: float) -> dict[str, Any]:
    """A whole desk: all in its chats, and so many host pages."""
    crowd = Crowd(port, talks[0].widget)
    async with load.pages(port, talks, load.History()):
        await crowd.open(int(count))
        await asyncio.sleep(2)
        return {"chats": len(talks), "buttons": count, "whole_process_mb": rss(pid) / 2**20}


async def fan_out(port: int, pid: int, talks: list[load.Talk], count: float, kind: str) -> dict[str, Any]:
    """One message to so many pages on which the same conversation is open."""
    talk, agent = talks[0], kind == "consoles"
    page = ("/console/stream", load.agents(talk)) if agent else ("/chat/stream?after=0", load.visitors(talk))
    crowd, line = Crowd(port, talk.widget, load.request("GET", *page), b'" data-seq='), load.Line(port)
    await crowd.open(int(count))
    await asyncio.sleep(load.SETTLED_S)
    took, cpu = [], cpu_s(pid)
    for number in range(FAN_OUTS):
        seen, began = crowd.frames, time.perf_counter()
        said = b"key=fan-%d-%d&body=iedereen" % (number, time.time_ns())
        status, answer = await line.ask("POST", "/chat/messages", load.visitors(talk), said)
        assert status == 200, (status, answer)
        await crowd.until(seen + int(count))
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0.5)
    assert crowd.frames == seen + count, "once, each"
    crowd.close()
    cost = (cpu_s(pid) - cpu) / count / FAN_OUTS * 1e6
    return {
        "count": count,
        "most_ms": max(took) * 1000,
        "p50": load.percentile(took, 0.5) * 1000,
        "cpu_us_each": cost,
    }


async def bare_streams(port: int, pid: int, talks: list[load.Talk], count: float) -> dict[str, Any]:
    """What `buttons` costs without rules."""
    crowd, line = Crowd(port, talks[0].widget), load.Line(port)
    memory, cpu = rss(pid), cpu_s(pid)
    await crowd.open(int(count))
    each, cost = (rss(pid) - memory) / count, (cpu_s(pid) - cpu) / count
    crowd.close()
    await asyncio.sleep(2)
    again = await crowd.open(int(count))
    seen, began = crowd.frames, time.perf_counter()
    await line.ask("POST", "/turn", "")
    await crowd.until(seen + int(count))
    turned = time.perf_counter() - began
    return {
        "count": count,
        "kb_each": each / 1024,
        "cpu_us_to_connect": cost * 1e6,
        "all_again_s": again,
        "turned_ms": turned * 1000,
    }


async def delays(
    port: int, pid: int, talks: list[load.Talk], seconds: float, what: str = ""
) -> dict[str, Any]:
    works = {
        "sign-ins": lambda: waits.sign_ins(port, talks),
        "upload": lambda: waits.upload(port, talks[: waits.UPLOADERS]),
        "transcript": lambda: waits.transcript(port, talks[0]),
        "report": lambda: waits.report(port, talks[0]),
    }
    return await waits.measured(
        port, talks[waits.UPLOADERS :], seconds, works[what]() if what in works else None
    )


async def sign_ins(port: int, pid: int, talks: list[load.Talk], seconds: float) -> dict[str, Any]:
    """As many as can be, twenty at once: each password is tried, and every other one is right."""
    storm, began, cpu = waits.sign_ins(port, talks), time.perf_counter(), cpu_s(pid)
    count = await waits.again(storm, seconds) * waits.SIGN_INS
    took = time.perf_counter() - began
    return {"count": count, "per_s": count / took, "cpu_us_each": (cpu_s(pid) - cpu) / count * 1e6}


def rss(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


DO = {
    each.__name__: each
    for each in (posts, turns, buttons, streams, together, fan_out, bare_streams, delays, sign_ins)
}

asyncio.run(main())
