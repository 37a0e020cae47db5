"""What the desk does by itself, again and again: `tasks = [rounds.every(SECONDS, work)]`."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any

import structlog

log = structlog.get_logger(__name__)


Task = Callable[[asyncio.Event], Coroutine[Any, Any, None]]

BETWEEN_S = 0.01

places = count(1)
pace = 1.0  # smaller for a test that does not want to wait for a round


def every(seconds: float, work: Callable[[], Awaitable[Any]], at_once: bool = True) -> Task:
    """A task that does the work every so many seconds, whatever went wrong the last time.

    The first round comes at once, or as late as the next. Of several works they come one after another:
    together each would ask the database for a connection of its own.
    """
    first_after_s = next(places) * BETWEEN_S if at_once else seconds

    async def go_round(stop: asyncio.Event) -> None:
        wait_s = first_after_s
        while not await within(wait_s * pace, stop):
            wait_s = seconds
            try:
                await work()
            except Exception:  # the next time may succeed
                log.exception("round_failed", work=name)

    name = go_round.__qualname__ = f"{work.__module__.removeprefix('features.')}.{work.__qualname__}"
    return go_round


async def within(seconds: float, happens: asyncio.Event) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(happens.wait(), seconds)
    return happens.is_set()
