"""Live updates: what a stream tells a page, in which order, and that it never leaves one in silence."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest
import structlog
from markupsafe import Markup

import features
from db.tables import Chat
from features import lines, live
from features.messages import MessagePosted
from layouts import _
from tests import scenes
from tests.conftest import Desk
from tests.streams import SOON_S


class Rang(live.Event, frozen=True):
    """Something that only this file's page shows."""

    number: int


@dataclass
class Reader:
    """Whoever looks at the page of this file."""

    language: str = "nl"
    cursor: str = "0"
    presence: str = "hier"
    subscription: live.Subscription = field(default_factory=live.Subscription)
    life: list[str] = field(default_factory=list)

    def topics(self) -> Iterable[str]:
        return ("bel",)

    def read(self) -> dict[str, int]:
        return {}

    async def opened(self) -> None:
        self.life.append("opened")

    async def closed(self) -> None:
        self.life.append("closed")


async def name_it(viewer: Reader, event: Any) -> Markup:
    return Markup("<p>{} {}</p>").format(type(event).__name__, getattr(event, "number", ""))


class Draw(Protocol):
    def __call__(self, *events: type[live.Event]) -> Callable[[live.Redraw], live.Redraw]: ...


@pytest.fixture
def draw() -> Iterator[Draw]:
    """Registers a redraw of this file's page, for the length of a test. No server is being stopped here."""
    live.stopping = False

    def register(*events: type[live.Event]) -> Callable[[live.Redraw], live.Redraw]:
        return live.on(*events, page="proef")

    register(live.Connected)(name_it)
    yield register
    for place in [place for place in live.redraws if place[0] == "proef"]:
        del live.redraws[place]


class Page:
    """What has come over the stream, and what comes next."""

    def __init__(self, stream: AsyncIterator[dict[str, Any]]) -> None:
        self.stream = stream

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(SOON_S):
            return await anext(self.stream)

    async def silent(self) -> bool:
        """Nothing comes, even when everything that could come has had its turn."""
        task = asyncio.ensure_future(anext(self.stream))
        for _turn in range(20):
            await asyncio.sleep(0)
        done = task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
            await task
        return not done


@contextlib.asynccontextmanager
async def reading(reader: Reader) -> AsyncIterator[Page]:
    """An open stream whose first messages have been read: the beat, and the redraw of everything."""
    stream = live.stream("proef", reader)
    page = Page(stream)
    assert await page.next() == {"event": "beat", "data": "hier", "retry": live.RECONNECT_MS}
    assert await page.next() == {"data": "<p>Connected </p>"}
    try:
        yield page
    finally:
        await stream.aclose()  # type: ignore[attr-defined]
        await live.finished()


# ---- a stream, from its opening to its end ---------------------------------------------------------------


async def test_a_page_is_drawn_whole_and_then_follows_in_order(draw: Draw) -> None:
    draw(Rang)(name_it)
    async with reading(Reader()) as page:
        for number in (2, 1, 3):
            live.publish("bel", Rang(number))
        assert [(await page.next())["data"] for _event in range(3)] == [f"<p>Rang {n}</p>" for n in (2, 1, 3)]


async def test_what_happens_during_the_first_look_is_told_after_it(draw: Draw) -> None:
    @draw(live.Connected)
    async def look(viewer: Reader, event: live.Event) -> None:
        live.publish("bel", Rang(1))

    draw(Rang)(name_it)
    async with reading(Reader()) as page:
        assert await page.next() == {"data": "<p>Rang 1</p>"}


async def test_what_happens_elsewhere_costs_nothing(draw: Draw) -> None:
    draw(Rang)(name_it)
    async with reading(Reader()) as page:
        live.publish("een ander", Rang(1))
        assert await page.silent()
    async with reading(Reader()) as page:
        live.publish("bel", Rang(1))
        assert (await page.next())["data"] == "<p>Rang 1</p>"


async def test_equal_facts_are_told_once(draw: Draw) -> None:
    draw(Rang)(name_it)
    async with reading(Reader()) as page:
        for _time in range(5):
            live.publish("bel", Rang(1))
        live.publish("bel", Rang(2))
        assert [(await page.next())["data"] for _event in range(2)] == ["<p>Rang 1</p>", "<p>Rang 2</p>"]


async def test_only_what_moves_the_cursor_carries_an_id(draw: Draw) -> None:
    @draw(Rang)
    async def redraw(viewer: Reader, event: Rang) -> Markup:
        if event.number > 1:
            viewer.cursor = str(event.number)
        return Markup("<p></p>")

    async with reading(Reader()) as page:
        live.publish("bel", Rang(1))
        assert "id" not in await page.next()
        live.publish("bel", Rang(7))
        assert (await page.next())["id"] == "7"


async def test_each_reader_is_spoken_to_in_its_own_language(draw: Draw) -> None:
    @draw(Rang)
    async def redraw(viewer: Reader, event: Rang) -> Markup:
        return Markup(_("Not connected"))

    for language, words in (("nl", "Niet verbonden"), ("fr", "Non connecté")):
        async with reading(Reader(language)) as page:
            live.publish("bel", Rang(1))
            assert (await page.next())["data"] == words


async def test_a_redraw_that_fails_is_logged_and_the_rest_of_the_page_lives(draw: Draw) -> None:
    @draw(Rang)
    async def broken(viewer: Reader, event: Rang) -> Markup:
        raise ZeroDivisionError

    draw(Rang)(name_it)
    with structlog.testing.capture_logs() as logs:
        async with reading(Reader()) as page:
            for number in (1, 2):
                live.publish("bel", Rang(number))
                assert (await page.next())["data"] == f"<p>Rang {number}</p>"
    assert [(entry["event"], entry["happened"]) for entry in logs] == [("redraw failed", "Rang")] * 2
    assert "broken" in logs[0]["redraw"]


async def test_what_could_not_be_drawn_is_drawn_a_little_later(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database may have been away for a moment."""
    monkeypatch.setattr(live, "AGAIN_S", 0.01)
    failures = [ConnectionError("away"), ConnectionError("still away")]

    @draw(Rang)
    async def at_the_third_try(viewer: Reader, event: Rang) -> Markup:
        if failures:
            raise failures.pop()
        return await name_it(viewer, event)

    async with reading(Reader()) as page:
        live.publish("bel", Rang(1))
        assert await page.next() == {"data": "<p>Rang 1</p>"}
        assert await page.silent()


async def test_who_had_to_wait_for_it_once_does_not_wait_longer_the_next_time(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor because much could not be drawn at once."""
    monkeypatch.setattr(live, "AGAIN_S", 0.01)
    tries: list[int] = []

    async def at_the_second_try(viewer: Reader, event: Rang) -> Markup | None:
        tries.append(event.number)
        if len(tries) % 6 in (1, 2, 3):
            raise ConnectionError("away")
        return await name_it(viewer, event)

    for _part in range(3):
        draw(Rang)(at_the_second_try)
    with structlog.testing.capture_logs():
        async with reading(Reader()) as page:
            for _time in range(14):
                live.publish("bel", Rang(1))
                assert await page.next() == {"data": "<p>Rang 1</p>" * 3}


async def test_what_goes_on_failing_is_tried_less_and_less_whatever_else_succeeds(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "AGAIN_S", 0.01)
    clock = asyncio.get_running_loop().time
    tried: list[float] = []

    @draw(Rang)
    async def broken(viewer: Reader, event: Rang) -> Markup | None:
        if event.number:
            return await name_it(viewer, event)
        tried.append(clock())
        live.publish("bel", Rang(len(tried)))
        raise ZeroDivisionError

    with structlog.testing.capture_logs():
        async with reading(Reader()) as page:
            live.publish("bel", Rang(0))
            for number in range(1, 5):
                assert await page.next() == {"data": f"<p>Rang {number}</p>"}
    assert tried[3] - tried[2] > 0.03


async def test_a_beat_is_not_made_up_for(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one comes anyway; each that was, too, would go on beating."""
    monkeypatch.setattr(live, "AGAIN_S", 0.01)
    failures = [ConnectionError("away"), ConnectionError("away")]

    @draw(live.Ticked, Rang)
    async def at_the_third_try(viewer: Reader, event: live.Event) -> Markup:
        if failures:
            raise failures.pop()
        return await name_it(viewer, event)

    reader = Reader()
    async with reading(reader) as page:
        reader.subscription.put(live.Ticked())
        assert (await page.next())["event"] == "beat"
        live.publish("bel", Rang(1))
        assert await page.next() == {"data": "<p>Rang 1</p>"}
        assert await page.silent()


async def test_a_page_that_was_not_given_what_it_is_taken_to_have_comes_back_for_it(draw: Draw) -> None:
    """From the last that it was given: nothing with a later position reaches it."""

    @draw(Rang)
    async def fails_at_the_end(viewer: Reader, event: Rang) -> Markup:
        viewer.cursor = f"{event.number}"
        if event.number == 2:
            raise ConnectionError("away")
        return await name_it(viewer, event)

    async with reading(Reader()) as page:
        for number in (1, 2, 3):
            live.publish("bel", Rang(number))
        assert await page.next() == {"data": "<p>Rang 1</p>", "id": "1"}
        said = await page.next()
        assert (said["event"], said["data"]) == ("stopped", "restart")
        with pytest.raises(StopAsyncIteration):
            await page.next()


async def test_the_beat_goes_on_and_brings_what_was_held_back(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT_S", 0.05)
    draw(live.Ticked)(name_it)
    async with reading(Reader()) as page:
        came = [await page.next() for _message in range(4)]
    assert came == [{"event": "beat", "data": "hier"}, {"data": "<p>Ticked </p>"}] * 2


async def test_a_closed_stream_leaves_nothing_behind(draw: Draw) -> None:
    reader = Reader()
    async with reading(reader):
        assert reader.subscription in live.streams
        assert "bel" in live.subscriptions
    assert reader.life == ["opened", "closed"]
    assert reader.subscription not in live.streams
    assert "bel" not in live.subscriptions


# ---- who cannot keep up, and who must go -----------------------------------------------------------------


async def test_who_falls_behind_is_told_to_look_again_and_hears_what_follows(draw: Draw) -> None:
    draw(Rang)(name_it)
    async with reading(Reader()) as page:
        for number in range(live.BACKLOG + 50):
            live.publish("bel", Rang(number))
        assert await page.next() == {"data": "<p>Connected </p>"}
        live.publish("bel", Rang(999))
        assert await page.next() == {"data": "<p>Rang 999</p>"}


async def test_up_to_that_nothing_is_left_out(draw: Draw) -> None:
    draw(Rang)(name_it)
    async with reading(Reader()) as page:
        for number in range(live.BACKLOG):
            live.publish("bel", Rang(number))
        assert [(await page.next())["data"] for _event in range(live.BACKLOG)] == [
            f"<p>Rang {number}</p>" for number in range(live.BACKLOG)
        ]


@pytest.mark.parametrize("flood", [0, 1000], ids=["looking again", "behind"])
async def test_the_end_of_a_stream_is_never_lost(draw: Draw, flood: int) -> None:
    reader = Reader()
    async with reading(reader) as page:
        reader.subscription.put(live.Connected())
        live.stop("restart")
        for number in range(flood):
            live.publish("bel", Rang(number))
        assert await page.next() == {"data": "<p>Connected </p>"}
        last = await page.next()
        assert (last["event"], last["data"]) == ("stopped", "restart")
        with pytest.raises(StopAsyncIteration):
            await page.next()


async def test_a_stop_of_the_server_ends_every_page(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        for stop in features.each("stops"):
            stop()
        for stream in (talk.window, talk.console):
            await stream.wait_for_end()
            assert (stream.events[-1].name, stream.events[-1].data) == ("stopped", "restart")


async def test_who_comes_while_the_server_stops_is_sent_on(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        live.stop()
        await talk.window.wait_for_end()
        async with talk.jef.stream() as late:
            await late.wait_for_end()
            assert (late.events[-1].name, late.events[-1].data) == ("stopped", "restart")
        assert not await Chat.exists().where(Chat.visitor_gone_at.is_not_null()), "nor has its visitor left"


async def test_many_who_are_given_up_at_once_do_not_come_back_at_once(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been the server that was asleep."""
    monkeypatch.setattr(live, "COME_BACK_MS", 1_000)
    came = []
    async with contextlib.AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(reading(Reader())) for _page in range(8)]
        live.give_up("hier")
        for page in pages:
            came.append(await page.next())
    assert {(said["event"], said["data"]) for said in came} == {("stopped", "gone")}
    assert len({said["retry"] for said in came}) > 4


async def test_a_flood_leaves_the_pages_of_a_chat_as_they_should_be(desk: Desk) -> None:
    async with scenes.live(desk) as talk:
        before = len(talk.window.events)
        topic = f"chat:{talk.chat}"
        for number in range(live.BACKLOG + 50):
            live.publish(topic, Rang(number))
        live.publish(topic, MessagePosted(int(talk.chat)))
        await talk.an.say(talk.chat, "Nog steeds hier.")
        await talk.window.wait_for("Nog steeds hier.")
        assert any('id="status"' in event.data for event in talk.window.events[before:]), "drawn whole"


async def test_who_reads_nothing_is_cut_off_and_has_left(draw: Draw) -> None:
    """Not who has nothing to read."""
    reader, quiet = Reader(), Reader()
    loop = asyncio.get_running_loop()
    never = asyncio.Event()

    async def stuck(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await never.wait()

    async def taken(message: dict[str, Any]) -> None:
        pass

    open_ones = [
        loop.create_task(live.response("proef", who)({"type": "http", "method": "GET"}, never.wait, send))  # type: ignore[arg-type]
        for who, send in ((reader, stuck), (quiet, taken))
    ]
    await scenes.eventually_true(is_sending)
    lines.cut_off(loop.time() + lines.SEND_TIMEOUT_S - 1)
    await asyncio.sleep(0)
    assert not any(line.done() for line in open_ones), "there is still time"
    lines.cut_off(loop.time() + lines.SEND_TIMEOUT_S + 1)
    with pytest.raises(asyncio.CancelledError):
        await open_ones[0]
    await live.finished()
    assert reader.life == ["opened", "closed"]
    assert quiet.life == ["opened"]
    open_ones[1].cancel()
    await asyncio.gather(open_ones[1], return_exceptions=True)


async def is_sending() -> bool:
    return any(line.sending_since for line in lines.lines)


async def test_who_goes_has_left_at_once(draw: Draw) -> None:
    reader, gone = Reader(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def taken(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            gone.set()

    async with asyncio.timeout(SOON_S):
        await live.response("proef", reader)({"type": "http", "method": "GET"}, receive, taken)  # type: ignore[arg-type]
    await live.finished()
    assert reader.life == ["opened", "closed"]
    assert reader.subscription not in live.streams


# ---- the answer ------------------------------------------------------------------------------------------


async def test_a_stream_is_never_kept_or_collected_on_its_way(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    for person, path in ((talk.jef, "/chat/stream"), (talk.an, "/console/stream")):
        async with person.client.stream("GET", path) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-accel-buffering"] == "no"
            assert "content-security-policy" in answer.headers


async def test_text_cannot_end_a_message_of_the_stream(desk: Desk) -> None:
    """A line of its own in the text is no line of the protocol."""
    evil = "een\n\ndata: <b>twee</b>\nevent: stopped\r\nid: 99\u2028drie"
    async with scenes.live(desk) as talk:
        await talk.an.say(talk.chat, evil)
        await talk.window.wait_for("drie")
        assert all(event.name != "stopped" for event in talk.window.events)
        assert talk.window.last_id == "3"
        assert not talk.jef.screen.has("#thread .bubble b")
