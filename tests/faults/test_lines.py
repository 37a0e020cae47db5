"""Lines that break, that fall silent, or at whose end nobody reads."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import app
from db.tables import Chat
from features import lines, live, sweeping
from tests.bench import desk, load
from tests.bench.load import Talk
from tests.conftest import Clock, serving
from tests.faults.conftest import Server
from tests.faults.people import NONE, Page, Room

BEAT_S = 0.1
LONG = 40
ESTABLISHED = "01"
UNHARMED_S = 10  # far from the half minute after which somebody who does not read is cut


async def test_streams_are_cut_anywhere(server: Server, talks: list[Talk], long: bool) -> None:
    """In the middle of a message, of a letter, of a line of the protocol. Nobody has another stream: what a
    page shows has come in pieces, each asked for from where the one before ended."""
    room, cuts = Room(server, talks), 1000 if long else 40
    pages = [*room.windows, *room.consoles]
    async with room.pages():
        await room.until(
            lambda: all(page.last_id for page in pages)
        )  # they are open, and nothing is said yet
    for page in pages:
        page.is_cut = True
    async with room.pages():
        await room.converse(40 if long else 12, pause_s=2 if long else 0.2)
        await room.until(lambda: sum(page.returned for page in pages) >= cuts)
        await room.until(lambda: all(page.items & room.keys("taken") for page in pages))
        for page in pages:
            page.is_cut = False
        assert await room.faults() == NONE


async def test_the_server_is_frozen_for_a_while(room: Room, server: Server) -> None:
    """Whoever asks meanwhile is answered afterwards."""
    talking = asyncio.create_task(room.converse(4, pause_s=0.1))
    await room.until(lambda: room.keys("taken"))
    with server.frozen():
        await asyncio.sleep(0.5)
        seen = len(room.keys("taken"))
        await asyncio.sleep(0.5)
        assert len(room.keys("taken")) == seen, "or it was not frozen"
    await talking
    assert await room.faults() == NONE


# ---- here, where the clock is ours -----------------------------------------------------------------------


class Here:
    """The server, in this process."""

    def __init__(self, url: str) -> None:
        self.port = int(url.rpartition(":")[2])

    def reading(self) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()


@pytest.fixture
async def near(
    database: str, clock: Clock, impatient: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Room]:
    """One conversation; beats come quickly, and whoever takes nothing is soon given up."""
    monkeypatch.setattr(live, "BEAT_S", BEAT_S)
    monkeypatch.setattr(lines, "SEND_TIMEOUT_S", 0.5)
    monkeypatch.setattr(app, "UNREAD_S", 1)
    async with serving(database, tmp_path) as served:
        room = Room(Here(served.url), await desk.fill(1))
        try:
            yield room
        finally:
            await room.leave()


class Line:
    """Another way in, on which packets may begin to vanish, both ways, without its being closed: those of all
    who are on it by then; who comes anew gets through."""

    def __init__(self) -> None:
        self.port = 0
        self.ends: list[asyncio.StreamWriter] = []
        self.deaf: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def to(self, port: int) -> AsyncIterator["Line"]:
        async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, on = await asyncio.open_connection("127.0.0.1", port)
            self.ends += [writer, on]
            self.tasks |= {asyncio.create_task(self.carry(*each)) for each in ((reader, on), (there, writer))}

        listener = await asyncio.start_server(come, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listener.close()
            for task in self.tasks:
                task.cancel()
            for end in self.ends:
                end.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while words := await reader.read(65_536):
                if writer not in self.deaf:
                    writer.write(words)
        if writer not in self.deaf:
            writer.close()

    def vanish(self) -> None:
        self.deaf |= set(self.ends)


async def is_gone(talk: Talk) -> bool:
    row = await Chat.select(Chat.visitor_gone_at).where(Chat.id == talk.chat).first()
    return bool(row and row["visitor_gone_at"])


async def test_packets_that_vanish_are_noticed_by_the_beat(near: Room, clock: Clock) -> None:
    """By the server, for which the visitor is gone; by the page, which comes again and has missed nothing."""
    (talk,), (window,), (console,) = near.talks, near.windows, near.consoles
    agent = near.writer(talk, "a")

    async def pass_time(*pages: Page) -> None:
        """41 s, of which these pages answer each beat."""
        for seconds in (20, 21):
            clock.shift(seconds)
            wanted = [(page, page.beats + 2) for page in pages]
            await near.until(lambda wanted=wanted: all(page.beats >= beats for page, beats in wanted))
            await sweeping.sweep()

    near.later(console.live())
    async with Line().to(near.server.port) as line:
        window.port = line.port
        once = asyncio.create_task(window.read_once())
        await near.until(lambda: window.beats and console.beats)
        await pass_time(console, window)
        assert not await is_gone(talk), "as long as it answers"
        line.vanish()
        await agent.say("is-daar-nog-iemand")
        await pass_time(console)
        assert await is_gone(talk)
        assert not window.items & set(agent.taken)
        once.cancel()
        window.quiet_s = 2.4 * BEAT_S
        near.later(window.live())
        await near.until(lambda: window.items >= set(agent.taken))
        assert not await is_gone(talk)
        opened = window.opened
        line.vanish()
        await agent.say("en-nu")
        await near.until(lambda: window.items >= set(agent.taken))
        assert window.opened > opened
        assert await near.faults() == NONE


@pytest.mark.long
@pytest.mark.parametrize("chats", [1])
async def test_packets_that_vanish_are_noticed_within_45_s(server: Server, talks: list[Talk]) -> None:
    room = Room(server, talks)
    (window,) = room.windows
    window.quiet_s = 50  # later than a page would: the server is to notice by itself
    async with Line().to(server.port) as line:
        window.port = line.port
        async with room.pages():
            line.vanish()
            silent_at = time.monotonic()
            async with server.reading():
                while not await is_gone(talks[0]):  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            assert time.monotonic() - silent_at < 45
            await room.converse(1)
            assert await room.faults() == NONE
        assert window.opened > 1


# ---- at whose end nobody reads ---------------------------------------------------------------------------


class Sleeper:
    """Opens a stream, and never reads a byte of it."""

    def __init__(self, port: int, talk: Talk) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(load.request("GET", "/chat/stream?after=0", load.visitors(talk)))

    @property
    def is_cut(self) -> bool:
        """At the server's end, which does not tell it to this one: as the system knows."""
        here, there = (f":{name()[1]:04X}" for name in (self.socket.getpeername, self.socket.getsockname))
        lines = [each.split() for each in Path("/proc/net/tcp").read_text().splitlines()]
        mine = [each for each in lines if each[1].endswith(here) and each[2].endswith(there)]
        return not [each for each in mine if each[3] == ESTABLISHED]


@contextlib.asynccontextmanager
async def asleep(room: Room, count: int, messages: int = LONG) -> AsyncIterator[list[Sleeper]]:
    """At a conversation so long that it fits in no buffer on the way, unless the test says otherwise."""
    writer = room.writer(room.talks[0], "a")
    for _message in range(messages):
        await writer.say("x" * 3_900)
    sleepers = [Sleeper(room.server.port, room.talks[0]) for _each in range(count)]
    try:
        yield sleepers
    finally:
        for each in sleepers:
            each.socket.close()


async def others_are_well(room: Room) -> None:
    """Each word is there long before anybody is cut who does not read."""
    writer = room.writer(room.talks[-1], "v")
    pages = room.consoles[-1], room.windows[-1]
    for number in range(10):
        began = time.monotonic()
        await writer.say(f"vlot-{number}")
        await room.until(lambda: all(page.items >= set(writer.taken) for page in pages))
        assert time.monotonic() - began < UNHARMED_S


async def test_who_does_not_read_is_cut_and_harms_nobody(near: Room) -> None:
    async with asleep(near, 5) as sleepers:
        assert not any(each.is_cut for each in sleepers)
        async with near.pages():
            await others_are_well(near)
            await near.until(lambda: all(each.is_cut for each in sleepers))
            await near.until(lambda: len(live.streams) == 2)  # nothing is kept for them
            assert await near.faults() == NONE


async def test_who_does_not_read_is_cut_also_when_there_is_little_to_read(near: Room, clock: Clock) -> None:
    """All of it is taken, by the system at the other end; what does not come is the answer to a beat."""
    async with asleep(near, 3, messages=0) as sleepers, near.pages():
        await near.until(lambda: len(live.streams) == 5)
        for seconds in (20, 21):
            assert not any(each.is_cut for each in sleepers)
            clock.shift(seconds)
            wanted = [(page, page.beats + 2) for page in (*near.windows, *near.consoles)]
            await near.until(lambda wanted=wanted: all(page.beats >= beats for page, beats in wanted))
        await near.until(lambda: all(each.is_cut for each in sleepers))
        await near.until(lambda: len(live.streams) == 2)
        assert [page.opened for page in (*near.windows, *near.consoles)] == [1, 1]
        await others_are_well(near)


@pytest.mark.long
async def test_fifty_who_do_not_read_are_cut_within_a_minute(room: Room, server: Server) -> None:
    async with asleep(room, 50) as sleepers:
        began, before = time.monotonic(), server.memory
        while not all(each.is_cut for each in sleepers):
            await others_are_well(room)
            await asyncio.sleep(1)
            assert time.monotonic() - began < 60
            assert server.memory - before < 100 * 2**20, "what each is to be told first"
        assert await room.faults() == NONE
