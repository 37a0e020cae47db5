"""Absences: whose last page is gone, and who is back. Routing says what follows from it, and when.

In a quiet desk nothing does, at first: there is nothing to settle, only a moment to note. No URLs.
"""

from datetime import datetime

import db
from db.clock import now
from features import presence
from features.routing import LOCK, acting

NOTED = "UPDATE chat SET visitor_gone_at = {} WHERE id = {} AND state = 'active' AND %s RETURNING id"
VISITOR_LOST, VISITOR_BACK = NOTED % "visitor_gone_at IS NULL", NOTED % "visitor_here"
NOBODY_IN_LINE = (
    "NOT EXISTS (SELECT 1 FROM chat WHERE state IN ('forming', 'waiting'))"
    " AND NOT EXISTS (SELECT 1 FROM invite WHERE outcome = '')"
)
AGENT_LINE = f"UPDATE readiness SET gone_at = {{}} WHERE agent = {{}} AND here AND {NOBODY_IN_LINE}"  # noqa: S608
AGENT_LOST = AGENT_LINE + " AND gone_at IS NULL RETURNING agent"
AGENT_BACK = AGENT_LINE + " RETURNING agent"


async def lose_visitor(chat_id: int) -> None:
    """The visitor's last page is gone."""
    if await quietly(VISITOR_LOST, now(), chat_id):
        return
    async with acting(chat=chat_id) as desk:
        if (chat := desk.chat(chat_id)) and chat.visitor_gone_at is None:
            chat.visitor_gone_at = desk.now


async def back_visitor(chat_id: int) -> None:
    """The visitor has a live page again."""
    if await quietly(VISITOR_BACK, None, chat_id):
        return
    async with acting(chat=chat_id) as desk:
        if chat := desk.chat(chat_id):
            chat.visitor_gone_at = None


async def lose_agent(agent_id: int) -> None:
    """The agent's last console is gone."""
    if await quietly(AGENT_LOST, now(), agent_id):
        return
    async with acting(agent=agent_id) as desk:
        agent = desk.agents.get(agent_id)
        if agent and agent.profile is not None and agent.gone_at is None:
            agent.gone_at = desk.now


async def regain_agent(agent_id: int) -> None:
    if await quietly(AGENT_BACK, None, agent_id):
        return
    async with acting(agent=agent_id) as desk:
        if agent := desk.agents.get(agent_id):
            agent.gone_at = None


async def quietly(what: str, gone_at: datetime | None, whose: int) -> bool:
    """A line that drops or comes back, and changes nobody's turn: there is nothing to settle, a moment to
    note. False: there may be, or nobody is there."""
    async with db.transaction():
        await db.lock(LOCK)
        return bool(await db.sql(what, gone_at, whose))


@presence.follow
async def heed(whose: presence.Whose, is_live: bool) -> None:
    if whose.agent is not None:
        await (regain_agent if is_live else lose_agent)(whose.agent)
    if whose.chat is not None:
        await (back_visitor if is_live else lose_visitor)(whose.chat)
