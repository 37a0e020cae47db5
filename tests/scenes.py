"""Scenes that many tests begin with: somebody waits, two people talk."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from selectolax.lexbor import LexborHTMLParser

from db.tables import Agent, Chat, Message, Profile, Readiness
from tests.conftest import Desk
from tests.people import AgentClient, Visitor
from tests.streams import SOON_S, Stream

T = TypeVar("T")
QUESTION = "Mag ik vandaag parkeren?"


@dataclass
class Talk:
    """A visitor and an agent in a chat."""

    jef: Visitor
    an: AgentClient
    chat: str


@dataclass
class LiveTalk(Talk):
    window: Stream
    console: Stream


async def connected(desk: Desk, question: str = QUESTION, username: str = "an") -> Talk:
    """Without streams: both count as there for as long as a test lasts."""
    an = await desk.agent(username, "Loket", ready=True)
    jef = await desk.visitor().begin(question)
    return Talk(jef, an, await taken(an))


async def taken(agent: AgentClient) -> str:
    """The agent accepts what it is asked, and sees the chat."""
    await agent.open()
    before = set(agent.chats)
    answer = await agent.accept()
    assert answer.is_success, answer.text
    await agent.open()
    (chat,) = set(agent.chats) - before
    return chat


async def joined_by(desk: Desk, talk: Talk, username: str) -> AgentClient:
    """A colleague whom An has invited, and who stays."""
    colleague = await desk.agent(username, "Loket", ready=True)
    row = await Agent.select(Agent.id).where(Agent.username == username).first()
    assert row
    invitation = {"to": f"agent-{row['id']}", "how": "stay", "note": ""}
    await talk.an.must("POST", f"/chats/{talk.chat}/invite", invitation)
    await taken(colleague)
    return colleague


@contextlib.asynccontextmanager
async def live(desk: Desk, question: str = QUESTION, username: str = "an") -> AsyncIterator[LiveTalk]:
    talk = await connected(desk, question, username)
    await talk.jef.open()
    async with talk.jef.stream() as window, talk.an.stream() as console:
        await window.wait_for("Verbonden met")
        await console.wait_for('id="panels"')
        yield LiveTalk(talk.jef, talk.an, talk.chat, window, console)


async def line_is_gone(agent: str = "") -> None:
    """The server has noticed that this agent's last page is closed; without a name, that of some visitor."""
    await eventually_true(lambda: anybody_gone(agent))


async def anybody_gone(agent: str) -> bool:
    if agent:
        mine = Readiness.exists().where(Readiness.agent.username == agent)
        return await mine.where(Readiness.gone_at.is_not_null())
    return await Chat.exists().where(Chat.visitor_gone_at.is_not_null()).where(Chat.state != "ended")


async def sign_in_admin(desk: Desk) -> AgentClient:
    """Who has no console, but a page that says so."""
    admin = AgentClient(desk.url, "admin")
    desk.people.append(admin)
    await admin.post("/session", {"username": "admin", "password": "geheim-1234"})
    answer = await admin.get("/console")
    csrf = LexborHTMLParser(answer.text).css_first("#csrf")
    assert csrf is not None
    admin.client.headers["X-CSRF-Token"] = str(csrf.attributes["content"])
    return admin


async def longest_turn(work: Awaitable[T]) -> tuple[T, float]:
    """Its outcome, and the most of the processor's time, in s, that the event loop took at once meanwhile.

    Of its own thread's time: others may be using the machine.
    """
    doing, longest = asyncio.ensure_future(work), 0.0
    while not doing.done():
        began = time.thread_time()
        await asyncio.sleep(0.001)
        longest = max(longest, time.thread_time() - began)
    return await doing, longest


async def eventually(holds: Callable[[], object], within_s: float = SOON_S) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 – nothing tells of it
            await asyncio.sleep(0.02)


async def eventually_true(holds: Callable[[], Awaitable[object]], within_s: float = SOON_S) -> None:
    """As `eventually`, for what only the server knows."""
    async with asyncio.timeout(within_s):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def second_window(desk: Desk, agent: AgentClient) -> AsyncIterator[tuple[AgentClient, Stream]]:
    """Of the same browser: with its session, and a page and a stream of its own."""
    window = AgentClient(desk.url, agent.username)
    desk.people.append(window)
    window.client.cookies = agent.client.cookies
    await window.open()
    async with window.stream() as stream:
        await stream.wait_for('id="panels"')
        yield window, stream


async def at_work(desk: Desk, places: int = 3) -> AgentClient:
    await Profile.update({Profile.places: places}).where(Profile.name == "Loket")
    return await desk.agent("an", "Loket", ready=True)


def state(visitor: Visitor) -> str:
    return str(visitor.screen.first("#state").attributes["data-state"])


def status(visitor: Visitor) -> str:
    return visitor.screen.text("#status")


def colour(visitor: Visitor) -> str:
    return str(visitor.screen.first("#status .dot").attributes["class"])


async def chats() -> list[dict[str, Any]]:
    return await Chat.select().where(Chat.state != "forming").order_by(Chat.id)


async def bodies() -> list[str]:
    rows = await Message.select(Message.body).where(Message.kind == "text").order_by(Message.id)
    return [row["body"] for row in rows]
