"""The database: the same promises on SQLite and on PostgreSQL."""

import asyncio
import contextlib
import os
import random
import re
import secrets
import shutil
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import db
from db import example_desk, migrations
from db.clock import now
from db.engine import PostgresTransaction, SqliteTransaction
from db.settings import BadSetting, Settings
from db.tables import (
    TABLES,
    Agent,
    Chat,
    Desk,
    Message,
    Participation,
    Presence,
    Queue,
    Refusal,
    Reservation,
    Role,
    Session,
    Step,
    Visitor,
    Widget,
)
from features import access

ROOT = Path(__file__).parent.parent
TASKS = 50
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
        WHERE c.table_schema = 'public' AND c.table_name <> 'migration'
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


# ---- transactions ------------------------------------------------------------------------------------------


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


# ---- the embedded database ---------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_commit_is_on_the_disk(connected: str) -> None:
    async with db.transaction():
        assert await db.sql("PRAGMA synchronous") == [{"synchronous": 2}]
        assert await db.sql("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
        assert await db.sql("PRAGMA foreign_keys") == [{"foreign_keys": 1}]


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
    assert await names() == {"mine", "theirs"}


# ---- the first start, settings, the clock ------------------------------------------------------------------


@pytest.mark.usefixtures("cheap_passwords")
async def test_the_example_desk_is_made_once_and_its_passwords_are_its_own(connected: str) -> None:
    passwords = await example_desk.load()
    assert passwords is not None
    assert passwords.keys() == {"an", "bram", "chloe", "eva", "admin"}
    assert len(set(passwords.values())) == len(passwords)
    assert all(re.fullmatch(r"[a-z]{6}-[a-z]{6}-\d{4}", password) for password in passwords.values())
    assert await example_desk.load() is None
    assert await Agent.count() == len(passwords)
    [agent] = await db.sql("SELECT password_hash FROM agent WHERE username = {}", "an")
    assert await access.verified(agent["password_hash"], passwords["an"])
    assert not await access.verified(agent["password_hash"], passwords["bram"])


@pytest.mark.usefixtures("cheap_passwords")
async def test_two_first_starts_at_once_make_one_example_desk(connected: str) -> None:
    made = await asyncio.gather(example_desk.load("the same"), example_desk.load("the same"))
    assert sum(passwords is None for passwords in made) == 1
    assert (await Desk.count(), await Agent.count()) == (1, 5)


async def test_a_real_desk_begins_with_its_name_alone(connected: str) -> None:
    await example_desk.empty("Stad Ergens")
    await example_desk.empty("Another")
    assert await Desk.select(Desk.name) == [{"name": "Stad Ergens"}]
    assert len((await Desk.select(Desk.secret))[0]["secret"]) == 64
    assert await count("agent") == await count("queue") == await count("widget") == 0


def test_settings_come_from_the_environment_and_from_the_command_line_before_it() -> None:
    found = Settings()
    found.load({})
    assert (found.url, found.database_url) == ("http://localhost:8000", "sqlite:///data/balie.sqlite3")
    found.load(
        {"BALIE_PORT": "9000", "BALIE_URL": "https://chat.example.org/", "BALIE_HOST": " "}, data="/var/x"
    )
    assert (found.port, found.url, found.host) == (9000, "https://chat.example.org", "127.0.0.1")
    assert found.database_url == "sqlite:////var/x/balie.sqlite3"
    assert found.secure
    found.load({"BALIE_PORT": "9000"}, port=9001)
    assert (found.port, found.url, found.secure) == (9001, "http://localhost:9001", False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("URL", "chat.example.org"),
        ("DATABASE_URL", "mysql://localhost/balie"),
        ("TRUSTED_PROXIES", "10.0.0.0/8 nobody"),
        ("NOW", "yesterday"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=re.escape(f"BALIE_{name} = {value!r}")):
        Settings().load({f"BALIE_{name}": value})


def test_every_setting_has_its_default_and_its_explanation() -> None:
    documented = Settings().documented()
    assert all(shown and about for _name, shown, about in documented)
    assert {"BALIE_URL", "BALIE_DATABASE_URL", "BALIE_NOW"} <= {name for name, *_ in documented}


def test_the_clock_goes_on_from_where_it_is_set(clock: Any) -> None:
    clock.start_at("2026-10-25T02:30:00+01:00")
    begun = now()
    assert timedelta(0) <= begun - datetime(2026, 10, 25, 1, 30, tzinfo=UTC) < timedelta(seconds=5)
    clock.shift(90)
    assert timedelta(seconds=90) <= now() - begun < timedelta(seconds=95)
    assert now().utcoffset() == timedelta(0)
