"""Several processes that serve one desk: what happens in one is seen in the others, and none is missed."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import httpx
import pytest

import db
from db import wire
from db.tables import Chat, Presence, PrivateMessage, Readiness, Reservation, Step
from features import live, messages
from tests import scenes
from tests.conftest import Clock, Databases, Desk
from tests.people import Visitor, new_key
from tests.processes import ROOT, Served, children_of, served
from tests.test_offers import OPTIONS, buttons, offer
from tests.test_people import agent
from tests.test_widget import looking

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])

PAGES = 60
PATIENCE_S = 120  # the program is loaded twice
CANARY = "kanarie: alleen voor collega"


@pytest.fixture
async def other(desk: Desk, example_database: str, clock: Clock, tmp_path: Path) -> AsyncIterator[Served]:
    """A second process on the same database; the tests run in the first."""
    async with served(example_database, tmp_path, clock) as running:
        yield running


@asynccontextmanager
async def talking(agents: Desk, visitors: Desk) -> AsyncIterator[scenes.LiveTalk]:
    """The agent in one process, the visitor in another."""
    an = await agents.agent("an", "Loket", ready=True)
    jef = visitors.visitor()
    async with an.stream() as console:
        await jef.begin(scenes.QUESTION)
        async with jef.stream() as window:
            await console.wait_for(lambda: an.request)
            await an.accept()
            await window.wait_for(lambda: scenes.status(jef) == "Verbonden met An")
            await console.wait_for(lambda: an.chats)
            yield scenes.LiveTalk(jef, an, an.chats[0], window, console)


def heard(talk: scenes.LiveTalk) -> tuple[list[str], list[str]]:
    return talk.jef.screen.texts("#thread .bubble"), talk.an.screen.texts(f"#thread-{talk.chat} .bubble")


async def both_have(talk: scenes.LiveTalk, text: str, within_s: float = 5) -> None:
    """… and all that was said before it, once and in order."""
    await talk.window.wait_for(lambda: text in heard(talk)[0], within_s)
    await talk.console.wait_for(lambda: text in heard(talk)[1], within_s)
    said = await scenes.bodies()
    assert heard(talk) == (said, said)


# ---- two processes ---------------------------------------------------------------------------------------


async def test_a_conversation_over_two_processes(desk: Desk, other: Served, clock: Clock) -> None:
    async with looking(other.desk) as button, talking(desk, other.desk) as talk:
        assert '"green":true' in button.data.replace(" ", ""), "who is ready there makes it green here"
        await talk.jef.post("/chat/typing")
        await talk.console.wait_for(lambda: "Jef" in talk.an.screen.text(f"#typing-{talk.chat}"))
        await talk.an.post(f"/chats/{talk.chat}/typing")
        await talk.window.wait_for(lambda: "An" in talk.jef.screen.text("#typing"))
        for number in range(5):
            await talk.an.say(talk.chat, f"Antwoord {number}")
            await talk.jef.say(f"Vraag {number}")
        await both_have(talk, "Vraag 4")
        await offer(talk.an, talk.chat)
        await talk.window.wait_for(lambda: buttons(talk.jef) == OPTIONS)

        colleague = await other.desk.agent("bram", "Loket", ready=True)
        invitation = {"to": f"agent-{await agent('bram')}", "how": "stay", "note": ""}
        async with colleague.stream() as beside:
            await talk.an.must("POST", f"/chats/{talk.chat}/invite", invitation)
            await beside.wait_for(lambda: colleague.request)
            await colleague.accept()
            await talk.window.wait_for(lambda: "Bram" in scenes.status(talk.jef))
            note = {"key": new_key(), "body": CANARY}
            await colleague.must("POST", f"/chats/{talk.chat}/private-messages", note)
            await talk.console.wait_for(CANARY)
        await talk.an.must("POST", f"/chats/{talk.chat}/block", {"reason": "scheldt"})
        await talk.window.wait_for('data-state="ended"')
        assert CANARY not in talk.window.data
        assert not talk.console.ended
        silent = Presence.key == talk.console.events[0].data
        await Presence.update({Presence.alive_until_at: clock.now()}).where(silent)
        await talk.console.wait_for_end()  # it is the other one that looks who has fallen silent


async def test_a_person_who_must_go_and_a_desk_that_is_renamed(desk: Desk, other: Served) -> None:
    """What one process keeps of the database is read anew when another has changed it."""
    admin = await scenes.sign_in_admin(desk)
    async with talking(other.desk, desk) as talk:
        form = {"name": "Stad Elders", "time_zone": "Europe/Brussels", "language": "nl", "version": "1"}
        await admin.must("PUT", "/settings/desk", form)
        jef = other.desk.visitor()

        async def renamed() -> bool:
            return "Stad Elders" in (await jef.get(f"/widget/{jef.widget}")).text

        await scenes.eventually_true(renamed)
        path = f"/settings/people/{await agent('an')}"
        assert (await admin.send("DELETE", f"{path}/activity")).is_success
        await talk.console.wait_for_end()
        assert talk.console.events[-1].data == "signed_out"


@pytest.mark.long
async def test_a_process_that_starts_or_stops_beside_another_cuts_nobody_off(
    desk: Desk, example_database: str, clock: Clock, tmp_path: Path
) -> None:
    async with talking(desk, desk) as talk, AsyncExitStack() as stack:
        pages = await Presence.select(Presence.key).order_by(Presence.key)
        other = await stack.enter_async_context(served(example_database, tmp_path, clock))
        assert await Presence.select(Presence.key).order_by(Presence.key) == pages
        eva = await other.desk.agent("eva", "Loket", ready=True)
        async with eva.stream() as console:
            await console.wait_for('id="panels"')
            await other.stop()
            await console.wait_for_end()
        assert console.events[-1].data == "restart"
        assert not await Readiness.exists().where(Readiness.gone_at.is_not_null()), "sent away is not gone"
        assert not await Chat.exists().where(Chat.visitor_gone_at.is_not_null())
        assert await Step.count().where(Step.what == "restarted") == 1
        await talk.an.say(talk.chat, "Alles gaat door.")
        await both_have(talk, "Alles gaat door.")


@pytest.mark.long
@pytest.mark.usefixtures("by_itself")
async def test_of_two_sweeps_each_thing_happens_once(desk: Desk, other: Served, clock: Clock) -> None:
    """A request that nobody answers comes back once, also when two processes look at it at the same time."""
    an, bram = [await desk.agent(name, "Loket", ready=True) for name in ("an", "bram")]
    async with an.stream() as console, bram.stream() as beside:
        jef = await other.desk.visitor().begin(scenes.QUESTION)
        await scenes.eventually(lambda: an.request or bram.request)
        first, second = (console, beside) if an.request else (beside, console)
        await db.sql("UPDATE reservation SET expires_at = {}", clock.now())
        await second.wait_for(lambda: (bram if second is beside else an).request)
        await first.wait_for(lambda: not (an if first is console else bram).request)
    outcomes = await Reservation.select(Reservation.outcome).order_by(Reservation.id)
    assert [row["outcome"] for row in outcomes] == ["no_answer", ""]
    assert jef.screen.has("#waiting")


# ---- the wire is cut -------------------------------------------------------------------------------------

WIRES = "FROM pg_stat_activity WHERE application_name = 'balie wire' AND datname = current_database()"


async def both_wires_are_whole() -> bool:
    return len(await db.sql(f"SELECT pid {WIRES}")) == 2


async def test_what_is_said_while_the_wire_is_cut_is_not_missed(desk: Desk, other: Served) -> None:
    async with talking(desk, other.desk) as talk:
        for number in range(3):
            await scenes.eventually_true(both_wires_are_whole)
            await db.sql(f"SELECT pg_terminate_backend(pid) {WIRES}")
            await talk.an.say(talk.chat, f"Antwoord {number}")
            await talk.jef.say(f"Vraag {number}")
            await both_have(talk, f"Vraag {number}")


@pytest.mark.long
async def test_postgresql_is_restarted_under_a_conversation(
    desk: Desk, other: Served, databases: Databases
) -> None:
    other.may_fail = True
    async with talking(desk, other.desk) as talk:
        seen = len(talk.window.events)
        await databases.restart()
        await talk.an.say(talk.chat, "Daar zijn we weer.")
        await talk.jef.say("Ik ben er nog.")
        await both_have(talk, "Ik ben er nog.", 15)
        redrawn = [event for event in talk.window.events[seen:] if 'id="status"' in event.data]
        assert redrawn, "all is read anew"
        await talk.jef.end()
        await talk.console.wait_for("De bezoeker heeft het gesprek beëindigd")


@pytest.mark.long
@pytest.mark.usefixtures("impatient")
async def test_what_a_process_that_died_did_not_tell_is_found(
    desk: Desk, other: Served, clock: Clock
) -> None:
    """Of the public thread, and of the private one."""
    async with talking(desk, other.desk) as talk:
        await messages.write(int(talk.chat), new_key(), author="visitor", name="Jef", body="Verloren?")
        await both_have(talk, "Verloren?", 10)
        await db.sql("INSERT INTO private_thread (chat, seq) VALUES ({}, 1)", int(talk.chat))
        note = PrivateMessage(chat=int(talk.chat), seq=1, key=new_key(), after_seq=2, agent=await agent("an"))
        note.name, note.body, note.sent_at = "An", CANARY, clock.now()
        await PrivateMessage.insert(note)
        await talk.console.wait_for(CANARY, 10)
        assert CANARY not in talk.window.data


# ---- workers ---------------------------------------------------------------------------------------------


@pytest.fixture
async def together(
    example_database: str, clock: Clock, tmp_path: Path, databases: Databases
) -> AsyncIterator[Served]:
    """One address, two workers."""
    await db.connect(example_database)
    async with served(example_database, tmp_path, clock, "--workers", "2") as running:
        yield running
    await db.disconnect()


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_workers_are_replaced_without_a_request_that_is_lost_and_pages_come_back(
    together: Served,
) -> None:
    """Soon, and not all at once."""
    assert together.output.read_text().count("Balie: http") == 1
    before = await together.workers()
    async with (
        talking(together.desk, together.desk) as talk,
        tabs([talk.jef], PAGES) as pages,
        asking(together.desk.url) as refused,
    ):
        together.process.send_signal(signal.SIGHUP)
        for stream in (talk.window, talk.console):
            await stream.wait_for_end(PATIENCE_S)
            assert (stream.events[-1].name, stream.events[-1].data) == ("stopped", "restart")
        await scenes.eventually(lambda: all(page.is_back for page in pages), PATIENCE_S)
        await talk.jef.say("Nog daar?")
        assert not await Chat.exists().where(Chat.visitor_gone_at.is_not_null()), "sent away is not gone"
    assert refused == []
    assert not set(await together.workers()) & set(before)
    assert together.output.read_text().count("Balie: http") == 2
    told = [page.told_ms[0] for page in pages]
    assert live.RECONNECT_MS <= min(told) <= max(told) <= live.RECONNECT_MS + PAGES * live.COME_BACK_MS
    assert len(set(told)) > PAGES / 3


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[list[str]]:
    """All the time, on a new line each time, and on one that is kept. What is not answered."""
    refused: list[str] = []

    async def ask(client: httpx.AsyncClient) -> None:
        while True:
            try:
                (await client.get(f"{url}/health/live")).raise_for_status()
            except httpx.HTTPError as error:
                refused.append(repr(error))

    lines = (httpx.Limits(max_keepalive_connections=0), httpx.Limits(max_connections=1))
    clients = [httpx.AsyncClient(trust_env=False, verify=False, timeout=20, limits=each) for each in lines]
    tasks = [asyncio.create_task(ask(client)) for client in clients]
    yield refused
    for task, client in zip(tasks, clients, strict=True):
        task.cancel()
        await client.aclose()


class Tab:
    """A page, as far as its stream goes: it comes back as htmx's extension makes it."""

    def __init__(self, visitor: Visitor) -> None:
        self.url = httpx.URL(visitor.client.base_url)
        self.headers = "".join(f"{name}: {value}\r\n" for name, value in visitor.client.headers.items())
        self.retry_ms = 0
        self.told_ms: list[int] = []  # after how long to come back, each time it was sent away
        self.times: list[tuple[str, float]] = []  # when it came up, and when it went down

    async def stay(self) -> None:
        failures = 0
        while True:
            with suppress(OSError):
                came = len(self.times)
                await self.follow()
                self.told_ms.append(self.retry_ms)
                failures = 0 if len(self.times) > came else failures
            delay_ms = min(max(self.retry_ms, 500) * 2**failures, 4_000)
            failures += 1
            await asyncio.sleep(delay_ms / 1000 * random.uniform(0.7, 1.3))

    async def follow(self) -> None:
        reader, writer = await asyncio.open_connection(self.url.host, self.url.port)
        try:
            writer.write(f"GET /chat/stream HTTP/1.1\r\n{self.headers}Host: balie\r\n\r\n".encode())
            while line := await reader.readline():
                if line.startswith(b"retry:"):
                    self.retry_ms = int(line[6:])
                if line.startswith(b"event: beat") and not self.is_up:
                    self.times.append(("up", time.monotonic()))
                if line.startswith(b"event: stopped"):
                    self.times.append(("down", time.monotonic()))
        finally:
            writer.close()

    @property
    def is_up(self) -> bool:
        return bool(self.times) and self.times[-1][0] == "up"

    @property
    def is_back(self) -> bool:
        return len(self.times) >= 3 and self.is_up

    @property
    def came_s(self) -> float:
        """When it asked for its stream again, and was heard."""
        return self.times[2][1]

    @property
    def away_s(self) -> float:
        return self.times[2][1] - self.times[1][1]


@asynccontextmanager
async def tabs(visitors: Sequence[Visitor], count: int) -> AsyncIterator[list[Tab]]:
    """A few chats in many windows."""
    made = [Tab(visitors[number % len(visitors)]) for number in range(count)]
    tasks = []
    for tab in made:
        tasks.append(asyncio.create_task(tab.stay()))
        await asyncio.sleep(0.005)
    await scenes.eventually(lambda: all(tab.is_up for tab in made), 60 + count / 5)
    yield made
    for task in tasks:
        task.cancel()


async def test_a_worker_that_dies_before_it_serves_is_replaced_and_a_stop_is_heard_at_any_moment(
    example_database: str, clock: Clock, tmp_path: Path
) -> None:
    """The other one serves already: it goes on. And who stops a desk that is just beginning anew stops it."""
    await db.connect(example_database)
    async with AsyncExitStack() as stack:
        before = set(children_of(os.getpid()))
        starting = asyncio.create_task(
            stack.enter_async_context(served(example_database, tmp_path, clock, "--workers", "2"))
        )
        await scenes.eventually(lambda: set(children_of(os.getpid())) - before)
        (supervisor,) = set(children_of(os.getpid())) - before
        await scenes.eventually(lambda: len(children_of(supervisor)) == 2, PATIENCE_S)
        first, second = children_of(supervisor)
        os.kill(second, signal.SIGSTOP)
        together = await starting
        os.kill(first, signal.SIGSTOP)  # or it would say at once that it is there
        await db.sql(f"SELECT pg_terminate_backend(pid) {WIRES}")
        os.kill(second, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_S):
            assert (await together.desk.nobody().get("/health", timeout=PATIENCE_S)).is_success, (
                "by the third"
            )
        os.kill(first, signal.SIGCONT)
        assert first in children_of(supervisor)
        assert await Step.count().where(Step.what == "restarted") == 1, "the first was there all the time"

        together.process.send_signal(signal.SIGHUP)
        await scenes.eventually(lambda: len(children_of(supervisor)) == 3)
        assert await together.stop() == 0, "while it looked at what is on the disk"
    await db.disconnect()


@pytest.mark.long
async def test_a_worker_that_is_killed_takes_nothing_with_it(together: Served) -> None:
    async with talking(together.desk, together.desk) as talk:
        last = talk.window.last_id, talk.console.last_id
        for person in (talk.jef, talk.an):
            person.client.headers["Connection"] = "close"  # no idle line to one that is no more
    for number, pid in enumerate(await together.workers()):
        os.kill(pid, signal.SIGKILL)
        async with (
            talk.jef.stream(last_id=last[0]) as window,
            talk.an.stream(last_id=last[1]) as console,
        ):
            again = scenes.LiveTalk(talk.jef, talk.an, talk.chat, window, console)
            await surely(talk.an.say, talk.chat, f"Antwoord {number}")
            await surely(talk.jef.say, f"Vraag {number}")
            await both_have(again, f"Vraag {number}")
            last = window.last_id, console.last_id
    await scenes.eventually_true(lambda: two_of(together))
    assert together.output.read_text().count("a worker has died") == 2


@pytest.mark.long
async def test_what_an_elder_that_is_killed_did_not_tell_is_looked_for(
    together: Served, example_database: str
) -> None:
    """Its successors serve already: nobody begins in its place, and tells."""
    first, second = await together.workers()
    os.kill(second, signal.SIGSTOP)  # or it would go when it is told to
    together.process.send_signal(signal.SIGHUP)
    await scenes.eventually_true(lambda: has_left(together, first), PATIENCE_S)
    said: asyncio.Queue[str] = asyncio.Queue()
    ears = await asyncpg.connect(example_database)
    await ears.add_listener(wire.CHANNEL, lambda *heard: said.put_nowait(str(heard[3])))
    os.kill(second, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE_S):
        while wire.MISSED not in (await said.get()).split("\n"):
            pass
    await ears.close()


async def has_left(together: Served, pid: int) -> bool:
    return pid not in await together.workers()


async def surely(say: Callable[..., Awaitable[object]], *words: str) -> None:
    """As a page does: what was not answered is sent again, with the key it had."""
    key = new_key()
    while True:
        with suppress(httpx.TransportError):
            await say(*words, key=key)
            return


async def two_of(together: Served) -> bool:
    return len(await together.workers()) == 2


async def test_more_workers_than_the_database_has_room_for_are_refused(
    example_database: str, tmp_path: Path
) -> None:
    command = [sys.executable, str(ROOT / "app.py"), "serve", "--workers", "50", "--data", str(tmp_path)]
    own = {"BALIE_DATABASE_URL": example_database, "BALIE_PORT": "0"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=os.environ | own, stdout=pipe, stderr=pipe)
    said, refused = await process.communicate()
    assert (process.returncode, said) == (2, b"")
    assert "this database has connections for 8 workers, not for 50" in refused.decode()
