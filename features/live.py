"""Live updates: the bus, and one event stream per page.

A verb publishes what happened, after its commit; features say with `@live.on(…)` what a page then redraws;
this module only carries it, to the pages of this process at once and to those of others over the wire of
`db`. Each stream renders for its own viewer, at delivery. Nothing here knows what a chat is.

Nothing stays untold: what could not be drawn is drawn later; who falls behind, and everybody after a cut of
the wire, is told to read all anew; and what is numbered (the threads of a chat) is compared with the pages
every few seconds, should a process have died between a commit and its telling.
"""

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Protocol, Union

import msgspec
import structlog
from markupsafe import Markup
from sse_starlette import EventSourceResponse

import db
from db.away import unless_away
from features import counters, lines, rounds
from layouts import speaking

log = structlog.get_logger(__name__)

BEAT_S = 15  # a page that does not answer two of these is gone (presence)
BACKLOG = 200  # events a slow page may be behind before it is told to read everything anew
NOTED_S = 2
RECONNECT_MS = 500
COME_BACK_MS = 4  # when all are sent away at once, each may come back so much later than the one before
COME_BACK_MOST_MS = 3_000
RECHECK_S = 5
AGAIN_S, AGAIN_MOST_S = 2.0, 60.0
RESTART = "restart"


class Event(msgspec.Struct, frozen=True, tag=True):
    """A fact, named in the past tense. Carries ids, never HTML, never text."""


class Connected(Event, frozen=True):
    """A page opened its stream, or may have missed something: redraw all that it shows."""


class Ticked(Event, frozen=True):
    """A beat has passed: time for what changes by itself, or was held back."""


class Stopped(Event, frozen=True):
    """The stream ends here. `why` is a code that the page knows: restart, signed_out, gone."""

    why: str


class Beat(msgspec.Struct):
    """The page's answer to a beat: the key of its presence. Those that can be guessed are not a page's."""

    beat: Annotated[str, msgspec.Meta(pattern="^(?!expected-)[A-Za-z0-9_-]{1,64}$")] = "none"


class Viewer(Protocol):
    """Whoever holds a stream. `cursor` is what the page has seen; a change of it travels as the SSE id.
    `presence` is what the page sends back to each beat."""

    presence: str
    subscription: "Subscription"

    @property
    def language(self) -> str: ...

    @property
    def cursor(self) -> str: ...

    def topics(self) -> Iterable[str]: ...

    def read(self) -> Mapping[str, int]:
        """Topic → the last number of what is `numbered` there that the page has."""
        ...

    async def opened(self) -> None: ...

    async def closed(self) -> None: ...


Redraw = Callable[[Any, Any], Awaitable[Markup | None]]
redraws: dict[tuple[str, type[Event]], list[Redraw]] = defaultdict(list)


def on(*events: type[Event], page: str) -> Callable[[Redraw], Redraw]:
    """Call the decorated function for every viewer of `page` when one of `events` happens."""

    def register(redraw: Redraw) -> Redraw:
        for event in events:
            redraws[page, event].append(redraw)
        return redraw

    return register


Note = Callable[[Any], object]
noted: dict[type[Event], list[Note]] = defaultdict(list)


def before(*events: type[Event]) -> Callable[[Note], Note]:
    """Call the decorated function when one of `events` is heard of here, before any page is told: what was
    kept of what has changed now is forgotten."""

    def register(take_note: Note) -> Note:
        for event in events:
            noted[event].append(take_note)
        return take_note

    return register


# ---- the bus ---------------------------------------------------------------------------------------------


class Subscription:
    """What one reader hears. Bounded: who falls behind is told to read everything anew, never left in
    silence."""

    __slots__ = ("again_s", "backlog", "topics", "waiting")

    def __init__(self) -> None:
        self.again_s: dict[Event, float] = {}  # how long what could not be drawn waits if it cannot again
        self.topics: set[str] = set()
        self.backlog: dict[
            Event, None
        ] = {}  # equal facts, told once: what is redrawn is the state at delivery
        self.waiting = asyncio.Event()

    def put(self, event: Event) -> None:
        if len(self.backlog) >= BACKLOG:
            counters.behind.inc()
            self.backlog = {Connected(): None, **self.own()}
        self.backlog[event] = None
        self.waiting.set()

    def put_later(self, event: Event) -> None:
        """What could not be drawn now: it may have been the database, which comes back."""
        wait_s = self.again_s.get(event, AGAIN_S)
        self.again_s[event] = min(wait_s * 2, AGAIN_MOST_S)
        asyncio.get_running_loop().call_later(wait_s, self.put, event)

    def drawn(self, event: Event) -> None:
        """At last: should it fail again one day, that is another matter."""
        if isinstance(event, Connected):  # in which everything else is
            self.again_s.clear()
        else:
            self.again_s.pop(event, None)

    async def batch(self) -> list[Event]:
        await self.waiting.wait()
        self.waiting.clear()
        if Connected() in self.backlog:  # all is redrawn: what else has happened is in it
            self.backlog = {Connected(): None, **self.own()}
        events = list(self.backlog)
        self.backlog = {}
        return events

    def own(self) -> dict[Event, None]:
        """What is about the stream itself, and not on the page."""
        return {event: None for event in self.backlog if isinstance(event, Ticked | Stopped)}

    def follow(self, *topics: str) -> None:
        for topic in topics:
            self.topics.add(topic)
            subscriptions[topic].add(self)

    def unfollow(self, *topics: str) -> None:
        for topic in topics:
            self.topics.discard(topic)
            subscriptions[topic].discard(self)
            if not subscriptions[topic]:
                del subscriptions[topic]

    def close(self) -> None:
        self.unfollow(*tuple(self.topics))


subscriptions: dict[str, set[Subscription]] = defaultdict(set)


@contextlib.contextmanager
def subscribed(*topics: str) -> Iterator[Subscription]:
    subscription = Subscription()
    subscription.follow(*topics)
    try:
        yield subscription
    finally:
        subscription.close()


def publish(topic: str, event: Event) -> None:
    """Every page that follows the topic is told, whichever process has its stream."""
    deliver(topic, event)
    if db.has_others():
        db.tell(msgspec.json.encode((topic, event)).decode())


def heed(event: Event) -> None:
    for take_note in noted.get(type(event), ()):
        take_note(event)


def deliver(topic: str, event: Event) -> None:
    heed(event)
    for subscription in tuple(subscriptions.get(topic, ())):
        subscription.put(event)


# ---- other processes -------------------------------------------------------------------------------------


async def listen() -> None:
    """Before anybody reads anything here."""
    known = msgspec.json.Decoder(tuple[str, Union[tuple(events_of(Event))]])  # type: ignore[misc] # noqa: UP007

    def hear(words: str) -> None:
        try:
            deliver(*known.decode(words))
        except msgspec.MsgspecError:  # of another version of Balie, beside which this one runs for a while
            resync()

    await db.listen(hear, resync)


def events_of(kind: type[Event]) -> Iterator[type[Event]]:
    for event in kind.__subclasses__():
        yield event
        yield from events_of(event)


cuts = 0


def resync() -> None:
    """Something may have gone unheard: everybody reads everything anew."""
    global cuts
    cuts += 1
    counters.cut.inc()
    for subscription in {each for followers in subscriptions.values() for each in followers}:
        subscription.put(Connected())


Read = Callable[[list[int]], Awaitable[Mapping[int, int]]]
heads: dict[str, tuple[Read, Callable[[int], Event]]] = {}


def numbered(kind: str, grown: Callable[[int], Event]) -> Callable[[Read], Read]:
    """The decorated function reads the last numbers of the topics "kind:id". A page that has not heard of one
    in time hears it from here."""

    def register(read: Read) -> Read:
        heads[kind] = read, grown
        return read

    return register


async def recheck_all() -> None:
    """All that the pages of this process follow, one query of each kind."""
    for kind in heads:
        await recheck(kind)


async def recheck(kind: str) -> None:
    read, grown = heads[kind]
    followed = {
        (int(topic.partition(":")[2]), subscription): seen
        for subscription, viewer in streams.items()
        for topic, seen in viewer.read().items()
        if topic.partition(":")[0] == kind
    }
    last = await read(sorted({id for id, _subscription in followed})) if followed else {}
    for (id, subscription), seen in followed.items():
        if last.get(id, seen) > seen:
            counters.unheard.inc()
            event = grown(id)
            heed(event)
            subscription.put(event)


# ---- streams ---------------------------------------------------------------------------------------------

streams: dict[Subscription, Viewer] = {}  # all that are open in this process
GONE = "gone"


def response(page: str, viewer: Viewer) -> EventSourceResponse:
    """The stream of one page."""
    return lines.Line(stream(page, viewer), partial(viewer.subscription.put, Stopped(GONE)))


async def stream(page: str, viewer: Viewer) -> AsyncIterator[dict[str, Any]]:
    subscription = viewer.subscription
    sent_away, noting = False, None
    subscription.follow(
        *viewer.topics()
    )  # before the first read, so that nothing happens unseen between the two
    streams[subscription] = viewer
    cursor = viewer.cursor
    loop = asyncio.get_running_loop()
    first_s = BEAT_S * random.uniform(0.5, 1)  # noqa: S311 – those who came together do not beat together
    next_beat = loop.call_later(first_s, subscription.put, Ticked())
    try:
        noting = await note(viewer)
        yield {**(beat(viewer, noting) or {"comment": ""}), "retry": RECONNECT_MS}
        subscription.put(Connected())
        if stopping:
            subscription.put(Stopped(RESTART))
        while True:
            for event in await subscription.batch():
                if isinstance(event, Ticked):
                    next_beat = loop.call_later(BEAT_S, subscription.put, event)
                    if noting.done() and not is_noted(noting):
                        noting = await note(viewer)
                    if said := beat(viewer, noting):
                        yield said
                data = ""
                try:
                    data = await redrawn(page, viewer, event)
                except Untold:
                    event = Stopped(RESTART)
                if data:
                    was, cursor = cursor, viewer.cursor
                    yield {"data": data, "id": cursor} if cursor != was else {"data": data}
                if isinstance(event, Stopped):
                    sent_away = event.why == RESTART
                    yield farewell(event)
                    return
    finally:
        next_beat.cancel()
        del streams[subscription]
        subscription.close()
        if not sent_away:
            afterwards(leave(viewer, noting))


async def note(viewer: Viewer) -> "asyncio.Task[None]":
    """That it is open. Who reads does not wait for whoever holds the database, or for room on the disk."""
    noting = asyncio.get_running_loop().create_task(viewer.opened())
    await asyncio.wait([noting], timeout=NOTED_S)
    return noting


def is_noted(noting: "asyncio.Task[None]") -> bool:
    """False: not yet. A page is asked for no beat before: it would be given up."""
    if not noting.done():
        return False
    with unless_away():
        noting.result()
        return True
    return False


def beat(viewer: Viewer, noting: "asyncio.Task[None]") -> dict[str, Any] | None:
    """From the first that a page is asked for, it may be given up."""
    if not is_noted(noting):
        return None
    viewer.subscription.follow(page_topic(viewer.presence))
    return {"event": "beat", "data": viewer.presence}


async def leave(viewer: Viewer, noting: "asyncio.Task[None] | None") -> None:
    if noting is not None:
        await asyncio.wait([noting])
    with unless_away():  # then it is given up, in its time
        await viewer.closed()


class Untold(Exception):
    """The page is taken to have what it was not given: it comes back, and reads on from what it has."""


async def redrawn(page: str, viewer: Viewer, event: Event) -> str:
    fragments, failed = [], False
    with speaking(viewer.language):
        for redraw in redraws[page, type(event)]:
            was = viewer.cursor
            try:
                fragments.append(await redraw(viewer, event))
            except Exception as problem:  # one broken feature must not silence the others on this page
                counters.failed_redraws.inc()
                log.exception("redraw failed", redraw=redraw.__qualname__, happened=type(event).__name__)
                failed = True
                if viewer.cursor != was:
                    raise Untold from problem
    if not failed:
        viewer.subscription.drawn(event)
    elif not isinstance(event, Ticked):  # the next one comes anyway
        viewer.subscription.put_later(event)
    return "".join(fragment for fragment in fragments if fragment)


def farewell(event: Stopped) -> dict[str, Any]:
    """Pages that are sent away all together do not come back all together."""
    said: dict[str, Any] = {"event": "stopped", "data": event.why}
    if event.why in (RESTART, GONE):  # all are gone together if it was the server that slept
        within_ms = come_back_within_ms if event.why == RESTART else spread_ms()
        said["retry"] = RECONNECT_MS + random.randrange(within_ms + 1)  # noqa: S311 – no secret
    return said


def spread_ms() -> int:
    return min(len(streams) * COME_BACK_MS, COME_BACK_MOST_MS)


PAGE = "page:"


def page_topic(presence: str) -> str:
    return PAGE + presence


def pages() -> set[str]:
    """The presences of those here that may be given up."""
    return {topic.removeprefix(PAGE) for topic in subscriptions if topic.startswith(PAGE)}


def give_up(presence: str) -> None:
    """The page with this presence has fallen silent. Should it only have slept, it comes back by itself."""
    publish(page_topic(presence), Stopped(GONE))


come_back_within_ms = 0
stopping = False


def stop(why: str = RESTART) -> None:
    """End all streams of this process; each page comes back by itself, and its owner has not left."""
    global come_back_within_ms, stopping
    stopping = True  # for who comes now
    come_back_within_ms = spread_ms()
    for subscription in tuple(streams):
        subscription.put(Stopped(why))


# ---- what outlives a stream ------------------------------------------------------------------------------

unfinished: set[asyncio.Task[Any]] = set()


def afterwards(work: Coroutine[Any, Any, Any]) -> None:
    """Run to its end although the stream that asks for it is being cancelled."""
    task = asyncio.get_running_loop().create_task(work)
    unfinished.add(task)
    task.add_done_callback(unfinished.discard)


async def finished() -> None:
    global stopping
    while unfinished:
        await asyncio.gather(*unfinished, return_exceptions=True)
    stopping = False


starts = [listen]
tasks = [rounds.every(RECHECK_S, recheck_all, at_once=False)]
stops = [stop]
ends = [finished]
