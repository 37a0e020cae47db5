"""Button: what stands on a host page. A stream tells each page whether it is green, and how it looks.

    GET /widget/{key}/status   whether somebody can take a chat, as long as a page looks

Thousands of host pages may look at the same button. All of them are sent the same bytes, so a page costs a
connection and no more: no task beside the one that waits for it to go away, no queue, no timer of its own.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from litestar import MediaType, get
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Receive, Scope, Send

import db
from db.tables import Widget
from features import desk, live, themes
from features.access import public
from features.routing import ButtonTurned
from features.widget import WidgetChanged
from layouts import HERE, LANGUAGES, _, ngettext, speaking

REPEAT_S = 20  # a page that has heard nothing for twice as long connects anew
RECHECK_S = 3  # should a turn ever go unheard

SHEET = " ".join((HERE.parent / "static" / "embed.css").read_text("utf-8").split("*/")[-1].split())

log = structlog.get_logger("balie.button")


class Line:
    """A host page that looks."""

    __slots__ = ("dropped", "send", "task")

    def __init__(self, send: Send) -> None:
        self.send = send
        self.task = asyncio.current_task()
        self.dropped = False

    def tell(self, message: Any) -> None:
        """Send without waiting: a server waits only for a reader whose buffer is full; that one is let go."""
        steps = self.send(message).__await__()
        try:
            next(steps)
        except StopIteration:
            return
        except Exception as problem:
            log.info("page_lost", problem=type(problem).__name__)
        else:
            steps.close()
        self.dropped = True
        if self.task:
            self.task.cancel()


@dataclass(eq=False)
class Board:
    """What the pages with one widget are told; and, as an ASGI application, how each of them hears it."""

    green: bool
    look: bytes
    first: bytes
    lines: set[Line] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        told = b""
        while told is not self.first:  # it may turn while we write
            told = self.first
            await send(body(told))
        if closing:
            return await send(body(b"", more=False))
        line = Line(send)
        self.lines.add(line)
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if not line.dropped:
                raise
        finally:
            self.lines.discard(line)

    def tell(self, data: bytes, more: bool = True) -> None:
        message = body(data, more)
        for line in tuple(self.lines):
            line.tell(message)


boards: dict[str, Board] = {}
loop: asyncio.AbstractEventLoop | None = None
closing = False


@get("/widget/{key:str}/status", guards=[public])
async def status(key: FromPath[str]) -> ASGIApp:
    if board := await board_of(key):
        return board
    words = _("There is no widget with this key.").encode()
    anyone = {"Access-Control-Allow-Origin": "*"}
    return ASGIResponse(body=words, status_code=404, media_type=MediaType.TEXT, headers=anyone)


START: Any = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"access-control-allow-origin", b"*"),
        (b"x-accel-buffering", b"no"),
    ],
}


def body(data: bytes, more: bool = True) -> Any:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def board_of(key: str) -> Board | None:
    if key not in boards:  # just made, or wrong
        await refresh()
    return boards.get(key)


GREEN = (
    "SELECT DISTINCT widget.key AS key FROM widget"
    " JOIN subject ON subject.widget = widget.id JOIN queue ON queue.id = subject.queue WHERE queue.green"
)


LOOK = [Widget.key, Widget.language, Widget.info_url, Widget.colours, Widget.button]
LOOK += [Widget.clear_bottom, Widget.clear_right]


@dataclass
class Looks:
    """One at a time: of two at once the one that read first might write last, and undo a turn."""

    one: asyncio.Lock = field(default_factory=asyncio.Lock)
    next: asyncio.Task[None] | None = None  # that has not begun


looks = Looks()


async def refresh() -> None:
    """See how things are from now on. Whoever asks while a look is under way waits for the next, which is one
    for all."""
    if looks.next is None:
        looks.next = asyncio.create_task(look())
    await asyncio.shield(looks.next)  # others may be waiting for it


async def look() -> None:
    async with looks.one:
        looks.next = None
        await read()


async def read() -> None:
    """Which buttons are green; tell those who look at one that has turned."""
    green = {row["key"] for row in await db.sql(GREEN)}
    widgets = await Widget.select(*LOOK)
    for row in widgets:
        update(row["key"], row["key"] in green, look_of(row))
    for key in boards.keys() - {row["key"] for row in widgets}:
        boards.pop(key).tell(b"", more=False)


def look_of(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "language": row["language"],
        "info": row["info_url"],
        "style": themes.of_button(json.loads(row["colours"])),
        "sheet": SHEET,
        "offset": f"{row['clear_bottom']} {row['clear_right']}",
        "texts": texts(json.loads(row["button"])),
    }


def update(key: str, green: bool, look: dict[str, Any]) -> None:
    seen, first = frame(look), frame({"green": green, **look})
    board = boards.setdefault(key, Board(green, seen, first))
    if board.first == first:
        return
    told = frame({"green": green}) if board.look == seen else first
    board.green, board.look, board.first = green, seen, first
    board.tell(told)


def frame(news: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(news, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def texts(own: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """All that the button says, in every language: the host page chooses. `own`: what an admin says
    instead."""
    said = {}
    for code in LANGUAGES:
        with speaking(code):
            standard = {
                "green": _("Chat with a member of staff"),
                "info": _("Chat unavailable, see the information page"),
                "back": _("Back to your conversation"),
                "away": _("Chat cannot be reached just now. Try again"),
                "wait": _("One moment please…"),
                "one": ngettext("{n} new message", "{n} new messages", 1),
                "many": ngettext("{n} new message", "{n} new messages", 2),
                "title": _("Chat with {desk}").format(desk=desk.facts.name),
            }
        said[code] = {**standard, **own.get(code, {})}
    return said


async def open_up() -> None:
    global loop, closing, looks
    loop, closing, looks = asyncio.get_running_loop(), False, Looks()
    boards.clear()
    await refresh()


async def keep_current(stop: asyncio.Event) -> None:
    """Follow what routing finds; repeat it now and then, so that a page can tell silence from a dead line."""
    clock = asyncio.get_running_loop().time
    repeat_at = clock() + REPEAT_S
    with live.subscribed("desk") as news:
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _stopping: news.put(live.Connected()))
        while not stop.is_set():
            await turned(news)
            try:
                await refresh()
            except Exception:  # the next look may succeed
                log.exception("refresh_failed")
            if clock() >= repeat_at:
                repeat_at = clock() + REPEAT_S
                for board in boards.values():
                    board.tell(frame({"green": board.green}))


async def turned(news: live.Subscription) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RECHECK_S):
            while not any(
                isinstance(event, ButtonTurned | WidgetChanged | live.Connected)
                for event in await news.batch()
            ):
                pass


def shut() -> None:
    """Let everybody go: open streams would hold back a stop. Called from a signal handler."""
    if loop and not loop.is_closed():
        loop.call_soon_threadsafe(end_all)


def end_all() -> None:
    global closing
    closing = True  # for who comes now
    for board in boards.values():
        board.tell(b"", more=False)


starts = [open_up]
tasks = [keep_current]
stops = [shut]
routes = [status]
