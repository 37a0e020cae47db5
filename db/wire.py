"""The wire between the processes of a desk on PostgreSQL: LISTEN and NOTIFY, on a connection of its own.

What one process says, all others hear, in order, and itself does not. Whenever the wire has been cut, for
however short a time, something may have gone unheard: then `missed` is called once it is whole again; and in
the other processes too, if this one could not say all that it had to.

A process says what it has committed after the commit. NOTIFY inside the transaction would leave no gap
between the two, but PostgreSQL commits such transactions one after another, each with a sync of the disk to
itself: with twenty writers a third as many. For the gap there is MISSED, which is said by whoever takes the
place of a process that died, and the recheck of `live`.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog

CHANNEL = "balie"
LARGEST_BYTES = 7_900  # of one NOTIFY: PostgreSQL takes less than 8,000
MOST_WAITING = 10_000
MISSED = "missed"  # said instead of what cannot be said any more
BEAT_S = 5  # a line that has been silent for so long is asked whether it is still there
ANSWER_S = 5
START_S = 60
RETRY_S, RETRY_MOST_S = 0.1, 3.0
ALIVE = 6_284_177_554  # the lock that processes which serve hold together
SETTINGS = {
    "application_name": "balie wire",
    "tcp_keepalives_idle": "10",  # a machine that has vanished does not hold its locks for hours
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
NOTIFY = "SELECT pg_notify($1, said) FROM unnest($2::text[]) AS said"

log = structlog.get_logger("balie.db")


class Wire:
    def __init__(self, url: str, hear: Callable[[str], None], missed: Callable[[], None]) -> None:
        self.url = url
        self.hear = hear
        self.missed = missed
        self.alone = False  # when this process began to serve, no other did
        self.gaps = 0
        self.waiting: list[str] = []
        self.news = asyncio.Event()
        self.turn = asyncio.Lock()
        self.connection: Any = None
        self.task: asyncio.Task[None] | None = None

    def say(self, words: str) -> None:
        """One line of text, soon."""
        if len(words.encode()) > LARGEST_BYTES:
            raise ValueError("other processes are told ids, not contents")
        if len(self.waiting) >= MOST_WAITING:
            self.waiting = [MISSED]
        self.waiting.append(words)
        self.news.set()

    # -- from the first word to the last ---------------------------------------------------------------------

    async def open(self, beside: bool = False) -> None:
        """Others that start wait here until a process that found itself alone is ready. Who begins `beside`
        others is not, even if PostgreSQL has just let go of all lines and with them of the others' locks."""
        await self.connect()
        self.alone = not beside and await self.connection.fetchval("SELECT pg_try_advisory_lock($1)", ALIVE)
        if not self.alone:
            await self.connection.execute(f"SELECT pg_advisory_lock_shared({ALIVE})", timeout=START_S)
        self.task = asyncio.create_task(self.carry_on(), name="wire")

    async def be_ready(self) -> None:
        if self.alone:
            async with self.turn:
                await self.connection.execute(f"SELECT pg_advisory_lock_shared({ALIVE})")
                await self.connection.execute(f"SELECT pg_advisory_unlock({ALIVE})")

    async def close(self) -> None:
        """What still waits goes out, if that can be."""
        if self.task:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        if self.connection:
            with contextlib.suppress(Exception):
                await self.send()
                await self.connection.close(timeout=ANSWER_S)
            self.connection.terminate()

    # -- as long as the process serves -----------------------------------------------------------------------

    async def carry_on(self) -> None:
        """Whatever breaks is made whole again."""
        retry_s = RETRY_S
        while True:
            try:
                await self.carry()
            except Exception as problem:
                log.warning("the wire between the processes is cut", problem=repr(problem))
            self.gaps += 1
            self.connection.terminate()
            while self.connection.is_closed():
                await asyncio.sleep(retry_s * (1 + random.random()))  # noqa: S311 – no secret
                retry_s = min(retry_s * 2, RETRY_MOST_S)
                with contextlib.suppress(Exception):
                    await self.connect()
                    await self.connection.execute(f"SELECT pg_try_advisory_lock_shared({ALIVE})")
            retry_s = RETRY_S
            log.warning("the wire between the processes is whole again")
            self.missed()

    async def connect(self) -> None:
        connection = await asyncpg.connect(
            self.url, timeout=ANSWER_S, command_timeout=ANSWER_S, server_settings=SETTINGS
        )
        self.connection = connection
        connection.add_termination_listener(lambda _connection: self.news.set())
        await connection.add_listener(CHANNEL, self.heard)

    async def carry(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self.news.wait()
            self.news.clear()
            async with self.turn:
                if self.waiting:
                    await self.send()
                else:
                    await self.connection.execute("SELECT 1")

    async def send(self) -> None:
        """All that waits, in as few pieces as it fits into."""
        going = self.waiting
        if going:
            self.waiting = []
            try:
                await self.connection.execute(NOTIFY, CHANNEL, parcels(going))
            except BaseException:  # twice is better than never
                self.waiting = [*going, *self.waiting]
                raise

    def heard(self, connection: Any, sender: int, _channel: str, said: str) -> None:
        if sender == connection.get_server_pid():
            return
        for words in said.split("\n"):
            if words == MISSED:
                self.missed()
            else:
                self.hear(words)


def parcels(lines: list[str]) -> list[str]:
    """Lines of text, in order, in as few texts of a size that PostgreSQL takes."""
    made: list[list[str]] = []
    room = 0
    for line in lines:
        size = len(line.encode()) + 1
        if size > room:
            made.append([])
            room = LARGEST_BYTES + 1
        made[-1].append(line)
        room -= size
    return ["\n".join(parcel) for parcel in made]
