"""A desk at which many talk: as it is when everybody has come, and nobody has said a word yet."""

import json
import secrets
from datetime import timedelta

from db import example_desk
from db.clock import now
from db.tables import (
    Agent,
    Profile,
    ProfileQueue,
    Queue,
    Reservation,
    Role,
    Session,
    Subject,
    Visitor,
    Widget,
)
from features import routing
from features.access import COOKIE, fingerprint
from tests.bench.load import Talk
from tests.room import made

CHATS_EACH = 5


async def fill(count: int) -> list[Talk]:
    """A queue that is always open, and as many agents as it takes for so many conversations."""
    await example_desk.empty("Bench")
    key = f"bench-{secrets.token_hex(4)}"
    role = await made(Role(name=key, permissions=json.dumps(["chat"])))
    queue = await made(Queue(name=key, always_open=True))
    widget = await made(Widget(key=key, name=key))
    await made(Subject(widget=widget, queue=queue))
    profile = await made(Profile(name=key, places=CHATS_EACH))
    await made(ProfileQueue(profile=profile, queue=queue, priority=1))
    talks: list[Talk] = []
    while len(talks) < count:
        agent = await made(Agent(username=f"{key}-{len(talks)}", name=f"Agent {len(talks)}", role=role))
        cookie, csrf = await signed_in(agent)
        await routing.login(agent, profile)
        await routing.make_ready(agent)
        for _chat in range(min(CHATS_EACH, count - len(talks))):
            token = secrets.token_urlsafe(32)
            visitor = await made(Visitor(widget=widget, token_hash=fingerprint(token), created_at=now()))
            chat = await routing.start(visitor, widget, queue)
            assert chat
            await accepted(chat, agent)
            talks.append(Talk(chat, token, key, cookie, csrf))
    return talks


async def signed_in(agent: int) -> tuple[str, str]:
    """Its cookie, and the token that goes with it."""
    cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
    until = now() + timedelta(days=1)
    await made(Session(agent=agent, token_hash=fingerprint(cookie), csrf=csrf, expires_at=until))
    return f"{COOKIE}={cookie}", csrf


async def accepted(chat: int, agent: int) -> None:
    asked = Reservation.select(Reservation.id, Reservation.agent).where(Reservation.chat == chat)
    row = await asked.where(Reservation.outcome == "").first()
    assert row is not None
    assert row["agent"] == agent
    assert await routing.accept(row["id"], agent)
