"""Turns: when the buttons of a queue turned green or blue, and why, for the reports; and since when we were
down.

`ledger` writes them with whatever else a verb has changed; most verbs turn nothing, and write none.
"""

from datetime import datetime, timedelta
from typing import Any

import db
from db import tables
from db.clock import now
from db.tables import Queue as QueueTable
from db.tables import Turn
from features.matching import Desk
from features.pieces import Queue

GREEN = "green"
BLUE = ("full", "paused", "nobody", "closed", "down")
WHATS = (GREEN, *BLUE)
ALIVE_EVERY_S = 5
LEAST_DOWN = timedelta(seconds=60)  # a restart is not worth a line


def standing(desk: Desk, queue: Queue) -> str:
    """Green, or the first thing that would have to change for it."""
    if queue.green:
        return GREEN
    if not queue.open:
        return "closed"
    serving = [a for a in desk.agents.values() if queue.id in a.queues and desk.is_here(a)]
    if not serving:
        return "nobody"
    return "full" if any(agent.ready for agent in serving) else "paused"


async def write(desk: Desk) -> None:
    """Within the verb's transaction."""
    for queue in desk.queues.values():
        if (what := standing(desk, queue)) != queue.turned:
            await Turn.insert(Turn(queue=queue.id, what=what, turned_at=desk.now))
            await QueueTable.update({QueueTable.turned: what}).where(QueueTable.id == queue.id)


async def say_alive(again_s: float = ALIVE_EVERY_S) -> None:
    desk, moment = tables.Desk, now()
    old = desk.alive_at.is_null() | (desk.alive_at < moment - timedelta(seconds=again_s))
    await desk.update({desk.alive_at: moment}).where(old | (desk.alive_at > moment))


async def downtime(until: datetime) -> timedelta:
    """Since a sweep or a step last showed that the desk was up; below nothing if the clock was set back."""
    step, desk = tables.Step, tables.Desk
    latest = await step.select(step.happened_at).order_by(step.id, ascending=False).first()
    alive = await desk.select(desk.alive_at).first()
    seen = [latest and latest["happened_at"], alive and alive["alive_at"]]
    return until - max((moment for moment in seen if moment), default=until)


async def were_down(since: datetime, until: datetime) -> None:
    """Nobody could press anything: the server itself was not there."""
    if until - since < LEAST_DOWN:
        return
    rows = await QueueTable.select(QueueTable.id, QueueTable.turned).where(QueueTable.turned != "")
    for row in rows:
        await Turn.insert(
            Turn(queue=row["id"], what="down", turned_at=since),
            Turn(queue=row["id"], what=row["turned"], turned_at=until),
        )


async def between(since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Those of that time, in order, and the one before it of each queue."""
    return await db.sql(
        "SELECT id, queue, what, turned_at FROM turn WHERE turned_at >= {} AND turned_at < {}"
        " UNION ALL SELECT id, queue, what, turned_at FROM turn WHERE turn.id IN"
        " (SELECT (SELECT earlier.id FROM turn AS earlier WHERE earlier.queue = queue.id"
        " AND earlier.turned_at < {} ORDER BY earlier.turned_at DESC, earlier.id DESC LIMIT 1) FROM queue)"
        " ORDER BY queue, turned_at, id",
        *(since, until, since),
    )


routes: list[Any] = []
