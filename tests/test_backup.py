"""A desk is put away while people talk, and comes back; and whether it is whole can be asked."""

import asyncio
import contextlib
import io
import itertools
import json
import sqlite3
import stat
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import db
import features
from db import migrations, rows
from db.settings import settings
from db.sqlite import Sqlite
from db.tables import Chat, Message
from features import moving
from tests import scenes
from tests.conftest import Clock, Databases, serving
from tests.conftest import Desk as RunningDesk
from tests.test_moving import Said, lying
from tests.test_moving import balie as from_a_terminal
from tests.test_retention import talk_with_everything

CANARY = "kanarievogel"


async def balie(name: str, *arguments: str | Path, database: str, data: Path) -> Said:
    """What a terminal would show, without a process of its own."""
    command: Callable[..., Awaitable[int]]
    ((_name, _what, command, *_own),) = [each for each in features.each("commands") if each[0] == name]
    out, err = io.StringIO(), io.StringIO()
    with settings_of(database, data), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = await command(*(str(each) for each in arguments))
    return Said(status, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def settings_of(database: str, data: Path) -> Iterator[None]:
    settings.load({"BALIE_DATABASE_URL": database}, data=data)
    data.mkdir(exist_ok=True)
    try:
        yield
    finally:
        settings.load({})


async def backed_up(place: Path, database: str, data: Path) -> Path:
    said = await balie("backup", place, database=database, data=data)
    assert said.status == 0, said.err
    assert "as secret as the desk itself" in said.out
    return next(place.glob("*.zip")) if place.is_dir() else place


async def restored(file: Path, database: str, data: Path) -> Said:
    said = await balie("restore", file, database=database, data=data)
    assert said.status == 0, said.err
    return said


async def verified(*file: Path, database: str, data: Path) -> Said:
    return await balie("verify", *(file or [""]), database=database, data=data)


@pytest.fixture
async def elsewhere(engine: str, databases: Databases, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a database that is not there yet, or has nothing in it."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path}/there/balie.sqlite3"
    else:
        url = await databases.make(engine, "empty")
        yield url
        await databases.drop(url)


@pytest.fixture
async def talkative(example_database: str, clock: Clock, tmp_path: Path) -> str:
    """A desk with a conversation that has left all its traces; closed."""
    async with serving(example_database, tmp_path / "here") as desk:
        await talk_with_everything(desk, CANARY)
    return example_database


# ---- there and back --------------------------------------------------------------------------------------


@pytest.mark.long
async def test_what_was_acknowledged_before_a_backup_under_load_is_in_it(
    elsewhere: str, desk: RunningDesk, example_database: str, tmp_path: Path
) -> None:
    """Four people talk as fast as they can; each conversation comes back up to some moment, without gaps."""
    talks = [await scenes.connected(desk, username=name) for name in ("an", "bram")]
    acknowledged: list[str] = []
    stop = asyncio.Event()

    async def chatter(number: int) -> None:
        talk = talks[number % 2]
        for each in itertools.count():
            words = f"van {number}, nummer {each}."
            await (talk.jef.say(words) if number < 2 else talk.an.say(talk.chat, words))
            acknowledged.append(words)
            if stop.is_set():
                return

    talking = [asyncio.create_task(chatter(number)) for number in range(4)]
    await scenes.eventually(lambda: len(acknowledged) > 40)
    before = list(acknowledged)
    written = await from_a_terminal("backup", tmp_path, database=example_database, data=tmp_path)
    assert written.status == 0, written.err
    (file,) = tmp_path.glob("*.zip")
    during = len(acknowledged) - len(before)
    stop.set()
    await asyncio.gather(*talking)
    assert during > 0, "they talked meanwhile"
    said = await Message.select(Message.chat, Message.seq, Message.body).order_by(Message.id)
    await db.disconnect()

    await restored(file, elsewhere, tmp_path / "there")
    await db.connect(elsewhere)
    kept = await Message.select(Message.chat, Message.seq, Message.body).order_by(Message.id)
    chats = await Chat.select(Chat.id, Chat.seq)
    await db.disconnect()
    assert set(before) <= {row["body"] for row in kept}
    assert len(kept) < len(said)
    for chat in chats:
        mine, whole = (
            [(row["seq"], row["body"]) for row in rows if row["chat"] == chat["id"]] for rows in (kept, said)
        )
        assert mine == whole[: len(mine)], "a beginning of what was said, in its order"
        assert chat["seq"] == len(mine)


async def test_a_desk_comes_back_with_its_files_and_everybody_signs_in_anew(
    talkative: str, elsewhere: str, clock: Clock, tmp_path: Path
) -> None:
    file = await backed_up(tmp_path / "desk.zip", talkative, tmp_path / "here")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"desk.zip", "here"}, "nothing half done beside it"
    said = await restored(file, elsewhere, tmp_path / "there")
    assert "signs in anew" in said.out
    assert lying(tmp_path / "there" / "files") == lying(tmp_path / "here" / "files") != []
    async with serving(elsewhere, tmp_path / "there") as desk:
        assert await db.sql("SELECT id FROM session") == []
        admin = await scenes.sign_in_admin(desk)  # with the password of before
        assert CANARY in (await admin.must("GET", f"/settings/log?words={CANARY}")).text, "found by its words"
        audit = (await admin.must("GET", "/settings/audit")).text
        assert "De balie zelf" in audit
        assert "exporteerde" in audit
        assert "importeerde" in audit
        await scenes.connected(desk, username="bram")
    said = await verified(database=elsewhere, data=tmp_path / "there")
    assert said.status == 0, said.err
    assert "is in order" in said.out


async def test_a_directory_gets_a_file_with_the_time_in_its_name(
    example_database: str, tmp_path: Path
) -> None:
    (tmp_path / "backups").mkdir()
    file = await backed_up(tmp_path / "backups", example_database, tmp_path / "here")
    assert file.name.startswith("balie-2026")
    for place, words in ((file, "is there already"), (tmp_path / "no" / "where", "there is no directory")):
        said = await balie("backup", place, database=example_database, data=tmp_path / "here")
        assert said.status == 1
        assert words in said.err


async def test_where_there_is_no_desk_there_is_no_backup(elsewhere: str, tmp_path: Path) -> None:
    for command in (("backup", tmp_path / "x.zip"), ("verify", "")):
        said = await balie(*command, database=elsewhere.replace("t_", "gone_"), data=tmp_path / "there")
        assert said.status == 1
        assert "Traceback" not in said.err
    assert not list(tmp_path.rglob("*.sqlite3*")), "looking makes nothing"
    assert not list(tmp_path.glob("*.zip"))


async def test_it_is_restored_into_nothing_but_an_empty_place(
    talkative: str, example_database: str, clock: Clock, tmp_path: Path
) -> None:
    file = await backed_up(tmp_path / "desk.zip", talkative, tmp_path / "here")
    before = sorted(
        path for path in tmp_path.rglob("*") if "-wal" not in path.name and "-shm" not in path.name
    )
    said = await balie("restore", file, database=example_database, data=tmp_path / "here")
    assert said.status == 1
    assert "already" in said.err or "not empty" in said.err
    assert before == sorted(path for path in tmp_path.rglob("*") if path in before)
    async with serving(example_database, tmp_path / "here") as desk:
        admin = await scenes.sign_in_admin(desk)
        assert CANARY in (await admin.must("GET", f"/settings/log?words={CANARY}")).text


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_attachments_of_another_desk_are_not_mixed_with_it(
    talkative: str, elsewhere: str, tmp_path: Path
) -> None:
    file = await backed_up(tmp_path / "desk.zip", talkative, tmp_path / "here")
    other = tmp_path / "there" / "files" / "ab" / "cdef"
    other.parent.mkdir(parents=True)
    other.write_text("van een ander")
    said = await balie("restore", file, database=elsewhere, data=tmp_path / "there")
    assert (said.status, "attachments" in said.err) == (1, True)
    assert [path for path in (tmp_path / "there").rglob("*") if path.is_file()] == [other]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_one_of_sqlite_says_how_it_gets_to_postgresql(talkative: str, tmp_path: Path) -> None:
    file = await backed_up(tmp_path / "desk.zip", talkative, tmp_path / "here")
    other = "postgresql://nobody@127.0.0.1:1/none"
    said = await balie("restore", file, database=other, data=tmp_path / "there")
    assert said.status == 1
    assert "`export --all`" in said.err


# ---- before and after an upgrade -------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_desk_of_a_newer_balie_is_left_to_that_one(talkative: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(talkative.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("INSERT INTO migration (name, applied_at) VALUES ('9999_future', '2026-01-01')")
    file = tmp_path / "desk.zip"
    said = await balie("backup", file, database=talkative, data=tmp_path / "here")
    assert (said.status, file.exists()) == (1, False)
    assert "newer Balie (9999_future)" in said.err
    assert "another version" in (await verified(database=talkative, data=tmp_path / "here")).err


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_desk_of_an_older_balie_is_backed_up_as_it_is_and_comes_back_up_to_date(
    elsewhere: str, clock: Clock, tmp_path: Path
) -> None:
    """Its database lacks the last two migrations: the new Balie was there before its first start."""
    own = tmp_path / "old.sqlite3"
    steps = await begun_before(own)
    with closing(sqlite3.connect(own)) as connection:
        before = list(connection.iterdump())
    file = await backed_up(tmp_path / "desk.zip", f"sqlite:///{own}", tmp_path / "here")
    with closing(sqlite3.connect(own)) as connection:
        assert list(connection.iterdump()) == before, "it was only read"
    with zipfile.ZipFile(file) as archive:
        assert json.loads(archive.read("manifest.json"))["migrations"] == steps != rows.migrated()
    await restored(file, elsewhere, tmp_path / "there")
    async with serving(elsewhere, tmp_path / "there") as desk:
        assert (await desk.nobody().get("/health")).status_code == 200
        assert await db.sql("SELECT name FROM desk") == [{"name": "Oud"}]


async def begun_before(own: Path) -> list[str]:
    engine = Sqlite(f"sqlite:///{own}")
    await engine.open()
    for _step in rows.migrated()[:-2]:
        await migrations.apply_next(engine)
    await engine.run("INSERT INTO desk (name, language, secret) VALUES ('Oud', 'nl', 'x')", ())
    done = [row["name"] for row in await engine.run("SELECT name FROM migration ORDER BY name", ())]
    await engine.close()
    return done


# ---- verify ----------------------------------------------------------------------------------------------


async def test_a_byte_that_has_turned_is_found_wherever_it_is(
    talkative: str, elsewhere: str, tmp_path: Path
) -> None:
    """In the database, in an attachment, in what says what they should be: neither looked over nor
    restored."""
    file = await backed_up(tmp_path / "desk.zip", talkative, tmp_path / "here")
    said = await verified(file, database=talkative, data=tmp_path / "here")
    assert (said.status, said.err) == (0, "")
    assert "1 attachment" in said.out
    whole = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    largest = max(members, key=lambda each: each.compress_size)
    attachment = next(each for each in members if each.filename.startswith("files/"))
    manifest = next(each for each in members if each.filename == "manifest.json")
    broken = tmp_path / "broken.zip"
    for member in (largest, attachment, manifest):
        at = member.header_offset + 30 + len(member.filename) + 20 + member.compress_size // 2
        broken.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        said = await verified(broken, database=talkative, data=tmp_path / "here")
        assert said.status == 1, member.filename
        assert "damaged" in said.err
        assert "Traceback" not in said.err
    said = await balie("restore", broken, database=elsewhere, data=tmp_path / "there")
    assert said.status == 1
    assert lying(tmp_path / "there" / "files") == []
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole[: len(whole) // 2])
    assert (await verified(cut, database=talkative, data=tmp_path / "here")).status == 1


async def test_of_a_desk_it_finds_files_that_are_not_as_they_were_and_an_audit_that_was_changed(
    talkative: str, tmp_path: Path
) -> None:
    data = tmp_path / "here"
    await backed_up(tmp_path / "desk.zip", talkative, data)  # which is in the audit
    assert (await verified(database=talkative, data=data)).status == 0
    (sha256,) = lying(data / "files")
    place = data / "files" / sha256[:2] / sha256[2:]
    content = place.read_bytes()
    place.write_bytes(content[:-1] + b"!")
    said = await verified(database=talkative, data=data)
    assert (said.status, said.err) == (1, f"balie: attachment {sha256} is not as it was sent\n")
    place.unlink()
    assert "No such file" in (await verified(database=talkative, data=data)).err
    place.write_bytes(content)
    await db.connect(talkative)
    await db.sql("UPDATE audit SET about = {} WHERE id = 1", "queue:999")
    await db.disconnect()
    said = await verified(database=talkative, data=data)
    assert (said.status, said.err) == (1, "balie: the audit is broken at line 1\n")


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_of_a_database_file_it_finds_what_is_torn(talkative: str, tmp_path: Path) -> None:
    file = Path(talkative.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'message' AND type = 'table'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM chat WHERE id IN (SELECT chat FROM participation)")
        connection.commit()
    said = await verified(database=talkative, data=tmp_path / "here")
    assert said.status == 1
    assert "refer to a chat that is not there" in said.err
    with contextlib.suppress(FileNotFoundError):
        Path(f"{file}-wal").unlink()
    torn = bytearray(file.read_bytes())
    torn[(page - 1) * size : (page - 1) * size + 16] = b"\x0d" + b"\xff" * 15
    file.write_bytes(torn)
    said = await verified(database=talkative, data=tmp_path / "here")
    assert said.status == 1
    assert "malformed" in said.err or "database:" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_the_data_directory_had_not_is_said(
    talkative: str, elsewhere: str, tmp_path: Path
) -> None:
    (sha256,) = lying(tmp_path / "here" / "files")
    (tmp_path / "here" / "files" / sha256[:2] / sha256[2:]).unlink()
    said = await balie("backup", tmp_path / "x.zip", database=talkative, data=tmp_path / "here")
    assert said.status == 0
    assert "1 attachment not in the data directory when it was made" in said.out


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_export_wrote_can_be_verified_too(talkative: str, tmp_path: Path) -> None:
    file = tmp_path / "desk.zip"
    with settings_of(talkative, tmp_path / "here"):
        await db.connect(talkative)
        assert await moving.export(str(file), True, False, False) == 0
        await db.disconnect()
    said = await verified(file, database=talkative, data=tmp_path / "here")
    assert (said.status, said.err) == (0, "")
    assert "1 attachment" in said.out
