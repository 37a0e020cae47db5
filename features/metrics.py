"""Metrics: how the desk is doing, for Prometheus or whatever else reads its format.

GET /metrics   with the token that BALIE_METRICS_TOKEN says; without that setting there is no such page

It is no page for everybody: how busy a desk is, and which queues it has, is nobody else's business. Nor would
it do to trust the machine itself, since behind a web server all the world comes from there.

What is in the database is told once. What each process has for itself (streams, counts, memory) is told by
each, under its own `process`, so that a sum over them is the desk: with several, each leaves its own on disk
every few seconds, and whichever is asked tells all of them.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from litestar import Response, get
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, NotFoundException
from litestar.handlers.base import BaseRouteHandler
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

import db
from db import waits
from db.clock import now
from db.settings import settings
from features import button, counters, live

SHARE_S = 5
FORGOTTEN_S = 3 * SHARE_S  # a process that has not been heard of for so long is gone
PATIENCE_S = 2  # for the database

log = structlog.get_logger(__name__)


async def monitor(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """For whoever knows the token of BALIE_METRICS_TOKEN."""
    if not settings.metrics_token:
        raise NotFoundException
    scheme, _sep, token = connection.headers.get("authorization", "").partition(" ")
    right = secrets.compare_digest(token.encode(), settings.metrics_token.encode())
    if scheme.lower() != "bearer" or not right:
        raise NotAuthorizedException


@get("/metrics", guards=[monitor])
async def index() -> Response[bytes]:
    told = CollectorRegistry()
    told.register(Told([*await of_the_desk(), *together(others() | {name(): own()})]))
    return Response(generate_latest(told), headers={"content-type": CONTENT_TYPE_LATEST})


class Told(Collector):
    """What has been found, ready to be written."""

    def __init__(self, found: list[Metric]) -> None:
        self.found = found

    def collect(self) -> list[Metric]:
        return self.found


# ---- the desk: the same from whichever process -----------------------------------------------------------

QUEUES = "SELECT id, name, green FROM queue ORDER BY id"
WAITING = "SELECT queue, ticket_at FROM chat WHERE state = 'waiting'"
STATES = (
    "SELECT state, count(*) AS n FROM chat WHERE state IN ('forming', 'waiting', 'active') GROUP BY state"
)
ASKED = "SELECT count(*) AS n FROM reservation WHERE outcome = ''"
LETTERS = "SELECT asked_at FROM mail WHERE next_attempt_at IS NOT NULL"
READY = "SELECT count(*) AS n FROM readiness WHERE ready AND gone_at IS NULL"


async def of_the_desk() -> list[Metric]:
    up = GaugeMetricFamily("balie_database_up", "Whether the database answers", 1)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return [up, *await work()]
    except Exception as problem:  # the process can still be looked at
        log.warning("the database could not be asked for metrics", problem=type(problem).__name__)
        return [GaugeMetricFamily("balie_database_up", "Whether the database answers", 0)]


async def work() -> list[Metric]:
    chats = GaugeMetricFamily("balie_chats", "Conversations that have not ended", labels=["state"])
    states = {row["state"]: row["n"] for row in await db.sql(STATES)}
    for state in ("forming", "waiting", "active"):
        chats.add_metric([state], states.get(state, 0))
    letters = [row["asked_at"] for row in await db.sql(LETTERS)]
    return [
        chats,
        *await lines(),
        gauge("balie_reservations", "Chats that an agent is being asked to take", await one(ASKED)),
        gauge("balie_agents_ready", "Agents who can be asked to take a chat", await one(READY)),
        gauge("balie_mail_queue", "Letters that wait to be sent", len(letters)),
        gauge("balie_mail_oldest_seconds", "How long the oldest of them has waited", longest(letters)),
    ]


async def lines() -> list[Metric]:
    """Of each queue, by its number: what it is called says another series, as Prometheus has it."""
    label = ["queue"]
    waiting = GaugeMetricFamily("balie_waiting", "Chats that wait", labels=label)
    oldest = GaugeMetricFamily("balie_waiting_oldest_seconds", "How long the first has waited", labels=label)
    green = GaugeMetricFamily("balie_queue_green", "Whether there is a place", labels=label)
    called = GaugeMetricFamily("balie_queue_info", "What a queue is called", labels=["queue", "name"])
    tickets = await db.sql(WAITING)
    for row in await db.sql(QUEUES):
        queue = [str(row["id"])]
        mine = [ticket["ticket_at"] for ticket in tickets if ticket["queue"] == row["id"]]
        waiting.add_metric(queue, len(mine))
        oldest.add_metric(queue, longest(mine))
        green.add_metric(queue, int(row["green"]))
        called.add_metric([*queue, row["name"]], 1)
    return [waiting, oldest, green, called]


async def one(query: str) -> int:
    return int((await db.sql(query))[0]["n"])


def longest(since: list[datetime]) -> float:
    return max(0.0, (now() - min(since)).total_seconds()) if since else 0.0


def gauge(called: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(called, about, value)


# ---- a process -------------------------------------------------------------------------------------------


class Here(Collector):
    """What is open and waiting in this process, at the moment that it is asked."""

    def collect(self) -> Iterator[Metric]:
        streams = GaugeMetricFamily("balie_streams", "Open streams", labels=["kind"])
        kinds = Counter(type(viewer).__name__.lower() for viewer in live.streams.values())
        kinds["button"] = sum(len(board.lines) for board in button.boards.values())
        for kind in ("button", "window", "console"):
            streams.add_metric([kind], kinds[kind])
        yield streams
        yield gauge("balie_bus_topics", "What somebody follows", len(live.subscriptions))
        behind = max((len(each.backlog) for each in live.streams), default=0)
        yield gauge("balie_bus_backlog", "Events that the slowest reader is behind", behind)
        about = "Transactions that wait for their turn; on PostgreSQL all that wait for a connection"
        yield gauge("balie_database_waiting", about, waits.line.waiting)
        about = "Those who have had their turn, or their connection"
        yield CounterMetricFamily("balie_database_turns", about, value=waits.line.served)
        about = "How long they waited for it, together"
        yield CounterMetricFamily("balie_database_waited_seconds", about, value=waits.line.seconds)
        free = shutil.disk_usage(settings.data).free
        yield gauge("balie_disk_free_bytes", "Room on the disk of the data directory", free)
        with contextlib.suppress(RuntimeError):  # it is closed
            connections = GaugeMetricFamily("balie_database_connections", "Connections", labels=["state"])
            held, idle = db.connections()
            connections.add_metric(["busy"], held - idle)
            connections.add_metric(["idle"], idle)
            yield connections


counters.collect(Here())
ProcessCollector(registry=counters.registry)
PlatformCollector(registry=counters.registry)
GCCollector(registry=counters.registry)


def own() -> str:
    return generate_latest(counters.registry).decode()


def together(told: dict[str, str]) -> list[Metric]:
    """The series of all processes, each under its name; one that is alone needs none."""
    families: dict[str, Metric] = {}
    for process, text in told.items():
        label = {"process": process} if len(told) > 1 else {}
        for family in text_string_to_metric_families(text):
            into = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            into.samples += [each._replace(labels=each.labels | label) for each in family.samples]
    return list(families.values())


# ---- several processes -----------------------------------------------------------------------------------


def name() -> str:
    return str(os.getpid())


def folder() -> Path:
    return Path(settings.data) / "metrics"


def others() -> dict[str, str]:
    told = {}
    for path in folder().glob("*.prom"):
        with contextlib.suppress(OSError):  # it has just ended
            if time.time() - path.stat().st_mtime < FORGOTTEN_S:
                told[path.stem] = path.read_text()
    return told


async def share(stop: asyncio.Event) -> None:
    """Only where there are several: one that is alone writes nothing."""
    if not (several() and settings.metrics_token):
        return
    mine = folder() / f"{name()}.prom"
    try:
        while not stop.is_set():
            try:
                await asyncio.to_thread(leave, mine, own())
            except OSError:  # a full disk must not end it
                log.warning("metrics could not be shared")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SHARE_S)
    finally:
        mine.unlink(missing_ok=True)


def leave(place: Path, text: str) -> None:
    place.parent.mkdir(mode=0o700, exist_ok=True)
    for path in place.parent.glob("*.prom"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > FORGOTTEN_S:
                path.unlink()  # of one that was killed
    written = place.with_suffix(".new")
    written.write_text(text)
    written.replace(place)


def several() -> bool:
    return int(getattr(settings, "workers", 1)) > 1


tasks = [share]
routes = [index]
