"""Routing under whatever may happen, in any order: after each step the invariants of the rules hold, and all
is as in the reference model, chat by chat, agent by agent, second by second.

BALIE_EXAMPLES sets how many runs are made, for a longer look.
"""

import asyncio
import copy
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import db
import db.clock
from db import tables
from features import absences, invites, ledger, matching, pieces, routing, sweeping
from tests import routing_model as model
from tests.conftest import Databases

T = TypeVar("T")

EPOCH = datetime(2026, 3, 11, 9, tzinfo=UTC)
EXAMPLES = {"sqlite": 25, "postgresql": 8}
STEPS = 40
LAST = sys.maxsize
VISITORS = 6
AGENTS = 3
LANGUAGES = (("nl",), ("fr",), ("nl", "fr"))  # of the agents; the visitors speak one or the other
PROFILES: tuple[tuple[int, dict[int, int]], ...] = (  # places, priorities by number of queue
    (1, {0: 1, 1: 1}),
    (2, {0: 1, 1: 2}),
    (1, {0: 1}),
    (3, {1: 1, 0: 2}),
    (2, {1: 1}),
    (2, {}),
)
QUEUES: tuple[dict[str, Any], ...] = ({"overdue_s": 60}, {"answer_s": 20, "grace_s": 30, "overdue_s": 300})
FORGOTTEN_AFTER_EACH = (
    tables.Step,
    tables.Refusal,
    tables.Reservation,
    tables.Invite,
    tables.Participation,
    tables.Presence,
    tables.Message,
    tables.Chat,
    tables.Readiness,
)


class ModelDesk(model.Desk):
    """The reference, with what is said about holds besides: they are renewed, and two per address."""

    address: dict[Any, int]  # of each visitor

    def _holds(self, visitor: Any) -> int:
        at = self.address[visitor]
        return sum(c.state == "forming" and self.address[c.visitor] == at for c in self.open.values())

    @model.event
    def press(self, visitor: Any, queue: Any) -> Any:
        if not self._mine(visitor) and self._holds(visitor) >= 2:
            return None
        return model.Desk.press.__wrapped__(self, visitor, queue)  # type: ignore[attr-defined]

    @model.event
    def renew(self, visitor: Any) -> bool:
        c = self._mine(visitor)
        if c is None or c.state != "forming":
            return False
        c.hold_until = max(c.hold_until, min(self.now + model.HOLD_S, c.ticket + 300))
        c.visitor_gone_at = None
        return True

    @model.event
    def invite(self, by: Any, chat: int, agent: Any = None, queue: Any = None) -> bool:
        return self._invite(by, chat, agent, queue)

    def _invite(self, by: Any, chat: int, agent: Any, queue: Any) -> bool:
        """Besides: nobody is asked two things at once, and a closed queue is not asked."""
        if agent is not None and any(r.agent == agent for r in self.requests.values()):
            return False
        if queue is not None and self.queues[queue].closed_at is not None:
            return False
        return bool(model.Desk.invite.__wrapped__(self, by, chat, agent, queue))  # type: ignore[attr-defined]

    @model.event
    def transfer(self, by: Any, chat: int, agent: Any = None, queue: Any = None) -> bool:
        """Both at once: nobody is asked in between."""
        if not self._invite(by, chat, agent, queue):
            return False
        return bool(model.Desk.leave.__wrapped__(self, by, chat))  # type: ignore[attr-defined]

    @model.event
    def pass_on(self, request: int, by: Any, agent: Any = None, queue: Any = None) -> bool:
        """From the request itself: elsewhere in line, with its ticket, or a colleague is asked."""
        r = self.requests.get(request)
        if r is None or r.agent != by or r.kind != "chat":
            return False
        if agent is not None:
            other = self.agents[agent]
            if not (other.ready and self.here(other)) or any(
                o.agent == agent for o in self.requests.values()
            ):
                return False
        else:
            served = any(self.serves(a, queue) for a in self.agents.values() if a.id != by)
            if self.queues[queue].closed_at is not None or not served:
                return False
        self._close(r, "passed on")
        r.chat.refused[by] = (self.now, "passed on")
        if agent is None:
            r.chat.queue = queue
        else:
            answer_s = self.queues[r.chat.queue].answer_s
            r.chat.invite = model.Invite(by, None, self.now + answer_s)
            self._ask(r.chat, agent, "direct", answer_s)
        return True

    def _close_invite(self, c: model.Chat) -> None:
        c.invite = None
        if not c.agents and c.state == "active":
            self._return(c)


class World:
    """A database with queues, profiles, agents and visitors; what happens to them is forgotten after each
    run."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.run(self.furnish())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def furnish(self) -> None:
        await tables.Desk.insert(tables.Desk(name="Test"))
        role = await made(tables.Role(name="agent"))
        self.widget = await made(tables.Widget(key="test"))
        self.queues = [await made(tables.Queue(name=str(n), **spans)) for n, spans in enumerate(QUEUES)]
        self.profiles = []
        for places, served in PROFILES:
            self.profiles.append(await made(tables.Profile(places=places)))
            for number, priority in served.items():
                queue = self.queues[number]
                await made(tables.ProfileQueue(profile=self.profiles[-1], queue=queue, priority=priority))
        self.agents = [
            await made(
                tables.Agent(
                    username=str(n),
                    name=str(n),
                    role=role,
                    created_at=EPOCH,
                    languages=json.dumps(LANGUAGES[n]),
                )
            )
            for n in range(AGENTS)
        ]
        self.visitors = [
            await made(tables.Visitor(widget=self.widget, token_hash=str(n), created_at=EPOCH))
            for n in range(VISITORS)
        ]

    async def clear(self) -> None:
        async with db.transaction():
            for table in FORGOTTEN_AFTER_EACH:
                await table.delete(force=True)
            await tables.Queue.update({tables.Queue.always_open: True, tables.Queue.green: False}, force=True)

    def reference(self) -> Any:
        """The model, with our ids for names."""
        queue: Any = model.Queue
        agents: Any = self.agents
        desk: Any = ModelDesk([queue(self.queues[n], **spans) for n, spans in enumerate(QUEUES)], agents)
        desk.address = {visitor: n // 3 for n, visitor in enumerate(self.visitors)}
        desk.speaks = {visitor: ("nl", "fr")[n % 2] for n, visitor in enumerate(self.visitors)}
        for agent, languages in zip(self.agents, LANGUAGES, strict=True):
            desk.agents[agent].languages = frozenset(languages)
        return desk

    def profile(self, number: int) -> Any:
        places, served = PROFILES[number]
        queues: dict[Any, int] = {self.queues[n]: priority for n, priority in served.items()}
        return model.Profile(queues, places)


async def made(row: Any) -> int:
    await row.save()
    return int(row.id)


class Routing(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        db.clock.start_at(EPOCH)
        self.world.run(self.world.clear())
        self.model = self.world.reference()
        self.tickets: dict[int, datetime] = {}
        self.taken: Counter[int] = Counter()
        self.before: Any = None

    # ---- what happens -------------------------------------------------------------------------------------

    visitors = st.integers(0, VISITORS - 1)
    agents = st.integers(0, AGENTS - 1)
    queues = st.integers(0, len(QUEUES) - 1)
    profiles = st.integers(0, len(PROFILES) - 1)

    @initialize(
        numbers=st.lists(profiles, min_size=AGENTS, max_size=AGENTS),
        talks=st.lists(queues, min_size=1, max_size=2),
    )
    def begins(self, numbers: list[int], talks: list[int]) -> None:
        for agent, number in enumerate(numbers):
            self.logs_in(agent, number)
            self.is_ready(agent)
        for visitor, queue in enumerate(talks):
            self.a_conversation_begins(visitor, queue)

    @rule(visitor=visitors, queue=queues)
    def presses(self, visitor: int, queue: int) -> None:
        who, where = self.world.visitors[visitor], self.world.queues[queue]
        expected = self.model.press(who, where)
        address = str(self.model.address[who])
        found = self.act(
            routing.press(
                who, self.world.widget, where, address_hash=address, language=self.model.speaks[who]
            )
        )
        assert (found and found.state) == (expected and expected.state)

    @rule(visitor=visitors, queue=queues)
    def arrives(self, visitor: int, queue: int) -> None:
        self.presses(visitor, queue)
        self.starts(visitor, queue)

    @rule(visitor=visitors)
    def types(self, visitor: int) -> None:
        who = self.world.visitors[visitor]
        assert self.act(routing.renew_hold(who)) == self.model.renew(who)

    @rule(visitor=visitors, queue=queues)
    def chooses(self, visitor: int, queue: int) -> None:
        who, where = self.world.visitors[visitor], self.world.queues[queue]
        assert self.act(routing.choose(who, where)) == self.model.choose(who, where)

    @rule(visitor=visitors, queue=queues)
    def starts(self, visitor: int, queue: int) -> None:
        who, where = self.world.visitors[visitor], self.world.queues[queue]
        expected = self.model.start(who, where)
        chat = self.act(routing.start(who, self.world.widget, where, language=self.model.speaks[who]))
        assert (chat is None) == (expected is None)

    @rule(visitor=visitors)
    def stops(self, visitor: int) -> None:
        who = self.world.visitors[visitor]
        expected = self.model._mine(who) is not None
        self.model.leave_visitor(who)
        assert self.act(routing.leave_visitor(who)) == expected

    @rule(visitor=visitors)
    def vanishes(self, visitor: int) -> None:
        who = self.world.visitors[visitor]
        self.model.lose_visitor(who)
        if chat := self.chat_of(who):
            self.act(absences.lose_visitor(chat))

    @rule(visitor=visitors)
    def comes_back(self, visitor: int) -> None:
        who = self.world.visitors[visitor]
        self.model.back_visitor(who)
        if chat := self.chat_of(who):
            self.act(absences.back_visitor(chat))

    @rule(agent=agents, profile=profiles)
    def logs_in(self, agent: int, profile: int) -> None:
        who = self.world.agents[agent]
        mine = self.model.agents[who]
        if mine.profile is not None and mine.gone_at is None:
            self.model.switch(who, self.world.profile(profile))
        else:
            self.model._pause(mine, "logged in")
            self.model.login(who, self.world.profile(profile))
        self.act(routing.login(who, self.world.profiles[profile]))

    @rule(agent=agents, profile=profiles)
    def gets_to_work(self, agent: int, profile: int) -> None:
        self.returns(agent)
        if self.model.agents[self.world.agents[agent]].profile is None:
            self.logs_in(agent, profile)
        self.is_ready(agent)

    @rule(agent=agents)
    def logs_out(self, agent: int) -> None:
        who = self.world.agents[agent]
        self.model.logout(who)
        self.act(routing.logout(who))

    @rule(agent=agents)
    def is_ready(self, agent: int) -> None:
        who = self.world.agents[agent]
        mine = self.model.agents[who]
        self.model.make_ready(who)
        can = mine.profile is not None and mine.gone_at is None
        assert self.act(routing.make_ready(who)) == can

    @rule(agent=agents)
    def pauses(self, agent: int) -> None:
        who = self.world.agents[agent]
        if self.model.agents[who].profile is not None:
            self.model.pause(who, "lunch")
            assert self.act(routing.pause(who, "lunch"))
        else:
            assert not self.act(routing.pause(who, "lunch"))

    @rule(agent=agents, profile=profiles)
    def switches(self, agent: int, profile: int) -> None:
        who = self.world.agents[agent]
        on_duty = self.model.agents[who].profile is not None
        if on_duty:
            self.model.switch(who, self.world.profile(profile))
        assert self.act(routing.switch(who, self.world.profiles[profile])) == on_duty

    @rule(agent=agents)
    def crashes(self, agent: int) -> None:
        self.model.lose(self.world.agents[agent])
        self.act(absences.lose_agent(self.world.agents[agent]))

    @rule(agent=agents)
    def returns(self, agent: int) -> None:
        self.model.regain(self.world.agents[agent])
        self.act(absences.regain_agent(self.world.agents[agent]))

    @precondition(lambda self: self.model.requests)
    @rule(data=st.data(), take=st.booleans(), foreign=st.sampled_from([False] * 5 + [True]))
    def answers(self, data: st.DataObject, take: bool, foreign: bool) -> None:
        request = data.draw(st.sampled_from(list(self.model.requests.values())))
        agent = request.agent
        reservation = self.reservation_of(agent)
        if foreign:
            agent = next(a for a in self.world.agents if a != request.agent)
        if take:
            expected = self.model.accept(request.id, agent)
            chat = self.act(routing.accept(reservation, agent))
            assert (chat is not None) == expected
            assert self.act(routing.accept(reservation, agent)) is None, "a second answer changes nothing"
        else:
            expected = self.model.reject(request.id, agent)
            assert self.act(routing.reject(reservation, agent)) == expected
            assert not self.act(routing.reject(reservation, agent)), "a second answer changes nothing"

    @rule(agent=agents, visitor=visitors)
    def ends(self, agent: int, visitor: int) -> None:
        who, chat = self.world.agents[agent], self.model._mine(self.world.visitors[visitor])
        if chat:
            found = self.chat_of(chat.visitor)
            assert self.act(routing.end(who, found)) == self.model.end(who, chat.id)

    @rule(agent=agents, visitor=visitors, requeue=st.booleans())
    def leaves(self, agent: int, visitor: int, requeue: bool) -> None:
        who, chat = self.world.agents[agent], self.model._mine(self.world.visitors[visitor])
        if chat:
            found = self.chat_of(chat.visitor)
            assert self.act(routing.leave(who, found, requeue)) == self.model.leave(who, chat.id, requeue)

    @rule(visitor=visitors, queue=queues)
    def a_conversation_begins(self, visitor: int, queue: int) -> None:
        self.arrives(visitor, queue)
        for request in list(self.model.requests.values()):
            if request.chat.visitor == self.world.visitors[visitor]:
                reservation = self.reservation_of(request.agent)
                assert self.model.accept(request.id, request.agent)
                assert self.act(routing.accept(reservation, request.agent))

    @precondition(lambda self: any(c.agents for c in self.model.open.values()))
    @rule(other=agents, queue=queues, data=st.data(), leaving=st.booleans())
    def invites_or_transfers(self, other: int, queue: int, data: st.DataObject, leaving: bool) -> None:
        """By somebody in a conversation, or now and then by somebody who is not."""
        chat = data.draw(st.sampled_from([c for c in self.model.open.values() if c.agents]))
        who = data.draw(st.sampled_from([*list(chat.agents) * 3, self.world.agents[0]]))
        to = self.somebody(other, queue, data, who)
        found = self.chat_of(chat.visitor)
        verb, expected = (
            (invites.transfer, self.model.transfer) if leaving else (invites.invite, self.model.invite)
        )
        problem = self.act(verb(who, found, **to))
        assert (problem == "") == expected(who, chat.id, **to), problem

    @precondition(lambda self: any(c.invite for c in self.model.open.values()))
    @rule(agent=agents, data=st.data(), requeue=st.booleans(), withdrawing=st.booleans())
    def withdraws_or_leaves(self, agent: int, data: st.DataObject, requeue: bool, withdrawing: bool) -> None:
        chat = data.draw(st.sampled_from([c for c in self.model.open.values() if c.invite]))
        who, found = (
            data.draw(st.sampled_from([*chat.agents, self.world.agents[agent]])),
            self.chat_of(chat.visitor),
        )
        if withdrawing:
            assert self.act(invites.withdraw(who, found)) == self.model.withdraw(who, chat.id)
        else:
            assert self.act(routing.leave(who, found, requeue)) == self.model.leave(who, chat.id, requeue)

    @precondition(lambda self: self.model.requests)
    @rule(other=agents, queue=queues, data=st.data())
    def passes_on(self, other: int, queue: int, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(list(self.model.requests.values())))
        to = self.somebody(other, queue, data, request.agent)
        reservation = self.reservation_of(request.agent)
        problem = self.act(invites.pass_on(reservation, request.agent, **to))
        assert (problem == "") == self.model.pass_on(request.id, request.agent, **to), problem

    def somebody(self, agent: int, queue: int, data: st.DataObject, by: int) -> dict[str, Any]:
        """An agent, now and then the one who asks; or a queue."""
        others = [each for each in self.world.agents if each != by]
        name = data.draw(st.sampled_from([*others * 3, self.world.agents[agent]]))
        return {"agent": name} if data.draw(st.booleans()) else {"queue": self.world.queues[queue]}

    @rule(queue=queues, is_open=st.sampled_from([True, True, False]))
    def opens_or_closes(self, queue: int, is_open: bool) -> None:
        where = self.world.queues[queue]
        (self.model.open_queue if is_open else self.model.close_queue)(where)
        table = tables.Queue
        self.world.run(table.update({table.always_open: is_open}).where(table.id == where).run())
        self.act(routing.settle())

    @rule()
    def restarts(self) -> None:
        self.model.restart()
        desk = tables.Desk
        self.world.run(desk.update({desk.alive_at: db.clock.now()}, force=True).run())
        self.act(sweeping.restart())

    @rule(which=st.integers(0, 3), early=st.sampled_from([0, 0, 1]))
    def a_deadline_comes(self, which: int, early: int) -> None:
        """One of the next, to the second, or a second before."""
        if coming := sorted(at for at in set(deadlines(self.model)) if at > self.model.now):
            self.time_passes(max(coming[min(which, len(coming) - 1)] - self.model.now - early, 1))

    @rule(seconds=st.sampled_from([1, 2, 5, 30, 120, 601]))
    def time_passes(self, seconds: int) -> None:
        """Second by second; ours looks when the model says that something happens, and at the end."""
        for second in range(1, seconds + 1):
            before = picture(self.model)
            self.model.tick()
            db.clock.shift(1)
            if second == seconds or seconds <= 2 or picture(self.model) != before:
                self.act(routing.settle())

    # ---- what must be so ----------------------------------------------------------------------------------

    @invariant()
    def the_model_agrees(self) -> None:
        desk = self.look()
        chats = {chat.visitor: chat for chat in desk.chats.values()}
        expected = {c.visitor: c for c in self.model.open.values()}
        assert chats.keys() == expected.keys()
        for visitor, chat in chats.items():
            assert self.facts_of(chat) == self.facts_of_model(expected[visitor])
        for agent in desk.agents.values():
            self.compare_agent(agent, self.model.agents[agent.id])
        for queue in desk.queues.values():
            assert queue.green == self.model.green(queue.id), "green"

    @invariant()
    def the_rules_hold(self) -> None:
        desk = self.look()
        taken = desk.taken()
        for agent in desk.agents.values():
            assert sum(request.agent == agent.id for request in desk.open_requests()) <= 1
            guests = sum(r.kind == "direct" and r.agent == agent.id for r in desk.open_requests())
            most = max(agent.places, self.taken[agent.id]) + guests
            assert taken[agent.id] <= most, "more places than there are"
        self.taken = taken
        for chat in desk.chats.values():
            assert chat.ticket_at == self.tickets.setdefault(chat.id, chat.ticket_at), (
                "a ticket never changes"
            )
            if chat.state == "active":
                assert chat.agents or chat.invite
                for agent_id in chat.agents:
                    gone_at = desk.agents[agent_id].gone_at
                    assert gone_at is None or not desk.past(gone_at, desk.queues[chat.queue].grace_s)
            if chat.state == "waiting" and not chat.reservation and desk.visitor_is_here(chat):
                idle = [a for a in desk.candidates(chat) if a.gone_at is None and taken[a.id] < a.places]
                assert all(any(r.agent == a.id for r in desk.open_requests()) for a in idle), "left waiting"
            if request := chat.reservation:
                self.check_refusal(desk, chat, request, taken)

    @invariant()
    def what_is_out_of_sight_still_counts(self) -> None:
        desk, part = self.look(), self.world.run(ledger.load(db.clock.now(), pieces.Sight()))
        assert part.taken() == desk.taken()
        assert part.lines() == desk.lines()

    def check_refusal(self, desk: Any, chat: Any, request: Any, taken: Counter[int]) -> None:
        if request.kind != "chat":
            assert chat.invite is request.invite
            assert chat.invite is not None
            return
        if request.opened_at == desk.now and request.agent in chat.refused:
            assert desk.past(chat.refused[request.agent].refused_at, 30), "asked again too soon"
            others = [a for a in desk.candidates(chat) if taken[a.id] < a.places or not desk.is_overdue(chat)]
            assert not others, "asked again although another may come"

    @invariant()
    def green_is_proved_by_pressing(self) -> None:
        for queue in self.world.queues:
            desk = copy.deepcopy(self.look())
            newcomer = pieces.Chat(LAST, 0, queue, desk.now, hold_until_at=desk.after(matching.HOLD_S))
            green, desk.chats[LAST] = desk.queues[queue].green, newcomer
            desk.settle()
            gets_a_place = newcomer.promised_to is not None
            assert gets_a_place == green or not desk.queues[queue].open

    def teardown(self) -> None:
        self.world.run(self.the_ledger_explains_it())

    async def the_ledger_explains_it(self) -> None:
        steps: dict[int, list[Any]] = defaultdict(list)
        for step in await tables.Step.select().order_by(tables.Step.id):
            json.loads(step["data"])
            if step["chat"]:
                steps[step["chat"]].append(step)
        for chat in await tables.Chat.select():
            assert state_after(step["what"] for step in steps[chat["id"]]) == chat["state"]
        counted = Counter(step["what"] for each in steps.values() for step in each)
        outcomes = Counter(row["outcome"] or "open" for row in await tables.Reservation.select())
        for outcome in ("rejected", "passed_on", "no_answer", "gone", "withdrawn", "visitor_left"):
            assert counted[outcome] == outcomes[outcome], outcome
        assert counted["asked"] == sum(outcomes.values())
        assert counted["joined"] == outcomes["accepted"] == await tables.Participation.count()

    # ---- ours and the model's, in the same words ----------------------------------------------------------

    def act(self, verb: Coroutine[Any, Any, T]) -> T:
        self.before = None
        return self.world.run(verb)

    def look(self) -> Any:
        if self.before is None:
            self.before = self.world.run(ledger.load(db.clock.now(), pieces.Sight(everything=True)))
        return self.before

    def chat_of(self, visitor: int) -> int:
        chat = self.look().chat_of(visitor)
        return chat.id if chat else 0

    def reservation_of(self, agent: int) -> int:
        mine = (request for request in self.look().open_requests() if request.agent == agent)
        return next(mine).id or 0

    def facts_of(self, chat: Any) -> dict[str, Any]:
        return {
            "queue": chat.queue,
            "state": chat.state,
            "ticket": seconds(chat.ticket_at),
            "hold_until": seconds(chat.hold_until_at) if chat.state == "forming" else None,
            "promised": chat.promised_to,
            "returned": chat.returned,
            "begun": chat.begun,
            "agents": {agent: seat.queue for agent, seat in chat.agents.items()},
            "refused": {agent: (seconds(r.refused_at), r.how) for agent, r in chat.refused.items()},
            "asked": chat.reservation
            and (chat.reservation.agent, chat.reservation.kind, seconds(chat.reservation.expires_at)),
            "invite": chat.invite
            and (
                chat.invite.inviter,
                chat.invite.queue,
                seconds(chat.invite.expires_at),
                sorted(chat.invite.refused),
            ),
            "gone_at": seconds(chat.visitor_gone_at),
            "here": chat.visitor_here,
            "alone_since": seconds(chat.alone_since_at),
            "outlook": chat.outlook,
            "place": self.world.run(routing.place(chat.id)),
        }

    def facts_of_model(self, c: model.Chat) -> dict[str, Any]:
        request = self.model.request_of(c)
        in_line = c.state in ("forming", "waiting")
        return {
            "queue": c.queue,
            "state": c.state,
            "ticket": c.ticket,
            "hold_until": c.hold_until if c.state == "forming" else None,
            "promised": c.promise,
            "returned": c.returned,
            "begun": c.connected,
            "agents": c.agents,
            "refused": {agent: (at, code(how)) for agent, (at, how) in c.refused.items()},
            "asked": request and (request.agent, request.kind, request.expires_at),
            "invite": c.invite
            and (c.invite.by, c.invite.queue, c.invite.expires_at, sorted(c.invite.refused)),
            "gone_at": c.visitor_gone_at,
            "here": self.model.visitor_here(c),
            "alone_since": c.alone_since,
            "outlook": self.model.outlook(c) if c.state == "waiting" else "",
            "place": self.model.place(c) if in_line else 0,
        }

    def compare_agent(self, agent: Any, expected: model.Agent) -> None:
        on_duty = expected.profile is not None
        assert (agent.profile is not None) == on_duty
        if not on_duty:
            return
        assert (agent.ready, agent.reason) == (expected.ready, code(expected.reason))
        assert seconds(agent.gone_at) == expected.gone_at
        assert seconds(agent.idle_since_at) == expected.idle_since
        assert agent.here == self.model.here(expected)


def deadlines(desk: model.Desk) -> Iterator[int]:
    """When something may follow from time alone."""
    for request in desk.requests.values():
        yield request.expires_at
    for agent in desk.agents.values():
        if agent.gone_at is not None:
            yield from (agent.gone_at + seconds for seconds in (10, 30, 60))
    for c in desk.open.values():
        yield from (c.hold_until, c.ticket + desk.queues[c.queue].overdue_s)
        yield from (refused_at + model.RETRY_S for refused_at, _ in c.refused.values())
        if c.visitor_gone_at is not None:
            yield from (c.visitor_gone_at + seconds for seconds in (10, 120, 600))
        if c.invite:
            yield c.invite.expires_at
        if c.alone_since is not None:
            yield c.alone_since + model.CLOSED_S


def picture(desk: model.Desk) -> str:
    """All that a page or a rule could see of the model, but the time."""
    green = [desk.green(queue) for queue in desk.queues]
    here = [desk.here(agent) for agent in desk.agents.values()]
    visitors = [(desk.visitor_here(c), desk.outlook(c)) for c in desk.open.values()]
    return repr((green, here, visitors, desk.agents, desk.open, desk.requests))


def state_after(whats: Iterator[str]) -> str:
    state = "forming"
    after = {
        "started": "waiting",
        "joined": "active",
        "returned": "waiting",
        "ended": "ended",
        "hold_ended": "ended",
    }
    for what in whats:
        state = after.get(what, state)
    return state


def seconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - EPOCH) // timedelta(seconds=1)


def code(words: str) -> str:
    return words.replace(" ", "_")


@pytest.fixture
def world(databases: Databases, engine: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Time stands still but for `shift`: the model counts whole seconds."""
    monkeypatch.setattr(db.clock, "time", SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr(db.clock, "_began_at", EPOCH)
    monkeypatch.setattr(db.clock, "_began_s", 0.0)
    with asyncio.Runner() as runner:
        url = runner.run(databases.make(engine, "empty"))
        runner.run(db.connect(url))
        yield World(runner)
        runner.run(db.disconnect())
        runner.run(databases.drop(url))


@pytest.mark.timeout(0)
def test_whatever_happens(world: World, engine: str) -> None:
    class Machine(Routing):
        pass

    Machine.world = world
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=int(os.environ.get("BALIE_EXAMPLES", EXAMPLES[engine])),
            stateful_step_count=STEPS,
            derandomize="BALIE_EXAMPLES" not in os.environ,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
