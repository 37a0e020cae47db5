"""The ledger: the desk in the database.

What is not over is read from it, as far as anything may be due in it or the verb looks at it; what the verb
has changed is written to it, with a line for each step, so that "why did this chat go there" has an answer.
Only `routing` uses it, in a transaction that holds its lock.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from piccolo.columns import Column
from piccolo.columns.combination import Where, WhereRaw
from piccolo.table import Table

import db
from db import tables
from db.prepared import prepared
from features import hours, turns
from features.matching import Desk
from features.pieces import (
    Agent,
    Chat,
    Invite,
    Participation,
    Profile,
    Queue,
    Refusal,
    Reservation,
    Row,
    Sight,
)

# The columns that are read and written; what else is read never changes here.
READINESS = ("profile", "ready", "reason", "gone_at", "here", "idle_since_at")
RESERVATION = ("expires_at", "outcome", "closed_at")
INVITE = ("expires_at", "outcome", "reason", "closed_at")
PARTICIPATION = ("left_at", "left_how")
CHAT = (
    "queue",
    "state",
    "hold_until_at",
    "promised_to",
    "address_hash",
    "returned",
    "begun",
    "visitor_gone_at",
    "visitor_here",
    "alone_since_at",
    "outlook",
    "started_at",
    "ended_at",
    "ended_how",
    "ended_by",
    "subject",
)
UNENDED = ("forming", "waiting", "active")
UNREAD = object()


class Overtaken(Exception):
    """A row is no longer as it was read, although routing alone writes it, under its lock. All is undone."""


@dataclass
class Changes:
    """What a verb has changed."""

    chats: dict[int, set[str]] = field(default_factory=dict)  # and which columns
    agents: dict[int, set[str]] = field(default_factory=dict)
    queues: list[int] = field(default_factory=list)
    invites: list[Invite] = field(default_factory=list)
    reservations: list[Reservation] = field(default_factory=list)
    participations: list[Participation] = field(default_factory=list)


# ---- reading: the desk -----------------------------------------------------------------------------------


async def load(moment: datetime, sight: Sight) -> Desk:
    profiles = await load_profiles()
    return Desk(
        moment,
        await load_queues(await hours.open_queues(moment)),
        profiles,
        await load_agents(profiles),
        await load_chats(sight),
        {row["agent"]: row["seats"] for row in await db.sql(SEATS)},
        sight,
    )


SEATS = "SELECT agent, count(*) AS seats FROM participation WHERE left_at IS NULL GROUP BY agent"


async def load_queues(open_queues: set[int]) -> list[Queue]:
    return [Queue(**row, open=row["id"] in open_queues, was=row) for row in await queues()]


@prepared
def queues() -> Any:
    queue = tables.Queue
    return queue.select(
        queue.id,
        queue.answer_s,
        queue.grace_s,
        queue.overdue_s,
        queue.away_s,
        queue.green,
        queue.turned,
    )


async def load_profiles() -> dict[int, Profile]:
    profiles: dict[int, Profile] = {}
    for row in await db.sql(
        "SELECT profile.id, places, queue, priority FROM profile"
        " LEFT JOIN profile_queue ON profile_queue.profile = profile.id"
    ):
        profile = profiles.setdefault(row["id"], Profile(row["places"]))
        if row["queue"] is not None:
            profile.queues[row["queue"]] = row["priority"]
    return profiles


async def load_agents(profiles: dict[int, Profile]) -> list[Agent]:
    agents = [
        Agent(**(row | {"languages": frozenset(json.loads(row["languages"]))}), was=row)
        for row in await readinesses()
    ]
    for agent in agents:
        agent.take(profiles)
    return agents


@prepared
def readinesses() -> Any:
    table = tables.Readiness
    name, languages = table.agent.name.as_alias("name"), table.agent.languages.as_alias("languages")
    return table.select(table.agent.as_alias("id"), name, languages, *columns(table, READINESS))


# ---- reading: the chats ----------------------------------------------------------------------------------

# Anything may fall due in it, or nobody knows: all but a conversation whose people are all here, and to which
# nobody is invited.
UNSETTLED = (
    "chat.state IN ('forming', 'waiting') OR chat.state = 'active' AND (chat.visitor_gone_at IS NOT NULL"
    " OR NOT chat.visitor_here OR chat.alone_since_at IS NOT NULL OR chat.outlook <> ''"
    " OR NOT EXISTS (SELECT 1 FROM participation WHERE chat = chat.id AND left_at IS NULL)"
    " OR chat.id IN (SELECT chat FROM invite WHERE outcome = '' UNION SELECT chat FROM refusal"
    " UNION SELECT chat FROM reservation WHERE outcome = ''"
    " UNION SELECT chat FROM participation JOIN readiness ON readiness.agent = participation.agent"
    " WHERE left_at IS NULL AND (gone_at IS NOT NULL OR NOT here OR profile IS NULL)))"
)
LOOKED_AT = (
    "chat.state = 'active' AND (chat.id = {} OR chat.visitor = {}"
    " OR chat.id IN (SELECT chat FROM participation WHERE agent = {} AND left_at IS NULL))"
)
IN_SIGHT = f"({UNSETTLED} OR {LOOKED_AT})"
IN_IT_IN_SIGHT = f"participation.chat IN (SELECT chat.id FROM chat WHERE {IN_SIGHT})"  # noqa: S608


async def load_chats(sight: Sight) -> list[Chat]:
    """Those in sight, each with who takes part, who is being asked, and who has refused."""
    if sight.everything:
        rows, seats = await unended(), await present()
    else:
        rows, seats = await in_sight(*sight[:3]), await present_in_sight(*sight[:3])
    chats = {row["id"]: Chat(**row, was=row) for row in rows}
    for row in seats:
        chats[row["chat"]].agents[row["agent"]] = Participation(**row, was=row)
    await load_invites(chats)
    for row in await being_asked():
        invite = chats[row["chat"]].invite if row["invite"] else None
        chats[row["chat"]].reservation = Reservation(**(row | {"invite": invite}), was=row)
    for row in await refusals():
        chats[row["chat"]].refused[row["agent"]] = Refusal(row["how"], row["refused_at"])
    for each in chats.values():
        each.was_refused = dict(each.refused)
    return list(chats.values())


@prepared
def unended() -> Any:
    chat = tables.Chat
    fixed = (chat.id, chat.visitor, chat.ticket_at, chat.language)
    return chat.select(*fixed, *columns(chat, CHAT)).where(chat.state.is_in(list(UNENDED)))


@prepared
def in_sight(chat: int, visitor: int, agent: int) -> Any:
    return unended.build().where(WhereRaw(IN_SIGHT, chat, visitor, agent))


@prepared
def present() -> Any:
    seat = tables.Participation
    fixed = (seat.id, seat.chat, seat.agent, seat.queue, seat.joined_at)
    return seat.select(*fixed, *columns(seat, PARTICIPATION)).where(seat.left_at.is_null()).order_by(seat.id)


@prepared
def present_in_sight(chat: int, visitor: int, agent: int) -> Any:
    return present.build().where(WhereRaw(IN_IT_IN_SIGHT, chat, visitor, agent))


@prepared
def being_asked() -> Any:
    asked = tables.Reservation
    fixed = (asked.id, asked.chat, asked.agent, asked.queue, asked.opened_at, asked.kind, asked.invite)
    return asked.select(*fixed, *columns(asked, RESERVATION)).where(asked.outcome == "")


@prepared
def refusals() -> Any:
    refusal = tables.Refusal
    return refusal.select(refusal.chat, refusal.agent, refusal.how, refusal.refused_at)


async def load_invites(chats: dict[int, Chat]) -> None:
    """The open ones, each with who has refused it."""
    invites = {row["id"]: Invite(**row, was=row) for row in await open_invites()}
    for invite in invites.values():
        chats[invite.chat].invite = invite
    if invites:
        asked = tables.Reservation
        said_no = asked.outcome.is_in(["rejected", "no_answer"])
        query = asked.select(asked.invite, asked.agent).where(asked.invite.is_in(list(invites)))
        for row in await query.where(said_no):
            invites[row["invite"]].refused.add(row["agent"])


@prepared
def open_invites() -> Any:
    table = tables.Invite
    fixed = (table.id, table.chat, table.inviter, table.agent, table.queue, table.note, table.opened_at)
    return table.select(*fixed, *columns(table, INVITE)).where(table.outcome == "")


# ---- beginning -------------------------------------------------------------------------------------------


async def begin_chat(desk: Desk, visitor_id: int, widget_id: int, row: Row) -> Chat:
    """A new chat at the end of the line."""
    table = tables.Chat
    inserted = await table.insert(table(visitor=visitor_id, widget=widget_id, ticket_at=desk.now, **row))
    chat = Chat(inserted[0]["id"], visitor_id, row["queue"], desk.now, language=row.get("language", "nl"))
    for column in row.keys() & set(CHAT):
        setattr(chat, column, row[column])
    chat.was = {column: getattr(chat, column) for column in CHAT}
    desk.chats[chat.id] = chat
    return chat


async def begin_agent(desk: Desk, agent_id: int) -> Agent:
    """Somebody who has never chosen a profile before."""
    table = tables.Readiness
    await table.insert(table(agent=agent_id, idle_since_at=desk.now))
    who = tables.Agent
    person = await who.select(who.name, who.languages).where(who.id == agent_id).first()
    assert person
    agent = Agent(agent_id, person["name"], None, False, "", None, True, desk.now)
    agent.languages = frozenset(json.loads(person["languages"]))
    agent.was = {column: getattr(agent, column) for column in READINESS}
    desk.agents[agent_id] = agent
    return agent


# ---- writing ---------------------------------------------------------------------------------------------


async def write(desk: Desk) -> Changes:
    """The rows that a verb has changed; each only if it still is as it was read."""
    changes = Changes()
    for chat in [*desk.chats.values(), *desk.ended]:
        if row := changed(chat, CHAT):
            changes.chats[chat.id] = set(row)
            table = tables.Chat
            await update(table, row, table.id == chat.id, table.state == chat.was["state"])
        if chat.refused != chat.was_refused:
            await write_refusals(chat)
    for agent in desk.agents.values():
        if row := changed(agent, READINESS):
            changes.agents[agent.id] = set(row)
            await update(tables.Readiness, row, tables.Readiness.agent == agent.id)
    for queue in desk.queues.values():
        if row := changed(queue, ("green",)):
            changes.queues.append(queue.id)
            await update(tables.Queue, row, tables.Queue.id == queue.id)
    await turns.write(desk)
    for invite in desk.invites:
        if row := changed(invite, INVITE):
            changes.invites.append(invite)
            await write_invite(invite, row)
    for request in desk.reservations:
        if row := changed(request, RESERVATION):
            changes.reservations.append(request)
            await write_reservation(request, row)
    for seat in desk.participations:
        if row := changed(seat, PARTICIPATION):
            changes.participations.append(seat)
            await write_participation(seat, row)
    return changes


def changed(thing: Any, names: Sequence[str]) -> Row:
    """The columns that are not as they were read; all of them of what is new."""
    was = thing.was
    return {name: value for name in names if (value := getattr(thing, name)) != was.get(name, UNREAD)}


async def write_invite(invite: Invite, row: Row) -> None:
    table = tables.Invite
    if invite.id is not None:
        return await update(table, row, table.id == invite.id, table.outcome == "")
    for name in ("chat", "inviter", "agent", "queue", "note", "opened_at"):
        row[name] = getattr(invite, name)
    inserted = await table.insert(table(**row))
    invite.id = inserted[0]["id"]


async def write_reservation(request: Reservation, row: Row) -> None:
    table = tables.Reservation
    if request.id is not None:
        return await update(table, row, table.id == request.id, table.outcome == "")
    row |= {
        "chat": request.chat,
        "agent": request.agent,
        "queue": request.queue,
        "opened_at": request.opened_at,
        "kind": request.kind,
        "invite": request.invite.id if request.invite else None,
    }
    await table.insert(table(**row))


async def write_participation(seat: Participation, row: Row) -> None:
    table = tables.Participation
    if seat.id is not None:
        return await update(table, row, table.id == seat.id, table.left_at.is_null())
    row |= {"chat": seat.chat, "agent": seat.agent, "queue": seat.queue, "joined_at": seat.joined_at}
    await table.insert(table(**row))


async def write_refusals(chat: Chat) -> None:
    table = tables.Refusal
    await table.delete().where(table.chat == chat.id)
    for agent, refusal in chat.refused.items():
        await table.insert(table(chat=chat.id, agent=agent, how=refusal.how, refused_at=refusal.refused_at))


async def write_steps(desk: Desk) -> list[int]:
    """The ids of the lines, in order."""
    ids = []
    for step in desk.steps:
        row = tables.Step(
            chat=step.chat and step.chat.id,
            agent=step.agent and step.agent.id,
            what=step.what,
            data=json.dumps(step.data),
            happened_at=desk.now,
        )
        ids += [inserted["id"] for inserted in await tables.Step.insert(row)]
    return ids


async def update(table: type[Any], row: Row, *still: Where) -> None:
    query = table.update(row)
    for condition in still:
        query = query.where(condition)
    if not await query.returning(table.id):
        raise Overtaken(f"{table.__name__}: {row}")


def columns(table: type[Table], names: Sequence[str]) -> list[Column]:
    return [getattr(table, name) for name in names]
