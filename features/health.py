"""Health: what a load balancer, a service manager or a monitor asks.

GET /health         200 when chats can be served, 503 when not
GET /health/live    200 as long as the process answers at all: one that does not wants to be started anew
GET /health/ready   the same as /health, with what is wrong: 503 is for being left alone for a while

Ready is who has a database that answers and takes writes, with the tables of this Balie, room on its disks,
and was not asked to stop. Yes and no is all that is told, and it is looked for once a second at most, however
many ask.
"""

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import structlog
from litestar import HttpMethod, Response, route

import db
from db import rows
from db.settings import settings
from features.access import public

ANSWER_S = 2  # a database slower than this is as good as none
FRESH_S = 1
FULL_BYTES = 50_000_000  # with less nothing can be promised
LOW_BYTES = 1_000_000_000
ASKED = [HttpMethod.GET, HttpMethod.HEAD]  # some monitors want no more than the status
NO_STORE = {"cache-control": "no-store"}

log = structlog.get_logger("balie.health")


@dataclass(frozen=True)
class Found:
    """What a look has brought. All of it has to be so."""

    database: bool = False
    writable: bool = False
    migrated: bool = False
    room: bool = False

    @property
    def good(self) -> bool:
        return self.database and self.writable and self.migrated and self.room


NOTHING = Found()


@dataclass
class Watch:
    """Of this process, from its start."""

    stopping: bool = False
    low: bool = False  # of room, and that has been said
    looked_s: float = 0.0
    found: Found = NOTHING
    look: "asyncio.Task[Found] | None" = field(default=None)


watch = Watch()


@route("/health", http_method=ASKED, guards=[public])
async def health() -> Response[dict[str, Any]]:
    ready = (await now_found()).good and not watch.stopping
    return told({"live": True, "ready": ready}, ready)


@route("/health/live", http_method=ASKED, guards=[public])
async def live() -> Response[dict[str, Any]]:
    return told({"live": True}, True)


@route("/health/ready", http_method=ASKED, guards=[public])
async def ready() -> Response[dict[str, Any]]:
    found = await now_found()
    good = found.good and not watch.stopping
    said = {
        "ready": good,
        "database": found.database,
        "writable": found.writable,
        "migrated": found.migrated,
        "room": found.room,
        "stopping": watch.stopping,
    }
    return told(said, good)


def told(said: dict[str, Any], good: bool) -> Response[dict[str, Any]]:
    return Response(said, status_code=200 if good else 503, headers=NO_STORE)


# ---- looking ---------------------------------------------------------------------------------------------


async def now_found() -> Found:
    """A look that takes too long goes on, and who asks next waits for the same one: a database that hangs is
    not asked ever more."""
    if watch.look is None and monotonic() - watch.looked_s < FRESH_S:
        return watch.found
    watch.look = watch.look or asyncio.create_task(look())
    done, _late = await asyncio.wait([watch.look], timeout=ANSWER_S)
    if not done:
        log.error("the database does not answer in time")
        return NOTHING
    return watch.found


async def look() -> Found:
    try:
        watch.found = await at_the_database(room())
    except Exception as problem:  # whatever it is, chats cannot be served
        log.error("the database does not answer", problem=type(problem).__name__)
        watch.found = NOTHING
    watch.looked_s, watch.look = monotonic(), None
    return watch.found


async def at_the_database(room: bool) -> Found:
    applied = {row["name"] for row in await db.sql("SELECT name FROM migration")}
    return Found(True, await is_writable(), applied == set(rows.migrated()), room)


async def is_writable() -> bool:
    """Nothing is written: SQLite lets nobody begin to write who could not, PostgreSQL says so."""
    try:
        async with db.transaction():
            if db.dialect() == "sqlite":
                return True
            (said,) = await db.sql("SHOW transaction_read_only")
            return bool(said["transaction_read_only"] == "off")
    except Exception as problem:
        log.error("the database takes no writes", problem=type(problem).__name__)
        return False


def room() -> bool:
    """On the disks that are written to."""
    free = min(shutil.disk_usage(place).free for place in places())
    if free < LOW_BYTES and not watch.low:
        log.warning("the disk is nearly full", megabytes=free // 1_000_000)
    watch.low = free < LOW_BYTES
    return free >= FULL_BYTES


def places() -> list[Path]:
    data, url = Path(settings.data), settings.database_url
    return [data, Path(url.removeprefix("sqlite:///")).parent] if url.startswith("sqlite") else [data]


async def begin() -> None:
    global watch
    watch = Watch()


def stop() -> None:
    """Called from a signal handler."""
    watch.stopping = True


starts = [begin]
stops = [stop]
routes = [health, live, ready]
