"""The button's status, its script and the info card, as host pages and visitors get them."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import structlog

import db
from db.tables import Queue, Subject, Widget
from features import button, widget
from tests.conftest import Desk
from tests.people import AgentClient
from tests.streams import SOON_S, Stream, reading


def news(stream: Stream) -> dict[str, Any]:
    """All that a page with this stream knows by now."""
    known: dict[str, Any] = {}
    for event in stream.events:
        known |= json.loads(event.data)
    return known


async def turns(stream: Stream, green: bool) -> None:
    await stream.wait_for(lambda: news(stream)["green"] is green)


@contextlib.asynccontextmanager
async def looking(desk: Desk, key: str = "voorbeeld") -> AsyncIterator[Stream]:
    """A host page with the button on it."""
    async with reading(desk.nobody().client, f"/widget/{key}/status", lambda _event: None, {}) as stream:
        await stream.wait_for("green")
        yield stream


async def at_work(desk: Desk, username: str = "an") -> AgentClient:
    return await desk.agent(username, "Loket")


async def lines(key: str, wanted: int) -> None:
    await becomes(lambda: len(button.boards[key].lines) == wanted)


async def becomes(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not holds():  # noqa: ASYNC110 – nothing tells of it
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each turn: an open page does not find it by looking again."""
    monkeypatch.setattr(button, "RECHECK_S", 3_600)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(button, "REPEAT_S", 0.1)
    monkeypatch.setattr(button, "RECHECK_S", 0.1)


# ---- green and blue --------------------------------------------------------------------------------------


async def test_the_first_frame_says_everything(desk: Desk) -> None:
    async with looking(desk) as stream:
        first = json.loads(stream.events[0].data)
    assert first["green"] is False
    assert first["language"] == "nl"
    assert first["info"] == ""
    assert first["offset"] == "0 0"
    assert ":host" in first["sheet"]
    assert "/*" not in first["sheet"]
    assert first["texts"].keys() == {"nl", "fr", "de", "en"}
    assert first["texts"]["nl"]["green"] == "Chat met een medewerker"
    assert first["texts"]["nl"]["info"] == "Chat niet beschikbaar, bekijk de infofiche"
    assert first["texts"]["nl"]["back"] == "Terug naar uw gesprek"
    assert first["texts"]["fr"]["green"] == "Discuter avec un agent"
    assert first["texts"]["de"]["info"] == "Chat nicht verfügbar, zum Infoblatt"
    assert first["texts"]["en"]["back"] == "Back to your conversation"


async def test_the_button_follows_an_agent(desk: Desk) -> None:
    an = await at_work(desk)
    async with looking(desk) as stream, an.stream():
        assert news(stream)["green"] is False, "an agent begins paused"
        await an.ready()
        await turns(stream, True)
        await an.pause()
        await turns(stream, False)
        await an.ready()
        await turns(stream, True)
        await an.sign_out()
        await turns(stream, False)
    assert all("texts" not in event.data for event in stream.events[1:]), "later frames are short"


async def test_the_button_is_blue_when_every_place_is_taken(desk: Desk) -> None:
    an = await at_work(desk)
    async with contextlib.AsyncExitStack() as stack:
        stream = await stack.enter_async_context(looking(desk, "direct"))
        await stack.enter_async_context(an.stream())
        await an.ready()
        await turns(stream, True)
        for taken in range(3):
            assert news(stream)["green"] is True, f"{taken} of 3 places are taken"
            visitor = desk.visitor(widget="direct")
            await visitor.open()
            await visitor.press()
            await stack.enter_async_context(visitor.stream())
        await turns(stream, False)
        await visitor.end()
        await turns(stream, True)


async def test_whoever_comes_later_is_told_how_it_stands(desk: Desk) -> None:
    an = await at_work(desk)
    async with an.stream():
        await an.ready()
        async with looking(desk) as stream:
            await turns(stream, True)


@pytest.mark.usefixtures("impatient")
async def test_a_turn_that_nobody_told_of_is_found(desk: Desk) -> None:
    async with looking(desk) as stream:
        await Queue.update({Queue.green: True}, force=True)
        await turns(stream, True)


@pytest.mark.usefixtures("impatient")
async def test_the_state_is_repeated_so_that_a_dead_line_is_noticed(desk: Desk) -> None:
    async with looking(desk) as stream:
        await stream.wait_for(lambda: len(stream.events) > 2)
    assert {event.data for event in stream.events[1:]} == {'{"green":false}'}


@pytest.mark.usefixtures("impatient")
async def test_new_settings_reach_open_pages(desk: Desk) -> None:
    async with looking(desk) as stream:
        await Widget.update({Widget.info_url: "https://www.voorbeeld.be/contact"}).where(
            Widget.key == "voorbeeld"
        )
        await stream.wait_for(lambda: news(stream)["info"] == "https://www.voorbeeld.be/contact")


async def test_a_new_widget_needs_no_restart(desk: Desk) -> None:
    made = Widget(key="nieuw", name="Nieuw", language="fr")
    await made.save()
    async with looking(desk, "nieuw") as stream:
        assert news(stream)["language"] == "fr"
        assert news(stream)["green"] is False


async def test_an_unknown_key_is_said_to_be_unknown(desk: Desk) -> None:
    answer = await desk.nobody().client.get("/widget/onbekend/status")
    assert answer.status_code == 404
    assert answer.text == "Er is geen widget met deze sleutel."
    assert answer.headers["access-control-allow-origin"] == "*"


# ---- one look after another ------------------------------------------------------------------------------


class Slow:
    """A database whose answer which buttons are green takes long to come, the first time."""

    def __init__(self) -> None:
        self.asked = 0
        self.read, self.comes = asyncio.Event(), asyncio.Event()
        self.sql = db.sql

    async def answer(self, query: str, *args: Any) -> list[dict[str, Any]]:
        rows = await self.sql(query, *args)
        if query == button.GREEN:
            self.asked += 1
            self.read.set()
            if self.asked == 1:
                await self.comes.wait()
        return rows


@pytest.fixture
def slow(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Slow:
    slow = Slow()
    monkeypatch.setattr(db, "sql", slow.answer)
    return slow


async def unknown(desk: Desk, number: int = 0) -> None:
    assert (await desk.nobody().get(f"/widget/onbekend-{number}/status")).status_code == 404


async def test_what_was_read_before_a_turn_does_not_undo_it(desk: Desk, slow: Slow) -> None:
    an = await at_work(desk)
    async with looking(desk) as stream, an.stream() as console:
        await console.wait_for('id="panels"')
        asking = asyncio.create_task(unknown(desk))
        await slow.read.wait()
        await an.ready()
        turning = asyncio.create_task(turns(stream, True))
        await asyncio.wait([turning], timeout=0.2)  # as it would, at once
        slow.comes.set()
        await asking
        await turning
        assert button.boards[desk.widget].green


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_many_who_ask_for_what_is_not_there_cost_one_look(desk: Desk, slow: Slow) -> None:
    first = asyncio.create_task(unknown(desk))
    await slow.read.wait()
    others = [asyncio.create_task(unknown(desk, number)) for number in range(1, 21)]
    await asyncio.wait(others, timeout=0.2)
    slow.comes.set()
    await asyncio.gather(first, *others)
    assert slow.asked <= 3


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_look_that_fails_says_nothing_of_a_key_and_is_tried_again(desk: Desk, slow: Slow) -> None:
    await db.sql("ALTER TABLE subject RENAME TO elsewhere")
    asking = [desk.nobody().get(f"/widget/{key}/status") for key in ("onbekend", "ook-niet")]
    with structlog.testing.capture_logs():
        assert [answer.status_code for answer in await asyncio.gather(*asking)] == [500, 500]
    await db.sql("ALTER TABLE elsewhere RENAME TO subject")
    slow.comes.set()
    await unknown(desk)


# ---- many pages ------------------------------------------------------------------------------------------


async def raw(
    desk: Desk, key: str = "voorbeeld", **options: Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A host page at the other end of a bare connection, which costs the test nothing but that."""
    url = httpx.URL(desk.url)
    reader, writer = await asyncio.open_connection(url.host, url.port, **options)
    writer.write(f"GET /widget/{key}/status HTTP/1.1\r\nHost: {url.netloc.decode()}\r\n\r\n".encode())
    await reader.readuntil(b"}}}\n\n")
    return reader, writer


async def test_a_page_that_looks_costs_one_task_and_no_more(desk: Desk) -> None:
    before = len(asyncio.all_tasks())
    pages = [await raw(desk) for _ in range(200)]
    assert len(button.boards["voorbeeld"].lines) == 200
    assert len(asyncio.all_tasks()) - before < 300, "one each, and what the desk does meanwhile"
    for _reader, page in pages:
        page.close()
    await lines("voorbeeld", 0)
    await becomes(lambda: len(asyncio.all_tasks()) < before + 20)


async def test_a_page_that_does_not_read_is_let_go_and_delays_nobody(desk: Desk) -> None:
    _unread, stuck = await raw(desk, limit=10_000)
    reader, reading = await raw(desk, limit=2_000_000)
    await lines("voorbeeld", 2)
    for _ in range(16):
        button.boards["voorbeeld"].tell(f": {'x' * 1_000_000}\n\n".encode())
        await reader.readuntil(b"x\n\n")
    await lines("voorbeeld", 1)
    button.boards["voorbeeld"].tell(b'data: {"green":true}\n\n')
    assert b"true" in await reader.readuntil(b"}\n\n"), "the one that reads is still there"
    stuck.close()
    reading.close()


async def test_a_stop_ends_the_streams(desk: Desk) -> None:
    async with looking(desk) as stream:
        button.shut()
        await stream.wait_for_end()


# ---- the info card ---------------------------------------------------------------------------------------


async def card(desk: Desk, path: str = "/widget/voorbeeld/info", **headers: str) -> httpx.Response:
    return await desk.nobody().client.get(path, headers=headers)


async def write(markdown: str) -> None:
    await Widget.update({Widget.info_card: json.dumps({"nl": markdown})}).where(Widget.key == "voorbeeld")


async def test_the_card_says_todays_hours_and_other_ways(desk: Desk) -> None:
    answer = await card(desk)
    assert answer.status_code == 200
    assert "Altijd open" in answer.text
    assert "09:00 – 12:00, 13:00 – 17:00" in answer.text
    assert '<a href="tel:+3221234567">02 123 45 67</a>' in answer.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("time_of_day", ["2026-03-14T10:00:00+01:00"], ids=["Saturday"])
async def test_the_card_says_that_a_queue_is_closed_today(desk: Desk) -> None:
    assert "Vandaag gesloten" in (await card(desk)).text


@pytest.mark.parametrize(("code", "words"), [("fr", "Par téléphone"), ("de", "Vor Ort"), ("en", "In person")])
async def test_the_card_speaks_the_persons_language(desk: Desk, code: str, words: str) -> None:
    answer = await card(desk, f"/widget/voorbeeld/info?lang={code}")
    assert words in answer.text
    assert f'<html lang="{code}"' in answer.text


async def test_a_card_in_one_language_is_better_than_none(desk: Desk) -> None:
    await write("Bel ons.")
    assert "Bel ons." in (await card(desk, "/widget/voorbeeld/info?lang=fr")).text


async def test_the_card_runs_nothing_and_loads_nothing(desk: Desk) -> None:
    await write(
        "<script>alert(1)</script>\n\n<b onclick='alert(2)'>vet</b> ![x](https://elders.example/x.png)\n\n"
        "[a](javascript:alert(3)) [b](data:text/html,x) [c](https://www.voorbeeld.be/)"
    )
    shown = (await card(desk)).text
    content = shown[shown.index('class="prose"') : shown.index("</main>")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in content
    assert not re.search(r"<(script|b|img)\b", content)
    assert not re.search(r'href="(javascript|data):', content)
    assert '<a href="https://www.voorbeeld.be/" target="_blank" rel="noopener">c</a>' in content


async def test_the_emergency_number_is_never_missing(desk: Desk) -> None:
    assert (await card(desk)).text.count(">112<") == 1
    await write("Kom langs.")
    assert "Bel 112 bij nood." in (await card(desk)).text


async def test_a_card_elsewhere_is_led_to(desk: Desk) -> None:
    elsewhere = "https://www.voorbeeld.be/contact"
    await Widget.update({Widget.info_url: elsewhere}).where(Widget.key == "voorbeeld")
    answer = await card(desk)
    assert answer.is_redirect
    assert answer.headers["location"] == elsewhere


async def test_only_the_widgets_own_sites_may_frame_its_pages(desk: Desk) -> None:
    origins = ["https://www.voorbeeld.be", "https://*.voorbeeld.be:8443", "*; script-src *", "https://a b"]
    await Widget.update({Widget.origins: json.dumps(origins)}).where(Widget.key == "voorbeeld")
    policy = (await card(desk)).headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'self' https://www.voorbeeld.be https://*.voorbeeld.be:8443")
    other = (await card(desk, "/widget/direct/info")).headers["content-security-policy"]
    assert other.endswith("frame-ancestors 'self'")


async def test_a_card_of_an_unknown_widget_is_a_clear_page(desk: Desk) -> None:
    answer = await card(desk, "/widget/onbekend/info?lang=fr")
    assert answer.status_code == 404
    assert '<html lang="fr"' in answer.text
    assert "Traceback" not in answer.text


# ---- what other features ask -----------------------------------------------------------------------------


async def test_subjects_in_order_with_their_light(desk: Desk) -> None:
    found = await widget.widget_by_key("voorbeeld")
    assert found
    assert found.form == ["name", "email", "subject", "question"]
    await desk.agent("bram", "Vergunningen", ready=True)
    await Subject.update({Subject.position: 5}).where(Subject.queue.name == "Algemeen")
    listed = await widget.subjects(found.id)
    assert [(subject.label, subject.green) for subject in listed] == [
        ("Vergunningen", True),
        ("Algemene vraag", False),
    ]
    assert await widget.widget_by_key("onbekend") is None
