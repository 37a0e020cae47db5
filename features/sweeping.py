"""Sweeping: what falls due at the desk although nobody does anything, and what is nobody's fault.

Every second one process looks who has gone silent, and lets time act. Time in which we were down is made up
for: nobody could answer, or say that they were there.
"""

from typing import Any

import db
from db.clock import now
from features import presence, rounds, routing, standstills, turns

SWEEP_S = 1


# ---- after a start ---------------------------------------------------------------------------------------


async def restart() -> None:
    """We were down, which is nobody's fault: every clock stood still, every line is cut as of now and has the
    usual time to come back. Once per start of the desk, before its first request: a process that starts
    beside others brings nothing down."""
    if not db.is_alone():
        return
    standstills.seen.clear()
    async with routing.acting(everything=True) as desk:
        await presence.forget()
        down = await turns.downtime(desk.now)
        desk.note("restarted", None, None, down_s=max(0, int(down.total_seconds())))
        await turns.were_down(desk.now - down, desk.now)
        desk.make_up_for(down)
        for agent in desk.agents.values():
            if agent.profile is not None:
                agent.gone_at = agent.gone_at or desk.now
        for chat in desk.chats.values():
            chat.visitor_gone_at = chat.visitor_gone_at or desk.now


# ---- every second ----------------------------------------------------------------------------------------


async def sweep_again() -> None:
    with standstills.watched():
        await sweep()


async def sweep() -> None:
    if not await anything_to_watch():
        return
    async with db.transaction():
        if await is_my_turn():
            await db.lock(routing.LOCK)  # and only then look whether that took long
            if standstills.since():
                await routing.settle()  # makes up for it, before anybody is given up
            await presence.expire()
            await routing.settle()
            await turns.say_alive()


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
