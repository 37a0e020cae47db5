"""What keeps others waiting: while somebody does something heavy, how late does a message come on another's
stream? And the same with nobody doing anything, in the same run."""

import asyncio
import io
import itertools
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from PIL import Image

from tests.bench import desk
from tests.bench.load import History, Line, Talk, agents, pages, percentile, turns, visitors

SIGN_INS = 60
AT_ONCE = 20
UPLOADERS = 4  # what one conversation may hold is soon reached
MOST_TIMES = 40  # less than they may hold together, and less than anybody may send in a minute
SIDE_PX = 2_600  # of an image of noise: as many bytes as an attachment may have, about
MOST_BYTES = 20 * 1024 * 1024

Work = Callable[[], Awaitable[object]]


async def measured(port: int, talks: list[Talk], seconds: float, work: Work | None) -> dict[str, Any]:
    """The delays of messages both ways in these chats, as long as the work goes on."""
    history = History()
    async with pages(port, talks, history):
        task = asyncio.create_task(again(work, seconds)) if work else None
        await turns(port, talks, seconds, history)
        times = await task if task else 0
    ms = {name: percentile(history.took_s, share) * 1000 for name, share in (("p50", 0.5), ("most", 1))}
    return {"count": len(history.took_s), "times": times, **ms, **history.faults()}


async def again(work: Work, seconds: float) -> int:
    loop, times = asyncio.get_running_loop(), 0
    until = loop.time() + seconds - 1
    while loop.time() < until and times < MOST_TIMES:
        await work()
        times += 1
    return times


# ---- what is heavy ---------------------------------------------------------------------------------------


def sign_ins(port: int, talks: list[Talk]) -> Work:
    """Everybody at nine o'clock, each from elsewhere, with passwords that have to be tried: every other one
    is right, and lets its agent in."""
    numbers = itertools.count()
    names = desk.usernames(talks)

    async def one() -> None:
        number = next(numbers)
        async with line(port) as ask:
            who = f"X-Forwarded-For: 10.0.{number % 250}.{secrets.randbelow(250)}\r\n"
            if number % 2:
                body = f"username={names[number % len(names)]}&password={desk.PASSWORD}"
            else:
                body = f"username=nobody-{secrets.token_hex(4)}&password=wrong"
            status, answer = await ask("POST", "/session", who, body.encode())
            assert (status, bool(answer)) == ((200, False) if number % 2 else (422, True)), (status, answer)

    async def storm() -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def through() -> None:
            async with gate:
                await one()

        await asyncio.gather(*(through() for _one in range(SIGN_INS)))

    return storm


def upload(port: int, talks: list[Talk]) -> Work:
    """An image as large as one may be, each in another conversation than the one before."""
    turn = itertools.cycle(talks)
    written = io.BytesIO()
    Image.frombytes("RGB", (SIDE_PX, SIDE_PX), os.urandom(SIDE_PX * SIDE_PX * 3)).save(
        written, "PNG", compress_level=1
    )
    body = written.getvalue()[:MOST_BYTES]

    async def send() -> None:
        async with line(port) as ask:
            names = f"X-Key: {secrets.token_hex(8)}\r\nX-Name: photo.png\r\n"
            status, answer = await ask("POST", "/chat/files", visitors(next(turn)) + names, body)
            assert status == 200, (status, answer)

    return send


def fetching(port: int, path: str, headers: str) -> Work:
    async def fetch() -> None:
        async with line(port) as ask:
            status, answer = await ask("GET", path, headers)
            assert status == 200, (path, status, answer[:300])

    return fetch


def transcript(port: int, talk: Talk) -> Work:
    return fetching(port, "/chat/transcript.pdf", visitors(talk))


def report(port: int, talk: Talk) -> Work:
    year = "period=own&since=2025-01-01&until=2025-12-31"
    shown = fetching(port, f"/settings/reports?{year}", agents(talk))
    table = fetching(port, f"/settings/reports/table?{year}", agents(talk))

    async def both() -> None:
        await shown()
        await table()

    return both


@asynccontextmanager
async def line(port: int) -> AsyncIterator[Callable[..., Awaitable[tuple[int, bytes]]]]:
    line = Line(port)
    try:
        yield line.ask
    finally:
        line.close()
