"""The people of these tests: they write what they have to say until it is taken, and note what they see.

What one of them was told is sent stands in the database once; everybody who may sees it once, in the same
order; nobody sees what is private. `Room.faults` counts what is otherwise, by the rules of `checker`.
"""

import asyncio
import contextlib
import random
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from db.tables import Message, PrivateMessage
from tests.bench import load
from tests.bench.load import Line, Talk
from tests.faults.checker import NONE, SECRET, Screen, Stored, faults, is_stuck, key_of, words_of

__all__ = ["NONE", "Page", "Room", "Upload", "Writer"]
TRY_AGAIN_S = 0.1
PATIENCE_S = 60
INSIST_S = 300  # a server that is killed again and again has to start between
QUIET_S = 36  # the page's own rule: 2.4 beats without a word, and it opens another stream
CUT_S, CUT_BITS = 0.5, (5, 20)  # how long a line that is cut lives at most, and how many bytes it brings


@dataclass
class Writer:
    """Says one thing after the other, each with its key until it is taken."""

    room: Any
    talk: Talk
    side: str  # v or a
    private: bool = False
    tried: list[str] = field(default_factory=list)  # keys, in their order
    taken: list[str] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)

    async def say(self, text: str) -> None:
        await self.insist(self.think(text))

    def think(self, text: str) -> bytes:
        """The next thing to say."""
        kind = "p" if self.private else self.side
        self.tried.append(key_of(kind, self.talk.chat, len(self.tried)))
        return f"key={self.tried[-1]}&body={text}-{words_of(self.tried[-1])}".encode()

    async def insist(self, body: bytes) -> None:
        """Until it is taken."""
        async with asyncio.timeout(INSIST_S):
            while not await self.attempt(body):  # noqa: ASYNC110
                await asyncio.sleep(TRY_AGAIN_S * random.random())
        self.taken.append(self.tried[-1])

    async def attempt(self, body: bytes) -> bool:
        line = Line(self.room.server.port)
        try:
            status, answer = await line.ask("POST", self.path, self.headers, body)
        except (OSError, asyncio.IncompleteReadError):
            return False
        finally:
            line.close()
        if status != 200:
            assert status >= 500, (status, answer)
            self.refusals.append((status, answer.decode()))
        return status == 200

    @property
    def path(self) -> str:
        if self.side == "v":
            return "/chat/messages"
        return f"/chats/{self.talk.chat}/{'private-messages' if self.private else 'messages'}"

    @property
    def headers(self) -> str:
        return load.visitors(self.talk) if self.side == "v" else load.agents(self.talk)


@dataclass
class Page:
    """A window or a console whose stream is always opened again, from where it was."""

    room: Any
    talk: Talk
    side: str
    chats: frozenset[int] = frozenset()  # in which its agent is
    screen: Screen = field(default_factory=Screen)
    secrets_seen: int = 0
    last_id: str = ""
    opened: int = 0
    returned: int = 0  # with its cursor
    is_cut: bool = False  # again and again, anywhere
    beats: int = 0
    port: int = 0  # if it is another way in
    quiet_s: float = QUIET_S

    def __post_init__(self) -> None:
        if not self.is_console:
            self.screen.threads["thread"] = []

    async def live(self) -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, AssertionError):
                # A TimeoutError is an OSError: nothing was heard for too long
                await (self.read_a_piece() if self.is_cut else self.read_once())
            await asyncio.sleep(TRY_AGAIN_S * random.random())

    async def read_a_piece(self) -> None:
        """Of a word, of an event, of all that a console is shown first: short ones and long ones alike."""
        async with asyncio.timeout(CUT_S * random.random()):
            await self.read_once(cut_after=int(2 ** random.uniform(*CUT_BITS)))

    async def read_once(self, cut_after: int | None = None) -> None:
        """Until the line goes, or until so many bytes have come."""
        last = f"Last-Event-ID: {self.last_id}\r\n" if self.last_id else ""
        path, headers = self.address
        reader, writer = await asyncio.open_connection("127.0.0.1", self.way_in, limit=2**22)
        try:
            writer.write(load.request("GET", path, headers + last))
            async with asyncio.timeout(self.quiet_s):
                head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            self.opened += 1
            self.returned += bool(last)
            pending = b""
            while chunk := await self.heard(reader):
                pending += chunk[:cut_after] if cut_after is not None else chunk
                *events, pending = pending.replace(b"\r\n", b"\n").split(b"\n\n")
                for event in events:
                    await self.hear(event, writer.transport)
                if cut_after is not None and (cut_after := cut_after - len(chunk)) <= 0:
                    return
        finally:
            writer.transport.abort()

    async def heard(self, reader: asyncio.StreamReader) -> bytes:
        async with asyncio.timeout(self.quiet_s):
            size = int(await reader.readuntil(b"\r\n"), 16)
            return (await reader.readexactly(size + 2))[:-2]

    async def hear(self, event: bytes, stream: asyncio.WriteTransport) -> None:
        self.secrets_seen += event.count(SECRET.encode())
        fields: dict[bytes, list[bytes]] = {}
        for line in event.split(b"\n"):
            name, _colon, value = line.partition(b": ")
            fields.setdefault(name, []).append(value)
        data = b"\n".join(fields.get(b"data", []))
        if fields.get(b"event") == [b"beat"]:
            self.beats += 1
            self.room.later(self.answer(data, stream))
            return
        if b"id" in fields:
            self.last_id = fields[b"id"][-1].decode()
        self.screen.show(data.decode())

    @property
    def is_console(self) -> bool:
        return self.side == "a"

    @property
    def threads(self) -> dict[str, int]:
        if self.is_console:
            return {f"thread-{chat}": chat for chat in self.chats}
        return {"thread": self.talk.chat}

    @property
    def items(self) -> set[str]:
        """The keys of what it shows."""
        return {item.key for item in self.screen.items}

    async def answer(self, presence: bytes, stream: asyncio.WriteTransport) -> None:
        path, headers = self.address
        line = Line(self.way_in)
        try:
            beat = path.partition("?")[0].replace("stream", "beat")
            status, _answer = await line.ask("POST", beat, headers, b"beat=" + presence)
            if status == 404:  # it was given up, and comes back as somebody new
                stream.abort()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            line.close()

    @property
    def way_in(self) -> int:
        return self.port or int(self.room.server.port)

    @property
    def address(self) -> tuple[str, str]:
        if self.side == "v":
            return "/chat/stream?after=0", load.visitors(self.talk)
        return "/console/stream", load.agents(self.talk)


class Upload:
    """A file that a visitor adds, half of which is on its way."""

    CONTENT = b"brief " * 50_000

    def __init__(self, server: Any, talk: Talk) -> None:
        self.server = server
        key = f"brief-{secrets.token_hex(4)}"
        self.headers = f"{load.visitors(talk)}X-Key: {key}\r\nX-Name: {key}.txt\r\n"
        self.content = key.encode() + self.CONTENT
        self.before = self.lying()

    def lying(self) -> list[Path]:
        return sorted(each for each in (self.server.data / "files").rglob("*") if each.is_file())

    async def begin(self) -> None:
        _reader, self.line = await asyncio.open_connection("127.0.0.1", self.server.port)
        whole = load.request("POST", "/chat/files", self.headers, self.content)
        self.line.write(whole[: len(whole) // 2])
        async with asyncio.timeout(PATIENCE_S):
            while self.lying() == self.before:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def has_left_nothing(self) -> bool:
        self.line.transport.abort()
        return self.lying() == self.before

    async def succeeds(self) -> bool:
        """All of it, sent again under the same key."""
        line = Line(self.server.port)
        status, row = await line.ask("POST", "/chat/files", self.headers, self.content)
        line.close()
        whole = set(self.lying()) - set(self.before)
        return (
            status == 200
            and b"data-ticket" in row
            and [each.read_bytes() for each in whole] == [self.content]
        )


class Room:
    """Everybody at one desk."""

    def __init__(self, server: Any, talks: list[Talk]) -> None:
        self.server = server
        self.talks = talks
        self.windows = [Page(self, talk, "v") for talk in talks]
        agents: dict[str, list[Talk]] = {}
        for talk in talks:
            agents.setdefault(talk.cookie, []).append(talk)
        self.consoles = [
            Page(self, each[-1], "a", chats=frozenset(talk.chat for talk in each)) for each in agents.values()
        ]
        self.writers: list[Writer] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    @contextlib.asynccontextmanager
    async def pages(self) -> AsyncIterator[None]:
        everybody = [*self.windows, *self.consoles]
        for page in everybody:
            self.later(page.live())
        await self.until(lambda: all(page.opened for page in everybody))
        try:
            yield
        finally:
            await self.leave()

    async def leave(self) -> None:
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def writer(self, talk: Talk, side: str, private: bool = False) -> Writer:
        self.writers.append(Writer(self, talk, side, private))
        return self.writers[-1]

    async def converse(self, count: int, pause_s: float = 0.0) -> None:
        """In every chat, both sides so many messages, and the agent notes for colleagues between."""

        async def talk(writer: Writer) -> None:
            for number in range(count):
                await writer.say(f"{SECRET}-{number}" if writer.private else f"woord-{number}")
                await asyncio.sleep(pause_s * random.random())

        sides = (("v", False), ("a", False), ("a", True))
        people = [self.writer(each, side, private) for each in self.talks for side, private in sides]
        await asyncio.gather(*(talk(each) for each in people))

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 – nothing tells of it
                await asyncio.sleep(0.05)

    # -- what came of it --

    async def faults(self) -> dict[str, int]:
        """Of all that was said and seen; pages get a moment to see the last of it."""
        async with self.server.reading():
            rows, notes = await self.written()
        stored = [Stored(row["chat"], row["key"], (row["seq"], 0), read(row)) for row in rows]
        stored += [
            Stored(row["chat"], row["key"], (row["after_seq"], row["seq"]), read(row)) for row in notes
        ]
        pages = [*self.windows, *self.consoles]
        with contextlib.suppress(TimeoutError):
            await self.until(lambda: not any(is_stuck(page, stored) for page in pages))
        return faults(stored, self.writers, pages)

    async def written(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """In these conversations, in its order."""
        chats = [talk.chat for talk in self.talks]
        public = Message.select(Message.chat, Message.seq, Message.key, Message.kind, Message.body)
        rows = public.where(Message.chat.is_in(chats)).order_by(Message.chat, Message.seq)
        note = PrivateMessage
        notes = note.select(note.chat, note.after_seq, note.seq, note.key, note.body)
        return await rows, await notes.where(note.chat.is_in(chats)).order_by(note.id)

    def keys(self, which: str) -> set[str]:
        return {key for writer in self.writers for key in getattr(writer, which)}


def read(row: dict[str, Any]) -> str:
    """What a person knows it by: as `checker.words_of` has it, from what is there."""
    return str(row["body"].rpartition("-")[2] or row["key"])
