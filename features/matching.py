"""Who is asked for which chat: the rules of the desk, applied to what is so at one moment.

Pure: no database, no clock. `ledger` makes a Desk of the rows, a verb of `routing` acts on it and settles
it, and what has changed is written. `Desk.plan` is the crux: it decides who is asked for what, and (with a
newcomer added) whether the button is green.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import datetime, timedelta
from typing import Any

from features.pieces import (
    Agent,
    Chat,
    Grant,
    Participation,
    Profile,
    Queue,
    Refusal,
    Reservation,
    Row,
    Sight,
    Step,
)

HOLD_S = 60  # a place promised to a visitor who is filling in the form; renewed while the person types
HOLD_MOST_S = 300  # and no longer than this
HERE_S = 10  # a dropped line shorter than this changes nothing, on either side
READY_GONE_S = 60  # an agent away for longer must make itself ready again
RETRY_S = 30  # a refuser is asked again only when nobody else may come, and not sooner
WAITING_AWAY_S = 120  # how long the place in line is kept for a visitor without a page, if nothing has begun
INVITE_S = 120  # an invitation to a queue lives this long; one to an agent as long as it has to answer
ABOUT_AS_LONG_S = 300  # idle times that differ by less are equal where one of the two speaks the language
CLOSED_S = 300  # after closing time a chat that has waited so long with nobody left for it is ended


def about_as_idle(agent: Agent, other: Agent) -> bool:
    return abs(agent.idle_since_at - other.idle_since_at) < timedelta(seconds=ABOUT_AS_LONG_S)


class Desk:
    """What is not over, as far as it is in sight. Verbs change it through its methods, so that each step is
    noted."""

    def __init__(
        self,
        now: datetime,
        queues: Iterable[Queue],
        profiles: Mapping[int, Profile],
        agents: Iterable[Agent],
        chats: Iterable[Chat],
        seats: Mapping[int, int],
        sight: Sight,
    ) -> None:
        self.now = now
        self.sight = sight
        self.queues = {queue.id: queue for queue in queues}
        self.profiles = profiles
        self.agents = {agent.id: agent for agent in agents}
        self.chats = {chat.id: chat for chat in chats}  # not ended
        self.ended: list[Chat] = []  # by this verb
        self.reservations = [chat.reservation for chat in self.chats.values() if chat.reservation]
        self.invites = [chat.invite for chat in self.chats.values() if chat.invite]
        self.participations = [seat for chat in self.chats.values() for seat in chat.agents.values()]
        self.elsewhere = Counter(seats)  # per agent, the conversations that are not in sight
        self.elsewhere.subtract(seat.agent for seat in self.participations)
        self.steps: list[Step] = []

    # ---- what is so ---------------------------------------------------------------------------------------

    def past(self, since: datetime | None, seconds: int) -> bool:
        """Whether so many seconds have passed since then."""
        return since is not None and self.now - since >= timedelta(seconds=seconds)

    def after(self, seconds: int) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def is_here(self, agent: Agent) -> bool:
        return agent.profile is not None and not self.past(agent.gone_at, HERE_S)

    def visitor_is_here(self, chat: Chat) -> bool:
        return not self.past(chat.visitor_gone_at, HERE_S)

    def serves(self, agent: Agent, queue: int) -> bool:
        return agent.ready and queue in agent.queues and self.is_here(agent)

    def is_served(self, queue: int) -> bool:
        return any(self.serves(agent, queue) for agent in self.agents.values())

    def queue_of(self, chat: Chat) -> int:
        """From which it is served: a conversation to which some agent of a queue is invited, from that."""
        asked_for = chat.invite.queue if chat.state == "active" and chat.invite else None
        return chat.queue if asked_for is None else asked_for

    def is_overdue(self, chat: Chat) -> bool:
        return self.past(chat.ticket_at, self.queues[self.queue_of(chat)].overdue_s)

    def open_requests(self) -> Iterator[Reservation]:
        return (request for request in self.reservations if not request.outcome)

    def request(self, reservation_id: int, agent_id: int) -> Reservation | None:
        """This reservation, if it is open and this agent's."""
        mine = (request for request in self.open_requests() if request.agent == agent_id)
        return next((request for request in mine if request.id == reservation_id), None)

    def chat(self, chat_id: int) -> Chat | None:
        assert self.sight.everything or self.sight.chat == chat_id
        return self.chats.get(chat_id)

    def chat_of(self, visitor_id: int) -> Chat | None:
        assert self.sight.everything or self.sight.visitor == visitor_id
        return next((chat for chat in self.chats.values() if chat.visitor == visitor_id), None)

    def conversations(self, agent: Agent) -> list[Chat]:
        return [chat for chat in self.chats.values() if agent.id in chat.agents]

    def taken(self) -> Counter[int]:
        """Per agent, all that takes a place: conversations, the open request, promises."""
        taken = self.elsewhere + Counter(request.agent for request in self.open_requests())
        for chat in self.chats.values():
            for agent_id in chat.agents:
                taken[agent_id] += 1
            if chat.promised_to is not None:
                taken[chat.promised_to] += 1
        return taken

    def lines(self) -> dict[int, list[int]]:
        """The chats in line per queue, the next one first; who fills in the form has a place in it too."""
        waiting = [chat for chat in self.chats.values() if chat.state in ("forming", "waiting")]
        lines: dict[int, list[int]] = defaultdict(list)
        for chat in sorted(waiting, key=lambda chat: (not chat.returned, chat.ticket_at, chat.id)):
            lines[chat.queue].append(chat.id)
        return lines

    # ---- who is asked -------------------------------------------------------------------------------------

    def plan(self, newcomer: Chat | None = None) -> Iterator[Grant]:
        """Who gets what, now. Agents who can be asked at once go first: fewest places taken, then idle
        longest; each takes the first of its own order. Then the places of those who are answering something
        else are allotted in the same way ("later"), so that a place is never promised twice. A chat that
        already has a promise may be asked of somebody else sooner. Of those with as many places taken,
        and idle about as long, one who speaks the chat's language goes first."""
        line = {chat for chat in self.chats.values() if self.is_in_line(chat)}
        if newcomer:
            line.add(newcomer)
        if not line:
            return
        taken = self.taken()
        asked = {request.agent for request in self.open_requests()}
        promised = {chat: chat.promised_to for chat in line}
        owing = set(promised.values())
        agents = [
            agent
            for agent in self.agents.values()
            if agent.ready
            and self.is_here(agent)
            and (taken[agent.id] < agent.places or agent.id in owing)  # who is full takes nothing
        ]
        wishes = {agent: self.wishes(agent, line, taken) for agent in agents}

        def can_be_asked(agent: Agent) -> bool:
            return agent.gone_at is None and agent.id not in asked

        def can_take(agent: Agent, chat: Chat) -> bool:
            spare = taken[agent.id] < agent.places
            if can_be_asked(agent):
                return spare or promised[chat] == agent.id
            return spare and promised[chat] is None

        def next_grant() -> Grant | None:
            owed = Counter(promised[chat] for chat in line if chat.state == "waiting")  # requests very soon
            turn = {a: (not can_be_asked(a), taken[a.id] - owed[a.id]) for a in agents}
            agents.sort(key=lambda a: (turn[a], a.idle_since_at, a.id))
            first: Grant | None = None
            for agent in agents:
                if first and (turn[agent] != turn[first.agent] or not about_as_idle(agent, first.agent)):
                    break
                chat = next((chat for chat in wishes[agent] if chat in line and can_take(agent, chat)), None)
                if chat is None or (first and chat.language not in agent.languages):
                    continue
                how = "request" if can_be_asked(agent) else "later"
                grant = Grant("promise" if chat.state == "forming" else how, chat, agent)
                if chat.language in agent.languages:
                    return grant
                first = grant
            return first

        while grant := next_grant():
            yield grant
            how, chat, agent = grant
            line.remove(chat)
            taken[agent.id] += 1
            if (old := promised[chat]) is not None:
                taken[old] -= 1
            if how == "request":
                asked.add(agent.id)

    def is_in_line(self, chat: Chat) -> bool:
        """Wants an agent: a hold without a promise; a waiting chat whose visitor is here, or a conversation
        with an invitation to a queue, that nobody is being asked for."""
        if chat.state == "forming":
            return chat.promised_to is None
        if chat.state == "active":
            return chat.invite is not None and chat.invite.queue is not None and chat.reservation is None
        return chat.state == "waiting" and chat.reservation is None and self.visitor_is_here(chat)

    def wishes(self, agent: Agent, line: Iterable[Chat], taken: Counter[int]) -> list[Chat]:
        """What of the line this agent may be asked for, in the order in which it takes them."""
        mine = [chat for chat in line if self.is_assignable(agent, chat, taken)]
        return sorted(mine, key=lambda chat: self.order(agent, chat))

    def order(self, agent: Agent, chat: Chat) -> tuple[int, int, datetime, int]:
        """Begun conversations, then whoever is overdue, then the profile's priorities; the older ticket."""
        if chat.returned or chat.state == "active":
            return (0, 0, chat.ticket_at, chat.id)
        if self.is_overdue(chat):
            return (1, 0, chat.ticket_at, chat.id)
        return (2, agent.queues[self.queue_of(chat)], chat.ticket_at, chat.id)

    def is_assignable(self, agent: Agent, chat: Chat, taken: Counter[int]) -> bool:
        if not self.serves(agent, self.queue_of(chat)) or agent.id in chat.agents:
            return False
        if chat.state == "active":
            return chat.invite is not None and agent.id not in self.refusers(chat)
        refusal = chat.refused.get(agent.id)
        return refusal is None or (
            self.past(refusal.refused_at, RETRY_S) and not self.another_may_come(chat, taken)
        )

    def another_may_come(self, chat: Chat, taken: Counter[int]) -> bool:
        """Once the chat is overdue, somebody whose places are all taken is no longer waited for."""
        overdue = self.is_overdue(chat)
        return any(not overdue or taken[agent.id] < agent.places for agent in self.candidates(chat))

    def candidates(self, chat: Chat) -> Iterator[Agent]:
        """Agents who have not refused and can be expected: ready and here, with a place or without."""
        queue, no = self.queue_of(chat), self.refusers(chat)
        strangers = (a for a in self.agents.values() if a.id not in no and a.id not in chat.agents)
        return (agent for agent in strangers if self.serves(agent, queue))

    def refusers(self, chat: Chat) -> Set[int]:
        """Of the chat, or of the invitation to it; whoever invites does not come either."""
        if chat.state == "active" and chat.invite:
            return chat.invite.refused | {chat.invite.inviter}
        return chat.refused.keys()

    def is_green(self, queue: Queue) -> bool:
        """One more chat at the end of the line would get a place."""
        if not queue.open or not self.is_served(queue.id):
            return False
        newcomer = Chat(sys.maxsize, 0, queue.id, self.now)
        return any(chat is newcomer for _, chat, _ in self.plan(newcomer))

    def prospect(self, chat: Chat) -> str:
        """What a waiting visitor is told: asked (somebody is being asked), line (a place in it), nobody."""
        if chat.state != "waiting":
            return ""
        if chat.reservation:
            return "asked"
        return "line" if any(True for _ in self.candidates(chat)) else "nobody"

    # ---- what falls due, and what follows -----------------------------------------------------------------

    def settle(self) -> None:
        self.fall_due()
        # One grant, then look again: a place that is taken can mean that a refuser may now be asked.
        while grant := next((grant for grant in self.plan() if grant.how != "later"), None):
            self.give(grant)
        self.see()

    def make_up_for(self, down: timedelta) -> None:
        """Nobody could do anything for so long: no clock went on meanwhile."""

        def later(moment: datetime | None) -> datetime | None:
            return moment and min(moment + down, self.now)

        for agent in self.agents.values():
            if agent.profile is not None:
                agent.gone_at = later(agent.gone_at)
        for request in self.open_requests():
            request.expires_at += down
        for invite in self.invites:
            invite.expires_at += down
        for chat in self.chats.values():
            chat.visitor_gone_at = later(chat.visitor_gone_at)
            chat.hold_until_at = chat.hold_until_at and chat.hold_until_at + down
            chat.alone_since_at = later(chat.alone_since_at)
            for agent_id, (how, refused_at) in chat.refused.items():
                chat.refused[agent_id] = Refusal(how, min(refused_at + down, self.now))

    def fall_due(self) -> None:
        for agent in self.agents.values():
            if self.past(agent.gone_at, HERE_S):
                self.release(agent, "gone")
                if agent.ready and self.past(agent.gone_at, READY_GONE_S):
                    self.pause(agent, "connection_lost")
        for request in [request for request in self.open_requests() if self.now >= request.expires_at]:
            absent = self.agents[request.agent].gone_at is not None
            self.close(request, "gone" if absent else "no_answer")
        for chat in list(self.chats.values()):
            self.fall_due_of(chat)

    def fall_due_of(self, chat: Chat) -> None:
        if chat.state == "forming" and chat.hold_until_at and self.now >= chat.hold_until_at:
            return self.end(chat, "hold_expired")
        if self.past(chat.visitor_gone_at, self.away_s(chat)):
            return self.end(chat, "visitor_gone")
        for agent in [self.agents[agent_id] for agent_id in chat.agents]:
            if self.past(agent.gone_at, self.queues[chat.queue].grace_s):
                self.part(chat, agent, "gone")
        if chat.invite and chat.reservation is None:
            if self.now >= chat.invite.expires_at:
                self.close_invite(chat, "expired", "nobody_free")
            elif not any(True for _ in self.candidates(chat)):
                self.close_invite(chat, "refused", "nobody_left")
        alone = not self.queues[chat.queue].open and self.prospect(chat) == "nobody"
        chat.alone_since_at = (chat.alone_since_at or self.now) if alone else None
        if self.past(chat.alone_since_at, CLOSED_S):
            self.end(chat, "closed")

    def away_s(self, chat: Chat) -> int:
        """How long the chat is kept for a visitor who has no live page."""
        if chat.state == "forming":
            return HERE_S
        return self.queues[chat.queue].away_s if chat.begun else WAITING_AWAY_S

    def give(self, grant: Grant) -> None:
        how, chat, agent = grant
        self.note("promised" if how == "promise" else "asked", chat, agent, **self.grounds(chat, agent))
        if how == "promise":
            chat.promised_to = agent.id
            return
        self.ask(chat, agent, self.queue_of(chat), "chat" if chat.state == "waiting" else "invite")

    def ask(self, chat: Chat, agent: Agent, queue: int, kind: str) -> None:
        request = Reservation(
            chat.id, agent.id, queue, self.now, self.after(self.queues[queue].answer_s), kind=kind
        )
        request.invite = None if kind == "chat" else chat.invite
        chat.promised_to, chat.reservation = None, request
        self.reservations.append(request)

    def grounds(self, chat: Chat, agent: Agent) -> Row:
        """Why this chat and this agent, for the ledger."""
        return {
            "queue": self.queue_of(chat),
            "turn": ("begun", "overdue", "priority")[self.order(agent, chat)[0]],
            "priority": agent.queues[self.queue_of(chat)],
            "taken": self.taken()[agent.id],
            "places": agent.places,
            "idle_s": int((self.now - agent.idle_since_at).total_seconds()),
            "speaks": chat.language in agent.languages,
            "again": agent.id in chat.refused,
            "others": sorted(other.id for other in self.candidates(chat) if other is not agent),
        }

    def see(self) -> None:
        """What pages read in one look, without asking routing."""
        for agent in self.agents.values():
            if agent.here != self.is_here(agent):
                agent.here = not agent.here
                if agent.profile is not None:
                    self.note("agent_back" if agent.here else "agent_gone", None, agent)
        for chat in self.chats.values():
            if chat.visitor_here != self.visitor_is_here(chat):
                chat.visitor_here = not chat.visitor_here
                self.note("visitor_back" if chat.visitor_here else "visitor_gone", chat)
            chat.outlook = self.prospect(chat)
        for queue in self.queues.values():
            queue.green = self.is_green(queue)

    # ---- the steps that verbs are made of -----------------------------------------------------------------

    def note(self, what: str, chat: Chat | None = None, agent: Agent | None = None, **data: Any) -> None:
        self.steps.append(Step(what, chat, agent, data))

    def close(self, request: Reservation, outcome: str) -> None:
        """The chat keeps its ticket. Only a rejection or silence is a refusal; only silence pauses, and not
        whoever was invited by name."""
        if request.outcome:
            return
        chat, agent = self.chats[request.chat], self.agents[request.agent]
        request.outcome, request.closed_at, chat.reservation = outcome, self.now, None
        self.note(outcome, chat, agent, after_s=int((self.now - request.opened_at).total_seconds()))
        if outcome in ("rejected", "no_answer"):
            chat.refused[agent.id] = Refusal(outcome, self.now)
            if chat.invite:
                chat.invite.refused.add(agent.id)
        if request.kind == "direct" and chat.invite:
            self.close_invite(chat, "expired" if outcome == "no_answer" else "refused", outcome)
        if outcome == "no_answer" and request.kind != "direct":
            self.pause(agent, "not_answered")

    def pause(self, agent: Agent, reason: str) -> None:
        agent.ready, agent.reason = False, reason
        self.note("paused", None, agent, reason=reason)
        self.release(agent, "withdrawn")

    def release(self, agent: Agent, outcome: str) -> None:
        """The agent's open request goes back, and what was promised in its name."""
        for request in list(self.open_requests()):
            if request.agent == agent.id:
                self.close(request, outcome)
        self.take_back_promises(agent)

    def take_back_promises(self, agent: Agent) -> None:
        for chat in self.chats.values():
            if chat.promised_to == agent.id:
                chat.promised_to = None
                self.note("promise_withdrawn", chat, agent)

    def join(self, request: Reservation) -> None:
        """Accepted: the conversation is on, and what was refused before is forgotten."""
        chat, agent = self.chats[request.chat], self.agents[request.agent]
        request.outcome, request.closed_at, chat.reservation = "accepted", self.now, None
        self.sit_down(chat, agent, None if request.kind == "direct" else request.queue)
        self.settle_invite(chat, "accepted")
        self.rehome(chat)

    def sit_down(self, chat: Chat, agent: Agent, through: int | None, what: str = "joined") -> None:
        seat = chat.agents[agent.id] = Participation(chat.id, agent.id, through, self.now)
        self.participations.append(seat)
        waited_s = int((self.now - chat.ticket_at).total_seconds())
        self.note(what, chat, agent, queue=through, waited_s=waited_s, again=chat.begun)
        chat.state, chat.begun, chat.returned, chat.refused = "active", True, False, {}
        agent.idle_since_at = self.now

    def part(self, chat: Chat, agent: Agent, how: str) -> None:
        """An agent leaves; when it was the last one, and nobody is invited, the chat goes back to the head of
        its queue."""
        self.leave_seat(chat.agents.pop(agent.id), how)
        self.note("left", chat, agent, how=how, others=sorted(chat.agents))
        self.rehome(chat)
        if not chat.agents and not chat.invite:
            self.give_back(chat)

    def give_back(self, chat: Chat) -> None:
        chat.state, chat.returned = "waiting", True
        self.note("returned", chat, None, queue=chat.queue)

    def rehome(self, chat: Chat) -> None:
        """Handed over for good: nobody of its own queue is in it, and somebody of another is."""
        came = [seat.queue for seat in chat.agents.values() if seat.queue is not None]
        if came and chat.queue not in came:
            self.note("moved", chat, None, queue=came[0], before=chat.queue)
            chat.queue = came[0]

    def close_invite(self, chat: Chat, outcome: str, reason: str) -> None:
        """With nobody in it, the conversation goes back to the head of its queue."""
        self.settle_invite(chat, outcome, reason)
        if chat.state == "active" and not chat.agents:
            self.give_back(chat)

    def settle_invite(self, chat: Chat, outcome: str, reason: str = "") -> None:
        if invite := chat.invite:
            invite.outcome, invite.reason, invite.closed_at, chat.invite = outcome, reason, self.now, None
            self.note("invite_closed", chat, None, outcome=outcome, reason=reason)

    def leave_seat(self, seat: Participation, how: str) -> None:
        seat.left_at, seat.left_how = self.now, how
        self.agents[seat.agent].idle_since_at = self.now

    def end(self, chat: Chat, how: str, by: Agent | None = None) -> None:
        self.settle_invite(chat, "withdrawn", "ended")
        if chat.reservation:
            self.close(chat.reservation, "withdrawn" if how == "closed" else "visitor_left")
        for seat in chat.agents.values():
            self.leave_seat(seat, "ended")
        self.note("ended" if chat.started_at else "hold_ended", chat, by, how=how, agents=sorted(chat.agents))
        chat.state, chat.ended_at, chat.ended_how, chat.ended_by = (
            "ended",
            self.now,
            how,
            by.id if by else None,
        )
        chat.agents, chat.refused, chat.promised_to, chat.address_hash, chat.outlook = {}, {}, None, "", ""
        self.ended.append(self.chats.pop(chat.id))

    def move(self, chat: Chat, queue: int) -> bool:
        """A hold follows the subject: its promise goes along if it can, else all stays as it was."""
        before = chat.queue, chat.promised_to
        chat.queue = queue
        if chat.promised_to is not None and self.serves(self.agents[chat.promised_to], queue):
            return True
        chat.promised_to = None
        if any(other is chat for _, other, _ in self.plan()):
            return True
        chat.queue, chat.promised_to = before
        return False
