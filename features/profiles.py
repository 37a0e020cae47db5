"""Profiles: what an agent takes on: which queues, in what order, and how many chats at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import db


@dataclass(frozen=True)
class Served:
    """A queue of a profile."""

    queue: int
    name: str
    priority: int  # 1 comes first; equal ones form one line


@dataclass(frozen=True)
class Facts:
    id: int
    name: str
    places: int  # chats at a time
    queues: tuple[Served, ...]  # none: no requests come


ROWS = (
    "SELECT profile.id, profile.name, profile.places, queue.id AS queue, queue.name AS queue_name, priority"
    " FROM profile"
    " LEFT JOIN profile_queue ON profile_queue.profile = profile.id"
    " LEFT JOIN queue ON queue.id = profile_queue.queue"
)
IN_ORDER = " ORDER BY profile.name, profile.id, priority, queue.name, queue.id"


async def choosable(agent: int) -> list[Facts]:
    """The profiles this agent may choose, by name."""
    mine = " WHERE profile.id IN (SELECT profile FROM agent_profile WHERE agent = {})"
    return _facts(await db.sql(ROWS + mine + IN_ORDER, agent))


async def every() -> dict[int, Facts]:
    """All profiles, by name."""
    return {each.id: each for each in _facts(await db.sql(ROWS + IN_ORDER))}


async def by_id(profile: int) -> Facts | None:
    found = _facts(await db.sql(ROWS + " WHERE profile.id = {}" + IN_ORDER, profile))
    return found[0] if found else None


async def names() -> dict[int, str]:
    """Every profile, in order of name."""
    return {row["id"]: row["name"] for row in await db.sql("SELECT id, name FROM profile ORDER BY name, id")}


async def profile_queues(profile: int) -> tuple[Served, ...]:
    found = await by_id(profile)
    return found.queues if found else ()


def _facts(rows: Iterable[dict[str, Any]]) -> list[Facts]:
    facts = []
    for (id, name, places), lines in groupby(rows, key=lambda row: (row["id"], row["name"], row["places"])):
        served = (
            Served(line["queue"], line["queue_name"], line["priority"]) for line in lines if line["queue"]
        )
        facts.append(Facts(id, name, places, tuple(served)))
    return facts


routes: list[Any] = []
