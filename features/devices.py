"""Devices: a verified visitor finds the running chat again on another device.

No URLs: `arrival` asks, at the press. When the site vouches for the same person (`sub`), at this moment, to a
browser that has begun nothing yet, the chat that runs is opened there, too. The first device stays in it; the
second has a token of its own, which counts for this conversation and no longer. Nobody who is not verified is
let in, and no signed token that has been shown before lets anybody in, not even the person whom it is about.
"""

from dataclasses import replace
from typing import Any

import db
from db.clock import now
from db.tables import Device
from features import identity, routing
from features.access import Caller
from features.tokens import Claims
from features.widget import WidgetFacts

RUNNING = (
    "SELECT chat.id, chat.visitor FROM identity JOIN chat ON chat.visitor = identity.visitor"
    " WHERE identity.widget = {} AND identity.sub = {} AND chat.state IN ('waiting', 'active')"
    " ORDER BY chat.id DESC LIMIT 1"
)


async def let_in(found: WidgetFacts, caller: Caller, claims: Claims) -> Caller | None:
    """The caller, in the chat that runs; None if it goes its own way."""
    if caller.id is not None or not await running(found.id, claims.sub):
        return None
    async with db.transaction():
        await db.lock(routing.LOCK)  # it does not end meanwhile
        chat = await running(found.id, claims.sub)
        if chat is None:
            return None
        if await identity.is_first_shown(found.id, chat["visitor"], claims):
            await Device.insert(Device(chat=chat["id"], token_hash=caller.token_hash, added_at=now()))
            await identity.keep(found, chat["visitor"], claims)
            await identity.mark_used(claims.key)
        elif not await is_in(chat["id"], caller):  # the same press, sent twice
            return None
    return replace(caller, id=chat["visitor"], joined=True)


async def running(widget: int, sub: str) -> dict[str, Any] | None:
    return next(iter(await db.sql(RUNNING, widget, sub)), None)


async def is_in(chat: int, caller: Caller) -> bool:
    return await Device.exists().where(Device.chat == chat).where(Device.token_hash == caller.token_hash)


routes: list[Any] = []
