"""A desk at which many talk: as it is when everybody has come, and nobody has said a word yet."""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import db
from db import example_desk
from db.clock import now
from db.tables import (
    Agent,
    Message,
    Profile,
    ProfileQueue,
    Queue,
    Reservation,
    Retention,
    Role,
    Session,
    Subject,
    Visitor,
    Widget,
)
from features import hashes, messages, routing
from features.access import COOKIE, fingerprint
from tests.bench.load import Talk
from tests.room import made

CHATS_EACH = 5
PASSWORD = "Bank-onder-de-linde-7"
PERMISSIONS = ["chat", "see_reports", "see_agent_reports"]
PAST_YEAR, PAST_DAYS = 2025, 365
SAID_EACH = 8  # in a conversation that is over
AT_A_TIME = 200
KEPT_DAYS = 30


async def fill(count: int) -> list[Talk]:
    """A queue that is always open, and as many agents as it takes for so many conversations."""
    await example_desk.empty("Bench")
    key = f"bench-{secrets.token_hex(4)}"
    role = await made(Role(name=key, permissions=json.dumps(PERMISSIONS)))
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


def usernames(talks: Sequence[Talk]) -> list[str]:
    """Of their agents, as `fill` names them."""
    return [f"{talks[first].widget}-{first}" for first in range(0, len(talks), CHATS_EACH)]


async def passwords() -> None:
    """All agents may sign in."""
    await Agent.update({Agent.password_hash: await hashes.hashed(PASSWORD)}, force=True)


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


async def long_ago(count: int) -> None:
    """As many conversations, all over a year that is over."""
    (queue,) = await db.sql("SELECT id FROM queue LIMIT 1")
    (widget,) = await db.sql("SELECT id FROM widget LIMIT 1")
    agents = [row["id"] for row in await db.sql("SELECT id FROM agent")]
    begin = datetime(PAST_YEAR, 1, 1, 8, tzinfo=UTC)
    for first in range(1, count + 1, AT_A_TIME):
        ids = range(PAST + first, PAST + min(first + AT_A_TIME, count + 1))
        at = {id: begin + timedelta(minutes=(id - PAST) * PAST_DAYS * 24 * 60 // (count + 1)) for id in ids}
        async with db.transaction():
            visitors = [(id, widget["id"], f"past-{id}", at[id]) for id in ids]
            await written("visitor (id, widget, token_hash, created_at)", visitors)
            chats = [
                (id, id, widget["id"], queue["id"], "ended", at[id], at[id], at[id] + timedelta(minutes=9))
                for id in ids
            ]
            columns = "id, visitor, widget, queue, state, ticket_at, started_at, ended_at"
            await written(
                f"chat ({columns}, begun, ended_how, seq)", [(*row, True, "by_agent", 8) for row in chats]
            )
            seats = [
                (id, agents[id % len(agents)], queue["id"], at[id], at[id] + timedelta(minutes=9))
                for id in ids
            ]
            await written("participation (chat, agent, queue, joined_at, left_at)", seats)
            said = [
                (id, seq, f"past-{id}-{seq}", "text", "visitor", f"Een vraag over {id} en {seq}.", at[id])
                for id in ids
                for seq in range(1, SAID_EACH + 1)
            ]
            await written("message (chat, seq, key, kind, author, body, sent_at)", said)


PAST = 1_000_000  # the numbers of what is long ago begin here


async def written(where: str, rows: Sequence[tuple[Any, ...]]) -> None:
    row = f"({', '.join('{}' for _column in rows[0])})"
    values = ", ".join(row for _row in rows)
    await db.sql(f"INSERT INTO {where} VALUES {values}", *(each for row in rows for each in row))


async def one_long(talk: Talk, count: int = 500) -> None:
    for number in range(count):
        body = f"Bericht {number}: en daarna nog een paar woorden, zoals men schrijft."
        await messages.post(talk.chat, f"long-{number:05}", body, author="visitor", name="")


async def texts() -> list[tuple[int, bytes]]:
    """What visitors have said: the chat and the words of each, in order."""
    said = Message.select(Message.chat, Message.body).where(Message.author == "visitor")
    return [(row["chat"], row["body"].encode()) for row in await said.order_by(Message.chat, Message.seq)]


async def kept_for_a_while() -> None:
    """What is over for longer goes at the next start."""
    (queue,) = await db.sql("SELECT id FROM queue LIMIT 1")
    await made(Retention(queue=queue["id"], text_days=KEPT_DAYS))


async def left_of_the_past() -> int:
    rows = await db.sql("SELECT count(*) AS n FROM chat WHERE id > {}", PAST)
    return int(rows[0]["n"])
