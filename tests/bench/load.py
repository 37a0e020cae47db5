"""Makes work for a server, as many pages do at once: plain sockets, no client library, another core.

Every message carries its number in its text. `History` holds what each stream brought; `faults` says what is
lost, doubled or out of order in it.
"""

import asyncio
import re
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

MARK = re.compile(rb"mark-([0-9a-f]+)-(\d+)-(\d+)-([va])")
SETTLED_S = 2
LENGTH = re.compile(rb"content-length: (\d+)")


@dataclass
class Talk:
    """One conversation: who may write in it, and how it is proved."""

    chat: int
    token: str  # the visitor's
    widget: str
    cookie: str  # the agent's
    csrf: str


class Line:
    """A kept connection: one request after the other."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None
        self.turn = asyncio.Lock()

    async def ask(self, method: str, path: str, headers: str, body: bytes = b"") -> tuple[int, bytes]:
        async with self.turn:
            return await self._ask(method, path, headers, body)

    async def _ask(self, method: str, path: str, headers: str, body: bytes) -> tuple[int, bytes]:
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(request(method, path, headers, body))
        head = await self.reader.readuntil(b"\r\n\r\n")
        found = LENGTH.search(head.lower())
        answer = await self.reader.readexactly(int(found[1])) if found else b""
        return int(head[9:12]), answer

    def close(self) -> None:
        if self.reader is not None:
            self.writer.close()


def request(method: str, path: str, headers: str, body: bytes = b"") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    kind = "Content-Type: application/x-www-form-urlencoded\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}{kind}{length}\r\n".encode() + body


def visitors(talk: Talk) -> str:
    return f"Authorization: Bearer {talk.token}\r\nX-Widget: {talk.widget}\r\nX-Language: nl\r\n"


def agents(talk: Talk) -> str:
    return f"Cookie: {talk.cookie}\r\nX-CSRF-Token: {talk.csrf}\r\nOrigin: http://localhost\r\n"


async def follow(port: int, path: str, headers: str, hear: Callable[[bytes], object]) -> None:
    """Reads an event stream for as long as it is open; `hear` is called with each event."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    writer.write(request("GET", path, headers))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    try:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            hear((await reader.readexactly(size + 2))[:-2])
    finally:
        writer.close()


# ---- what was said, and what was heard -------------------------------------------------------------------


@dataclass
class History:
    """Messages by (chat, side): when each was sent, and in which order one page heard them. What was said in
    earlier runs does not count."""

    run: str = field(default_factory=lambda: secrets.token_hex(4))

    sent: dict[tuple[int, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    heard: dict[tuple[int, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    asked_s: dict[tuple[int, str, int], float] = field(default_factory=dict)
    took_s: list[float] = field(default_factory=list)

    def send(self, chat: int, side: str) -> tuple[int, bytes]:
        number = len(self.sent[chat, side])
        self.sent[chat, side].append(number)
        self.asked_s[chat, side, number] = time.perf_counter()
        return number, f"mark-{self.run}-{chat}-{number}-{side}".encode()

    def hear(self, event: bytes, side: str) -> None:
        """What the other side's page is shown; its own messages it hears too, and they do not count."""
        at = time.perf_counter()
        for run, chat, number, by in MARK.findall(event):
            key = int(chat), by.decode(), int(number)
            if run.decode() == self.run and by.decode() != side:
                if not self.heard[key[:2]] or self.heard[key[:2]][-1] != key[2]:
                    self.took_s.append(at - self.asked_s[key])
                self.heard[key[:2]].append(key[2])

    def faults(self) -> dict[str, int]:
        lost = doubled = disordered = 0
        for key, numbers in self.sent.items():
            heard = self.heard[key]
            lost += len(set(numbers) - set(heard))
            doubled += len(heard) - len(set(heard))
            disordered += heard != sorted(heard)
        return {"lost": lost, "doubled": doubled, "disordered": disordered}


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def percentiles(took_s: list[float]) -> dict[str, float]:
    """In ms."""
    return {f"p{share}": percentile(took_s, share / 100) * 1000 for share in (50, 95, 99)}


def table(figures: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.1f}" for name, value in figures.items())


# ---- kinds of work ---------------------------------------------------------------------------------------


async def posts(port: int, talks: list[Talk], seconds: float) -> tuple[dict[int, int], float]:
    """Each visitor writes as fast as it is answered: how many were taken in each chat, in how many seconds.
    They are numbered from 0; who looks at the database afterwards knows what has to be there."""
    until = time.perf_counter() + seconds

    async def write(talk: Talk) -> int:
        line, taken, headers = Line(port), 0, visitors(talk)
        while time.perf_counter() < until:
            body = b"key=k%d-%d-%d&body=" % (talk.chat, taken, time.time_ns()) + post_mark(talk.chat, taken)
            status, answer = await line.ask("POST", "/chat/messages", headers, body)
            assert status == 200, (status, answer)
            taken += 1
        line.close()
        return taken

    began = time.perf_counter()
    taken = await asyncio.gather(*(write(talk) for talk in talks))
    took = time.perf_counter() - began
    return {talk.chat: count for talk, count in zip(talks, taken, strict=True)}, took


def post_mark(chat: int, number: int) -> bytes:
    return b"mark-cafe-%d-%d-v" % (chat, number)


def faults_in(posted: dict[int, int], there: Sequence[tuple[int, bytes]]) -> dict[str, int]:
    """Of what `posts` was told is taken; `there`: chat and text of each message, in the database's order."""
    found: dict[int, list[int]] = {chat: [] for chat in posted}
    foreign = 0
    for chat, text in there:
        mark = MARK.fullmatch(text)
        if mark and int(mark[2]) == chat and int(mark[3]) < posted.get(chat, 0):
            found[chat].append(int(mark[3]))
        else:
            foreign += 1
    return {
        "lost": sum(posted[chat] - len(set(numbers)) for chat, numbers in found.items()),
        "doubled": sum(len(numbers) - len(set(numbers)) for numbers in found.values()),
        "disordered": sum(numbers != sorted(numbers) for numbers in found.values()),
        "phantom": foreign,
    }


@asynccontextmanager
async def pages(port: int, talks: list[Talk], history: History, sides: str = "cw") -> AsyncIterator[None]:
    """Everybody has its page open: a (c)onsole per agent, a (w)indow per visitor."""
    consoles = {talk.cookie: talk for talk in talks if "c" in sides}
    drawn = asyncio.Semaphore(0)
    how = [("/console/stream", agents(talk), "/console/beat", "a") for talk in consoles.values()]
    how += [("/chat/stream?after=0", visitors(talk), "/chat/beat", "v") for talk in talks if "w" in sides]
    streams = [
        asyncio.create_task(stay(port, path, headers, beat, history, side, drawn))
        for path, headers, beat, side in how
    ]
    for _page in streams:
        await drawn.acquire()
    await asyncio.sleep(SETTLED_S)
    yield
    for task in streams:
        assert not task.done(), task.result()
        task.cancel()


async def turns(port: int, talks: list[Talk], seconds: float, history: History) -> None:
    """In each chat one message a second goes each way."""
    share = 1 / len(talks)
    await asyncio.gather(*(converse(port, talk, i * share, seconds, history) for i, talk in enumerate(talks)))
    await asyncio.sleep(1)


async def stay(
    port: int,
    path: str,
    headers: str,
    beat: str,
    history: History,
    side: str,
    drawn: asyncio.Semaphore | None = None,
) -> None:
    """Reads, and answers the beats. `drawn` is let go when the page shows what there is."""
    line, beats = Line(port), set[asyncio.Task[object]]()

    def hear(event: bytes) -> None:
        nonlocal drawn
        if event.startswith(b"event: beat"):
            presence = event.partition(b"data: ")[2].split(b"\r\n")[0]
            beats.add(asyncio.create_task(line.ask("POST", beat, headers, b"beat=" + presence)))
            return
        if drawn:
            drawn.release()
            drawn = None
        history.hear(event, side)

    await follow(port, path, headers, hear)


async def converse(port: int, talk: Talk, offset_s: float, seconds: float, history: History) -> None:
    """By the clock, whether or not the last one has been answered."""
    lines = {"v": Line(port), "a": Line(port)}
    paths = {"v": ("/chat/messages", visitors(talk)), "a": (f"/chats/{talk.chat}/messages", agents(talk))}
    began = time.perf_counter() + offset_s
    for second in range(int(seconds)):
        for half, side in enumerate("va"):
            await asyncio.sleep(max(0.0, began + second + half / 2 - time.perf_counter()))
            number, mark = history.send(talk.chat, side)
            path, headers = paths[side]
            body = b"key=t%d-%d-%d%s&body=" % (talk.chat, number, time.time_ns(), side.encode()) + mark
            status, answer = await lines[side].ask("POST", path, headers, body)
            assert status == 200, (status, answer)
