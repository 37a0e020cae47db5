"""Balie: the composition root. Settings, the application, the server and its command line. Names no feature.

bin/balie demo     an example desk, to look at
bin/balie serve    the real thing

Features bring commands of their own.
"""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
import uvicorn
from litestar import Litestar, Request, _parsers
from litestar.enums import ScopeType
from litestar.exceptions import ClientException, HTTPException
from litestar.handlers.base import BaseRouteHandler
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.types import ASGIApp, Message, Receive, Scope, Send

import db
import features
import layouts
import outgoing
import workers
from db import clock, example_desk, holding, logs, rows
from db.away import is_away
from db.complaints import complaint
from db.logs import kind
from db.settings import BadSetting, settings
from layouts import problems
from workers import CannotServe, Place, Rehearsal, Supervisor

VERSION = "0.1.0"  # as in pyproject.toml, which does not come along everywhere
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
]
UNSAFE = re.compile(rb"[^ -~]")
ASKED_LANGUAGE = re.compile(rb"(?:^|&)lang=([A-Za-z]{2})")
DRAIN_S = 5
WORKER_DRAIN_S = 20  # an upload may come to its end: others serve meanwhile
LAST_WORDS_S = 0.5
UNREAD_S = 45
SWITCH_S = 0.001  # how long a thread that has an answer waits for whoever computes
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of malloc.h
KEPT_BYTES = 65_536
AWAY_S = 2  # between one look for a database and the next
INTERRUPTED = 130  # what a shell expects

log = structlog.get_logger("balie")


class Balie(Litestar):
    """Without what Litestar offers besides: a sixth of what an empty desk would weigh, and nobody asks."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def create_app() -> Litestar:
    return Balie(
        route_handlers=features.each("routes"),
        lifespan=[running],
        request_class=Asked,
        exception_handlers={HTTPException: problems.answer, Exception: problems.answer},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=1_000_000,
    )


def remember_no_secrets() -> None:
    """Litestar keeps the last 1,024 forms and cookies that it has parsed: passwords, what people write,
    session tokens. Here each is parsed anew, and forgotten."""
    for name in ("parse_url_encoded_form_data", "parse_cookie_string"):
        remembering = getattr(_parsers, name)
        for module in [each for each in sys.modules.values() if getattr(each, name, None) is remembering]:
            setattr(module, name, remembering.__wrapped__)


remember_no_secrets()


async def authorize(handler: BaseRouteHandler, connection: Any) -> None:
    """Litestar gives each guard a copy of the handler, which costs more than the guard. Ours change none."""
    for guard in handler.resolve_guards():
        await guard(connection, handler)  # type: ignore[misc]


BaseRouteHandler.authorize_connection = authorize  # type: ignore[method-assign,assignment]


class Asked(Request[Any, Any, Any]):
    """What is sent is UTF-8, or it is refused: Litestar would put other characters in its place."""

    async def body(self) -> bytes:
        """With another control character in the place of NUL, which no database keeps."""
        sent = UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], await super().body())
        if b"%" not in sent:
            return sent
        try:
            unquote_to_bytes(sent).decode()
        except UnicodeDecodeError:
            raise ClientException from None
        return sent.replace(b"%00", b"%01")


@contextlib.asynccontextmanager
async def running(app: Litestar) -> AsyncIterator[None]:
    """From the first request to the last: the database, what features prepare, and what they do all the
    time."""
    await db.connect(settings.database_url, beside=app.state.get("beside", False))
    stop = asyncio.Event()
    tasks: list[asyncio.Task[Any]] = []
    try:
        for start in features.each("starts"):
            await start()
        await db.begin_to_serve(orderly=app.state.get("orderly", False))
        tasks = [asyncio.create_task(task(stop), name=task.__qualname__) for task in features.each("tasks")]
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in features.each("ends"):
            await end()
        await db.disconnect()


def dressed(app: ASGIApp) -> ASGIApp:
    """Every answer carries the policy, unless it brings one of its own; every text speaks the language that
    the address asks for (?lang=fr), else the page that sends the request, else the browser. Around the whole
    application: what has no route gets an answer too."""
    answers = features.each("answers")

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return await app(scope, receive, send)
        began = perf_counter()
        scope["path"] = scope["path"].replace("\0", "")
        wanted = dict(scope["headers"])
        chosen = ASKED_LANGUAGE.search(scope["query_string"])
        asked = (chosen and chosen[1]) or wanted.get(b"x-language") or wanted.get(b"accept-language") or b""
        layouts.language.set(layouts.best_language(asked.decode("latin-1"), layouts.own_language))

        async def dress(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _value in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in HEADERS if pair[0] not in own)]
                took, route = perf_counter() - began, str(scope.get("path_template") or "")
                for notice in answers:
                    notice(scope["method"], route, message["status"], took)
            await send(message)

        return await app(scope, receive, dress)

    return serve


class Server(uvicorn.Server):
    """Tells the streams to end before it waits for them: they would hold a stop back for as long as pages are
    open. A worker says when it serves, and goes when its supervisor has gone. Who serves alone begins anew at
    SIGHUP: it goes as a worker does, and keeps the address for the program that it becomes."""

    place: Place | None = None
    loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.rehearsal = Rehearsal()
        self.goes_on = False  # as another program
        self.kept: list[socket.socket] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            cut_who_does_not_read(self)
        if self.started and self.place:
            signal.signal(signal.SIGUSR1, lambda *_: self.soon(db.somebody_died))
            self.place.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Whoever has just been let in by a worker may still ask: the others serve all who come now. Who asks
        one thing after the other, as a web server in front does, is told to go on with them."""
        self.rehearsal.end()
        if self.goes_on:
            self.kept = [each.dup() for each in sockets or []]
        if self.place or self.goes_on:
            for listener in self.servers:
                listener.close()
            self.server_state.default_headers = [
                *self.server_state.default_headers,
                (b"connection", b"close"),
            ]
            await asyncio.sleep(LAST_WORDS_S)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        if self.place and os.getppid() != self.place.parent and not self.should_exit:
            self.handle_exit(signal.SIGTERM, None)
        if self.rehearsal.has_succeeded() and not self.should_exit:
            self.goes_on = self.should_exit = True
            send_pages_away()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.soon(send_pages_away)
        super().handle_exit(sig, frame)

    def handle_reload(self, _signal: int, _frame: FrameType | None) -> None:
        if workers.terminal_has_gone():
            return self.handle_exit(signal.SIGTERM, None)
        self.soon(self.rehearsal.begin)

    def soon(self, work: Callable[[], object]) -> None:
        """A signal comes between any two steps of whatever runs: what it asks for is done after that."""
        if self.loop and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(work)


def send_pages_away() -> None:
    for stop in features.each("stops"):
        stop()


def cut_who_does_not_read(server: Server) -> None:
    """Nor answers: the system ends such a line. Closing it would wait for ever, with all that is to be sent
    kept in memory. Those that are let in have it from the socket that listens."""
    if not hasattr(socket, "TCP_USER_TIMEOUT"):  # only Linux can
        return
    for listener in server.servers:
        for each in listener.sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD_S * 1000))


def server(app: Litestar, **options: Any) -> Server:
    return Server(
        uvicorn.Config(
            dressed(app),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            http=outgoing.Protocol,
            server_header=False,
            timeout_keep_alive=30,
            forwarded_allow_ips=settings.trusted_proxies,
            **{"timeout_graceful_shutdown": DRAIN_S, **options},
        )
    )


# ---- the command line ------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """What cannot be done is said in one line. What is written is for nobody else on this machine."""
    os.umask(0o077)
    try:
        return obey(parser().parse_args(arguments))
    except Exception as problem:
        if (known := complaint(problem)) is None:
            raise
        return complain(*known)


def obey(given: argparse.Namespace) -> int:
    given_settings = {
        name: value
        for name in ("host", "port", "workers", "data")
        if (value := getattr(given, name, None)) is not None
    }
    settings.load(os.environ, demo=given.command == "demo", **given_settings)
    logs.configure(settings.log_level, settings.log_format)
    if given.command in ("serve", "demo"):
        take_place()
        for doubt in settings.doubts(os.environ):
            log.warning(doubt)
    for name, _what, command, *own in features.each("commands"):
        if name == given.command:
            return do(command, chosen(given, own))
    if given_clock := workers.handed_over().get("clock"):
        clock.go_by(*given_clock)
    try:
        sockets = [] if is_rehearsal() else workers.address(settings.host, settings.port)
        asyncio.run(prepare_in_time())
    except CannotServe as error:
        return complain(error, 1)
    app = create_app()
    freeze()
    if is_rehearsal():
        return 0
    return serve_together(app, sockets) if settings.workers > 1 else serve_alone(app, sockets)


def is_rehearsal() -> bool:
    return "rehearsal" in workers.handed_over()


def take_place() -> None:
    """Where the desk is, or will be. Whoever rehearses to take over from a desk leaves it to that one."""
    Path(settings.data).mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_rehearsal():
        holding.hold()


def complain(error: Exception | str, status: int) -> int:
    print(f"balie: {error}", file=sys.stderr)
    return status


def serve_alone(app: Litestar, sockets: list[socket.socket]) -> int:
    alone = server(app)
    if hasattr(signal, "SIGHUP"):  # not on Windows
        signal.signal(signal.SIGHUP, alone.handle_reload)
    alone.run(sockets)
    if alone.kept:
        workers.become_new(alone.kept, [])
    return 0 if alone.started else 1


def serve_together(app: Litestar, sockets: list[socket.socket]) -> int:
    def work(place: Place) -> int:
        app.state.orderly, app.state.beside = place.orderly, place.beside
        one = server(app, timeout_graceful_shutdown=WORKER_DRAIN_S)
        one.place = place
        one.run(place.sockets)
        return 0 if one.started else 1

    return Supervisor(settings.workers, sockets, work).run()


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="balie", description="Live chat for public-service desks.")
    version = f"Balie {VERSION}, tables up to {rows.migrated()[-1]}"
    top.add_argument("--version", action="version", version=version)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serving = [("demo", "serve an example desk, to look at", None), ("serve", "serve your desk", None)]
    for name, what, function, *own in [*serving, *features.each("commands")]:
        command = commands.add_parser(name, help=what, description=what.capitalize() + ".")
        for flag, options in own:
            command.add_argument(flag, **options)
        if function is None:
            command.add_argument("--host", help="address to listen on (BALIE_HOST, 127.0.0.1)")
            command.add_argument("--port", help="port to listen on (BALIE_PORT, 8000)")
            command.add_argument("--workers", help="processes that serve, on PostgreSQL (BALIE_WORKERS, 1)")
        command.add_argument(
            "--data", type=Path, metavar="DIR", help="where everything is kept (BALIE_DATA, ./data)"
        )
    return top


def do(command: Callable[..., Coroutine[Any, Any, int]], arguments: dict[str, Any]) -> int:
    """A feature's command; its exit status."""
    fills, alone = getattr(command, "fills", False), getattr(command, "alone", False)
    if fills:
        take_place()
    elif not alone and (file := holding.desk_file()) and not file.exists():
        return complain(f"there is no desk in {settings.database}: is it another directory or database?", 1)
    work = partial(command, **arguments)
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(work() if alone else obeyed(work))
    return INTERRUPTED


def chosen(given: argparse.Namespace, own: list[tuple[str, Any]]) -> dict[str, Any]:
    """What the command line says for a command's own arguments."""
    names = [flag.lstrip("-").replace("-", "_") for flag, _options in own]
    return {name: getattr(given, name) for name in names}


async def obeyed(command: Callable[[], Awaitable[int]]) -> int:
    """On the database of this desk."""
    await db.connect(settings.database_url)
    try:
        return await command()
    finally:
        await db.disconnect()


async def prepare_in_time() -> None:
    """Who takes over from a program that serves, or still has the address, waits for a database that is away,
    as that one does: to give up would be the end of the desk."""
    began = workers.handed_over()
    while True:
        try:
            return await prepare()
        except Exception as problem:
            if not began.keys() & {"sockets", "rehearsal"} or not is_away(problem):
                raise
            if began.get("rehearsal", os.getppid()) != os.getppid():
                raise  # nobody waits for it any more
            log.warning("the database is away: what ran before goes on", problem=kind(problem))
        await asyncio.sleep(AWAY_S)


async def prepare() -> None:
    """Make the database, and say where to look and how to get in."""
    await db.connect(settings.database_url)
    try:
        if (most := await db.most_processes()) < settings.workers:
            raise BadSetting(f"this database has connections for {most} workers, not for {settings.workers}")
        lines = [f"Balie: {settings.url}"]
        if settings.demo:
            passwords = await example_desk.load(settings.demo_password or None)
            lines += [f"  the button   {settings.url}/demo", f"  the console  {settings.url}/console", ""]
            lines += [f"  {name:<10} {password}" for name, password in (passwords or {}).items()] or [
                "  Passwords were printed at the first start."
            ]
        else:
            await example_desk.empty(settings.desk_name)
            lines += [f"  the console  {settings.url}/console"]
            for say in features.each("welcome"):
                lines += await say(settings.url)
        print("\n".join(lines), flush=True)
    finally:
        await db.disconnect()


def give_memory_back() -> None:
    """What was needed for a moment only, as when everybody comes back at once, goes back to the machine: left
    to itself, glibc keeps as much as it has ever needed. Others have no such setting."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        libc = ctypes.CDLL(None)
        for setting in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD):
            libc.mallopt(setting, KEPT_BYTES)
        libc.malloc_trim(0)


def freeze() -> None:
    """What was made at the start stays: the collector need not look at it again in the middle of a chat."""
    if not settings.demo:
        layouts.warm_up()
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    give_memory_back()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)


if __name__ == "__main__":
    sys.exit(main())
