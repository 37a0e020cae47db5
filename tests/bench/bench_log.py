"""How fast the log is searched: 100,000 conversations, on either database.

python -m tests.bench.bench_log [sqlite] [postgresql] [--chats 100000]

The conversations are made up and written in bulk, with the words that `searching` would give them. Each
question is asked five times, after once to warm up; the slowest counts.
"""

import argparse
import asyncio
import random
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import db
import db.clock
from features import finding, searching
from features.finding import Wish
from tests.conftest import Databases

MOST_MS = 200
TIMES = 5
ABOUT = 2_000  # different words
COMMON = ["goeiedag", "parkeren", "vergunning", "dank", "mevrouw", "meneer", "vraag", "formulier"]
WISHES = {
    "everything": Wish(),
    "a common word": Wish(words="parkeren"),
    "two common words": Wish(words="vergunning formulier"),
    "a rare word": Wish(words="zeldzaam"),
    "a beginning": Wish(words="woord1"),
    "a number": Wish(words="02 123 45 67"),
    "nothing": Wish(words="bestaatniet"),
    "a common word in one queue and period": Wish(
        words="parkeren", queue="2", since="2025-06-01", until="2025-06-30"
    ),
    "private, rated low": Wish(private="yes", rating="low"),
    "an agent": Wish(agent="3"),
    "a person": Wish(person="burger-77"),
    "a case": Wish(case="DOS-500"),
    "an old period": Wish(since="2024-12-01", until="2024-12-31"),
}


async def main() -> int:
    given = argparse.ArgumentParser()
    given.add_argument("engines", nargs="*", default=["sqlite", "postgresql"])
    given.add_argument("--chats", type=int, default=100_000)
    options = given.parse_args()
    too_slow = 0
    with tempfile.TemporaryDirectory() as directory:
        databases = Databases(Path(directory) / "bench")
        databases.directory.mkdir()
        for engine in options.engines:
            await db.connect(await databases.make(engine, "empty"))
            start = time.perf_counter()
            await fill(options.chats)
            print(
                f"{engine}: {options.chats} conversations in {time.perf_counter() - start:.0f} s", flush=True
            )
            for name, wish in WISHES.items():
                slowest, count = await slowest_of(wish)
                too_slow += slowest > MOST_MS
                print(f"  {slowest:7.1f} ms  {count:5}  {name}", flush=True)
            await db.disconnect()
        if databases.server is not None:
            databases.server.cleanup()
    return 1 if too_slow else 0


async def slowest_of(wish: Wish) -> tuple[float, int]:
    took = []
    for _time in range(TIMES + 1):
        start = time.perf_counter()
        page = await finding.listed(wish)
        took.append((time.perf_counter() - start) * 1000)
    return max(took[1:]), page.count


async def fill(chats: int) -> None:
    """Numbers are given, so that rows can refer to each other in bulk."""
    pick, moment = random.Random(1), db.clock.now()
    async with db.transaction():
        await db.sql("INSERT INTO role (id, name) VALUES (1, 'agent')")
        await db.sql("INSERT INTO widget (id, key, name) VALUES (1, 'k', 'k')")
        for id in range(1, 6):
            await db.sql("INSERT INTO queue (id, name) VALUES ({}, {})", id, f"queue {id}")
        for id in range(1, 21):
            agent = "INSERT INTO agent (id, username, name, role, created_at) VALUES ({}, {}, {}, 1, {})"
            await db.sql(agent, id, f"a{id}", f"Agent {id}", moment)
    for first in range(1, chats + 1, 1_000):
        async with db.transaction():
            for id in range(first, min(first + 1_000, chats + 1)):
                await one(id, moment - timedelta(minutes=10 * (chats - id)), pick, moment)
    await db.sql("ANALYZE")


async def one(id: int, at: object, pick: random.Random, moment: object) -> None:
    """A conversation as the log needs it: its rows but for the messages, and its words."""
    await db.sql(
        "INSERT INTO visitor (id, widget, token_hash, created_at) VALUES ({}, 1, {}, {})", id, str(id), at
    )
    case = f"DOS-{id}" if id % 10 == 0 else ""
    await db.sql(
        "INSERT INTO chat (id, visitor, widget, queue, state, ticket_at, started_at, ended_at, begun,"
        " ended_how, case_number, seq, log_seq)"
        " VALUES ({}, {}, 1, {}, 'ended', {}, {}, {}, {}, 'by_visitor', {}, 8, 8)",
        *(id, id, pick.randint(1, 5), at, at, at, True, case),
    )
    agent, queue = pick.randint(1, 20), 1
    seat = "INSERT INTO participation (chat, agent, queue, joined_at, left_at) VALUES ({}, {}, {}, {}, {})"
    await db.sql(seat, id, agent, queue, at, at)
    if id % 5 == 0:
        private = "INSERT INTO private_message (chat, seq, key, after_seq, agent, body, sent_at)"
        await db.sql(private + " VALUES ({}, 1, {}, 1, {}, 'x', {})", id, f"key-{id}", agent, at)
    if id % 3 == 0:
        rating = "INSERT INTO rating (chat, value, rated_at) VALUES ({}, {}, {})"
        await db.sql(rating, id, pick.randint(1, 5), at)
    if id % 4 == 0:
        known = "INSERT INTO identity (visitor, widget, sub, email, verified_at) VALUES ({}, 1, {}, {}, {})"
        await db.sql(known, id, f"burger-{id % 1000}", f"b{id % 1000}@example.be", at)
    said = pick.sample(COMMON, 6) + [f"woord{pick.randint(0, ABOUT)}" for _word in range(40)]
    said += [f"02{pick.randint(10**6, 10**7 - 1)}"]
    if id % 20_000 == 1:
        said += ["zeldzaam", "021234567"]
    await searching.put({id: " ".join(dict.fromkeys(said))})


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
