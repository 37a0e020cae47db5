"""A desk moves: all of it into one file, and out of it into another desk, whichever the database."""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import stat
import sys
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import db
from db import example_desk, rows
from db.clock import now
from db.settings import settings
from db.tables import TABLES, Attachment, Audit, Chat, Desk, Message, Offer, PrivateAttachment
from features import archives, first_admin, moving, register, searching
from tests import scenes
from tests.conftest import Clock, Databases, serving
from tests.conftest import Desk as RunningDesk
from tests.people import AgentClient, new_key
from tests.test_database import fill, schema
from tests.test_retention import talk_with_everything

ROOT = Path(__file__).parents[1]
OTHER = {"sqlite": "postgresql", "postgresql": "sqlite"}
Members = dict[str, bytes]


@dataclass
class Said:
    status: int
    out: str
    err: str


async def balie(*arguments: str | Path, database: str, data: Path) -> Said:
    """As from a terminal."""
    command = [sys.executable, str(ROOT / "app.py"), *map(str, arguments), "--data", str(data)]
    environment = {**os.environ, "BALIE_DATABASE_URL": database, "BALIE_NOW": now().isoformat()}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return Said(process.returncode or 0, out.decode(), err.decode())


async def exported(file: Path, database: str, data: Path) -> Members:
    said = await balie("export", "--all", file, database=database, data=data)
    assert said.status == 0, said.err
    return members(file)


async def imported(file: Path, database: str, data: Path) -> Said:
    said = await balie("import", file, database=database, data=data)
    assert said.status == 0, said.err
    return said


def lying(folder: Path) -> list[str]:
    """The SHA-256 of the attachments that are there."""
    return [path.parent.name + path.name for path in folder.glob("[0-9a-f][0-9a-f]/*")]


def members(file: Path) -> Members:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@contextlib.contextmanager
def here(data: Path) -> Iterator[None]:
    """The settings of a command, without a process of its own."""
    settings.load({}, data=data)
    try:
        yield
    finally:
        settings.load({})


# ---- there and back --------------------------------------------------------------------------------------


async def test_a_desk_moves_to_the_other_database_and_back_and_goes_on_there(
    databases: Databases, engine: str, cheap_passwords: None, clock: Clock, tmp_path: Path
) -> None:
    first, second, third = (
        await databases.make(engine, "example"),
        await databases.make(OTHER[engine], "empty"),
        await databases.make(engine, "empty"),
    )
    a, b, c = (tmp_path / name for name in "abc")
    async with serving(first, a) as desk:
        talk = await everything_happens(desk)
        last = (await Chat.select(Chat.id).order_by(Chat.id, ascending=False).first() or {})["id"]
        await searching.catch_up()
    one = await exported(tmp_path / "one.zip", first, a)
    await imported(tmp_path / "one.zip", second, b)
    two = await exported(tmp_path / "two.zip", second, b)
    await imported(tmp_path / "two.zip", third, c)
    three = await exported(tmp_path / "three.zip", third, c)

    for before, after in ((one, two), (two, three)):
        assert after["tables/audit.jsonl"].startswith(before["tables/audit.jsonl"]), "it only grows"
        changed = {name for name in before | after if before.get(name) != after.get(name)}
        assert changed == {"tables/audit.jsonl", "manifest.json"}
    assert sum(name.startswith("files/") for name in one) == 2
    said = await balie("verify-audit", database=third, data=c)
    assert said.status == 0, said.err

    async with serving(third, c) as desk:
        await it_goes_on(desk, talk, last)
    for url in (first, second, third):
        await databases.drop(url)


async def everything_happens(desk: RunningDesk) -> scenes.Talk:
    """An ended conversation with all that there can be, one that runs, one that waits, one of which only the
    button was pressed, one that is on hold, and one that is gone."""
    talk = await talk_with_everything(desk, "kanarievogel")
    offer = await Offer.select(Offer.id).first()
    assert offer
    admin = await scenes.sign_in_admin(desk)
    await admin.must("PUT", f"/settings/privacy/holds/{talk.chat}", {"reason": "Klacht 12"})
    jef = await desk.visitor().begin("Nog iets over mijn Łódź")
    chat = await scenes.taken(talk.an)
    await talk.an.say(chat, "Zegt u het maar")
    await private_file(talk.an, chat)
    menu = {"key": new_key(), "title": "Welke?", "option": ["Dit", "Dat"]}
    await talk.an.must("POST", f"/chats/{chat}/offers", menu)
    offers = await Offer.select(Offer.id).where(Offer.chat == int(chat))
    await jef.must("POST", f"/chat/offers/{offers[0]['id']}/choice", {"option": ["1"]})
    await jef.must("POST", "/chat/read", {"seq": "2"})
    await scenes.joined_by(desk, scenes.Talk(jef, talk.an, chat), "bram")
    await talk.an.pause()
    await desk.visitor().begin("Ik wacht")
    presser = desk.visitor()
    await presser.open()
    await presser.press()
    await db.sql(
        "INSERT INTO turn (id, queue, what, turned_at) VALUES ({}, {}, {}, {})", 900, 1, "full", now()
    )
    await db.sql("DELETE FROM turn WHERE id = {}", 900)
    return scenes.Talk(jef, talk.an, chat)


async def private_file(agent: AgentClient, chat: str) -> None:
    headers = {"X-Name": "nota.txt", "X-Key": new_key(), "Content-Type": "application/octet-stream"}
    answer = await agent.client.post(f"/chats/{chat}/private-files", content=b"onder ons", headers=headers)
    assert answer.is_success, answer.text
    row = await PrivateAttachment.select(PrivateAttachment.id).first()
    assert row
    form = {"key": new_key(), "body": "Zie bijlage", "files": str(row["id"])}
    await agent.must("POST", f"/chats/{chat}/private-messages", form)


async def it_goes_on(desk: RunningDesk, talk: scenes.Talk, last: int) -> None:
    admin = await scenes.sign_in_admin(desk)  # with the password of before
    admin.screen.show((await admin.must("GET", "/settings/log?words=lodz")).text)
    assert f"/settings/log/{talk.chat}" in (admin.screen.tree.html or ""), "found by its words"
    page = (await admin.must("GET", f"/settings/log/{talk.chat}")).text
    assert "Zegt u het maar" in page
    assert "Zie bijlage" in page
    row = await Attachment.select(Attachment.id, Attachment.chat).where(Attachment.seq.is_not_null()).first()
    assert row
    path = f"/chats/{row['chat']}/files/{row['id']}"
    assert (await admin.client.get(path)).content == b"inhoud kanarievogel" * 200
    assert "importeerde" in (await admin.must("GET", "/settings/audit")).text
    an = desk.nobody()
    an.client.cookies = talk.an.client.cookies
    assert (await an.get("/settings/log")).status_code == 401, "signed in nowhere"

    states = [row["state"] for row in await Chat.select(Chat.state).order_by(Chat.id)]
    assert states == ["ended", "active", "waiting", "forming"], "as after a restart"
    jef = desk.visitor(talk.jef.token)
    await jef.open()
    assert "Zegt u het maar" in (jef.screen.tree.html or ""), "the window comes back"
    eva = await desk.agent("eva", "Loket", ready=True)
    await desk.visitor().begin("Een nieuwe vraag")
    newest = await Chat.select(Chat.id).order_by(Chat.id, ascending=False).first()
    assert newest
    assert newest["id"] > last
    await scenes.taken(eva)


async def test_every_kind_of_row_comes_through_to_the_letter(
    databases: Databases, engine: str, clock: Clock, tmp_path: Path
) -> None:
    """A row in every table, with what is hard to carry; and words as long as a statement."""
    urls = [await databases.make(each, "empty") for each in (engine, OTHER[engine])]
    hard = "é \u2028 \\ \" ' \n\r\t \x01 🚲 $1 {} ? null"
    await db.connect(urls[0])
    await fill(await schema())
    await db.sql("UPDATE message SET body = {}, sent_at = {}", hard, now().replace(microsecond=7))
    spaced = '{"b": 1,  "a": [1.50, "\\u00e9", "é"]}'
    await db.sql("UPDATE message SET data = {}", spaced)
    await db.sql("UPDATE step SET data = {}", '{\n"on": "two lines"}')
    async with db.transaction():
        await Message.insert(
            *(Message(chat=1, seq=n, key=str(n), author="visitor", sent_at=now()) for n in range(2, 1_200))
        )
    before = await everything()
    await db.disconnect()
    one = await exported(tmp_path / "one.zip", urls[0], tmp_path / "a")
    await imported(tmp_path / "one.zip", urls[1], tmp_path / "b")
    await db.connect(urls[1])
    after = await everything()
    await db.disconnect()
    assert after.keys() == before.keys()
    assert all(before.values()), "a table without a row proves nothing"
    assert after["message"][0]["data"] == spaced
    for name in before.keys() - {"audit"}:
        assert after[name] == before[name], name
    assert json.loads(one["tables/message.jsonl"].splitlines()[0])["body"] == hard
    for url in urls:
        await databases.drop(url)


async def everything(kind: archives.Kind = "all") -> dict[str, list[dict[str, Any]]]:
    """Of what moves."""
    ignored = moving.INSTEAD
    found = {}
    for table in moving.moved(kind):
        name = rows.name_of(table)
        kept = [each for each in rows.described(table) if each not in ignored.get(name, {})]
        found[name] = await db.sql(f'SELECT {", ".join(kept)} FROM "{name}" ORDER BY id')
    return found


@pytest.mark.usefixtures("connected")
async def test_every_table_moves_or_it_is_said_why_not() -> None:
    """The database's own list, not ours: a table that is new has to be thought of."""
    if db.dialect() == "sqlite":
        found = await db.sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    else:
        found = await db.sql("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    stored = {row["name"] for row in found if not row["name"].startswith(("sqlite_", "log_words_"))}
    moved = {rows.name_of(table) for table in moving.moved()}
    unmoved = moving.LEFT_OUT | moving.MADE_ANEW
    assert stored == moved | unmoved.keys()
    assert not moved & unmoved.keys()
    assert all(unmoved.values())


def test_what_lets_somebody_in_stays_behind_but_for_a_visitors_own_conversation() -> None:
    keys = {rows.name_of(table) for table in TABLES if "token_hash" in rows.described(table)}
    assert keys - moving.LEFT_OUT.keys() == {"visitor", "device"}
    moments = {name for name, (purpose, _kinds) in register.SAID.items() if purpose in ("door", "moment")}
    assert moments - moving.LEFT_OUT.keys() == {"shown_token"}, "it would be believed from somebody else"


def test_every_kind_of_column_has_its_form() -> None:
    assert {type(column).__name__ for table in TABLES for column in table._meta.columns} <= rows.KINDS.keys()


def test_what_is_referred_to_comes_first() -> None:
    names = [rows.name_of(table) for table in TABLES]
    for table in moving.moved():
        for column in table._meta.foreign_key_columns:
            parent = rows.name_of(column._foreign_key_meta.resolved_references)
            assert names.index(parent) < names.index(rows.name_of(table))
            assert parent not in moving.LEFT_OUT, f"{rows.name_of(table)} would refer to nothing"


# ---- out -------------------------------------------------------------------------------------------------


async def test_an_open_desk_is_written_as_it_is_and_goes_on_meanwhile(
    desk: RunningDesk, example_database: str, tmp_path: Path
) -> None:
    talk = await talk_with_everything(desk)
    async with db.snapshot():
        before = await Message.count()
        writing = asyncio.create_task(desk.visitor().begin("Iets nieuws"))
        await asyncio.wait_for(writing, 5)
        assert await Message.count() == before, "as it was when it began"
    assert await Message.count() > before
    found = await exported(tmp_path / "desk.zip", example_database, tmp_path)
    manifest = json.loads(found["manifest.json"])
    assert manifest["desk"] == "Gemeente Voorbeeld"
    assert manifest["files"]["count"] == 1
    for name, told in manifest["tables"].items():
        text = found[f"tables/{name}.jsonl"]
        assert told == {
            "rows": text.count(b"\n"),
            "bytes": len(text),
            "sha256": hashlib.sha256(text).hexdigest(),
        }
        assert all(json.loads(line).keys() == manifest["columns"][name].keys() for line in text.splitlines())
    for name in found:
        assert not name.startswith("files/") or hashlib.sha256(found[name]).hexdigest() == name[6:]
    assert talk.chat in found["tables/message.jsonl"].decode()
    admin = await scenes.sign_in_admin(desk)
    page = (await admin.must("GET", "/settings/audit")).text
    assert "De balie zelf exporteerde" in " ".join(re.sub("<[^>]*>", "", page).split())


async def test_a_snapshot_writes_nothing(connected: str) -> None:
    with pytest.raises(Exception, match="read"):
        async with db.snapshot():
            await db.sql("INSERT INTO role (name) VALUES ({})", "x")
    assert await db.sql("SELECT id FROM role") == []
    await db.sql("INSERT INTO role (name) VALUES ({})", "y")


async def test_the_file_is_for_nobody_else_and_says_how_secret_it_is(
    example_database: str, tmp_path: Path
) -> None:
    file = tmp_path / "desk.zip"
    said = await balie("export", "--all", file, database=example_database, data=tmp_path / "a")
    assert "as secret as the desk's database" in said.out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = members(file)
    assert b"argon2" in found["tables/agent.jsonl"], "else nobody could sign in"
    assert not {f"tables/{name}.jsonl" for name in moving.LEFT_OUT} & found.keys()
    assert "postgresql:" not in str(found), "nothing of the environment"


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_file_that_is_there_stays_unless_told_otherwise(
    example_database: str, tmp_path: Path
) -> None:
    file = tmp_path / "desk.zip"
    file.write_text("mine")
    said = await balie("export", "--all", file, database=example_database, data=tmp_path / "a")
    assert (said.status, file.read_text()) == (1, "mine")
    assert "is there already" in said.err
    said = await balie("export", "--all", "--force", file, database=example_database, data=tmp_path / "a")
    assert (said.status, zipfile.is_zipfile(file)) == (0, True)
    assert os.listdir(tmp_path) == ["desk.zip"], "and nothing half done beside it"


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_is_to_be_written_has_to_be_said(example_database: str, tmp_path: Path) -> None:
    for wish in ((), ("--all", "--settings")):
        said = await balie("export", *wish, tmp_path / "desk.zip", database=example_database, data=tmp_path)
        assert (said.status, said.out) == (2, "")
        assert "say --all, or --settings" in said.err
        assert not list(tmp_path.glob("*.zip"))
    told = (await balie("--help", database=example_database, data=tmp_path)).out
    assert re.search(r"^ +export +write the desk to one file$", told, re.MULTILINE)
    assert re.search(r"^ +import +read what export wrote", told, re.MULTILINE)


async def test_settings_alone_make_another_desk_without_anybody_in_it(
    databases: Databases, engine: str, example_database: str, clock: Clock, tmp_path: Path
) -> None:
    file, url = tmp_path / "settings.zip", await databases.make(OTHER[engine], "empty")
    async with serving(example_database, tmp_path) as desk:
        await talk_with_everything(desk)
        await db.sql("UPDATE queue SET closed_at = {}, closed_by = 5 WHERE id = 1", now())
        said = await balie("export", "--settings", file, database=example_database, data=tmp_path)
        assert said.status == 0, said.err
        before = await everything("settings")
        hidden = await db.sql(
            "SELECT secret AS text FROM desk UNION SELECT material FROM signing_key"
            " UNION SELECT password_hash FROM agent UNION SELECT email FROM agent WHERE email <> ''"
        )
    found = b"".join(members(file).values())
    assert b"Vergunningen" in found
    for text in (*(row["text"] for row in hidden), "kanarievogel", "Chlo", "Jef Peeters"):
        assert text.encode() not in found
    await imported(file, url, tmp_path / "there")
    await db.connect(url)
    after = await everything("settings")
    link = await first_admin.first_admin_link()
    await db.disconnect()
    assert link, "its first admin comes by a link"
    assert after.keys() == before.keys()
    for name in before.keys() - {"desk", "queue"}:
        assert after[name] == before[name], name
    assert len(after["desk"][0]["secret"]) == 64
    assert after["desk"][0]["secret"] != before["desk"][0]["secret"]
    assert [row["closed_at"] for row in after["queue"]] == [None, None]
    await databases.drop(url)


def test_settings_are_what_the_register_calls_so_but_for_keys_and_people() -> None:
    setup = {name for name, (purpose, _kinds) in register.SAID.items() if purpose == "setup"}
    chosen = moving.moved("settings")
    names = {rows.name_of(table) for table in chosen}
    assert names < setup
    assert setup - names >= {"signing_key", "agent_profile"}
    assert names >= {
        "desk",
        "queue",
        "opening_hours",
        "profile",
        "widget",
        "subject",
        "preset",
        "saved_offer",
    }
    for table in chosen:
        hidden = [name for name, said in rows.described(table).items() if re.search("of (agent|role)", said)]
        hidden += [column._meta.name for column in table._meta.columns if column._meta.secret]
        assert set(hidden) <= moving.instead(table, "settings").keys()


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("name", "words"), [("no/where.zip", "there is no directory"), (".", "is a directory")]
)
async def test_a_file_that_cannot_be_is_refused_in_words(
    example_database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    await db.connect(example_database)
    with here(tmp_path):
        assert await moving.export(str(tmp_path / name), True, False, False) == 1
    await db.disconnect()
    assert words in capsys.readouterr().err


async def test_a_database_without_a_desk_is_not_written(
    connected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with here(tmp_path):
        assert await moving.export(str(tmp_path / "desk.zip"), True, False, False) == 1
    assert "there is no desk" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


async def test_nothing_is_left_of_a_file_that_did_not_become_whole(
    filled: str, tmp_path: Path, databases: Databases
) -> None:
    """A disk that is full, as a process sees it that may write no longer files."""
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000));"
    run = f"{limit} import sys, app; sys.exit(app.main(sys.argv[1:]))"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", run, "export", "--all", tmp_path / "desk.zip", "--data", tmp_path),
        env={**os.environ, "BALIE_DATABASE_URL": filled},
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _out, err = await process.communicate()
    assert process.returncode == 1, err
    assert "nothing was exported: [Errno 27] File too large" in err.decode()
    assert "Traceback" not in err.decode()
    assert not list(tmp_path.glob("*desk.zip*"))


async def test_what_the_data_directory_has_not_is_told_and_does_not_hold_the_rest_up(
    filled: str, databases: Databases, engine: str, tmp_path: Path
) -> None:
    gone, changed, *_rest = sorted(lying(tmp_path / "files"))
    (tmp_path / "files" / gone[:2] / gone[2:]).unlink()
    (tmp_path / "files" / changed[:2] / changed[2:]).write_bytes(b"rot")
    said = await balie("export", "--all", tmp_path / "desk.zip", database=filled, data=tmp_path)
    assert said.status == 0
    assert "2 attachments not in the data directory" in said.err
    url = await databases.make(engine, "empty")
    said = await imported(tmp_path / "desk.zip", url, tmp_path / "there")
    assert "2 attachments not in the archive" in said.err
    await databases.drop(url)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_memory_does_not_grow_with_the_desk(
    filled: str, databases: Databases, engine: str, tmp_path: Path
) -> None:
    async def exports(file: str) -> int:
        with here(tmp_path):
            return await moving.export(str(tmp_path / file), True, False, False)

    async def imports(file: str) -> int:
        with here(tmp_path / "there"):
            await moving.read(archives.Reader(tmp_path / file), moving.Progress())
        return 0

    await db.connect(filled)
    await peak(exports("warm.zip"))
    small = [await peak(exports("small.zip"))]
    for part in range(20):
        new = (part * 1_000 + n for n in range(2, 1_002))
        await Message.insert(
            *(Message(chat=1, seq=n, key=str(n), author="visitor", sent_at=now()) for n in new)
        )
    await db.sql("UPDATE message SET body = {}", "tekst " * 100)
    large = [await peak(exports("large.zip"))]
    for name, peaks in (("small.zip", small), ("large.zip", large)):
        url = await databases.make(engine, "empty")
        (tmp_path / "there").mkdir(exist_ok=True)
        await db.connect(url)
        peaks.append(await peak(imports(name)))
        await db.disconnect()
        await databases.drop(url)
    grown = [after - before for before, after in zip(small, large, strict=True)]
    assert max(grown) < 4_000_000, "of 15 MB of messages"


async def peak(work: Awaitable[int]) -> int:
    tracemalloc.start()
    try:
        assert await work == 0
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# ---- in --------------------------------------------------------------------------------------------------


@pytest.fixture
async def filled(database: str, clock: Clock, tmp_path: Path) -> str:
    """A row in every table, and three attachments; closed."""
    await db.connect(database)
    await fill(await schema())
    for n, content in enumerate((os.urandom(700_000), b"een", b"twee")):
        sha256 = hashlib.sha256(content).hexdigest()
        place = tmp_path / "files" / sha256[:2] / sha256[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        await Attachment.insert(Attachment(chat=1, key=str(n), sha256=sha256, uploaded_at=now()))
    await Attachment.delete().where(Attachment.id == 1)
    await PrivateAttachment.update({PrivateAttachment.sha256: ""}, force=True)
    await db.disconnect()
    return database


@pytest.fixture
async def archive(filled: str, tmp_path: Path) -> Path:
    await db.connect(filled)
    with here(tmp_path):
        assert await moving.export(str(tmp_path / "desk.zip"), True, False, False) == 0
    await db.disconnect()
    return tmp_path / "desk.zip"


@pytest.fixture
async def empty(databases: Databases, engine: str, archive: Path, tmp_path: Path) -> AsyncIterator[str]:
    """Another desk, open: nothing in it. Its data directory is "there"."""
    url = await databases.make(engine, "empty")
    await db.connect(url)
    (tmp_path / "there").mkdir()
    yield url
    await db.disconnect()
    await databases.drop(url)


async def read_in(file: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    capsys.readouterr()
    with here(data):
        status = await moving.read_in(str(file))
    return Said(status, *capsys.readouterr())


async def nothing_is_there(data: Path) -> bool:
    for table in TABLES:
        if await table.exists():
            return False
    return not [path for path in data.rglob("*") if path.is_file()]


def rewritten(file: Path, change: Callable[[Members], object]) -> Path:
    """With other members, packed as a zip should be."""
    found = members(file)
    change(found)
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in found.items():
            archive.writestr(name, text)
    return file


def manifest_with(**changes: Any) -> Callable[[Members], None]:
    def change(found: Members) -> None:
        found["manifest.json"] = json.dumps(json.loads(found["manifest.json"]) | changes).encode()

    return change


def table_with(name: str, edit: Callable[[list[dict[str, Any]]], object]) -> Callable[[Members], None]:
    """Its rows changed, and the manifest with them: all sums are right."""

    def change(found: Members) -> None:
        lines = [json.loads(line) for line in found[f"tables/{name}.jsonl"].splitlines()]
        edit(lines)
        text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        manifest = json.loads(found["manifest.json"])
        sums = {"rows": len(lines), "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
        manifest["tables"][name] = sums
        found[f"tables/{name}.jsonl"] = text
        found["manifest.json"] = json.dumps(manifest).encode()

    return change


def table_that_is_unknown(found: Members) -> None:
    manifest = json.loads(found["manifest.json"])
    manifest["tables"]["shoe"] = manifest["tables"]["desk"]
    found["tables/shoe.jsonl"] = found["tables/desk.jsonl"]
    found["manifest.json"] = json.dumps(manifest).encode()


def column_that_is_unknown(found: Members) -> None:
    manifest = json.loads(found["manifest.json"])
    manifest["columns"]["chat"]["shoe_size"] = "number"
    found["manifest.json"] = json.dumps(manifest).encode()


def first_file(found: Members) -> str:
    return min(name for name in found if name.startswith("files/"))


NEWER = [*rows.migrated(), "9999_later"]
REFUSED: dict[str, tuple[Callable[[Members], object], str]] = {
    "another zip": (lambda found: found.pop("manifest.json"), "there is no manifest.json in it"),
    "another format": (manifest_with(format="zoo"), "is no archive of a desk"),
    "a newer format": (manifest_with(version=2), "made by a newer Balie"),
    "a newer schema": (manifest_with(migrations=NEWER), "made by a newer Balie (9999_later)"),
    "an older schema": (manifest_with(migrations=NEWER[:3]), "made by an older Balie (up to 0003_"),
    "a manifest that says more": (manifest_with(hello=1), "manifest.json is damaged"),
    "a manifest that is no JSON": (
        lambda found: found.update({"manifest.json": b"{"}),
        "manifest.json is damaged",
    ),
    "an unknown table": (table_that_is_unknown, "other tables than this Balie: shoe"),
    "a table too few": (lambda found: found.pop("tables/role.jsonl"), "tables/role.jsonl is not in it"),
    "unknown columns": (column_that_is_unknown, "other columns than this Balie, in chat"),
    "a column too many": (
        table_with("chat", lambda lines: lines[0].update(shoe_size=43)),
        "chat, line 1: Object contains unknown field",
    ),
    "a column too few": (
        table_with("chat", lambda lines: lines[0].pop("page_url")),
        "chat, line 1: Object missing required field `page_url`",
    ),
    "a value of another kind": (
        table_with("queue", lambda lines: lines[0].update(answer_s="soon")),
        "queue, line 1: Expected `int`, got `str`",
    ),
    "a number that is too large": (
        table_with("queue", lambda lines: lines[0].update(answer_s=2**40)),
        "queue, line 1: Expected `int` <= 2147483647",
    ),
    "a time without a zone": (
        table_with("message", lambda lines: lines[0].update(sent_at="2026-03-11T10:00:00")),
        "message, line 1: Expected `datetime` with a timezone component",
    ),
    "a row of nothing": (table_with("message", lambda lines: lines[0].update(chat=77)), "message: "),
    "the same row twice": (table_with("role", lambda lines: lines.append(lines[0])), "role: "),
    "no desk": (table_with("desk", lambda lines: lines.clear()), "holds no desk"),
    "a row too few": (
        lambda found: found.update({"tables/step.jsonl": b""}),
        "tables/step.jsonl has another size",
    ),
    "a changed row": (
        lambda found: found.update(
            {"tables/desk.jsonl": found["tables/desk.jsonl"].replace(b'"id":1', b'"id":2')}
        ),
        "tables/desk.jsonl is not as it was written",
    ),
    "a changed attachment": (
        lambda found: found.update({first_file(found): bytes(len(found[first_file(found)]))}),
        "is another file than it says",
    ),
    "an attachment too few": (
        lambda found: found.pop(first_file(found)),
        "it should have 3 attachments",
    ),
    "an attachment that nobody names": (
        lambda found: found.update({"files/" + "0" * 64: b""}),
        "it should have 3 attachments",
    ),
    "a way out": (
        lambda found: found.update({"../../evil": b""}),
        "'../../evil' does not belong in the archive of a desk",
    ),
    "a way out among attachments": (
        lambda found: found.update({"files/../../" + "a" * 58: b""}),
        "does not belong in the archive of a desk",
    ),
    "an absolute name": (lambda found: found.update({"/etc/evil": b""}), "'/etc/evil' does not belong"),
    "a number from where nobody can count on": (
        manifest_with(last_ids={"chat": 2**63}),
        "manifest.json is damaged",
    ),
    "words for a terminal": (
        table_with("chat", lambda lines: lines[0].update({"\x1b[2J": 1})),
        "unknown field `[2J`",
    ),
    "a directory": (lambda found: found.update({"files/": b""}), "'files/' does not belong"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_refused_leaves_nothing_behind(
    empty: str, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    change, words = REFUSED[what]
    said = await read_in(rewritten(archive, change), tmp_path / "there", capsys)
    assert (said.status, said.out) == (1, "")
    assert words in said.err
    assert said.err.startswith("balie: nothing was imported: ")
    assert said.err.count("\n") == 1
    assert await nothing_is_there(tmp_path / "there")


async def test_an_archive_packed_anew_is_taken(
    empty: str, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same way as those that are refused, with nothing changed: it was not that."""
    said = await read_in(rewritten(archive, lambda found: None), tmp_path / "there", capsys)
    assert said.status == 0, said.err
    assert "1 conversation, 3 attachments\n" in said.out
    assert len(lying(tmp_path / "there" / "files")) == 3
    assert [row["what"] for row in await Audit.select().order_by(Audit.id)][1:] == ["exported", "imported"]


@pytest.mark.parametrize("at", [0.02, 0.5, 0.97])
async def test_a_damaged_archive_is_refused(
    empty: str, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], at: float
) -> None:
    content = archive.read_bytes()
    for spoilt in (content[: int(len(content) * at)], flipped(content, at)):
        archive.write_bytes(spoilt)
        said = await read_in(archive, tmp_path / "there", capsys)
        assert (said.status, said.out) == (1, "")
        assert "damaged" in said.err
        assert await nothing_is_there(tmp_path / "there")


def flipped(content: bytes, at: float) -> bytes:
    place = int(len(content) * at)
    return (
        content[:place] + bytes(each ^ 0x55 for each in content[place : place + 64]) + content[place + 64 :]
    )


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"PK\x03\x04" * 100])
async def test_what_is_no_archive_is_refused(
    empty: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "other").write_bytes(content)
    said = await read_in(tmp_path / "other", tmp_path / "there", capsys)
    assert (said.status, "is no archive of a desk" in said.err) == (1, True)
    said = await read_in(tmp_path / "nowhere", tmp_path / "there", capsys)
    assert (said.status, "there is no file" in said.err) == (1, True)


async def test_a_bomb_is_refused_by_its_declared_size_before_anything_is_unpacked(
    empty: str, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = first_file(members(archive))
    huge = 2**60
    rewritten(archive, lambda found: inflate_manifest(found, name, huge))
    claim(archive, name, huge)
    said = await read_in(archive, tmp_path / "there", capsys)
    assert (said.status, "there is no room" in said.err) == (1, True), said.err
    assert await nothing_is_there(tmp_path / "there")


def inflate_manifest(found: Members, name: str, size: int) -> None:
    manifest = json.loads(found["manifest.json"])
    manifest["files"]["bytes"] += size - len(found[name])
    found["manifest.json"] = json.dumps(manifest).encode()


def claim(file: Path, name: str, size: int) -> None:
    """In the zip's directory: this member unpacks to so many bytes."""
    with zipfile.ZipFile(file, "a") as archive:
        archive.getinfo(name).file_size = size
        archive.comment = b"!"  # so that the directory is written anew


async def test_a_line_without_end_and_a_member_that_comes_twice_are_refused(
    empty: str, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = archive.read_bytes()
    with zipfile.ZipFile(archive, "a") as opened, pytest.warns(UserWarning, match="Duplicate"):
        opened.writestr("tables/desk.jsonl", b"{}\n")
    said = await read_in(archive, tmp_path / "there", capsys)
    assert "'tables/desk.jsonl' is in the archive twice" in said.err
    archive.write_bytes(content)
    rewritten(archive, endless)
    said = await read_in(archive, tmp_path / "there", capsys)
    assert "a line of tables/desk.jsonl has no end" in said.err
    assert await nothing_is_there(tmp_path / "there")


def endless(found: Members) -> None:
    found["tables/desk.jsonl"] = text = b" " * (archives.MOST_LINE_BYTES + 1)
    manifest = json.loads(found["manifest.json"])
    sums = {"rows": 1, "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    manifest["tables"]["desk"] = sums
    found["manifest.json"] = json.dumps(manifest).encode()


async def test_a_desk_that_is_not_empty_is_left_alone(
    empty: str, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await db.sql("INSERT INTO queue (name) VALUES ({})", "Mijn")
    said = await read_in(archive, tmp_path / "there", capsys)
    assert (said.status, "this desk is not empty (it has rows in queue)" in said.err) == (1, True)
    assert await db.sql("SELECT name FROM queue") == [{"name": "Mijn"}]
    await db.sql("DELETE FROM queue")
    assert (await read_in(archive, tmp_path / "there", capsys)).status == 0
    again = await read_in(archive, tmp_path / "there", capsys)
    assert (again.status, "is not empty" in again.err) == (1, True)
    assert len(lying(tmp_path / "there" / "files")) == 3


async def test_a_desk_that_has_only_been_started_makes_room(
    empty: str, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await example_desk.empty("Nieuw")
    await db.disconnect()
    async with serving(empty, tmp_path / "there"):
        assert await first_admin.first_admin_link()
    await db.connect(empty)
    assert await Desk.exists()
    said = await read_in(archive, tmp_path / "there", capsys)
    assert said.status == 0, said.err
    assert [row["name"] for row in await Desk.select(Desk.name)] != ["Nieuw"]
    assert await db.sql("SELECT id FROM one_time_link") == [], "nobody becomes the first admin of this one"


async def test_no_id_is_given_twice_even_if_its_row_has_gone(
    filled: str, databases: Databases, engine: str, tmp_path: Path
) -> None:
    await db.connect(filled)
    await db.sql("INSERT INTO role (name) VALUES ({})", "gone")
    gone = (await db.sql("SELECT max(id) AS id FROM role"))[0]["id"]
    await db.sql("DELETE FROM role WHERE id = {}", gone)
    await db.disconnect()
    await exported(tmp_path / "desk.zip", filled, tmp_path)
    url = await databases.make(OTHER[engine], "empty")
    await imported(tmp_path / "desk.zip", url, tmp_path / "there")
    await db.connect(url)
    await db.sql("INSERT INTO role (name) VALUES ({})", "new")
    assert (await db.sql("SELECT id FROM role WHERE name = {}", "new"))[0]["id"] == gone + 1
    await db.disconnect()
    await databases.drop(url)
