"""Writes that share a commit. What is asked for while one is being brought to the disk goes into the next;
each is answered after its own commit, and one that fails takes nothing of the others along."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextvars import Context
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
Work = Callable[..., Any]
log = logging.getLogger("balie.db")


class Job(NamedTuple):
    work: Work  # called with the writing connection and the arguments, on its thread
    args: tuple[Any, ...]
    then: Callable[[Any], object]  # called with what it returned, once that is committed
    outcome: "asyncio.Future[Any]"


def nothing(*_outcome: Any) -> None:
    pass


class Group:
    """The jobs of one writer, in order of arrival."""

    def __init__(
        self,
        turn: asyncio.Lock,
        run: Callable[..., "asyncio.Future[Any]"],
        committed: Callable[[], object] = nothing,
    ) -> None:
        self.turn = turn
        self.run = run
        self.committed = committed
        self.waiting: list[Job] = []
        self.leader: asyncio.Task[None] | None = None

    def add(self, work: Work, *args: Any, then: Callable[[Any], object] = nothing) -> "asyncio.Future[Any]":
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting.append(Job(work, args, then, outcome))
        if self.leader is None:  # nobody's own: whoever comes first may be cancelled
            self.leader = asyncio.get_running_loop().create_task(self._lead(), context=Context())
        return outcome

    async def close(self) -> None:
        if self.leader is not None:
            await self.leader

    async def _lead(self) -> None:
        try:
            while self.waiting:
                async with self.turn:
                    jobs, self.waiting = self.waiting, []
                    await self._commit(jobs)
        finally:
            self.leader = None

    async def _commit(self, jobs: list[Job]) -> None:
        try:
            results = await self.run(together, [(job.work, job.args) for job in jobs])
            self.committed()
        except Exception as error:  # none of them is written
            results = [error] * len(jobs)
        for job, result in zip(jobs, results, strict=True):
            if not isinstance(result, Exception):
                call(job.then, result)
            if job.outcome.done():  # whoever asked has gone
                continue
            if isinstance(result, Exception):
                job.outcome.set_exception(result)
            else:
                job.outcome.set_result(result)


def call(then: Callable[[T], object], result: T) -> None:
    try:
        then(result)
    except Exception:  # it is committed: the caller must not be told otherwise
        log.exception("after a commit")


def together(connection: sqlite3.Connection, jobs: list[tuple[Work, tuple[Any, ...]]]) -> list[Any]:
    """What each returned, or the error by which it left nothing behind."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = [apart(connection, work, args) for work, args in jobs]
        connection.commit()
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise
    return results


def apart(connection: sqlite3.Connection, work: Work, args: tuple[Any, ...]) -> Any:
    connection.execute("SAVEPOINT job")
    try:
        result = work(connection, *args)
    except Exception as error:
        if not connection.in_transaction:  # no room: SQLite has undone what the others wrote, too
            raise
        connection.execute("ROLLBACK TO job")
        result = error
    connection.execute("RELEASE job")
    return result
