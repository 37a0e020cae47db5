"""Transactions are ours on both databases, so that both keep the same rules:

* a transaction belongs to one task, and refuses the queries of any other, also after its end;
* after an error in it nothing of it can be committed (PostgreSQL would say yes and drop it);
* cancelling its task at any moment leaves no open transaction and no lock that is held;
* what was given to `after_commit` is called once the commit has succeeded, even if it was cancelled by then.

A snapshot is a transaction that only reads, all of it as it was at its beginning, and holds nobody up.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Token
from functools import partial
from typing import Any, Self, TypeVar

from piccolo.engine.base import BaseTransaction
from piccolo.querystring import QueryString

from db.appending import Appended, Entry

T = TypeVar("T")
Rows = list[Any]
log = logging.getLogger("balie.db")


class TransactionError(Exception):
    """A transaction was used in a way that cannot work; a fault in our code."""


class Transactional:
    """The part of an engine that sends a query to its task's transaction, or to a connection of its own."""

    current_transaction: Any  # a ContextVar of Piccolo's Engine
    engine_type: str

    def new_transaction(self) -> "Transaction":
        raise NotImplementedError

    def snapshot(self) -> "Transaction":
        raise NotImplementedError

    async def run_alone(self, sql: str, args: Sequence[Any]) -> Rows:
        raise NotImplementedError

    async def scrub(self, tables: Sequence[str]) -> bool:
        raise NotImplementedError

    async def glance(self, sql: str, args: Sequence[Any]) -> Rows:
        """A read of a few rows by their keys."""
        return await self.run(sql, args)

    async def append(self, entry: Entry, then: Callable[[Appended | None], object]) -> Appended | None:
        """Writes a message; `then` is called with its number once it is committed. A part of this task's
        transaction, if there is one. None: the chat takes no more."""
        if self.current_transaction.get() is None:
            return await self.append_alone(entry, then)
        appended: Appended | None = await self._mine("message").do(self.append_within, entry)
        self.after_commit(partial(then, appended))
        return appended

    append_within: Callable[..., Any]  # what a transaction does with its connection

    async def append_alone(self, entry: Entry, then: Callable[[Appended | None], object]) -> Appended | None:
        raise NotImplementedError

    async def check_version(self) -> None:
        """Piccolo would open a connection in another event loop to ask; `open` does it."""

    def transaction(self, *_: Any, **__: Any) -> "Transaction | Joined":
        outer = self.current_transaction.get()
        return Joined(outer) if outer else self.new_transaction()

    def savepoint(self) -> "Savepoint":
        return Savepoint(self._mine("savepoint"))

    def after_commit(self, then: Callable[[], object]) -> None:
        if transaction := self.current_transaction.get():
            transaction.check()
            transaction.callbacks.append(then)
        else:
            then()

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Rows:
        return await self.run(*querystring.compile_string(engine_type=self.engine_type))

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> Rows:
        return await self.run(ddl, ())

    async def run(self, sql: str, args: Sequence[Any]) -> Rows:
        if transaction := self.current_transaction.get():
            return await transaction.run(sql, args)  # type: ignore[no-any-return]
        return await self.run_alone(sql, args)

    def _mine(self, what: str) -> "Transaction":
        transaction: Transaction | None = self.current_transaction.get()
        if transaction is None:
            raise TransactionError(f"a {what} belongs inside a transaction")
        transaction.check()
        return transaction


class Transaction(BaseTransaction):
    """BEGIN … COMMIT of one task."""

    def __init__(self, engine: Transactional) -> None:
        self.engine = engine
        self.task = asyncio.current_task()
        self.callbacks: list[Callable[[], object]] = []
        self.failed = False  # nothing but a rollback is possible any more
        self.over = False
        self.savepoints = 0

    async def take_connection(self) -> None:
        raise NotImplementedError

    async def begin(self) -> None:
        raise NotImplementedError

    async def execute(self, sql: str, args: Sequence[Any], timeout_s: float | None = None) -> Rows:
        raise NotImplementedError

    async def commit(self) -> None:
        raise NotImplementedError

    async def roll_back(self) -> None:
        """Ends the transaction if it has begun, whatever has happened to it."""
        raise NotImplementedError

    async def give_connection_back(self) -> None:
        raise NotImplementedError

    async def apply(self, work: Callable[..., Any], *args: Any) -> Any:
        """Calls work(connection, *args) on the connection's own thread, if it has one."""
        raise NotImplementedError

    async def run(self, sql: str, args: Sequence[Any], timeout_s: float | None = None) -> Rows:
        return await self._tried(self.execute(sql, args, timeout_s))

    async def do(self, work: Callable[..., Any], *args: Any) -> Any:
        return await self._tried(self.apply(work, *args))

    async def _tried(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if fault := self._fault():
            coroutine.close()
            raise fault
        try:
            return await coroutine
        except BaseException:
            self.failed = True
            raise

    def check(self) -> None:
        if fault := self._fault():
            raise fault

    def _fault(self) -> TransactionError | None:
        if self.over:
            return TransactionError(
                "the transaction is over: a task that was started inside it still uses it"
            )
        if asyncio.current_task() is not self.task:
            return TransactionError("a transaction belongs to one task: do not start another inside it")
        if self.failed:
            return TransactionError(
                "something failed earlier in this transaction: it can only be rolled back"
            )
        return None

    async def __aenter__(self) -> Self:
        await self.take_connection()
        try:
            await self.begin()
        except BaseException as error:
            if interruption := await _to_the_end(self._finish(commit=False)):
                raise interruption from error
            raise
        self.token: Token[Any] = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(  # type: ignore[override]
        self, kind: Any, error: BaseException | None, trace: Any
    ) -> None:
        fault = self._fault() if error is None else None
        good = error is None and fault is None
        self.over = True
        self.engine.current_transaction.reset(self.token)
        interruption = await _to_the_end(self._finish(commit=good))
        if good:
            self._call_back()
        if interruption:
            raise interruption
        if fault:
            raise fault

    async def _finish(self, commit: bool) -> None:
        try:
            await (self.commit() if commit else self.roll_back())
        except BaseException:
            await self.roll_back()
            raise
        finally:
            await self.give_connection_back()

    def _call_back(self) -> None:
        for then in self.callbacks:
            try:
                then()
            except Exception:  # it is committed: the caller must not be told otherwise
                log.exception("after a commit")


async def _to_the_end(work: Coroutine[Any, Any, None]) -> asyncio.CancelledError | None:
    """Does the work in a task of its own, so that it goes on when this one is cancelled; returns that."""
    cancelled = None
    task = asyncio.create_task(work)
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if failure := task.exception():
        raise cancelled or failure
    return cancelled


class Joined:
    """A transaction inside a transaction: a part of the outer one, which is lost when this part fails."""

    def __init__(self, outer: Transaction) -> None:
        self.outer = outer

    async def __aenter__(self) -> Transaction:
        self.outer.check()
        return self.outer

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None:
            self.outer.failed = True


class Savepoint:
    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction

    async def __aenter__(self) -> None:
        self.transaction.savepoints += 1
        self.name = f"part_{self.transaction.savepoints}"
        self.callbacks = len(self.transaction.callbacks)
        await self.transaction.run(f"SAVEPOINT {self.name}", ())

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception):
            self.transaction.failed = False
            del self.transaction.callbacks[self.callbacks :]
            await self.transaction.run(f"ROLLBACK TO SAVEPOINT {self.name}", ())
        if error is None or isinstance(error, Exception):
            await self.transaction.run(f"RELEASE SAVEPOINT {self.name}", ())
