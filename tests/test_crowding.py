"""PostgreSQL stands still, or all of the connections to it are in use: who waits is told so in time, does not
become too many, and takes no connection along."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import httpx
import pytest

import db
from db import postgresql, waits
from db.postgresql import POOL
from db.tables import Role
from features import rounds
from tests import scenes
from tests.conftest import Desk
from tests.people import new_key
from tests.streams import SOON_S
from tests.test_away import CANNOT

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])

WAITERS = 200


@contextlib.asynccontextmanager
async def all_in_use() -> AsyncIterator[None]:
    """Each connection that there can be, by a transaction of its own."""
    free = asyncio.Event()

    async def hold(taken: asyncio.Event) -> None:
        async with db.transaction():
            taken.set()
            await free.wait()

    signs = [asyncio.Event() for _each in range(POOL)]
    async with asyncio.TaskGroup() as holders:
        for sign in signs:
            holders.create_task(hold(sign))
        async with asyncio.timeout(SOON_S):
            for sign in signs:
                await sign.wait()
        yield
        free.set()


async def nothing_is_lost() -> None:
    try:
        async with all_in_use():
            assert db.connections() == (POOL, 0)
    except* TimeoutError:
        db.engine()._pool().terminate()  # type: ignore[union-attr]  # or whoever closes it would wait for ever
        raise
    assert db.connections() == (POOL, POOL)
    assert waits.line.waiting == 0


def said_no(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.headers.get("retry-after")) == (503, "5") and CANNOT in answer.text


async def test_who_waits_too_long_is_told_so_and_can_come_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await scenes.connected(desk)
    form = {"key": new_key(), "body": "Bent u daar?"}
    async with all_in_use():
        monkeypatch.setattr(postgresql, "PATIENCE_S", 0.2)
        served = waits.line.served
        answers = await asyncio.gather(
            *(talk.jef.post("/chat/messages", form, timeout=SOON_S) for _each in range(10)),
            talk.an.post(f"/chats/{talk.chat}/messages", form, timeout=SOON_S),
        )
        assert all(map(said_no, answers)), answers
        with pytest.raises(TimeoutError):
            async with db.transaction():
                await Role(name="nobody").save()
        assert waits.line.served == served, "who gave up had no turn"
        monkeypatch.setattr(postgresql, "PATIENCE_S", SOON_S)
    await nothing_is_lost()
    assert (await talk.jef.post("/chat/messages", form)).status_code == 200
    assert await scenes.bodies() == [scenes.QUESTION, "Bent u daar?"]
    assert not await Role.exists().where(Role.name == "nobody")


async def test_when_too_many_wait_the_next_is_told_so_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await scenes.connected(desk)
    async with all_in_use():
        monkeypatch.setattr(postgresql, "MOST_WAITING", 3)
        waiting = [asyncio.create_task(db.sql("SELECT 1 AS one")) for _each in range(3)]
        await scenes.eventually(lambda: waits.line.waiting == 3)
        form = {"key": new_key(), "body": "Bent u daar?"}
        assert said_no(await talk.jef.post("/chat/messages", form, timeout=SOON_S))
        assert waits.line.waiting == 3, "who was there before stays"
        monkeypatch.setattr(postgresql, "MOST_WAITING", POOL)
    assert await asyncio.gather(*waiting) == [[{"one": 1}]] * 3
    await nothing_is_lost()


@pytest.mark.parametrize("seed", [1, 2])
async def test_of_many_who_give_up_or_go_away_none_takes_a_connection_along(
    connected: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """At any moment: before there is one, when it comes, when it is in use."""
    chance = random.Random(seed)

    async def ask() -> None:
        if chance.random() < 0.5:
            await db.sql("SELECT pg_sleep(0.005)")
        else:
            async with db.transaction():
                await db.sql("SELECT pg_sleep(0.005)")

    async with all_in_use():
        asking = []
        for _each in range(WAITERS):
            monkeypatch.setattr(postgresql, "PATIENCE_S", chance.choice([0, chance.uniform(0, 0.1), SOON_S]))
            asking.append(asyncio.create_task(ask()))
            await asyncio.sleep(0)
        await scenes.eventually(lambda: waits.line.waiting < WAITERS / 2)
    while left := [each for each in asking if not each.done()]:
        chance.choice(left).cancel()
        await asyncio.sleep(0.002)
    ends = await asyncio.gather(*asking, return_exceptions=True)
    kinds = {type(end) for end in ends}
    assert {TimeoutError, asyncio.CancelledError, type(None)} == kinds, kinds
    monkeypatch.setattr(postgresql, "PATIENCE_S", SOON_S)
    await nothing_is_lost()


async def test_what_the_desk_does_by_itself_goes_on_afterwards(
    connected: str, by_itself: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, done, stop = [], asyncio.Event(), asyncio.Event()

    async def work() -> None:
        tried.append(1)
        async with db.transaction():
            done.set()

    going = asyncio.create_task(rounds.every(0.01, work)(stop))
    async with all_in_use():
        monkeypatch.setattr(postgresql, "PATIENCE_S", 0.02)
        tried.clear()
        done.clear()
        await scenes.eventually(lambda: len(tried) > 1)
        assert not done.is_set()
        monkeypatch.setattr(postgresql, "PATIENCE_S", SOON_S)
    async with asyncio.timeout(SOON_S):
        await done.wait()
    stop.set()
    await going
