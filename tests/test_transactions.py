"""Transactions: all or nothing, one task each, and nothing lost or held when many come and some go away."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

import db
from db.postgresql import PostgresTransaction
from db.sqlite import SqliteTransaction
from db.tables import (
    Queue,
    Role,
    Step,
)

TASKS = 50


async def names() -> set[str]:
    return {row["name"] for row in await Role.select(Role.name)}


async def test_a_transaction_is_all_or_nothing(connected: str) -> None:
    async with db.transaction():
        await Role(name="a").save()
        await Role(name="b").save()
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            await Role(name="c").save()
            raise ZeroDivisionError
    assert await names() == {"a", "b"}


async def test_others_see_only_what_is_committed(connected: str) -> None:
    written, looked = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with db.transaction():
            await Role(name="a").save()
            written.set()
            await looked.wait()

    writer = asyncio.create_task(write())
    await written.wait()
    assert await names() == set()
    looked.set()
    await writer
    assert await names() == {"a"}


async def test_a_nested_transaction_is_part_of_the_outer_one(connected: str) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            async with db.transaction():
                await Role(name="a").save()
            raise ZeroDivisionError
    assert await names() == set()


async def test_a_nested_transaction_that_fails_takes_the_outer_one_along(connected: str) -> None:
    with pytest.raises(db.TransactionError, match="failed earlier"):
        async with db.transaction():
            await Role(name="a").save()
            with contextlib.suppress(ZeroDivisionError):
                async with db.transaction():
                    raise ZeroDivisionError
    assert await names() == set()


async def test_after_an_error_a_transaction_cannot_be_committed(connected: str) -> None:
    await Role(name="a").save()
    called: list[str] = []
    with pytest.raises(db.TransactionError, match="failed earlier"):
        async with db.transaction():
            db.after_commit(lambda: called.append("no"))
            await Role(name="b").save()
            with contextlib.suppress(*db.UniqueViolation):
                await Role(name="a").save()
    assert await names() == {"a"}
    assert called == []


async def test_a_savepoint_saves_the_rest(connected: str) -> None:
    await Role(name="a").save()
    called: list[str] = []
    async with db.transaction():
        await Role(name="b").save()
        db.after_commit(lambda: called.append("b"))
        with contextlib.suppress(*db.UniqueViolation):
            async with db.savepoint():
                await Role(name="c").save()
                db.after_commit(lambda: called.append("c"))
                await Role(name="a").save()
        async with db.savepoint():
            await Role(name="d").save()
    assert await names() == {"a", "b", "d"}
    assert called == ["b"]


async def test_after_commit_comes_in_order_when_all_can_see_it_and_before_the_caller_goes_on(
    connected: str, caplog: pytest.LogCaptureFixture
) -> None:
    order: list[str] = []
    looks: list[asyncio.Task[set[str]]] = []

    def look() -> None:
        order.append("look")
        looks.append(asyncio.create_task(names()))

    async with db.transaction():
        db.after_commit(lambda: order.append("first"))
        async with db.transaction():
            db.after_commit(lambda: order.append("second"))
            db.after_commit(lambda: 1 / 0)
        db.after_commit(look)
        await Role(name="a").save()
        order.append("inside")
    order.append("after")
    assert order == ["inside", "first", "second", "look", "after"]
    assert await looks[0] == {"a"}
    assert "ZeroDivisionError" in caplog.text
    db.after_commit(lambda: order.append("at once"))
    assert order[-1] == "at once"


async def test_after_a_rollback_nothing_is_called(connected: str) -> None:
    called: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            db.after_commit(lambda: called.append("no"))
            raise ZeroDivisionError
    async with db.transaction():
        pass
    assert called == []


async def test_a_task_started_inside_a_transaction_may_not_use_it(connected: str) -> None:
    gone_on = asyncio.Event()

    async def later() -> set[str]:
        await gone_on.wait()
        return await names()

    async with db.transaction():
        at_once, late = asyncio.create_task(names()), asyncio.create_task(later())
        with pytest.raises(db.TransactionError, match="one task"):
            await at_once
        await Role(name="a").save()
    gone_on.set()
    with pytest.raises(db.TransactionError, match="is over"):
        await late
    assert await names() == {"a"}


async def test_locks_and_savepoints_belong_inside_a_transaction(connected: str) -> None:
    with pytest.raises(db.TransactionError, match="inside a transaction"):
        await db.lock("routing")
    with pytest.raises(db.TransactionError, match="inside a transaction"):
        async with db.savepoint():
            pass


async def test_a_lock_keeps_others_of_that_name_waiting(connected: str) -> None:
    inside: list[int] = []

    async def alone(n: int) -> None:
        async with db.transaction():
            await db.lock("routing")
            inside.append(n)
            await Role(name=f"{n}").save()
            assert inside[-1] == n
            await Role.update({Role.permissions: "[1]"}).where(Role.name == f"{n}")
            assert inside[-1] == n

    await asyncio.gather(*(alone(n) for n in range(10)))
    assert sorted(inside) == list(range(10))
    if db.dialect() == "sqlite":
        assert inside == list(range(10))  # in order of arrival


# ---- many at once, and some go away ------------------------------------------------------------------------


class Counter:
    """Reads, thinks, writes: what is lost when two do it at once."""

    def __init__(self) -> None:
        self.told = 0

    async def add_one(self, name: str) -> None:
        async with db.transaction():
            await db.lock("counter")
            before = (await db.sql("SELECT answer_s FROM queue"))[0]["answer_s"]
            await Step(what=name).save()
            await db.sql("UPDATE queue SET answer_s = {}", before + 1)
            db.after_commit(self.tell)

    def tell(self) -> None:
        self.told += 1

    async def check(self) -> None:
        counted = (await db.sql("SELECT answer_s FROM queue"))[0]["answer_s"]
        assert counted == await Step.count() == self.told


@pytest.fixture
async def counter(connected: str) -> AsyncIterator[Counter]:
    await Queue(name="counter", answer_s=0).save()
    counter = Counter()
    yield counter
    await counter.check()
    async with asyncio.timeout(5):  # nothing is held: as many at once as there are connections
        await asyncio.gather(*(counter.add_one(f"after {n}") for n in range(15)))
    await counter.check()


async def test_fifty_at_once_lose_nothing(counter: Counter) -> None:
    await asyncio.gather(*(counter.add_one(f"{n}") for n in range(TASKS)))
    assert counter.told == TASKS


@pytest.mark.parametrize("seed", range(4))
async def test_fifty_at_once_of_which_many_are_cancelled_lose_nothing(counter: Counter, seed: int) -> None:
    dice = random.Random(seed)

    async def cancel(task: "asyncio.Task[None]") -> None:
        await asyncio.sleep(dice.uniform(0, 0.15))
        task.cancel()

    tasks = [asyncio.create_task(counter.add_one(f"{n}")) for n in range(TASKS)]
    async with asyncio.TaskGroup() as killers:
        for task in dice.sample(tasks, TASKS * 2 // 3):
            killers.create_task(cancel(task))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
    assert results.count(None) >= TASKS // 3


async def test_a_task_may_be_cancelled_at_any_of_its_steps(counter: Counter) -> None:
    outcomes = set()
    for steps in range(60):
        task = asyncio.create_task(counter.add_one(f"{steps}"))
        for _ in range(steps):
            await asyncio.sleep(0.0003 if steps % 2 else 0)
        task.cancel()
        [result] = await asyncio.gather(task, return_exceptions=True)
        outcomes.add(type(result))
    assert outcomes == {type(None), asyncio.CancelledError}


async def test_cancelled_while_it_commits_it_is_committed_told_and_then_cancelled(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    task: asyncio.Task[None] | None = None
    for kind in (SqliteTransaction, PostgresTransaction):

        async def commit(self: Any, commit: Any = kind.commit) -> None:
            if task and self.task is task:
                task.cancel()
            await commit(self)

        monkeypatch.setattr(kind, "commit", commit)
    task = asyncio.create_task(counter.add_one("late"))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert counter.told == 1
