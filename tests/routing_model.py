"""Balie routing: the written rules as a small executable model. Pure: no I/O and no clock of its own; time is whole seconds.

Every event acts, then `_settle`s: what is due falls due, then the free places are given out. `plan` is the crux: it decides
who is asked for what, and (with a newcomer added) whether the button is green. Everything else is bookkeeping around it.

The reference for test_routing_properties.py, which says where the desk goes further.
"""

# ruff: noqa: E501

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

HOLD_S = 60  # a place promised to a visitor who is filling in the form
HERE_S = 10  # a dropped line shorter than this changes nothing, on either side
READY_GONE_S = 60  # an agent away for longer must make itself ready again
RETRY_S = 30  # a refuser is asked again only when nobody else may come, and not sooner
INVITE_S = 120  # an invitation to a queue lives this long (one to an agent: the queue's time to answer)
VISITOR_WAIT_S = 120  # a visitor unseen for so long in the queue has left it ...
VISITOR_TALK_S = 600  # ... and so long when a conversation had begun
ABOUT_AS_LONG_S = 300  # idle times that differ by less are equal, for the sake of the language
CLOSED_S = 300  # after closing time a chat that has waited so long with nobody left for it is ended


@dataclass
class Queue:
    id: str
    answer_s: int = 30
    grace_s: int = 60
    overdue_s: int = 300
    closed_at: int | None = None


@dataclass(frozen=True)
class Profile:
    queues: Mapping[str, int]  # queue -> priority, 1 comes first; equal priorities form one line
    places: int


@dataclass
class Agent:
    id: str
    profile: Profile | None = None  # None: logged out
    ready: bool = False
    reason: str = ""
    gone_at: int | None = None  # None: has a live console
    idle_since: int = 0
    languages: frozenset[str] = frozenset()


@dataclass
class Invite:
    by: str
    queue: str | None  # None: a given agent (its Request names it)
    expires_at: int
    refused: set[str] = field(default_factory=set)


@dataclass
class Chat:
    id: int
    visitor: str
    queue: str
    ticket: int  # its place: the moment of the press; never changes
    state: str = "forming"  # forming (= the hold) -> waiting <-> active -> ended
    hold_until: int = 0
    promise: str | None = None  # the agent one of whose places is set aside for it
    returned: bool = False  # was connected, lost its agent: head of the queue
    connected: bool = False  # a conversation has begun at some time
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    agents: dict[str, str | None] = field(
        default_factory=dict
    )  # who takes part -> through which queue; None: invited by name
    invite: Invite | None = None
    visitor_gone_at: int | None = None
    alone_since: int | None = None  # waits, the queue is closed and nobody is left
    ended: str = ""
    language: str = ""


@dataclass
class Request:
    id: int
    chat: Chat
    agent: str
    kind: str  # "chat" | "invite" (to a queue) | "direct" (to this agent)
    expires_at: int
    outcome: str = ""  # "" = open; accepted, rejected, no answer, gone, withdrawn


def event(act: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(act)
    def run(desk: Desk, *args: Any, **kw: Any) -> Any:
        result = act(desk, *args, **kw)
        desk._settle()
        return result

    return run


class Desk:
    def __init__(self, queues: list[Queue], agents: list[str]) -> None:
        self.now = 0
        self.queues = {q.id: q for q in queues}
        self.agents = {a: Agent(a) for a in agents}
        self.speaks: dict[str, str] = {}  # visitor -> language
        self.open: dict[int, Chat] = {}  # not ended
        self.past: list[Chat] = []
        self.requests: dict[int, Request] = {}  # open ones
        self.closed: list[Request] = []
        self.ids = 0
        self.on_grant: Callable[[str, Chat, Agent], None] = lambda how, chat, agent: None

    # ---- what is so ------------------------------------------------------------------------------------------------

    def here(self, a: Agent) -> bool:
        return a.profile is not None and (a.gone_at is None or self.now - a.gone_at < HERE_S)

    def visitor_here(self, c: Chat) -> bool:
        return c.visitor_gone_at is None or self.now - c.visitor_gone_at < HERE_S

    def serves(self, a: Agent, queue: str) -> bool:
        return a.ready and self.here(a) and a.profile is not None and queue in a.profile.queues

    def load(self, a: Agent) -> int:
        """All that takes a place: conversations, open requests and invitations, promises."""
        return (
            sum(a.id in c.agents for c in self.open.values())
            + sum(r.agent == a.id for r in self.requests.values())
            + sum(c.promise == a.id for c in self.open.values())
        )

    def free(self, a: Agent) -> int:
        return a.profile.places - self.load(a) if a.profile else 0

    def request_of(self, c: Chat) -> Request | None:
        return next((r for r in self.requests.values() if r.chat is c), None)

    def queue_of(self, c: Chat) -> str:
        return c.invite.queue if c.state == "active" and c.invite and c.invite.queue else c.queue

    def overdue(self, c: Chat) -> bool:
        return self.now - c.ticket >= self.queues[self.queue_of(c)].overdue_s

    def candidates(self, c: Chat) -> Iterator[Agent]:
        """Agents who have not refused and can be expected: ready and here, with a place or without."""
        no = (c.invite.refused | {c.invite.by}) if c.state == "active" and c.invite else c.refused.keys()
        return (
            b
            for b in self.agents.values()
            if self.serves(b, self.queue_of(c)) and b.id not in no and b.id not in c.agents
        )

    def may_come(self, c: Chat) -> bool:
        """Once the chat is overdue, somebody whose places are all taken is no longer waited for."""
        return any(self.free(b) > 0 or not self.overdue(c) for b in self.candidates(c))

    def assignable(self, a: Agent, c: Chat) -> bool:
        if not self.serves(a, self.queue_of(c)) or a.id in c.agents:
            return False
        if c.state == "active":
            return c.invite is not None and a.id != c.invite.by and a.id not in c.invite.refused
        if a.id not in c.refused:
            return True
        return self.now >= c.refused[a.id][0] + RETRY_S and not self.may_come(c)

    def order(self, a: Agent, c: Chat) -> tuple[int, int, int, int]:
        """Begun conversations, then whoever is overdue, then the profile's priorities; within each the older ticket."""
        assert a.profile is not None
        if c.returned or c.state == "active":
            return (0, 0, c.ticket, c.id)
        if self.overdue(c):
            return (1, 0, c.ticket, c.id)
        return (2, a.profile.queues[self.queue_of(c)], c.ticket, c.id)

    def in_line(self, c: Chat) -> bool:
        if c.state == "forming":
            return c.promise is None
        if c.state == "waiting":
            return self.visitor_here(c) and self.request_of(c) is None
        return c.invite is not None and c.invite.queue is not None and self.request_of(c) is None

    def plan(self, newcomer: Chat | None = None) -> list[tuple[str, Chat, Agent]]:
        """Who gets what, now. Agents who can be asked at once go first: least loaded, then idle longest; each takes the first
        of its own order. Then the places of those who are answering something else are allotted in the same way ("later"),
        so that a place is never promised twice. A chat that already has a promise may be asked of somebody else sooner. Of those
        with as many places taken who have been idle about as long, one who speaks the chat's language goes first."""
        agents = [a for a in self.agents.values() if a.ready and self.here(a) and a.profile]
        load = {a.id: self.load(a) for a in agents}
        asked = {r.agent for r in self.requests.values()}
        promise = {c.id: c.promise for c in self.open.values()}
        line = [c for c in self.open.values() if self.in_line(c)] + ([newcomer] if newcomer else [])
        steps: list[tuple[str, Chat, Agent]] = []

        def can_ask(a: Agent) -> bool:
            return a.gone_at is None and a.id not in asked

        def as_good(a: Agent, b: Agent, owed: Counter[str | None]) -> bool:
            same = (can_ask(a), load[a.id] - owed[a.id]) == (can_ask(b), load[b.id] - owed[b.id])
            return same and abs(a.idle_since - b.idle_since) < ABOUT_AS_LONG_S

        def next_step() -> tuple[str, Chat, Agent] | None:
            owed = Counter(
                promise[c.id] for c in line if c.state == "waiting" and promise.get(c.id)
            )  # about to be asked
            first: tuple[str, Chat, Agent] | None = None
            for a in sorted(
                agents, key=lambda a: (not can_ask(a), load[a.id] - owed[a.id], a.idle_since, a.id)
            ):
                assert a.profile is not None
                if first and not as_good(a, first[2], owed):
                    break
                spare = load[a.id] < a.profile.places
                mine = [
                    c
                    for c in line
                    if self.assignable(a, c)
                    and (
                        (spare or promise.get(c.id) == a.id)
                        if can_ask(a)
                        else spare and not promise.get(c.id)
                    )
                ]
                if mine:
                    c = min(mine, key=lambda c: self.order(a, c))
                    speaks = c.language in a.languages
                    if first is None or speaks:
                        how = "promise" if c.state == "forming" else "request" if can_ask(a) else "later"
                        first = how, c, a
                    if speaks:
                        break
            return first

        while step := next_step():
            how, c, a = step
            steps.append(step)
            line.remove(c)
            if (old := promise.get(c.id)) in load:
                load[old] -= 1
            load[a.id] += 1
            if how == "request":
                asked.add(a.id)
        return steps

    def green(self, queue: str) -> bool:
        newcomer = Chat(self.ids + 1, "", queue, self.now)
        return self.queues[queue].closed_at is None and any(c is newcomer for _, c, _ in self.plan(newcomer))

    def outlook(self, c: Chat) -> str:
        """What a waiting visitor is told: asked (somebody is being asked), line (a place in it), nobody (wait, or info card)."""
        return (
            "asked" if self.request_of(c) else "line" if any(True for _ in self.candidates(c)) else "nobody"
        )

    def place(self, c: Chat) -> int:
        rank = (not c.returned, c.ticket, c.id)
        return 1 + sum(
            (not o.returned, o.ticket, o.id) < rank
            for o in self.open.values()
            if o.queue == c.queue and o.state in ("forming", "waiting")
        )

    def dot(self, c: Chat) -> str:
        if c.state == "ended":
            return "red"
        return "green" if any(self.here(self.agents[a]) for a in c.agents) else "grey"

    def chat_of(self, visitor: str) -> Chat | None:
        mine = [c for c in self.open.values() if c.visitor == visitor] or [
            c for c in self.past if c.visitor == visitor
        ]
        return mine[-1] if mine else None

    # ---- what falls due, and what follows ----------------------------------------------------------------------------

    def tick(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self.now += 1
            self._settle()

    def _settle(self) -> None:
        self._due()
        while grant := next(
            (step for step in self.plan() if step[0] != "later"), None
        ):  # one, then look again: a place
            how, c, a = grant  # that is taken can mean that a refuser may now be asked
            self.on_grant(how, c, a)
            if how == "promise":
                c.promise = a.id
            else:
                c.promise = None
                self._ask(
                    c,
                    a.id,
                    "chat" if c.state == "waiting" else "invite",
                    self.queues[self.queue_of(c)].answer_s,
                )

    def _due(self) -> None:
        for a in self.agents.values():
            if a.gone_at is not None and self.now - a.gone_at >= HERE_S:
                self._release(a, "gone")
                if a.ready and self.now - a.gone_at >= READY_GONE_S:
                    a.ready, a.reason = False, "connection lost"
        for r in [r for r in self.requests.values() if self.now >= r.expires_at]:
            if r.outcome == "":  # pausing for one may have closed another
                self._close(r, "gone" if self.agents[r.agent].gone_at is not None else "no answer")
        for c in list(self.open.values()):
            self._due_chat(c)

    def _due_chat(self, c: Chat) -> None:
        away = 0 if c.visitor_gone_at is None else self.now - c.visitor_gone_at
        limit = {"forming": HERE_S, "waiting": VISITOR_TALK_S if c.connected else VISITOR_WAIT_S}.get(
            c.state, VISITOR_TALK_S
        )
        if c.state == "forming" and self.now >= c.hold_until:
            return self._end(c, "hold expired")
        if away >= limit:
            return self._end(c, "visitor gone")
        for a in [self.agents[a] for a in c.agents]:
            if a.gone_at is not None and self.now - a.gone_at >= self.queues[c.queue].grace_s:
                self._part(c, a)
        if (
            c.invite
            and self.request_of(c) is None
            and (self.now >= c.invite.expires_at or not any(self.candidates(c)))
        ):
            self._close_invite(c)
        alone = (
            c.state == "waiting"
            and self.queues[c.queue].closed_at is not None
            and self.outlook(c) == "nobody"
        )
        c.alone_since = (self.now if c.alone_since is None else c.alone_since) if alone else None
        if c.alone_since is not None and self.now - c.alone_since >= CLOSED_S:
            self._end(c, "closed")

    def _ask(self, c: Chat, agent: str, kind: str, answer_s: int) -> None:
        self.ids += 1
        self.requests[self.ids] = Request(self.ids, c, agent, kind, self.now + answer_s)

    def _close(self, r: Request, outcome: str) -> None:
        """The chat keeps its ticket. Only a rejection or silence is a refusal; only silence on a routed request pauses."""
        r.outcome = outcome
        self.closed.append(self.requests.pop(r.id))
        if outcome in ("rejected", "no answer"):
            r.chat.refused[r.agent] = (self.now, outcome)
            if r.chat.invite:
                r.chat.invite.refused.add(r.agent)
        if r.kind == "direct":
            self._close_invite(r.chat)
        if outcome == "no answer" and r.kind != "direct":
            self._pause(self.agents[r.agent], "not answered")

    def _pause(self, a: Agent, reason: str) -> None:
        a.ready, a.reason = False, reason
        self._release(a, "withdrawn")

    def _release(self, a: Agent, outcome: str) -> None:
        for r in [r for r in self.requests.values() if r.agent == a.id]:
            self._close(r, outcome)
        for c in self.open.values():
            c.promise = None if c.promise == a.id else c.promise

    def _close_invite(self, c: Chat) -> None:
        c.invite = None
        if not c.agents:
            self._return(c)

    def _return(self, c: Chat) -> None:
        c.state, c.returned = "waiting", True

    def _part(self, c: Chat, a: Agent) -> None:
        del c.agents[a.id]
        a.idle_since = self.now
        self._rehome(c)
        if not c.agents and not c.invite:
            self._return(c)

    def _rehome(self, c: Chat) -> None:
        """Handed over for good to another queue: when nobody of its own queue is left and somebody of the other is in it."""
        came = [queue for queue in c.agents.values() if queue]
        if came and c.queue not in came:
            c.queue = came[0]

    def _end(self, c: Chat, why: str) -> None:
        for r in [r for r in self.requests.values() if r.chat is c]:
            r.outcome = "withdrawn"
            self.closed.append(self.requests.pop(r.id))
        for a in c.agents:
            self.agents[a].idle_since = self.now
        c.state, c.ended, c.agents, c.invite, c.promise = "ended", why, {}, None, None
        self.past.append(self.open.pop(c.id))

    # ---- the visitor's events ------------------------------------------------------------------------------------------

    def _mine(self, visitor: str) -> Chat | None:
        c = self.chat_of(visitor)
        return c if c and c.state != "ended" else None

    def _new(self, visitor: str, queue: str) -> Chat:
        self.ids += 1
        c = self.open[self.ids] = Chat(self.ids, visitor, queue, self.now)
        c.language = self.speaks.get(visitor, "")
        return c

    @event
    def press(self, visitor: str, queue: str) -> Chat | None:
        """The button. An open chat (or hold, not prolonged) is found again; else a hold if green; else None: info card or wait."""
        if c := self._mine(visitor):
            c.visitor_gone_at = None
            return c
        if not self.green(queue):
            return None
        c = self._new(visitor, queue)
        c.hold_until = self.now + HOLD_S
        return c

    @event
    def choose(self, visitor: str, queue: str) -> bool:
        """The subject in the form names another queue: the promise goes along if it can, else the old one stays."""
        c = self._mine(visitor)
        return (
            c is not None
            and c.state == "forming"
            and self.queues[queue].closed_at is None
            and self._move(c, queue)
        )

    def _move(self, c: Chat, queue: str) -> bool:
        old, c.queue = (c.queue, c.promise), queue
        if c.promise and self.serves(self.agents[c.promise], queue):
            return True
        c.promise = None
        if any(o is c for _, o, _ in self.plan()):
            return True
        c.queue, c.promise = old
        return False

    @event
    def start(self, visitor: str, queue: str) -> Chat | None:
        """The form is sent. With a hold: its ticket and its place. Without: the end of the line, if anybody is on it."""
        c = self._mine(visitor)
        if c and c.state == "forming":
            if c.queue != queue:
                if self.queues[queue].closed_at is not None:
                    return None
                if not self._move(
                    c, queue
                ):  # wanted although not green: waits without a promise, with its ticket
                    c.queue, c.promise = queue, None
            c.state, c.visitor_gone_at = "waiting", None
            return c
        if c:
            return c
        if self.queues[queue].closed_at is not None or not any(
            self.serves(a, queue) for a in self.agents.values()
        ):
            return None
        c = self._new(visitor, queue)
        c.state = "waiting"
        return c

    @event
    def leave_visitor(self, visitor: str) -> None:
        if c := self._mine(visitor):
            self._end(c, "by visitor")

    @event
    def lose_visitor(self, visitor: str) -> None:
        if (c := self._mine(visitor)) and c.visitor_gone_at is None:
            c.visitor_gone_at = self.now

    @event
    def back_visitor(self, visitor: str) -> Chat | None:
        if c := self._mine(visitor):
            c.visitor_gone_at = None
        return self.chat_of(visitor)

    # ---- the agent's events --------------------------------------------------------------------------------------------

    @event
    def login(self, agent: str, profile: Profile) -> None:
        a = self.agents[agent]
        a.profile, a.ready, a.reason, a.gone_at, a.idle_since = profile, False, "logged in", None, self.now
        for c in self.open.values():
            c.refused.pop(agent, None)

    @event
    def logout(self, agent: str) -> None:
        """Also what an admin's deactivation does. The page asked first: each conversation goes on without, or to the head."""
        a = self.agents[agent]
        self._pause(a, "logged out")
        for c in [c for c in self.open.values() if agent in c.agents]:
            self._part(c, a)
        a.profile = None

    @event
    def make_ready(self, agent: str) -> None:
        a = self.agents[agent]
        if a.profile is None or a.gone_at is not None:
            return
        a.ready, a.reason = True, ""
        for c in self.open.values():  # silence is forgiven by being back; a rejection is not
            if c.refused.get(agent, (0, ""))[1] == "no answer":
                del c.refused[agent]

    @event
    def pause(self, agent: str, reason: str = "break") -> None:
        self._pause(self.agents[agent], reason)

    @event
    def switch(self, agent: str, profile: Profile) -> None:
        """Another profile, or the admin changed it: conversations stay, even above the places; requests and promises may not."""
        a = self.agents[agent]
        a.profile = profile
        for r in [r for r in self.requests.values() if r.agent == agent and r.kind != "direct"]:
            if self.queue_of(r.chat) not in profile.queues:
                self._close(r, "withdrawn")
        for c in self.open.values():
            c.promise = None if c.promise == agent else c.promise

    @event
    def lose(self, agent: str) -> None:
        a = self.agents[agent]
        a.gone_at = self.now if a.profile and a.gone_at is None else a.gone_at

    @event
    def regain(self, agent: str) -> None:
        self.agents[agent].gone_at = None

    @event
    def accept(self, request: int, agent: str) -> bool:
        """Compare-and-swap on the open request: late, foreign and second answers change nothing."""
        r = self.requests.get(request)
        if r is None or r.agent != agent:
            return False
        c, r.outcome = r.chat, "accepted"
        self.closed.append(self.requests.pop(request))
        c.agents[agent] = None if r.kind == "direct" else self.queue_of(c)
        c.state, c.connected, c.returned, c.invite, c.refused = "active", True, False, None, {}
        self._rehome(c)
        self.agents[agent].idle_since = self.now
        return True

    @event
    def reject(self, request: int, agent: str) -> bool:
        r = self.requests.get(request)
        if r is None or r.agent != agent:
            return False
        self._close(r, "rejected")
        return True

    @event
    def end(self, agent: str, chat: int) -> bool:
        c = self.open.get(chat)
        if c is None or agent not in c.agents:
            return False
        self._end(c, "by agent")
        return True

    @event
    def leave(self, agent: str, chat: int, requeue: bool = False) -> bool:
        """Allowed when somebody else is in, or invited, or the agent chose "back to the queue"."""
        c = self.open.get(chat)
        if c is None or agent not in c.agents or not (len(c.agents) > 1 or c.invite or requeue):
            return False
        if len(c.agents) == 1:
            c.refused[agent] = (self.now, "left")  # others first, if it comes back to the queue
        self._part(c, self.agents[agent])
        return True

    @event
    def invite(self, by: str, chat: int, agent: str | None = None, queue: str | None = None) -> bool:
        """One open invitation per chat. A given agent: ready, here, not in it; may be full. A queue: somebody must be on it."""
        c = self.open.get(chat)
        if c is None or by not in c.agents or c.invite:
            return False
        if agent is not None:
            b = self.agents[agent]
            if not (b.ready and self.here(b)) or agent in c.agents:
                return False
            answer_s = self.queues[c.queue].answer_s
            c.invite = Invite(by, None, self.now + answer_s)
            self._ask(c, agent, "direct", answer_s)
            return True
        c.invite = Invite(by, queue, self.now + INVITE_S)
        if not any(self.candidates(c)):
            c.invite = None
            return False
        return True

    @event
    def withdraw(self, by: str, chat: int) -> bool:
        c = self.open.get(chat)
        if c is None or by not in c.agents or c.invite is None:
            return False
        c.invite, r = None, self.request_of(c)
        if r:
            r.outcome = "withdrawn"
            self.closed.append(self.requests.pop(r.id))
        return True

    # ---- the desk itself -------------------------------------------------------------------------------------------------

    @event
    def restart(self) -> None:
        """The server was down. The desk's clock stood still; every line is cut as of now, and has the usual time to come back."""
        for a in self.agents.values():
            a.gone_at = self.now if a.profile and a.gone_at is None else a.gone_at
        for c in self.open.values():
            c.visitor_gone_at = self.now if c.visitor_gone_at is None else c.visitor_gone_at

    @event
    def close_queue(self, queue: str) -> None:
        q = self.queues[queue]
        q.closed_at = self.now if q.closed_at is None else q.closed_at

    @event
    def open_queue(self, queue: str) -> None:
        self.queues[queue].closed_at = None
