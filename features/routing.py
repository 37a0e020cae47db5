"""Routing: from the press on the button to the end of the chat: who waits, who is asked, who talks.

`matching` has the rules and `ledger` the rows; here are the verbs, by which visitors and agents act, as time
does in `sweeping`. Each is one transaction under one lock, for all processes: load what is not over and in
sight, act, settle, write what has changed, tell. Pages call the verbs and read `outlook`, `place` and the
columns that `Desk.see` keeps. A transaction that does more calls the verb first: whoever holds a row must not
wait for the lock.
"""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import db
from db import tables
from db.clock import now
from features import invitations, ledger, live, presence, standstills, turns
from features.matching import HOLD_MOST_S, HOLD_S, Desk
from features.pieces import Agent, Chat, Row, Sight

LOCK = presence.LOCK
HOLDS_PER_ADDRESS = 2
UNSEEN = {"gone_at", "visitor_gone_at", "idle_since_at", "hold_until_at", "address_hash", "alone_since_at"}


# ---- events ----------------------------------------------------------------------------------------------


class ChatChanged(live.Event, frozen=True):
    """Its state, its agents or their lines, its visitor's line, or what a waiting visitor can expect."""

    chat: int


class RequestsChanged(live.Event, frozen=True):
    """The agent is being asked, or is no longer."""

    agent: int


class ReadinessChanged(live.Event, frozen=True):
    """Logged in or out, ready or paused, another profile, here or gone."""

    agent: int


class ConversationsChanged(live.Event, frozen=True):
    """The agent has joined or left a chat, or it has ended."""

    agent: int


class InvitesChanged(live.Event, frozen=True):
    """Somebody has been invited to the chat, or no longer is. Told on a topic that no visitor follows."""

    chat: int


class LineMoved(live.Event, frozen=True):
    """Somebody's place in the queue's line has changed."""

    queue: int


class ButtonTurned(live.Event, frozen=True):
    """Green came or went."""

    queue: int


@dataclass(frozen=True)
class ChatFacts:
    """A visitor's chat, as its own window needs it."""

    id: int
    state: str  # forming = a place is held
    queue: int
    subject: int | None
    hold_until_at: datetime | None


@dataclass(frozen=True)
class StepFacts:
    """A line of the ledger, for those who are told."""

    id: int
    what: str
    chat: int | None
    agent: int | None
    name: str  # the agent's
    data: Row
    at: datetime


Told = Callable[[StepFacts], Awaitable[None]]
listeners: dict[str, list[Told]] = defaultdict(list)


def told(*whats: str) -> Callable[[Told], Told]:
    """Call the decorated function for each such step, in order, in the same transaction. It calls no verb."""

    def register(listener: Told) -> Told:
        for what in whats:
            listeners[what].append(listener)
        return listener

    return register


# ---- the visitor's verbs ---------------------------------------------------------------------------------


async def press(
    visitor_id: int,
    widget_id: int,
    queue_id: int,
    *,
    address_hash: str = "",
    language: str = "nl",
    page_url: str = "",
    subject_id: int | None = None,
) -> ChatFacts | None:
    """The button: a place is held while the form is filled in. The open chat or hold again, if there is one
    (the hold is not prolonged). None: no place is free, or this address holds enough of them."""
    async with acting(visitor=visitor_id) as desk:
        chat = desk.chat_of(visitor_id)
        if chat is None:
            if not may_hold(desk, queue_id, address_hash):
                return None
            row = {"queue": queue_id, "hold_until_at": desk.after(HOLD_S), "address_hash": address_hash}
            row |= {"subject": subject_id, "language": language, "page_url": page_url}
            chat = await ledger.begin_chat(desk, visitor_id, widget_id, row)
            desk.note("pressed", chat, None, queue=queue_id)
        await see_visitor(chat)
    return ChatFacts(chat.id, chat.state, chat.queue, chat.subject, chat.hold_until_at)


def may_hold(desk: Desk, queue_id: int, address_hash: str) -> bool:
    holds = [chat for chat in desk.chats.values() if chat.state == "forming" and chat.address_hash]
    held = sum(chat.address_hash == address_hash for chat in holds)
    queue = desk.queues.get(queue_id)
    return queue is not None and held < HOLDS_PER_ADDRESS and desk.is_green(queue)


async def renew_hold(visitor_id: int) -> bool:
    """The visitor is typing. False: there is no hold any more."""
    async with acting(visitor=visitor_id) as desk:
        chat = desk.chat_of(visitor_id)
        if chat is None or chat.state != "forming" or chat.hold_until_at is None:
            return False
        latest = chat.ticket_at + timedelta(seconds=HOLD_MOST_S)
        chat.hold_until_at = max(chat.hold_until_at, min(desk.after(HOLD_S), latest))
        await see_visitor(chat)
        return True


async def choose(visitor_id: int, queue_id: int, subject_id: int | None = None) -> bool:
    """The form's subject names a queue: the held place goes along if it can, else all stays as it was."""
    async with acting(visitor=visitor_id) as desk:
        chat, queue = desk.chat_of(visitor_id), desk.queues.get(queue_id)
        if chat is None or chat.state != "forming" or queue is None or not queue.open:
            return False
        before = chat.queue
        if not desk.move(chat, queue_id):
            return False
        chat.subject = subject_id
        if queue_id != before:
            desk.note("moved", chat, None, queue=queue_id, before=before)
        return True


async def start(
    visitor_id: int,
    widget_id: int,
    queue_id: int,
    *,
    name: str = "",
    email: str = "",
    subject_id: int | None = None,
    language: str = "nl",
    page_url: str = "",
) -> int | None:
    """The form is sent. With a hold: its ticket and its place. Without: the end of the line, if anybody
    serves it. The chat's id, the same if it had started before; None: the queue is closed, or nobody is
    there for it."""
    async with acting(visitor=visitor_id) as desk:
        chat, queue = desk.chat_of(visitor_id), desk.queues.get(queue_id)
        if chat and chat.state != "forming":
            return chat.id
        if queue is None or not (queue.open or (chat and chat.queue == queue_id)):
            return None
        if chat is None:
            if not desk.is_served(queue_id):
                return None
            chat = await ledger.begin_chat(desk, visitor_id, widget_id, {"queue": queue_id})
        held = chat.promised_to is not None
        if chat.queue != queue_id and not desk.move(chat, queue_id):
            chat.queue, chat.promised_to = queue_id, None  # wanted although not green: waits, with its ticket
        chat.state, chat.started_at, chat.subject, chat.address_hash = "waiting", desk.now, subject_id, ""
        desk.note("started", chat, None, queue=queue_id, held=held)
        chat.language = language
        details = {"visitor_name": name, "visitor_email": email, "language": language, "page_url": page_url}
        await ledger.update(tables.Chat, details, tables.Chat.id == chat.id)
        await see_visitor(chat)
        return chat.id


async def leave_visitor(visitor_id: int) -> bool:
    """The visitor ends the chat, stops waiting, or gives the held place back."""
    async with acting(visitor=visitor_id) as desk:
        chat = desk.chat_of(visitor_id)
        if chat:
            desk.end(chat, "by_visitor")
        return chat is not None


async def see_visitor(chat: Chat) -> None:
    """Whoever asks for something is there."""
    chat.visitor_gone_at = None
    await presence.expected(chat_id=chat.id)


# ---- the agent's verbs -----------------------------------------------------------------------------------


async def login(agent_id: int, profile_id: int) -> None:
    """With this profile, and paused: a new login forgives all refusals. Who is on duty already, and here,
    only changes the profile."""
    async with acting(agent=agent_id) as desk:
        agent = desk.agents.get(agent_id) or await ledger.begin_agent(desk, agent_id)
        if agent.profile is not None and agent.gone_at is None:
            return take_profile(desk, agent, profile_id)
        desk.release(agent, "withdrawn")
        agent.profile = profile_id
        agent.take(desk.profiles)
        agent.ready, agent.reason, agent.gone_at, agent.idle_since_at = False, "logged_in", None, desk.now
        desk.note("logged_in", None, agent, profile=profile_id)
        for chat in desk.chats.values():
            chat.refused.pop(agent_id, None)
        await presence.expected(agent_id=agent_id)


async def logout(agent_id: int) -> None:
    """Also a deactivation's work. The page asked first: each conversation goes on without, or to the head."""
    async with acting(agent=agent_id) as desk:
        agent = desk.agents.get(agent_id)
        if agent is None or agent.profile is None:
            return
        desk.pause(agent, "logged_out")
        for chat in desk.conversations(agent):
            desk.part(chat, agent, "logged_out")
        agent.profile = None
        agent.take(desk.profiles)
        desk.note("logged_out", None, agent)


async def make_ready(agent_id: int) -> bool:
    """Only with a live console. Silence is forgiven by being back; a rejection is not."""
    async with acting() as desk:
        agent = desk.agents.get(agent_id)
        if agent is None or agent.profile is None or agent.gone_at is not None:
            return False
        agent.ready, agent.reason = True, ""
        desk.note("ready", None, agent)
        for chat in desk.chats.values():
            if agent_id in chat.refused and chat.refused[agent_id].how == "no_answer":
                del chat.refused[agent_id]
        return True


async def pause(agent_id: int, reason: str) -> bool:
    """No new requests, and the open one goes to somebody else; conversations stay."""
    async with acting() as desk:
        agent = desk.agents.get(agent_id)
        if agent is None or agent.profile is None:
            return False
        desk.pause(agent, reason)
        return True


async def switch(agent_id: int, profile_id: int) -> bool:
    """Another profile, or an admin changed it: conversations stay, even above the places."""
    async with acting() as desk:
        agent = desk.agents.get(agent_id)
        if agent is None or agent.profile is None:
            return False
        take_profile(desk, agent, profile_id)
        return True


def take_profile(desk: Desk, agent: Agent, profile_id: int) -> None:
    """The open request may stay if its queue does; promises are made anew."""
    agent.profile = profile_id
    agent.take(desk.profiles)
    desk.note("switched", None, agent, profile=profile_id)
    for request in list(desk.open_requests()):
        if request.agent == agent.id and request.kind != "direct" and request.queue not in agent.queues:
            desk.close(request, "withdrawn")
    desk.take_back_promises(agent)


async def accept(reservation_id: int, agent_id: int) -> int | None:
    """The chat, which is now theirs. None: too late, not theirs, or answered before; nothing has changed."""
    async with acting() as desk:
        request = desk.request(reservation_id, agent_id)
        if request is None:
            return None
        desk.join(request)
        return request.chat


async def reject(reservation_id: int, agent_id: int) -> bool:
    """Back in its place in line at once, for somebody else."""
    async with acting() as desk:
        request = desk.request(reservation_id, agent_id)
        if request:
            desk.close(request, "rejected")
        return request is not None


async def end(agent_id: int, chat_id: int) -> bool:
    """For everybody in it. False: the agent is not in this chat, or it has ended."""
    async with acting(chat=chat_id) as desk:
        chat = desk.chat(chat_id)
        if chat is None or agent_id not in chat.agents:
            return False
        desk.end(chat, "by_agent", desk.agents[agent_id])
        return True


async def end_idle(chat_id: int) -> None:
    """Its visitor has not said that they are still there."""
    async with acting(chat=chat_id) as desk:
        if chat := desk.chat(chat_id):
            desk.end(chat, "idle")


async def leave(agent_id: int, chat_id: int, requeue: bool = False) -> bool:
    """Allowed when a colleague is in, or invited, or back to the queue."""
    async with acting(chat=chat_id) as desk:
        chat, agent = desk.chat(chat_id), desk.agents.get(agent_id)
        return bool(chat and agent and invitations.leave(desk, chat, agent, requeue))


# ---- facts for pages -------------------------------------------------------------------------------------


async def outlook(chat_id: int) -> str:
    """Of a waiting chat: asked, line or nobody; "" of any other."""
    row = await tables.Chat.select(tables.Chat.outlook).where(tables.Chat.id == chat_id).first()
    return str(row["outlook"]) if row else ""


async def place(chat_id: int) -> int:
    """In its queue's line: 1 is next; 0: it does not wait."""
    rows = await db.sql(
        "SELECT other.id FROM chat AS mine JOIN chat AS other ON other.queue = mine.queue"
        " WHERE mine.id = {} AND other.state IN ('forming', 'waiting')"
        " ORDER BY other.returned DESC, other.ticket_at, other.id",
        chat_id,
    )
    line = [row["id"] for row in rows]
    return line.index(chat_id) + 1 if chat_id in line else 0


async def is_green(queue_id: int) -> bool:
    row = await tables.Queue.select(tables.Queue.green).where(tables.Queue.id == queue_id).first()
    return bool(row and row["green"])


# ---- one verb --------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def acting(
    *, chat: int = 0, visitor: int = 0, agent: int = 0, everything: bool = False
) -> AsyncIterator[Desk]:
    """The desk as it is, for a verb to act on; then it is settled, what has changed is written and told. The
    verb says beforehand which chat, or whose, it looks at."""
    async with db.transaction():
        await db.lock(LOCK)
        desk = await ledger.load(now(), Sight(chat, visitor, agent, everything))
        lines = desk.lines()
        await make_up(desk)
        yield desk
        desk.settle()
        changes = await ledger.write(desk)
        await tell(desk)
        announce(desk, changes, lines)


async def make_up(desk: Desk) -> None:
    """For a time in which nothing could be read or written: who comes first after it, for all processes."""
    since = standstills.since()
    if since and since < desk.now and desk.now - await turns.downtime(desk.now) <= since:
        desk.make_up_for(desk.now - since)
        await presence.spare()
        await turns.say_alive(again_s=0)


async def settle() -> None:
    """Nobody acts: what time alone makes due."""
    async with acting():
        pass


async def tell(desk: Desk) -> None:
    for step, step_id in zip(desk.steps, await ledger.write_steps(desk), strict=True):
        facts = StepFacts(
            step_id,
            step.what,
            step.chat.id if step.chat else None,
            step.agent.id if step.agent else None,
            step.agent.name if step.agent else "",
            step.data,
            desk.now,
        )
        for listener in listeners[step.what]:
            await listener(facts)


def announce(desk: Desk, changes: ledger.Changes, lines: dict[int, list[int]]) -> None:
    """Once it is committed, those whose pages show it hear of it."""
    happened: dict[tuple[str, live.Event], None] = {}

    def say(topic: str, event: live.Event) -> None:
        happened[topic, event] = None

    for queue in changes.queues:
        say("desk", ButtonTurned(queue))
    for chat, columns in changes.chats.items():
        if not columns <= UNSEEN:
            say(f"chat:{chat}", ChatChanged(chat))
    for invite in changes.invites:
        say(f"private:{invite.chat}", InvitesChanged(invite.chat))
    for request in changes.reservations:
        say(f"agent:{request.agent}", RequestsChanged(request.agent))
    for seat in changes.participations:
        say(f"chat:{seat.chat}", ChatChanged(seat.chat))
        say(f"agent:{seat.agent}", ConversationsChanged(seat.agent))
    for agent, columns in changes.agents.items():
        if not columns <= UNSEEN:
            say(f"agent:{agent}", ReadinessChanged(agent))
        if "here" in columns:
            for conversation in desk.conversations(desk.agents[agent]):
                say(f"chat:{conversation.id}", ChatChanged(conversation.id))
    now_lines = desk.lines()
    for queue in desk.queues:
        if lines.get(queue, []) != now_lines.get(queue, []):
            say(f"queue:{queue}", LineMoved(queue))
    for topic, event in happened:
        db.after_commit(partial(live.publish, topic, event))


routes: list[Any] = []
