"""GET /metrics: what a monitor counts, and who may."""

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import db
from db.settings import BadSetting, settings
from features import counters, live, metrics, widget
from tests import scenes
from tests.conftest import Clock, Desk, serving
from tests.people import Person

TOKEN = "een-lang-geheim-van-de-monitor"
Told = dict[str, float]


@pytest.fixture
async def desk(example_database: str, clock: Clock, tmp_path: Path) -> AsyncIterator[Desk]:
    async with serving(example_database, tmp_path, BALIE_METRICS_TOKEN=TOKEN) as running:
        yield running


async def read(desk: Desk) -> Told:
    """Each series, by its name and labels."""
    answer = await monitor(desk).get("/metrics")
    assert answer.status_code == 200, answer.text
    assert re.fullmatch(r"text/plain; version=[\d.]+; charset=utf-8", answer.headers["content-type"])
    assert answer.headers["cache-control"] == "no-store"
    return series(answer.text)


def series(text: str) -> Told:
    found = {}
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(each.labels.items()))
            found[f"{each.name}{{{labels}}}" if labels else each.name] = each.value
    return found


def monitor(desk: Desk, authorization: str = f"Bearer {TOKEN}") -> Person:
    somebody = desk.nobody()
    somebody.client.headers["Authorization"] = authorization
    return somebody


async def test_without_the_setting_there_is_no_such_page(
    example_database: str, clock: Clock, tmp_path: Path
) -> None:
    async with serving(example_database, tmp_path) as desk:
        for authorization in ("Bearer", "Bearer x", f"Bearer {TOKEN}"):
            assert (await monitor(desk, authorization).get("/metrics")).status_code == 404


async def test_it_is_for_whoever_knows_the_token(desk: Desk) -> None:
    await read(desk)
    wrong = ("", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer é")
    for authorization in wrong:
        somebody = desk.nobody()
        answer = await somebody.get("/metrics", headers={"Authorization": authorization.encode()})
        assert answer.status_code == 401, authorization
        assert "balie_" not in answer.text
    admin = await scenes.sign_in_admin(desk)
    assert (await admin.get("/metrics")).status_code == 401, "it is no page for people"


@pytest.mark.parametrize("token", ["kort", "met spaties erin en lang genoeg"])
def test_a_token_that_can_be_guessed_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(BadSetting, match="BALIE_METRICS_TOKEN") as refused:
        settings.load({"BALIE_METRICS_TOKEN": token})
    assert token not in str(refused.value)
    settings.load({})


async def test_what_happens_at_the_desk_can_be_counted(desk: Desk, clock: Clock) -> None:
    before = await read(desk)
    assert before["balie_waiting{queue=1}"] == before["balie_chats{state=active}"] == 0
    assert before["balie_queue_info{name=Algemeen,queue=1}"] == 1
    an = await desk.agent("an", "Loket", ready=True)
    jef = await desk.visitor().begin()
    asked = await read(desk)
    assert (asked["balie_reservations"], asked["balie_agents_ready"]) == (1, 1)
    assert sum(value for name, value in asked.items() if name.startswith("balie_waiting{")) == 1
    chat = await scenes.taken(an)
    clock.shift(100)
    async with an.stream() as console, jef.stream() as window, lamp(desk):
        await console.wait_for(f'id="thread-{chat}"')
        await window.wait_for("Mag ik vandaag parkeren?")
        await jef.say("Hallo")
        await an.say(chat, "Dag")
        await an.must("POST", f"/chats/{chat}/private-messages", {"key": "a" * 16, "body": "onder ons"})
        await desk.visitor().begin()
        clock.shift(60)
        told = await read(desk)
    for kind in ("button", "window", "console"):
        assert told[f"balie_streams{{kind={kind}}}"] == 1, kind
    assert told["balie_chats{state=active}"] == 1
    assert 60 <= max(value for name, value in told.items() if "waiting_oldest" in name) < 90
    for author in ("visitor", "agent", "colleague"):
        count = f"balie_post_seconds_count{{author={author}}}"
        assert told[count] == before[count] + 1
        assert told[f"balie_post_seconds_sum{{author={author}}}"] > 0
    assert told["balie_requests_total{status=2xx}"] > before["balie_requests_total{status=2xx}"]
    assert told["balie_database_turns_total"] > before["balie_database_turns_total"]
    assert told["balie_database_connections{state=idle}"] >= 1
    assert told["process_resident_memory_bytes"] > 10_000_000
    assert told["balie_disk_free_bytes"] > 1_000_000
    assert not any("process=" in name for name in told), "it is alone"


@contextlib.asynccontextmanager
async def lamp(desk: Desk) -> AsyncIterator[None]:
    """A page with the button."""
    async with desk.nobody().client.stream("GET", f"/widget/{desk.widget}/status") as answer:
        pieces = answer.aiter_bytes()
        await anext(pieces)
        yield


async def test_nothing_of_anybody_is_in_it(desk: Desk) -> None:
    talk = await scenes.connected(desk, "Waar mag mijn kanarievogel staan?")
    await talk.an.say(talk.chat, "kanarievogel")
    text = (await monitor(desk).get("/metrics")).text
    assert "Vergunningen" in text
    for secret in ("kanarievogel", "Jef", "Peeters", "An ", "voorbeeld", talk.jef.token, TOKEN):
        assert secret not in text


async def test_news_that_was_not_told_and_readers_that_are_too_slow_are_counted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await scenes.connected(desk)
    before = await read(desk)
    async with talk.jef.stream() as window:
        await window.wait_for("parkeren")
        with pytest.MonkeyPatch.context() as deaf:
            deaf.setattr(live, "publish", lambda topic, event: None)
            await talk.an.say(talk.chat, "onverteld")  # it died between its commit and the telling
        await live.recheck("chat")
        await window.wait_for("onverteld")
    with live.subscribed("a") as slow:
        for number in range(live.BACKLOG + 1):
            slow.put(widget.WidgetChanged(number))
    told = await read(desk)
    for counted in ("balie_bus_gaps_total{found_by=recheck}", "balie_bus_resyncs_total{why=behind}"):
        assert told[counted] == before[counted] + 1


async def test_letters_that_wait_are_counted(desk: Desk, clock: Clock) -> None:
    from features import mail

    await mail.post("x", 1, "jef@example.org", "nl")
    clock.shift(90)
    told = await read(desk)
    assert told["balie_mail_queue"] == 1
    assert 90 <= told["balie_mail_oldest_seconds"] < 120


async def test_without_its_database_the_process_can_still_be_looked_at(desk: Desk) -> None:
    assert (await read(desk))["balie_database_up"] == 1
    await db.disconnect()
    told = await read(desk)
    assert told["balie_database_up"] == 0
    assert told["process_resident_memory_bytes"] > 10_000_000
    assert "balie_reservations" not in told


# ---- several processes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_each_process_has_adds_up(desk: Desk) -> None:
    """Two others leave theirs as a process does; one of them was killed a while ago."""
    other = 'balie_streams{kind="window"} 40.0\nbalie_requests_total{status="2xx"} 7.0\n'
    kinds = "# TYPE balie_streams gauge\n# TYPE balie_requests counter\n"
    metrics.leave(metrics.folder() / "other.prom", kinds + other)
    gone = metrics.folder() / "gone.prom"
    gone.write_text(other)
    long_ago = time.time() - metrics.FORGOTTEN_S - 1
    os.utime(gone, (long_ago, long_ago))
    told = await read(desk)
    windows = {name: value for name, value in told.items() if "balie_streams{kind=window" in name}
    assert windows == {
        f"balie_streams{{kind=window,process={os.getpid()}}}": 0,
        "balie_streams{kind=window,process=other}": 40,
    }
    assert told["balie_requests_total{process=other,status=2xx}"] == 7
    assert told["balie_reservations"] == 0, "the desk's own is told once"
    metrics.leave(metrics.folder() / "third.prom", other)
    assert not gone.exists()


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_each_of_several_leaves_its_own_and_takes_it_away_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not metrics.folder().exists(), "one that is alone writes nothing"
    monkeypatch.setattr(metrics, "several", lambda: True)
    stop = asyncio.Event()
    sharing = asyncio.create_task(metrics.share(stop))
    async with asyncio.timeout(5):
        while not metrics.others():  # noqa: ASYNC110 – of files nobody is told
            await asyncio.sleep(0.01)
    (process, left), *more = metrics.others().items()
    assert (process, more) == (str(os.getpid()), [])
    assert series(left)["balie_streams{kind=console}"] == 0
    stop.set()
    await sharing
    assert metrics.others() == {}


def test_every_author_is_one_that_a_message_can_have() -> None:
    from tests.test_conventions import routes

    written = {path.replace(":int", "") for method, path, _guards in routes() if method == "POST"}
    assert counters.POSTS.keys() <= written
