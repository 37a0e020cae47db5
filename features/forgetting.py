"""Forgetting: how conversations go, with all that hangs on them, and out of the files too.

Whoever erases calls `erase` or `drop_files` within a transaction, and `finish` after it. Every table that
refers to a chat is emptied of it by what the schema says; a feature that keeps something elsewhere, such as
words to search for, puts a function into `forgetters`, which gets the ids within the transaction.
"""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from piccolo.table import Table

import db
from db.clock import now
from db.tables import TABLES, Chat, Erasure, LegalHold, Message, Visitor
from features import audit, files, holds, searching

log = structlog.get_logger(__name__)

BATCH = 50  # conversations in one transaction
RETRY_S = 60
QUICK_BYTES = 4 * 1024 * 1024  # a database that is written anew in no time
AT_LAST = timedelta(hours=20)  # after it has gone: then also while people talk

forgetters: list[Callable[[Sequence[int]], Awaitable[object]]] = []


@dataclass
class Gone:
    """What an erasure has taken."""

    conversations: int = 0
    hashes: set[str] = field(default_factory=set)

    def add(self, other: "Gone") -> None:
        self.conversations += other.conversations
        self.hashes |= other.hashes


@dataclass
class Bench:
    """Of this process, from its start."""

    due: asyncio.Event


bench = Bench(asyncio.Event())


async def prepare() -> None:
    bench.due = asyncio.Event()
    bench.due.set()  # what a stop or a crash has left


def referring_to(parent: type[Table]) -> list[tuple[type[Table], Any]]:
    """Each table and the column by which it hangs on this one; what refers to others comes before them."""
    return [
        (table, column)
        for table in reversed(TABLES)
        for column in table._meta.foreign_key_columns
        if column._foreign_key_meta.resolved_references is parent and table is not LegalHold
    ]


async def may_go(chats: Sequence[int]) -> list[int]:
    """Those of them that are over and not on hold. Until the end of this transaction none is put on hold."""
    await db.lock(holds.LOCK)
    ended = Chat.select(Chat.id).where(Chat.id.is_in(list(chats))).where(Chat.state == "ended")
    stay = await holds.among(chats)
    return [row["id"] for row in await ended.order_by(Chat.id) if row["id"] not in stay]


async def erase(chats: Sequence[int]) -> Gone:
    """Within a transaction. What is on hold or still running stays."""
    going = await may_go(chats) if chats else []
    if not going:
        return Gone()
    hashes = await hashes_of(going)
    visitors = {row["visitor"] for row in await Chat.select(Chat.visitor).where(Chat.id.is_in(going))}
    for forget in forgetters:
        await forget(going)
    for table, column in referring_to(Chat):
        await table.delete().where(column.is_in(going))
    await Chat.delete().where(Chat.id.is_in(going))
    await forget_visitors(visitors)
    return Gone(len(going), hashes)


async def forget_visitors(visitors: set[int]) -> None:
    """Unless they have another conversation; who they were goes with them."""
    rows = await Chat.select(Chat.visitor).where(Chat.visitor.is_in(list(visitors)))
    if gone := visitors - {row["visitor"] for row in rows}:
        await Visitor.delete().where(Visitor.id.is_in(list(gone)))


async def hashes_of(chats: list[int]) -> set[str]:
    rows = [
        row
        for table in files.tables
        for row in await table.select(table.sha256).where(table.chat.is_in(chats))
    ]
    return {row["sha256"] for row in rows} - {""}


async def drop_files(chats: Sequence[int]) -> Gone:
    """Within a transaction: their files go, the names stay in what was said."""
    going = await may_go(chats) if chats else []
    if not going:
        return Gone()
    hashes = await hashes_of(going)
    for table in files.tables:
        columns = {table.sha256: "", table.thumbnail: "", table.refused: "expired"}
        await table.update(columns).where(table.chat.is_in(going)).where(table.sha256 != "")
    rows = await Message.select(Message.id, Message.data).where(Message.chat.is_in(going))
    for row in rows:
        said = json.loads(row["data"])
        if added := said.get("files"):
            said["files"] = [{**each, "thumbnail": "", "gone": True} for each in added]
            await Message.update({Message.data: json.dumps(said)}).where(Message.id == row["id"])
    return Gone(0, hashes)


async def receipt(agent: int | None, gone: Gone, stayed: int = 0) -> int:
    """Within the last transaction of an erasure. Says that, not what."""
    code = secrets.token_hex(6).upper()
    row = Erasure(code=code, agent=agent, stayed=stayed, erased_at=now())
    row.conversations, row.files = gone.conversations, len(gone.hashes)
    (made,) = await Erasure.insert(row).returning(Erasure.id)
    counts = {"conversations": (None, gone.conversations), "files": (None, len(gone.hashes))}
    await audit.note(agent, "erased", f"erasure:{made['id']}", counts)
    return int(made["id"])


async def finish(gone: Gone) -> None:
    """After the commit: the files, and soon what is left in the database's own."""
    await discard(gone)
    bench.due.set()


async def discard(gone: Gone) -> None:
    for sha256 in gone.hashes:
        await files.discard(sha256)


async def wipe(stop: asyncio.Event) -> None:
    """Whenever something has gone."""
    while not stop.is_set():
        wait_s = None
        bench.due.clear()
        try:
            if not await wiped():
                wait_s = RETRY_S
        except Exception:  # a full disk: the desk goes on
            log.exception("what was erased is still in the database's file")
            wait_s = RETRY_S
        waiting = [asyncio.create_task(each.wait()) for each in (bench.due, stop)]
        await asyncio.wait(waiting, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await each


async def wiped() -> bool:
    """Out of the database's file, if there is something to wipe; False if it has to be tried again."""
    rows = await Erasure.select(Erasure.id, Erasure.erased_at).where(Erasure.wiped_at.is_null())
    due = [row["id"] for row in rows]
    if not due:
        return True
    if now() - min(row["erased_at"] for row in rows) < AT_LAST and await would_be_felt():
        return False
    await searching.write_anew()
    if not await db.scrub():
        return False
    await Erasure.update({Erasure.wiped_at: now()}).where(Erasure.id.is_in(due))
    return True


async def would_be_felt() -> bool:
    """On SQLite the whole file is written anew, and meanwhile nobody's message is taken."""
    if db.dialect() != "sqlite":
        return False
    rows = await db.sql(
        "SELECT page_count * page_size AS bytes,"
        " EXISTS (SELECT 1 FROM chat WHERE state IN ('waiting', 'active')) AS talking"
        " FROM pragma_page_count(), pragma_page_size()"
    )
    return bool(rows[0]["talking"] and rows[0]["bytes"] > QUICK_BYTES)


starts = [prepare]
tasks = [wipe]
routes: list[Any] = []
