"""Aside: what takes long is computed beside the event loop, on few threads, which give way to it. No URLs.

However many ask at once, so many are at work and the rest wait: a hundred people who sign in at nine o'clock,
or a report of a year, are no reason for anybody's stream to stand still.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

NICE, NICER = 5, 10


class Threads:
    """So many. A worker has its own: those of the process that it was made of did not come along.

    They are nicer still only for work that leaves the interpreter alone (a library in C): whoever has the
    interpreter and is not let on to a processor holds up the event loop. But not as nice as can be: where
    other programs have all processors at work, nobody would get in.
    """

    def __init__(self, count: int, name: str, nice: int = NICE) -> None:
        self.count, self.name, self.nice = count, name, nice
        self.turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self.begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.begin)

    def begin(self) -> None:
        self.pool = ThreadPoolExecutor(self.count, thread_name_prefix=self.name, initializer=self.give_way)

    def turn(self) -> asyncio.Semaphore:
        """`async with`: as many at once as there are threads. What is written before and after the work is
        then spread over the time that it takes, and nobody else waits behind all of it."""
        return self.turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self.count))

    def give_way(self) -> None:
        """On Linux a thread has a niceness of its own, as have those that it makes; elsewhere it is all the
        process's, and stays as it is."""
        if hasattr(os, "sched_getaffinity"):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self.nice)


async def done(where: Threads, work: Callable[..., T], *args: Any) -> T:
    """What work(*args) returns, in the language that is being spoken here."""
    return await asyncio.get_running_loop().run_in_executor(where.pool, copy_context().run, work, *args)
