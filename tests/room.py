"""A desk in words, for tests of routing and of presence: verbs and rows, without the front door."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import db
from db import tables
from features import routing

if TYPE_CHECKING:
    from tests.conftest import Clock, Databases

ENGINES = ("sqlite", "postgresql")


@contextlib.contextmanager
def shared_database(databases: "Databases", engine: str) -> Iterator[str]:
    """One for many tests, each of which leaves it empty."""
    url = asyncio.run(databases.make(engine, "empty"))
    yield url
    asyncio.run(databases.drop(url))


@contextlib.asynccontextmanager
async def opened(url: str, clock: "Clock") -> AsyncIterator["Room"]:
    await db.connect(url)
    room = Room(clock)
    room.role = await made(tables.Role(name="agent"))
    room.widget = await made(tables.Widget(key="room"))
    yield room
    async with db.transaction():
        for table in reversed(tables.TABLES):
            await table.delete(force=True)
    await db.disconnect()


class Room:
    """What a test sets up, and what it can see."""

    def __init__(self, clock: "Clock") -> None:
        self.clock = clock
        self.widget = self.role = 0

    async def queue(self, name: str = "queue", **spans: Any) -> int:
        return await made(tables.Queue(name=name, **{"always_open": True, **spans}))

    async def profile(self, served: dict[int, int], places: int = 1) -> int:
        profile = await made(tables.Profile(name="profile", places=places))
        for queue, priority in served.items():
            await made(tables.ProfileQueue(profile=profile, queue=queue, priority=priority))
        return profile

    async def person(self, name: str) -> int:
        row = tables.Agent(username=name, name=name, role=self.role, created_at=self.clock.now())
        return await made(row)

    async def agent(self, name: str, served: dict[int, int], places: int = 1, ready: bool = True) -> int:
        agent = await self.person(name)
        await routing.login(agent, await self.profile(served, places))
        if ready:
            assert await routing.make_ready(agent)
        return agent

    async def visitor(self) -> int:
        count = await tables.Visitor.count()
        return await made(
            tables.Visitor(widget=self.widget, token_hash=str(count), created_at=self.clock.now())
        )

    async def press(self, queue: int, visitor: int = 0, **details: Any) -> routing.ChatFacts | None:
        return await routing.press(visitor or await self.visitor(), self.widget, queue, **details)

    async def waits(self, queue: int) -> int:
        """A chat that somebody has just started."""
        chat = await routing.start(await self.visitor(), self.widget, queue)
        assert chat
        return chat

    async def talks(self, agent: int, queue: int) -> int:
        """A chat with this agent, who is free for it."""
        chat = await self.waits(queue)
        assert await self.asked(chat) == agent
        assert await self.accepts(agent) == chat
        return chat

    async def request(self, agent: int) -> int:
        table = tables.Reservation
        row = await table.select(table.id).where(table.agent == agent).where(table.outcome == "").first()
        return int(row["id"]) if row else 0

    async def accepts(self, agent: int) -> int | None:
        return await routing.accept(await self.request(agent), agent)

    async def rejects(self, agent: int) -> bool:
        return await routing.reject(await self.request(agent), agent)

    async def asked(self, chat: int) -> int:
        """Who is being asked for it; 0 = nobody."""
        table = tables.Reservation
        row = await table.select(table.agent).where(table.chat == chat).where(table.outcome == "").first()
        return int(row["agent"]) if row else 0

    async def outcomes(self, chat: int) -> list[str]:
        table = tables.Reservation
        return [row["outcome"] for row in await table.select().where(table.chat == chat).order_by(table.id)]

    async def chat(self, chat: int) -> dict[str, Any]:
        row = await tables.Chat.select().where(tables.Chat.id == chat).first()
        assert row
        return row

    async def state(self, chat: int) -> str:
        return str((await self.chat(chat))["state"])

    async def readiness(self, agent: int) -> dict[str, Any]:
        row = await tables.Readiness.select().where(tables.Readiness.agent == agent).first()
        assert row
        return row

    async def steps(self, chat: int) -> list[str]:
        table = tables.Step
        return [row["what"] for row in await table.select().where(table.chat == chat).order_by(table.id)]

    async def after(self, seconds: float) -> None:
        self.clock.shift(seconds)
        await routing.settle()


async def made(row: Any) -> int:
    await row.save()
    return int(row.id)
