"""The wire between processes: what one says the others hear, and a cut is told to whoever may have missed
something."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import db
from db import wire
from db.wire import LARGEST_BYTES, MISSED, MOST_WAITING, Wire, parcels
from features import live
from tests import scenes
from tests.conftest import Desk

on_postgresql = pytest.mark.parametrize("engine", ["postgresql"])


class Ear:
    """One end of the wire, and what has come out of it."""

    def __init__(self, url: str) -> None:
        self.heard: list[str] = []
        self.wire = Wire(url, self.heard.append, lambda: self.heard.append("?"))

    async def hears(self, *expected: str) -> None:
        with contextlib.suppress(TimeoutError):
            await scenes.eventually(lambda: len(self.heard) >= len(expected))
        assert self.heard == list(expected)


@contextlib.asynccontextmanager
async def ends(*urls: str) -> AsyncIterator[list[Ear]]:
    made = [Ear(url) for url in urls]
    for each in made:
        await each.wire.open()
        await each.wire.be_ready()
    yield made
    for each in made:
        await each.wire.close()


# ---- from one to the others ------------------------------------------------------------------------------


@on_postgresql
async def test_each_hears_what_the_others_say_in_order_and_not_itself(database: str) -> None:
    async with ends(database, database, database) as (one, two, three):
        for number in range(100):
            one.wire.say(f"{number}")
        await two.hears(*map(str, range(100)))
        await three.hears(*map(str, range(100)))
        two.wire.say("zwei")
        await one.hears("zwei")
    assert two.heard == [*map(str, range(100))]


@on_postgresql
async def test_only_the_first_of_those_that_serve_is_alone(database: str) -> None:
    async with ends(database, database) as (one, two):
        assert (one.wire.alone, two.wire.alone) == (True, False)
    async with ends(database) as (three,):
        assert three.wire.alone, "the others have gone"


@on_postgresql
async def test_whoever_starts_waits_until_the_first_is_ready(database: str) -> None:
    one, two = Ear(database), Ear(database)
    await one.wire.open()
    second = asyncio.create_task(two.wire.open())
    await asyncio.wait([second], timeout=0.3)
    assert not second.done()
    await one.wire.be_ready()
    await second
    for each in (one, two):
        await each.wire.close()


@pytest.mark.parametrize("sizes", [[10] * 3_000, [LARGEST_BYTES] * 3, [LARGEST_BYTES - 1, 1, 1, 7_000]])
def test_what_is_too_much_for_one_piece_goes_in_several(sizes: list[int]) -> None:
    lines = ["é" * (size // 2) + "x" * (size % 2) for size in sizes]
    made = parcels(lines)
    assert "\n".join(made).split("\n") == lines
    assert all(len(parcel.encode()) <= LARGEST_BYTES for parcel in made)
    assert len(made) <= 2 * sum(sizes) // LARGEST_BYTES + 2


def test_contents_are_not_told_to_other_processes() -> None:
    with pytest.raises(ValueError, match="ids, not contents"):
        Wire("", print, print).say("x" * (LARGEST_BYTES + 1))


# ---- cut -------------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "BEAT_S", 0.2)
    monkeypatch.setattr(wire, "ANSWER_S", 1)


class Tunnel:
    """A way to the database on which everything can vanish without a sign."""

    def __init__(self, url: str) -> None:
        self.there = Path(url.partition("host=")[2]) / ".s.PGSQL.5432"
        self.directory = Path(tempfile.mkdtemp(prefix="balie-"))
        self.url = f"{url.partition('host=')[0]}host={self.directory}"
        self.open = asyncio.Event()
        self.open.set()
        self.tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Tunnel":
        self.server = await asyncio.start_unix_server(self.dig, self.directory / ".s.PGSQL.5432")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()
        shutil.rmtree(self.directory)

    async def dig(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_unix_connection(str(self.there))
        for reader, writer in ((near, forth), (far, back)):
            task = asyncio.create_task(self.carry(reader, writer))
            self.tasks.add(task)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while some := await reader.read(65_536):
            await self.open.wait()
            writer.write(some)
        writer.close()


@on_postgresql
@pytest.mark.usefixtures("impatient")
async def test_a_half_open_line_is_noticed_and_what_was_to_be_said_is_said(database: str) -> None:
    async with Tunnel(database) as tunnel, ends(tunnel.url, database) as (one, two):
        one.wire.say("vorher")
        await two.hears("vorher")
        tunnel.open.clear()
        one.wire.say("drinnen")
        two.wire.say("draußen")
        await scenes.eventually(lambda: one.wire.gaps == 1)
        assert one.heard == []
        tunnel.open.set()
        await scenes.eventually(lambda: one.heard == ["?"])
        await scenes.eventually(lambda: "drinnen" in two.heard)
        two.wire.say("nachher")
        await one.hears("?", "nachher")


@on_postgresql
@pytest.mark.usefixtures("impatient")
async def test_what_cannot_be_kept_until_the_line_is_back_is_missed_by_all(database: str) -> None:
    async with Tunnel(database) as tunnel, ends(tunnel.url, database) as (one, two):
        tunnel.open.clear()
        for number in range(MOST_WAITING + 10):
            one.wire.say(f"{number}")
        assert len(one.wire.waiting) == 10 + 1
        assert one.wire.waiting[0] == MISSED
        tunnel.open.set()
        await two.hears("?", *(str(number) for number in range(MOST_WAITING, MOST_WAITING + 10)))


# ---- and its pages ---------------------------------------------------------------------------------------


@on_postgresql
async def test_what_is_not_understood_is_looked_up(desk: Desk, example_database: str) -> None:
    """Of a newer Balie, beside which this one runs for a while."""
    async with ends(example_database) as (newer,), scenes.live(desk) as talk:
        for words in ('["chat:1", {"type": "Rained", "chat": 1}]', "…"):
            before = len(talk.window.events)
            newer.wire.say(words)
            await talk.window.wait_for(
                lambda before=before: any('id="status"' in e.data for e in talk.window.events[before:])  # type: ignore[misc]
            )


async def test_on_sqlite_nothing_is_told_to_anybody(desk: Desk, engine: str) -> None:
    assert db.has_others() == (engine == "postgresql")
    assert db.is_alone()


def test_every_event_can_be_told_apart() -> None:
    names = [each.__name__ for each in live.events_of(live.Event) if each.__module__.startswith("features")]
    assert len(set(names)) == len(names) > 10
