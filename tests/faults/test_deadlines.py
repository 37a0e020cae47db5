"""Everything happens at the deadline of a request, or to an agent who vanishes while it is asked: whatever
comes first, each chat has one owner in the end, and the ledger explains how it got there.

What agents and visitors do goes through the front door, with `--long` through those of two processes.
"""

import asyncio
import itertools
import json
import random
import secrets
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from db import tables
from features import ledger, presence, routing
from features.access import fingerprint
from features.matching import HERE_S
from features.pieces import Sight
from tests import scenes
from tests.bench import load
from tests.bench.desk import signed_in
from tests.bench.load import Line, Talk
from tests.conftest import Clock, Desk
from tests.processes import served
from tests.room import made
from tests.test_routing_properties import state_after

pytestmark = pytest.mark.parametrize("engine", ["postgresql", pytest.param("sqlite", marks=pytest.mark.long)])

AT_ONCE, FEW = 20, 6
AROUND_S = 0.05
ANSWER_S, LONG_S = 1, 30
PATIENCE_S = 120
OUTCOMES = ("rejected", "no_answer", "gone", "withdrawn", "visitor_left")


@pytest.fixture
async def hall(
    desk: Desk, engine: str, example_database: str, clock: Clock, tmp_path: Path, long: bool
) -> AsyncIterator["Hall"]:
    ports = [int(desk.url.rpartition(":")[2])]
    clock.go(1)  # what is to happen at a moment is waited for
    async with AsyncExitStack() as stack:
        if long and engine == "postgresql":
            other = await stack.enter_async_context(served(example_database, tmp_path, clock))
            ports.append(int(other.desk.url.rpartition(":")[2]))
        hall = Hall(ports, clock)
        await hall.furnish(agents=30)
        yield hall


@dataclass
class Hall:
    """One queue that has little patience, more agents than visitors, each for one chat."""

    ports: list[int]
    clock: Clock
    queue: int = 0
    widget: int = 0
    key: str = ""
    agents: dict[int, Talk] = field(default_factory=dict)
    visitors: dict[int, Talk] = field(default_factory=dict)  # by chat
    taken: set[int] = field(default_factory=set)  # requests whose acceptance was answered with yes
    left: set[int] = field(default_factory=set)  # chats whose visitors were told that it has ended
    pages: dict[int, asyncio.StreamWriter] = field(default_factory=dict)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    async def furnish(self, agents: int) -> None:
        self.key = f"hall-{secrets.token_hex(4)}"
        role = await made(tables.Role(name="hall", permissions='["chat"]'))
        self.queue = await made(tables.Queue(name="hall", always_open=True, answer_s=ANSWER_S))
        self.widget = await made(tables.Widget(key=self.key, name="hall"))
        await made(tables.Subject(widget=self.widget, queue=self.queue))
        profile = await made(tables.Profile(name="hall", places=1))
        await made(tables.ProfileQueue(profile=profile, queue=self.queue, priority=1))
        for number in range(agents):
            name = f"{self.key}-{number}"
            agent = await made(tables.Agent(username=name, name=f"Agent {number}", role=role))
            self.agents[agent] = Talk(0, "", self.key, *await signed_in(agent))
            await routing.login(agent, profile)
        await self.everybody_is_ready()

    async def everybody_is_ready(self) -> None:
        """Each with a page that is open for longer than a test takes."""
        table, until = tables.Presence, self.clock.now() + timedelta(days=1)
        for row in await tables.Readiness.select().where(tables.Readiness.agent.is_in(list(self.agents))):
            agent = row["agent"]
            if row["gone_at"] or not row["ready"]:
                await presence.closed(f"page-{agent}")
                await presence.opened(f"page-{agent}", agent_id=agent)
                await routing.make_ready(agent)
        await table.update({table.alive_until_at: until}).where(table.agent.is_in(list(self.agents)))

    async def comes(self) -> int:
        """Somebody who waits. The chat; 0: all have been silent, and are paused."""
        token = secrets.token_urlsafe(32)
        row = tables.Visitor(widget=self.widget, token_hash=fingerprint(token), created_at=self.clock.now())
        chat = await routing.start(await made(row), self.widget, self.queue)
        if chat:
            self.visitors[chat] = Talk(chat, token, self.key, "", "")
        return chat or 0

    # -- what people do --

    async def asks(self, method: str, path: str, headers: str, body: bytes = b"") -> int:
        line = Line(random.choice(self.ports))
        try:
            status, answer = await line.ask(method, path, headers, body)
        finally:
            line.close()
        assert status in (200, 409), (path, status, answer)
        self.answers[path.rpartition("/")[2], status] += 1
        return status

    async def accepts(self, request: int, agent: int, chat: int) -> None:
        headers = load.agents(self.agents[agent])
        if await self.asks("POST", f"/reservations/{request}/acceptance", headers, b"x=") == 200:
            self.taken.add(request)

    async def rejects(self, request: int, agent: int, chat: int) -> None:
        await self.asks("POST", f"/reservations/{request}/rejection", load.agents(self.agents[agent]), b"x=")

    async def pauses(self, request: int, agent: int, chat: int) -> None:
        await self.asks("PUT", "/readiness", load.agents(self.agents[agent]), b"state=lunch")

    async def leaves(self, request: int, agent: int, chat: int) -> None:
        if await self.asks("POST", "/chat/ending", load.visitors(self.visitors[chat]), b"x=") == 200:
            self.left.add(chat)

    async def keeps_silent(self, request: int, agent: int, chat: int) -> None:
        """And time goes by."""
        await routing.settle()

    # -- what has become of it --

    async def open_requests(self) -> list[dict[str, Any]]:
        return await tables.Reservation.select().where(tables.Reservation.outcome == "")

    async def requests_for(self, *chats: int) -> list[dict[str, Any]]:
        return [row for row in await self.open_requests() if row["chat"] in chats]

    async def everybody_is_served(self) -> None:
        """Whoever is asked accepts, until nobody waits; for one whom all who are free have refused, others
        come to an end first."""
        waiting = tables.Chat.exists().where(tables.Chat.state == "waiting")
        await self.has_patience(LONG_S)
        async with asyncio.timeout(PATIENCE_S):
            await self.everybody_accepts()
            while await waiting:
                await self.everybody_goes()
                await self.everybody_accepts()

    async def everybody_accepts(self) -> None:
        await self.everybody_is_ready()
        while requests := await self.open_requests():
            await asyncio.gather(*(self.accepts(r["id"], r["agent"], r["chat"]) for r in requests))

    async def has_patience(self, seconds: int) -> None:
        await tables.Queue.update({tables.Queue.answer_s: seconds}).where(tables.Queue.id == self.queue)

    async def everybody_goes(self) -> None:
        for row in await tables.Chat.select(tables.Chat.id, tables.Chat.visitor).where(
            tables.Chat.state == "active"
        ):
            await routing.leave_visitor(row["visitor"])

    async def check(self) -> None:
        """One owner, nothing open, the right load, and a ledger that leads there."""
        desk = await ledger.load(self.clock.now(), Sight(everything=True))
        seats = await tables.Participation.select().where(tables.Participation.left_at.is_null())
        owners = Counter(seat["chat"] for seat in seats)
        load_of = Counter(seat["agent"] for seat in seats)
        assert not list(desk.open_requests())
        assert max(load_of.values(), default=0) <= 1, "more chats than places"
        assert {agent: desk.taken()[agent] for agent in desk.agents} == {a: load_of[a] for a in desk.agents}
        steps, pauses = defaultdict(list), Counter[str]()
        for step in await tables.Step.select().order_by(tables.Step.id):
            steps[step["chat"]].append(step["what"])
            pauses[json.loads(step["data"]).get("reason", "")] += step["what"] == "paused"
        for chat in await tables.Chat.select().where(tables.Chat.id.is_in(list(self.visitors))):
            state = "ended" if chat["id"] in self.left else chat["state"]
            assert (chat["state"], owners[chat["id"]]) in (("active", 1), ("ended", 0)), chat
            assert chat["state"] == state == state_after(iter(steps[chat["id"]])), steps[chat["id"]]
        await self.check_requests(Counter(what for whats in steps.values() for what in whats), pauses)

    async def check_requests(self, counted: Counter[str], pauses: Counter[str]) -> None:
        """Who was told that a chat is theirs has it, and nobody else; silence lasts to the deadline."""
        rows = await tables.Reservation.select().order_by(tables.Reservation.id)
        assert {row["id"] for row in rows if row["outcome"] == "accepted"} == self.taken
        outcomes = Counter(row["outcome"] for row in rows)
        for outcome in OUTCOMES:
            assert counted[outcome] == outcomes[outcome], outcome
        assert pauses["not_answered"] == outcomes["no_answer"], "silence, and nothing else, pauses"
        assert pauses["lunch"] >= outcomes["withdrawn"], "by whom it was withdrawn"
        assert (counted["asked"], counted["joined"]) == (len(rows), outcomes["accepted"])
        for row in rows:
            assert row["closed_at"] >= row["opened_at"]
            if row["outcome"] == "no_answer":
                assert row["closed_at"] >= row["expires_at"]
        per_chat, per_agent = defaultdict(list), defaultdict(list)
        for row in rows:
            per_chat[row["chat"]].append(row)
            per_agent[row["agent"]].append(row)
        for group in (*per_chat.values(), *per_agent.values()):
            for before, after in itertools.pairwise(group):
                assert before["closed_at"] <= after["opened_at"], "two at once"


# ---- at the deadline -------------------------------------------------------------------------------------

Does = Callable[[int, int, int], Awaitable[None]]


async def at_the_deadline(hall: Hall, row: dict[str, Any]) -> None:
    """Two things happen to one request, each within a twentieth of a second of its end."""
    deeds: list[Does] = [hall.accepts, hall.rejects, hall.pauses, hall.leaves, hall.keeps_silent]
    first, second = random.choices(deeds, weights=[4, 1, 1, 1, 3], k=2)

    async def soon(does: Does) -> None:
        until = row["expires_at"] + timedelta(seconds=random.uniform(-AROUND_S, AROUND_S))
        await asyncio.sleep((until - hall.clock.now()).total_seconds())
        await does(row["id"], row["agent"], row["chat"])

    await asyncio.gather(soon(first), soon(second))


@pytest.mark.timeout(1800)
async def test_at_the_deadline_whoever_comes_first_is_right(hall: Hall, long: bool) -> None:
    done = 0
    while done < (1000 if long else AT_ONCE / 2):
        await hall.has_patience(ANSWER_S)
        deeds = []
        for _visitor in range(AT_ONCE):  # some find everybody at work already
            for request in await hall.requests_for(await hall.comes()):
                deeds.append(asyncio.create_task(at_the_deadline(hall, request)))
        await asyncio.gather(*deeds)
        done += len(deeds)
        await hall.everybody_is_served()
        await hall.check()
        await hall.everybody_goes()
    yes, no = hall.answers["acceptance", 200], hall.answers["acceptance", 409]
    assert yes
    assert not long or no > 50, "some came too late"
    late = tables.Reservation.outcome == "no_answer"
    assert await tables.Reservation.exists().where(late), "deadlines passed"


# ---- vanished --------------------------------------------------------------------------------------------


async def vanishes(hall: Hall, chat: int, how: str) -> None:
    """The agent who is asked for it: for good, for a moment, or just as it accepts."""
    (request,) = await hall.requests_for(chat)
    id, agent = request["id"], request["agent"]
    page = await opened(hall, agent)
    await presence.closed(f"page-{agent}")
    page.transport.abort()
    if how == "accepts":
        await hall.accepts(id, agent, chat)
    if how == "is back":
        hall.pages[agent] = await opened(hall, agent)


async def opened(hall: Hall, agent: int) -> asyncio.StreamWriter:
    """A console, whose agent is there by now."""
    reader, writer = await asyncio.open_connection("127.0.0.1", random.choice(hall.ports))
    writer.write(load.request("GET", "/console/stream", load.agents(hall.agents[agent])))
    await reader.readuntil(b"event: beat")
    return writer


@pytest.mark.timeout(1800)
async def test_an_agent_who_vanishes_while_it_is_asked_keeps_nobody_waiting(hall: Hall, long: bool) -> None:
    table, readiness = tables.Reservation, tables.Readiness
    await hall.has_patience(LONG_S)
    for _batch in range(200 // AT_ONCE if long else 1):
        chats = [await hall.comes() for _visitor in range(AT_ONCE if long else FEW)]
        hows = dict(zip(chats, itertools.cycle(("is gone", "accepts", "is back")), strict=False))
        first = {row["chat"]: row["id"] for row in await hall.requests_for(*chats)}
        await asyncio.gather(*(vanishes(hall, chat, how) for chat, how in hows.items()))
        away = sum(how != "is back" for how in hows.values())
        gone = readiness.gone_at.is_not_null()
        await scenes.eventually_true(partial(is_count, readiness, gone, away), LONG_S)
        long_ago = hall.clock.now() - timedelta(seconds=HERE_S)
        await readiness.update({readiness.gone_at: long_ago}).where(gone)
        await routing.settle()
        ended = {row["id"]: row["outcome"] for row in await table.select(table.id, table.outcome)}
        expected = {"is gone": "gone", "accepts": "accepted", "is back": ""}
        assert [ended[first[chat]] for chat in chats] == [expected[hows[chat]] for chat in chats]
        assert not await tables.Step.exists().where(tables.Step.what == "paused"), "nobody is blamed"
        assert not await tables.Refusal.exists()
        await hall.everybody_is_served()
        await hall.check()
        await hall.everybody_goes()
        for agent, page in hall.pages.items():
            await presence.opened(f"page-{agent}", agent_id=agent)
            page.transport.abort()
        hall.pages.clear()


async def is_count(table: type[Any], where: Any, count: int) -> bool:
    return bool(await table.count().where(where) == count)
