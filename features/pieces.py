"""Pieces: what the desk is made of, as routing moves it. The columns that count there, and what belongs to
them.

Pure: `ledger` makes them of the rows and writes what has changed, `matching` has the rules.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

Row = dict[str, Any]  # columns as they were read


@dataclass(eq=False, slots=True)
class Queue:
    id: int
    answer_s: int
    grace_s: int
    overdue_s: int
    away_s: int
    green: bool
    open: bool = False
    turned: str = ""  # the last that was written of it, for reports
    was: Row = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Profile:
    places: int
    queues: dict[int, int] = field(
        default_factory=dict
    )  # priorities: 1 comes first, equal ones form one line


NO_PROFILE = Profile(0)


@dataclass(eq=False, slots=True)
class Agent:
    """Whoever has ever chosen a profile. A smaller one never breaks off a conversation."""

    id: int
    name: str
    profile: int | None  # None: logged out
    ready: bool
    reason: str
    gone_at: datetime | None  # None: has a live console
    here: bool
    idle_since_at: datetime
    places: int = 0
    queues: Mapping[int, int] = field(default_factory=dict)  # and their priorities
    languages: Set[str] = frozenset()  # that it speaks
    was: Row = field(default_factory=dict)

    def take(self, profiles: Mapping[int, Profile]) -> None:
        """What its profile gives it."""
        profile = NO_PROFILE if self.profile is None else profiles[self.profile]
        self.places, self.queues = profile.places, profile.queues


@dataclass(eq=False, slots=True)
class Participation:
    chat: int
    agent: int
    queue: int | None  # through which the agent came
    joined_at: datetime
    left_at: datetime | None = None
    left_how: str = ""
    id: int | None = None  # None: not written yet
    was: Row = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Invite:
    """Somebody in a chat asks a colleague, or whoever of a queue is free, to join it."""

    chat: int
    inviter: int
    agent: int | None  # this one; else some agent of the queue
    queue: int | None
    note: str  # for colleagues alone
    opened_at: datetime
    expires_at: datetime
    outcome: str = ""  # "" = open
    reason: str = ""
    closed_at: datetime | None = None
    refused: set[int] = field(default_factory=set)
    id: int | None = None  # None: not written yet
    was: Row = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Reservation:
    """An agent is being asked."""

    chat: int
    agent: int
    queue: int
    opened_at: datetime
    expires_at: datetime
    outcome: str = ""  # "" = open
    closed_at: datetime | None = None
    kind: str = "chat"  # or invite: to a queue; direct: to this agent, who may be full
    invite: Invite | None = None
    id: int | None = None  # None: not written yet
    was: Row = field(default_factory=dict)


class Refusal(NamedTuple):
    how: str
    refused_at: datetime


@dataclass(eq=False, slots=True)
class Chat:
    id: int
    visitor: int
    queue: int
    ticket_at: datetime  # its place in line: the moment of the press; never changes
    state: str = "forming"
    hold_until_at: datetime | None = None
    promised_to: int | None = None
    address_hash: str = ""
    returned: bool = False
    begun: bool = False
    visitor_gone_at: datetime | None = None
    visitor_here: bool = True
    alone_since_at: datetime | None = None
    outlook: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    ended_how: str = ""
    ended_by: int | None = None
    subject: int | None = None
    language: str = ""
    agents: dict[int, Participation] = field(default_factory=dict)
    refused: dict[int, Refusal] = field(default_factory=dict)
    reservation: Reservation | None = None  # the open one
    invite: Invite | None = None  # the open one
    was: Row = field(default_factory=dict)
    was_refused: dict[int, Refusal] = field(default_factory=dict)


class Grant(NamedTuple):
    how: str  # promise | request | later: a place of somebody who is answering something else
    chat: Chat
    agent: Agent


class Sight(NamedTuple):
    """What a verb looks at, besides what may be due: other conversations are only counted."""

    chat: int = 0
    visitor: int = 0
    agent: int = 0  # all that it is in
    everything: bool = False


class Step(NamedTuple):
    """A line of the ledger: what routing did, and why."""

    what: str
    chat: Chat | None
    agent: Agent | None
    data: Row
