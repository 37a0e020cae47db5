"""Counters: what happens in this process, counted where it happens; `metrics` tells it.

Numbers alone, and labels that are few and known beforehand: never what somebody typed, nor who. No URLs.
"""

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.registry import Collector

from db.settings import settings

# By the address that takes a message: who writes there.
POSTS = {
    "/chat/messages": "visitor",
    "/chats/{chat}/messages": "agent",
    "/chats/{chat}/private-messages": "colleague",
}
POST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

log = structlog.get_logger("balie.requests")
disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, which nobody looks at
registry = CollectorRegistry()


def collect(collector: Collector) -> None:
    """Let what only has to be counted when it is asked be told, too."""
    registry.register(collector)


posts = Histogram(
    "balie_post_seconds",
    "From the arrival of a message to its answer, which comes after its commit",
    ["author"],
    buckets=POST_S,
    registry=registry,
)
requests = Counter(
    "balie_requests", "Requests answered, by the first digit of the status", ["status"], registry=registry
)
gaps = Counter(
    "balie_bus_gaps", "News that came by looking for it, not by being told", ["found_by"], registry=registry
)
resyncs = Counter(
    "balie_bus_resyncs", "Readers told to read everything anew, and why", ["why"], registry=registry
)
failed_redraws = Counter(
    "balie_redraws_failed", "Parts of a page that could not be drawn anew", registry=registry
)

_by_status = {f"{first}xx": requests.labels(f"{first}xx") for first in range(1, 6)}
_by_author = {author: posts.labels(author) for author in POSTS.values()}
behind = resyncs.labels("behind")  # a reader that was too slow
cut = resyncs.labels("cut")  # all readers of a process that may not have heard the others
unheard = gaps.labels("recheck")  # a crash between a commit and its telling


def answered(method: str, template: str, status: int, seconds: float) -> None:
    """The first byte of an answer has gone out; of a stream, its beginning."""
    _by_status[f"{status // 100}xx"].inc()
    if method == "POST" and status < 300 and (author := POSTS.get(template)):
        _by_author[author].observe(seconds)
    if settings.log_level == "debug":  # the address as routes write it: what stands in it may open a door
        log.debug("answered", method=method, route=template, status=status, ms=round(seconds * 1000, 1))


answers = [answered]
