"""Tabs: what an agent sees of each of its chats, besides the thread."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from db.prepared import prepared
from db.tables import Message, Participation
from features import details, emergency, invites, messages
from features.participations import agents_in


@dataclass(frozen=True, kw_only=True)
class Tab:
    """What an agent sees of a chat at a glance."""

    id: int
    state: str
    visitor: str
    queue: str
    unanswered_since: datetime | None
    visitor_gone_at: datetime | None
    visitor_here: bool
    unread: int

    @property
    def over(self) -> bool:
        return self.state == "ended"


@dataclass(frozen=True, kw_only=True)
class Conversation(Tab):
    """A chat as the agent in it sees it, besides the thread."""

    email: str
    subject: dict[str, str]  # per language
    language: str
    page: str
    asked_at: datetime
    joined_at: datetime
    ended_at: datetime | None
    read_seq: int
    visitor_got_seq: int
    visitor_read_seq: int
    agents: tuple[str, ...]
    invite: invites.Invitation | None
    case_number: str
    person: details.Person
    alarm: emergency.Alarm | None

    @property
    def can_leave(self) -> bool:
        """Somebody else stays, or has been invited."""
        return len(self.agents) > 1 or (self.invite is not None and not self.invite.outcome)

    @property
    def page_path(self) -> str:
        try:
            return urlsplit(self.page).path or self.page
        except ValueError:  # whatever the visitor's page says
            return self.page


async def conversations_of(agent: int, chat: int | None = None) -> list[Conversation]:
    """Those whose tab is open, oldest first; or only this one, if it is among them."""
    rows = await (tabs_of(agent) if chat is None else open_tab_of(agent, chat))
    latest = {row["id"]: row for row in rows}  # who came back to a chat has been in it twice
    ids = list(latest)
    unread, agents = await unread_in(ids, latest), await agents_in(ids)
    invited = await invites.invitations_in(ids, agent)
    people, alarms = await details.people_in(ids), await emergency.alarms_in(ids)
    return [
        Conversation(
            **{**row, "subject": json.loads(row["subject"] or "{}")},
            unread=unread.get(id, 0),
            agents=tuple(agents.get(id, ())),
            invite=invited.get(id) if row["state"] != "ended" else None,
            person=people.get(id, details.Person()),
            alarm=alarms.get(id),
        )
        for id, row in latest.items()
    ]


async def tab_of(agent: int, chat: int) -> Tab | None:
    """At a glance, if it is open: what each message redraws."""
    row = await last_open_tab.first(agent, chat)
    if row is None:
        return None
    read_seq, seq = row.pop("read_seq"), row.pop("seq")
    return Tab(unread=await unread_of(chat, read_seq, seq), **row)


@prepared
def tabs_of(agent: int) -> Any:
    return open_tabs(agent, *GLANCE, *MORE).order_by(Participation.id)


@prepared
def open_tab_of(agent: int, chat: int) -> Any:
    return open_tabs(agent, *GLANCE, *MORE).where(Participation.chat == chat).order_by(Participation.id)


@prepared
def last_open_tab(agent: int, chat: int) -> Any:
    query = open_tabs(agent, *GLANCE, Participation.chat.seq.as_alias("seq"))
    return query.where(Participation.chat == chat).order_by(Participation.id, ascending=False).limit(1)


def open_tabs(agent: int, *columns: Any) -> Any:
    still = Participation.left_at.is_null() | (Participation.left_how == "ended")
    query = Participation.select(*columns).where(Participation.agent == agent).where(still)
    return query.where(Participation.tab_open.eq(True))


CHAT = Participation.chat
GLANCE: tuple[Any, ...] = (
    CHAT.id.as_alias("id"),
    CHAT.state.as_alias("state"),
    CHAT.visitor_name.as_alias("visitor"),
    CHAT.queue.name.as_alias("queue"),  # type: ignore[union-attr]
    CHAT.unanswered_since_at.as_alias("unanswered_since"),
    CHAT.visitor_gone_at.as_alias("visitor_gone_at"),
    CHAT.visitor_here.as_alias("visitor_here"),
    Participation.read_seq,
)
MORE: tuple[Any, ...] = (
    CHAT.visitor_email.as_alias("email"),
    CHAT.subject.label.as_alias("subject"),  # type: ignore[union-attr]
    CHAT.language.as_alias("language"),
    CHAT.page_url.as_alias("page"),
    CHAT.ticket_at.as_alias("asked_at"),
    Participation.joined_at,
    CHAT.ended_at.as_alias("ended_at"),
    CHAT.case_number.as_alias("case_number"),
    CHAT.visitor_got_seq.as_alias("visitor_got_seq"),
    CHAT.visitor_read_seq.as_alias("visitor_read_seq"),
)


async def unread_of(chat: int, read_seq: int, seq: int) -> int:
    """How many of the visitor's messages are new to the agent, who has read so far: mostly none, or the one
    that everybody reads just now."""
    if seq - read_seq > 1:
        (row,) = await unread_after(chat, read_seq)
        return int(row["count"])
    lines = await messages.fresh(chat, read_seq) if seq > read_seq else []
    return sum(line.author == "visitor" and line.seq > read_seq for line in lines)


@prepared
def unread_after(chat: int, seq: int) -> Any:
    written = Message.count().where(Message.chat == chat).where(Message.seq > seq)
    return written.where(Message.author == "visitor")


async def unread_in(chats: list[int], rows: dict[int, dict[str, Any]]) -> dict[int, int]:
    if not chats:
        return {}
    lowest = min(rows[chat]["read_seq"] for chat in chats)
    written = await written_in(chats, lowest)
    counts: dict[int, int] = {}
    for row in written:
        if row["seq"] > rows[row["chat"]]["read_seq"]:
            counts[row["chat"]] = counts.get(row["chat"], 0) + 1
    return counts


@prepared
def written_in(chats: list[int], lowest: int) -> Any:
    query = Message.select(Message.chat, Message.seq).where(Message.chat.is_in(chats))
    return query.where(Message.seq > lowest).where(Message.author == "visitor")
