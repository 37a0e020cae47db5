"""Appending a message to its chat: the one write that is SQL by hand, for it is what a busy desk does most.

It counts the chat up, writes the message under that number, and keeps what follows from who wrote it: since
when the visitor waits for an answer, and that who answers has read what came before. The same key again is
the same message. Nobody reads past a number that is not committed: on SQLite there is one writer, on
PostgreSQL the chat's row is held until then.
"""

import sqlite3
from datetime import datetime
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """A message before it has its number; named as its columns."""

    chat: int
    key: str
    kind: str
    author: str  # visitor, agent, desk
    agent: int | None
    name: str
    body: str
    data: str
    sent_at: datetime
    numbers: str = "[]"  # in the body, to be hidden: where, and of what kind


class Appended(NamedTuple):
    seq: int
    is_new: bool


# What it means that somebody has written. A second question does not start the wait anew; whoever has written
# is there, and need not be asked.
SILENT = "silent_since_at = NULL, idle_asked_at = NULL"
WAITS = {
    "visitor": f"unanswered_since_at = COALESCE(unanswered_since_at, {{now}}), {SILENT}",
    "agent": "unanswered_since_at = NULL, silent_since_at = {now}, idle_asked_at = NULL",
}
RUNS = "state IN ('waiting', 'active')"
OPEN = {"visitor": RUNS, "agent": RUNS, "desk": "state <> 'forming'"}
COLUMNS = ", ".join(Entry._fields)
EARLIER = "SELECT seq FROM message WHERE chat = {chat} AND key = {key}"
READ = (
    "UPDATE participation SET read_seq = {seq} WHERE agent = {agent} AND chat = {chat} AND read_seq < {seq}"
)


def counting(author: str, chat: str, now: str) -> str:
    waits = "".join(", " + WAITS[author].format(now=now)) if author in WAITS else ""
    return f"UPDATE chat SET seq = seq + 1{waits} WHERE id = {chat} AND {OPEN[author]}"  # noqa: S608


# ---- SQLite ----------------------------------------------------------------------------------------------


def on_sqlite(connection: sqlite3.Connection, entry: Entry) -> Appended | None:
    """None: the chat takes no more messages."""
    given = entry._asdict()
    if earlier := connection.execute(SQLITE_EARLIER, given).fetchone():
        return Appended(earlier["seq"], False)
    counted = connection.execute(SQLITE_COUNT[entry.author], given).fetchone()
    if not counted:
        return None
    given["seq"] = counted["seq"]
    connection.execute(SQLITE_INSERT, given)
    if entry.author == "agent":
        connection.execute(SQLITE_READ, given)
    return Appended(counted["seq"], True)


SQLITE_EARLIER = EARLIER.format(chat=":chat", key=":key")
SQLITE_COUNT = {author: counting(author, ":chat", ":sent_at") + " RETURNING seq" for author in OPEN}
SQLITE_INSERT = (
    f"INSERT INTO message (seq, {COLUMNS}) VALUES (:seq, {', '.join(f':{name}' for name in Entry._fields)})"  # noqa: S608
)
SQLITE_READ = READ.format(seq=":seq", agent=":agent", chat=":chat")


# ---- PostgreSQL ------------------------------------------------------------------------------------------


async def on_postgresql(connection: Any, entry: Entry) -> Appended | None:
    """One statement where nobody else writes the same; a unique violation is a retry that came at the same
    time, and the caller asks again. None: the chat takes no more messages."""
    row = await connection.fetchrow(POSTGRESQL[entry.author], *entry)
    return Appended(row["seq"], row["is_new"]) if row else None


async def within_on_postgresql(connection: Any, entry: Entry) -> Appended | None:
    """In a transaction, which a unique violation would end: whoever writes the same waits for it."""
    await connection.execute("SELECT FROM chat WHERE id = $1 FOR UPDATE", entry.chat)
    return await on_postgresql(connection, entry)


def in_one(author: str) -> str:
    place = {name: f"${n}" for n, name in enumerate(Entry._fields, 1)}
    count = counting(author, place["chat"], place["sent_at"])
    values = ", ".join(place[name] + CASTS.get(name, "::text") for name in Entry._fields)
    read = READ.format(seq="counted.seq", agent=place["agent"], chat=place["chat"])
    parts = {
        "earlier": EARLIER.format(chat=place["chat"], key=place["key"]),
        "counted": f"{count} AND NOT EXISTS (SELECT FROM earlier) RETURNING seq",
        "written": f"INSERT INTO message (seq, {COLUMNS}) SELECT counted.seq, {values} FROM counted",  # noqa: S608
        **({"marked": read.replace(" WHERE", " FROM counted WHERE")} if author == "agent" else {}),
    }
    first = ", ".join(f"{name} AS ({sql})" for name, sql in parts.items())
    last = "SELECT seq, true AS is_new FROM counted UNION ALL SELECT seq, false FROM earlier"
    return f"WITH {first} {last}"


CASTS = {"chat": "::bigint", "agent": "::bigint", "sent_at": "::timestamptz", "data": "::json"}
POSTGRESQL = {author: in_one(author) for author in OPEN}
