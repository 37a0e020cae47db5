"""A message that is answered is on the disk: as seen in what the server asks of the system, and when."""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

import db
from tests import scenes
from tests.conftest import Desk
from tests.processes import writing

CANARY = "kanarievogel"
CALLS = "fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg,sendmmsg"
AS_IT_IS = "import sys, app; sys.exit(app.main())"
CARELESS = """
import sys, app
connections = sys.modules["db.connections"]  # db has a function of that name
careless = [each.replace("= FULL", "= NORMAL") for each in connections.PRAGMAS]
connections.PRAGMAS = (*careless, "wal_autocheckpoint = 0")  # or it would be synced now and then
sys.exit(app.main())
"""


@dataclass
class Call:
    """From which line of the trace to which."""

    name: str
    place: str
    text: str
    began: int
    ended: int

    @property
    def leaves(self) -> bool:
        """To somebody's browser."""
        return self.place.startswith("socket:") and self.name != "pwrite64"


@contextlib.asynccontextmanager
async def traced(code: str, database: str, data: Path) -> AsyncIterator[tuple[Desk, Path]]:
    """A desk in a process of its own, and what is written down of what it asks of the system."""
    trace = data / "trace"
    strace = ("strace", "-f", "--seccomp-bpf", "-y", "-s", "20000", "-e", f"trace={CALLS}", "-o", str(trace))
    async with writing(data / "log", database, data, *strace, code=code) as desk:
        yield desk, trace


def calls(trace: Path) -> list[Call]:
    """One that another thread interrupts has two lines."""
    made: list[Call] = []
    open_of: dict[str, Call] = {}
    for number, line in enumerate(trace.read_text(errors="replace").splitlines()):
        process, _space, rest = line.partition(" ")
        rest = rest.strip()
        if rest.startswith("<..."):
            if process in open_of:
                open_of.pop(process).ended = number
        elif found := re.match(r"(\w+)\(\d+<([^>]*)>(.*)", rest):
            name, place, text = found.groups()
            call = Call(name, place, text, number, number)
            made.append(call)
            if rest.endswith("<unfinished ...>"):
                open_of[process] = call
    return made


def synced_first(made: list[Call]) -> bool:
    """Nothing of the message leaves before it is in the log of the database and that is on the disk."""
    written = next(call for call in made if call.place.endswith("-wal") and CANARY in call.text)
    told = [call for call in made if call.leaves and CANARY in call.text]
    answer = next(
        call for call in made if call.leaves and "HTTP/1.1 2" in call.text and call.began > written.ended
    )
    assert len(told) >= 2, "it was told to whoever sent it and to whoever reads"
    synced = [
        call.ended
        for call in made
        if call.name in ("fdatasync", "fsync") and call.place == written.place and call.began > written.ended
    ]
    return bool(synced) and synced[0] < min(call.began for call in (answer, *told))


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("code", "safe"),
    [
        pytest.param(AS_IT_IS, True, id="as it is"),
        pytest.param(CARELESS, False, id="careless", marks=pytest.mark.long),
    ],
)
async def test_a_message_is_on_the_disk_before_anybody_is_told_of_it(
    example_database: str, tmp_path: Path, code: str, safe: bool
) -> None:
    """And a desk that is less careful is found out, or this would prove nothing."""
    async with traced(code, example_database, tmp_path) as (desk, trace):
        talk = await scenes.connected(desk)
        async with talk.an.stream() as console:
            await console.wait_for(f'id="thread-{talk.chat}"')
            await talk.jef.say(CANARY)
            await console.wait_for(CANARY)
    assert synced_first(calls(trace)) is safe


# ---- PostgreSQL ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_server_that_would_answer_before_its_disk_does_so_not_to_us(connected: str) -> None:
    line = await asyncpg.connect(connected)
    assert await line.fetchval("SHOW synchronous_commit") == "off", "else this proves nothing"
    await line.close()
    alone = await db.sql("SHOW synchronous_commit")
    for _again in range(3):  # also of a connection that was given back and taken again
        async with db.transaction():
            together = await db.sql("SHOW synchronous_commit")
    assert alone == together == [{"synchronous_commit": "on"}]


@pytest.mark.parametrize("engine", ["postgresql"])
async def test_a_server_that_loses_what_it_has_said_is_warned_of(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    await db.connect(database)
    await db.disconnect()
    warned = [each.getMessage() for each in caplog.records if each.name == "balie.db"]
    assert [message for message in warned if "fsync = off" in message]
    assert [message for message in warned if "full_page_writes = off" in message]
