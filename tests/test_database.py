"""The database: the same promises on SQLite and on PostgreSQL."""

import asyncio
import json
import os
import re
import secrets
import shutil
import sqlite3
import stat
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import db
from db import migrations
from db.clock import now
from db.connections import TIDY_COMMITS
from db.tables import (
    TABLES,
    Agent,
    Chat,
    Message,
    Participation,
    Presence,
    Queue,
    Refusal,
    Reservation,
    Role,
    Session,
    Visitor,
    Widget,
)
from tests import scenes

ROOT = Path(__file__).parent.parent
FOREIGN_KEY = re.compile("foreign key", re.IGNORECASE)


@pytest.fixture
async def blank(database: str) -> str:
    """The URL of a database with nothing in it at all."""
    if database.startswith("sqlite"):
        os.unlink(database.removeprefix("sqlite:///"))
    else:
        connection = await asyncpg.connect(database)
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await connection.close()
    return database


# ---- the tables --------------------------------------------------------------------------------------------


async def test_the_migrations_make_the_tables_that_the_code_believes_in(blank: str) -> None:
    await db.connect(blank)
    try:
        made = await schema()
        await wipe()
        for table in TABLES:
            await table.create_table()
        believed = await schema()
    finally:
        await db.disconnect()
    assert set(made) == {table._meta.tablename for table in TABLES}
    for name, columns in believed.items():
        assert made[name] == columns, name


async def schema() -> dict[str, dict[str, tuple[Any, ...]]]:
    """By table and column: (type, required, default, unique, what it refers to, and then on delete)."""
    rows = await db.sql(SCHEMA[db.dialect()])
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    for row in rows:
        facts = (
            row["type"].lower().replace("bigint", "integer"),
            bool(row["required"]),
            _default(row),
            bool(row["is_unique"]),
            row["refers_to"],
            row["on_delete"],
        )
        found.setdefault(row["in_table"], {})[row["name"]] = facts
    return found


def _default(row: dict[str, Any]) -> str | None:
    text = (row["standard"] or "").partition("::")[0].lower()
    by_itself = row["name"] == "id" or "timestamp" in row["type"].lower()  # our clock is not the database's
    return None if by_itself or text in ("", "null") else text


SCHEMA = {
    "sqlite": """
        SELECT t.name AS in_table, c.name, c.type, c."notnull" AS required, c.dflt_value AS standard,
               f."table" AS refers_to, f.on_delete,
               EXISTS (SELECT 1 FROM pragma_index_list(t.name) AS i, pragma_index_info(i.name) AS n
                       WHERE i.origin = 'u' AND n.name = c.name) AS is_unique
        FROM sqlite_master AS t, pragma_table_info(t.name) AS c
        LEFT JOIN pragma_foreign_key_list(t.name) AS f ON f."from" = c.name
        WHERE t.type = 'table' AND t.name NOT IN ('migration', 'sqlite_sequence')
              AND t.name NOT LIKE 'log_words%'
        """,
    "postgresql": """
        SELECT c.table_name AS in_table, c.column_name AS name, c.data_type AS type,
               c.is_nullable = 'NO' AS required, c.column_default AS standard,
               f.confrelid::regclass::text AS refers_to,
               CASE f.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'r' THEN 'RESTRICT' WHEN 'n' THEN 'SET NULL'
                    WHEN 'a' THEN 'NO ACTION' END AS on_delete,
               EXISTS (SELECT 1 FROM pg_constraint AS u WHERE u.contype = 'u' AND u.conrelid = a.attrelid
                       AND a.attnum = ANY (u.conkey)) AS is_unique
        FROM information_schema.columns AS c
        JOIN pg_attribute AS a ON a.attname = c.column_name
             AND a.attrelid = ('"' || c.table_name || '"')::regclass
        LEFT JOIN pg_constraint AS f ON f.contype = 'f' AND f.conrelid = a.attrelid
             AND f.conkey = ARRAY[a.attnum]
        WHERE c.table_schema = 'public' AND c.table_name NOT IN ('migration', 'log_words')
        """,
}


async def wipe() -> None:
    more = " CASCADE" if db.dialect() == "postgresql" else ""
    for table in reversed(TABLES):
        await db.sql(f'DROP TABLE "{table._meta.tablename}"{more}')


async def test_rows_survive_every_migration(
    blank: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted(migrations.HERE.glob("*.sql"))
    assert files
    monkeypatch.setattr(migrations, "HERE", tmp_path)
    kept: dict[str, int] = {}
    for file in files:
        shutil.copy(file, tmp_path)
        await db.connect(blank)
        try:
            tables = await schema()
            assert all([await count(name) == kept[name] for name in kept if name in tables])
            await fill(tables)
            kept = {name: await count(name) for name in tables}
            assert min(kept.values()) > 0
        finally:
            await db.disconnect()


async def test_who_could_read_conversations_may_still_see_the_numbers_in_them(
    blank: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role that an admin made before numbers were hidden loses nothing; one that could not read gains
    nothing."""
    files = {file.name[:4]: file for file in migrations.HERE.glob("*.sql")}
    monkeypatch.setattr(migrations, "HERE", tmp_path)
    for number in sorted(each for each in files if each < "0022"):
        shutil.copy(files[number], tmp_path)
    await db.connect(blank)
    for name, permissions in (("a", '["chat"]'), ("b", '["manage_desk", "read_log"]'), ("c", "[]")):
        await db.sql("INSERT INTO role (name, permissions) VALUES ({}, {})", name, permissions)
    await db.sql("INSERT INTO role (name, permissions) VALUES ({}, {})", "d", '["manage_people"]')
    await db.disconnect()
    shutil.copy(files["0022"], tmp_path)
    await db.connect(blank)
    try:
        rows = await db.sql("SELECT name, permissions FROM role ORDER BY name")
    finally:
        await db.disconnect()
    assert [json.loads(row["permissions"]) for row in rows] == [
        ["chat", "reveal_numbers"],
        ["manage_desk", "read_log", "reveal_numbers"],
        [],
        ["manage_people"],
    ]


async def fill(tables: dict[str, dict[str, tuple[Any, ...]]]) -> None:
    """Puts a row into each table, those first that others refer to."""
    done: set[str | None] = {None}
    while waiting := tables.keys() - done:
        for table in waiting:
            columns = {name: facts for name, facts in tables[table].items() if name != "id"}
            if all(facts[4] in done for facts in columns.values()):
                values = [await _something(facts[0], facts[4]) for facts in columns.values()]
                names, places = ", ".join(f'"{name}"' for name in columns), ", ".join("{}" for _ in columns)
                await db.sql(f'INSERT INTO "{table}" ({names}) VALUES ({places})', *values)
                done.add(table)


async def _something(kind: str, refers_to: str | None) -> Any:
    if refers_to:
        return (await db.sql(f'SELECT max(id) AS id FROM "{refers_to}"'))[0]["id"]
    some: dict[str, Any] = {"integer": 1, "boolean": True, "json": "{}", "text": secrets.token_hex()}
    return some.get(kind, now())


async def count(table: str) -> int:
    return int((await db.sql(f'SELECT count(*) AS n FROM "{table}"'))[0]["n"])


START = """
import asyncio, sys, db
async def main():
    await db.connect(sys.argv[1])
    await db.disconnect()
asyncio.run(main())
"""


async def test_several_processes_that_start_at_once_make_the_tables_once(blank: str) -> None:
    start = [sys.executable, "-c", START, blank]
    processes = [await asyncio.create_subprocess_exec(*start, cwd=ROOT) for _ in range(3)]
    assert [await process.wait() for process in processes] == [0, 0, 0]
    await db.connect(blank)
    applied = await count("migration")
    await db.disconnect()
    assert applied == len(list(migrations.HERE.glob("*.sql")))


async def test_a_migration_that_fails_leaves_nothing_and_is_tried_again(
    blank: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "HERE", tmp_path)
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE first (id {id});\n")
    second = tmp_path / "0002_second.sql"
    second.write_text("CREATE TABLE second (id {id});\nCREATE TABLE first (id {id});\n")
    for _ in range(2):
        with pytest.raises(Exception, match="already exists"):
            await db.connect(blank)
    second.write_text("CREATE TABLE second (id {id}, first {ref} REFERENCES first (id));\n")
    await db.connect(blank)
    await db.sql("INSERT INTO first DEFAULT VALUES")
    await db.sql("INSERT INTO second (first) VALUES ({})", 1)
    assert await count("migration") == 2
    await db.disconnect()


async def test_a_database_of_a_newer_version_is_left_alone(connected: str) -> None:
    await db.sql("INSERT INTO migration (name, applied_at) VALUES ({}, {})", "9999_later", now())
    with pytest.raises(RuntimeError, match="newer Balie: 9999_later"):
        await db.connect(connected)


def test_one_process_may_open_one_database_after_another_in_other_loops(tmp_path: Path) -> None:
    async def look(name: str) -> int:
        await db.connect(f"sqlite:///{tmp_path}/{name}/desk.sqlite3")
        before = await count("role")
        await Role(name=f"{before}").save()
        await db.disconnect()
        return before

    assert [asyncio.run(look(name)) for name in ("a", "b", "a")] == [0, 0, 1]
    with pytest.raises(RuntimeError, match="no database"):
        db.dialect()


async def test_a_new_connect_replaces_the_old_one(connected: str, tmp_path: Path) -> None:
    await Role(name="here").save()
    await db.connect(f"sqlite:///{tmp_path}/other.sqlite3")
    assert await Role.count() == 0


# ---- what the tables refuse --------------------------------------------------------------------------------


class World:
    """The least that a chat needs."""

    async def make(self) -> "World":
        role = await saved(Role(name="agent"))
        self.agents = [(await saved(Agent(username=name, name=name, role=role))) for name in ("an", "bram")]
        self.widget = await saved(Widget(key="w"))
        self.queue = await saved(Queue(name="Algemeen"))
        self.visitor = await saved(Visitor(widget=self.widget, token_hash="t"))
        self.chat = await self.new_chat()
        return self

    async def new_chat(self, state: str = "waiting") -> int:
        return await saved(self.a_chat(state))

    def a_chat(self, state: str = "waiting") -> Chat:
        return Chat(visitor=self.visitor, widget=self.widget, queue=self.queue, state=state)


async def saved(row: Any) -> int:
    await row.save()
    return int(row.id)


@pytest.fixture
async def world(connected: str) -> World:
    return await World().make()


async def test_one_unended_chat_per_visitor(world: World) -> None:
    with pytest.raises(db.UniqueViolation):
        await world.new_chat("forming")
    await world.new_chat("ended")
    await Chat.update({Chat.state: "ended"}, force=True)
    await world.new_chat("forming")


async def test_one_open_reservation_per_chat_and_per_agent(world: World) -> None:
    def reservation(agent: int, outcome: str = "") -> Reservation:
        return Reservation(
            chat=world.chat, agent=world.agents[agent], queue=world.queue, outcome=outcome, expires_at=now()
        )

    await reservation(0, "rejected").save()
    await reservation(0).save()
    with pytest.raises(db.UniqueViolation):
        await reservation(1).save()
    await Chat.update({Chat.state: "ended"}, force=True)
    first, world.chat = world.chat, await world.new_chat()
    with pytest.raises(db.UniqueViolation):
        await reservation(0).save()
    await reservation(1).save()
    assert first != world.chat


async def test_an_agent_is_in_a_chat_once_at_a_time(world: World) -> None:
    def participation(left_at: datetime | None = None) -> Participation:
        return Participation(chat=world.chat, agent=world.agents[0], left_at=left_at)

    await participation(now()).save()
    await participation().save()
    with pytest.raises(db.UniqueViolation):
        await participation().save()


async def test_a_message_has_one_place_and_one_key_in_its_chat(world: World) -> None:
    def message(seq: int, key: str) -> Message:
        return Message(chat=world.chat, seq=seq, key=key, author="visitor", body="…")

    await message(1, "a").save()
    for again in (message(1, "b"), message(2, "a")):
        with pytest.raises(db.UniqueViolation):
            await again.save()
    await message(2, "b").save()


async def test_an_agent_refuses_a_chat_once(world: World) -> None:
    await Refusal(chat=world.chat, agent=world.agents[0], how="rejected").save()
    await Refusal(chat=world.chat, agent=world.agents[1], how="rejected").save()
    with pytest.raises(db.UniqueViolation):
        await Refusal(chat=world.chat, agent=world.agents[0], how="no_answer").save()


async def test_what_happened_keeps_what_it_refers_to(world: World) -> None:
    await Message(chat=world.chat, seq=1, key="a", author="visitor").save()
    with pytest.raises(Exception, match=FOREIGN_KEY) as refused:
        await Chat.delete().where(Chat.id == world.chat)
    assert not isinstance(refused.value, db.UniqueViolation)
    with pytest.raises(Exception, match=FOREIGN_KEY):
        await Message(chat=world.chat + 1, seq=1, key="a", author="visitor").save()
    assert await Message.count() == 1


async def test_what_only_belongs_to_something_goes_with_it(world: World) -> None:
    await Session(agent=world.agents[0], token_hash="s", expires_at=now()).save()
    await Presence(key="p", agent=world.agents[0]).save()
    await Chat.update({Chat.promised_to: world.agents[0]}, force=True)
    await Agent.delete().where(Agent.id == world.agents[0])
    assert (await Session.count(), await Presence.count()) == (0, 0)
    assert (await Chat.select(Chat.promised_to).first()) == {"promised_to": None}


async def test_values_come_back_as_they_went_in(world: World) -> None:
    moment = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
    brussels = moment.astimezone(timezone(timedelta(hours=2)))
    text = "Ça va\u00a0? \N{WAVING HAND SIGN} {} $1 ? 'x' \n\u0627\u0644"
    await Message(chat=world.chat, seq=1, key="a", author="visitor", body=text, sent_at=brussels).save()
    row = await Message.select().first()
    assert row is not None
    assert (row["sent_at"], row["body"], row["data"]) == (moment, text, "{}")
    assert row["sent_at"].utcoffset() == timedelta(0)
    [row] = await db.sql("SELECT body, sent_at FROM message WHERE sent_at = {} AND body = {}", moment, text)
    assert row == {"body": text, "sent_at": moment}
    [chat] = await db.sql("SELECT returned, visitor_here, ended_at FROM chat WHERE visitor_here")
    assert chat == {"returned": False, "visitor_here": True, "ended_at": None}


async def test_moments_are_ordered_to_the_microsecond(world: World) -> None:
    whole = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    moments = [whole - timedelta(microseconds=1), whole, whole + timedelta(microseconds=1)]
    for seq, moment in enumerate(moments):
        await Message(chat=world.chat, seq=seq, key=f"{seq}", author="visitor", sent_at=moment).save()
    assert await Message.select(Message.seq).where(Message.sent_at < whole) == [{"seq": 0}]
    assert await Message.select(Message.seq).where(Message.sent_at > whole) == [{"seq": 2}]


# ---- the embedded database ---------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_commit_is_on_the_disk(connected: str) -> None:
    async with db.transaction():
        assert await db.sql("PRAGMA synchronous") == [{"synchronous": 2}]
        assert await db.sql("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
        assert await db.sql("PRAGMA foreign_keys") == [{"foreign_keys": 1}]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_who_writes_does_not_bring_the_log_into_the_file(
    connected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else does, once much has been written."""
    monkeypatch.setattr(sys.modules["db.connections"], "TIDY_AGAIN_S", 0)
    file = Path(connected.removeprefix("sqlite:///"))

    def in_file() -> bool:
        return b"in het bestand" in file.read_bytes()

    await Role(name="in het bestand").save()
    assert not in_file()
    for _commit in range(TIDY_COMMITS):
        await db.sql("UPDATE role SET name = name")
    await scenes.eventually(in_file)


async def test_the_file_is_for_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "data" / "desk.sqlite3"
    await db.connect(f"sqlite:///{path}")
    await Role(name="a").save()
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    await db.disconnect()
    assert modes.keys() >= {"desk.sqlite3", "desk.sqlite3-wal"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_second_process_writes_in_between(connected: str) -> None:
    other = sqlite3.connect(connected.removeprefix("sqlite:///"), isolation_level=None, timeout=5)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO role (name) VALUES ('theirs')")
    mine = asyncio.create_task(saved(Role(name="mine")))
    await asyncio.sleep(0.05)
    other.execute("COMMIT")
    other.close()
    await mine
    assert await Role.select(Role.name).order_by(Role.name) == [{"name": "mine"}, {"name": "theirs"}]
