"""Sweeping: what falls due at the desk although nobody does anything, and what is nobody's fault.

Every second one process looks who has gone silent, and lets time act. Time in which we were down, or could
write nothing down, is made up for: nobody could answer, or say that they were there.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import db
from db.clock import now
from features import presence, rounds, routing, turns
from features.pieces import Refusal

SWEEP_S = 1


# ---- after a start ---------------------------------------------------------------------------------------


async def restart() -> None:
    """We were down, which is nobody's fault: every clock stood still, every line is cut as of now and has the
    usual time to come back. Once per start of the desk, before its first request: a process that starts
    beside others brings nothing down."""
    if not db.is_alone():
        return
    sweeps.failing_since = None
    async with routing.acting(everything=True) as desk:
        await presence.forget()
        down = await turns.downtime(desk.now)
        desk.note("restarted", None, None, down_s=max(0, int(down.total_seconds())))
        await turns.were_down(desk.now - down, desk.now)

        def gone_at(before: datetime | None) -> datetime:
            return min(before + down, desk.now) if before else desk.now

        for agent in desk.agents.values():
            if agent.profile is not None:
                agent.gone_at = gone_at(agent.gone_at)
        for request in desk.open_requests():
            request.expires_at += down
        for invite in desk.invites:
            invite.expires_at += down
        for chat in desk.chats.values():
            chat.visitor_gone_at = gone_at(chat.visitor_gone_at)
            chat.hold_until_at = chat.hold_until_at and chat.hold_until_at + down
            chat.alone_since_at = chat.alone_since_at and gone_at(chat.alone_since_at)
            for agent_id, (how, refused_at) in chat.refused.items():
                chat.refused[agent_id] = Refusal(how, gone_at(refused_at))


# ---- every second ----------------------------------------------------------------------------------------


@dataclass
class Sweeps:
    """Of this process."""

    failing_since: datetime | None = None


sweeps = Sweeps()


async def sweep_again() -> None:
    since, sweeps.failing_since = sweeps.failing_since, sweeps.failing_since or now()
    await sweep(since)
    sweeps.failing_since = None


async def sweep(failing_since: datetime | None = None) -> None:
    if not await anything_to_watch():
        return
    async with db.transaction():
        if await is_my_turn():
            if failing_since:
                await spare(failing_since)
            await presence.expire()
            await routing.settle()
            await turns.say_alive()


async def spare(since: datetime) -> None:
    """Nothing could be written: nobody could answer, or say that they were there."""
    await presence.spare()
    async with routing.acting() as desk:
        down = min(desk.now - since, await turns.downtime(desk.now))
        for request in desk.open_requests():
            request.expires_at += down
        for invite in desk.invites:
            invite.expires_at += down


async def anything_to_watch() -> bool:
    """With nobody on duty and no chat open nothing falls due, and a queue that opens stays blue."""
    rows = await db.sql(
        "SELECT EXISTS (SELECT 1 FROM chat WHERE state IN ('forming', 'waiting', 'active')"
        " UNION ALL SELECT 1 FROM readiness WHERE profile IS NOT NULL"
        " UNION ALL SELECT 1 FROM queue WHERE green"
        " UNION ALL SELECT 1 FROM presence WHERE alive_until_at <= {}) AS anything",
        now(),
    )
    return bool(rows[0]["anything"])


async def is_my_turn() -> bool:
    """One process sweeps at a time; the others need not wait for it."""
    if db.dialect() == "sqlite":
        return True
    rows = await db.sql("SELECT pg_try_advisory_xact_lock(hashtext('balie sweep')) AS mine")
    return bool(rows[0]["mine"])


routes: list[Any] = []
starts = [restart]
tasks = [rounds.every(SWEEP_S, sweep_again)]
