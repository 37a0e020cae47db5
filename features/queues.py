"""Queues: where chats wait. What other features ask of them; a queue's line itself is routing's."""

from typing import Any

import db
from db.tables import Queue


async def names() -> dict[int, str]:
    """Every queue, in order of name."""
    rows = await Queue.select(Queue.id, Queue.name).order_by(Queue.name, Queue.id)
    return {row["id"]: row["name"] for row in rows}


async def name_of(queue: int) -> str:
    """ "" if there is no such queue."""
    return (await names()).get(queue, "")


async def waiting_counts() -> dict[int, int]:
    """How many chats wait in each queue; whoever is still filling in the form is not counted."""
    rows = await db.sql(
        "SELECT queue.id, count(chat.id) AS waiting FROM queue"
        " LEFT JOIN chat ON chat.queue = queue.id AND chat.state = 'waiting' GROUP BY queue.id"
    )
    return {row["id"]: row["waiting"] for row in rows}


routes: list[Any] = []
