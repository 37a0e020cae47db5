"""Backup: the desk in a file that can be put in its place again, and whether a desk or such a file is whole.

    bin/balie backup PLACE     while the desk is open: as it is at that moment, in a file or a directory
    bin/balie restore FILE     into an empty data directory, or an empty database
    bin/balie verify [FILE]    that file; without one, the desk itself, while it is open

Of SQLite it is a zip with a copy of the database and the attachments, which a later Balie restores too: the
next start brings it up to date. Of PostgreSQL it is what `export --all` writes (moving). Either way sessions
and what else lets people in for a while do not come back: what was shut since must not open again.
"""

import asyncio
import contextlib
import os
import secrets
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import asyncpg
from msgspec import Struct

import db
from db import rows
from db.clock import now
from db.settings import settings
from db.tables import TABLES, Desk
from features import archives, audit, files, moving
from features.archives import Command, OtherForm, Reader, Refused, Writer
from features.moving import Progress, complain, counted, printable, told

FORM, VERSION = "balie-backup", 1
DATABASE = "balie.sqlite3"
SHOWN = 20  # problems
ABOUT = """This is a backup of a desk of Balie, live chat: {desk}. It is as secret as the
desk itself: it has all conversations, and what people sign in with.

manifest.json     what this is, and the size and the SHA-256 of the database
balie.sqlite3     the database, for SQLite 3.35 or later
files/SHA256      attachments; attachment.sha256 and private_attachment.sha256 name them

To put it into an empty data directory:  bin/balie restore FILE --data DIR
"""


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    version: int
    desk: str
    made_at: datetime
    migrations: list[str]
    database: archives.Table
    files: archives.Files


class Backup(Reader):
    form, version = FORM, VERSION

    def contents(self, needs_room: Path) -> Manifest:
        manifest = self._manifest(Manifest)
        self.refuse_others({archives.MANIFEST, archives.README, DATABASE}, manifest.files)
        if self.members[DATABASE].file_size != manifest.database.bytes:
            raise Refused(f"the archive is damaged: {DATABASE} has another size than it should")
        self.room_for_all(moving.free_bytes(needs_room))
        if newer := sorted(set(manifest.migrations) - set(rows.migrated())):
            raise Refused(f"it was made by a newer Balie ({newer[-1]}): that one can read it")
        return manifest


def alone(command: Command) -> Command:
    """It opens the database itself, if at all: opening brings tables up to date, and a backup that is made
    just before an upgrade has to hold them as they are."""
    command.alone = True  # type: ignore[attr-defined]
    return command


# ---- out -------------------------------------------------------------------------------------------------


@alone
async def backup(place: str) -> int:
    """From the command line: 0 if it is written, and was found whole."""
    try:
        desk = await the_desk()
        file = file_at(Path(place))
        with told() as progress, archives.new_file(file, force=None) as opened:
            await note_if_current(desk)
            await (copy_of_sqlite if is_sqlite() else export)(opened, progress)
            opened.flush()
            found = await judged(Path(str(opened.name)), progress)
            if found.problems:
                raise Refused(f"what was written is not whole: {found.problems[0]}")
    except (Refused, OSError, sqlite3.Error, asyncpg.PostgresError) as error:
        return complain(f"there is no backup: {error}")
    print(f"balie: backed up {found.about}, from {settings.database}, to {file}: {', '.join(found.facts)}")
    print("       It is as secret as the desk itself: whoever has it can read everything.")
    return 0


def file_at(place: Path) -> Path:
    return place / f"balie-{now():%Y%m%d-%H%M%S}.zip" if place.is_dir() else place


def is_sqlite() -> bool:
    return settings.database_url.startswith("sqlite:")


def sqlite_file() -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///"))


async def the_desk() -> list[str]:
    """The steps that have made its tables; without touching anything."""
    try:
        done = applied_on_sqlite(sqlite_file()) if is_sqlite() else await applied_on_postgresql()
    except (sqlite3.OperationalError, asyncpg.UndefinedTableError):
        done = []
    if not done:
        raise Refused(f"there is no desk in {settings.database}: is it another directory or database?")
    return done


def applied_on_sqlite(file: Path) -> list[str]:
    if not file.is_file():
        return []
    with contextlib.closing(reading(file)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM migration ORDER BY name")]


def reading(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(file.resolve()))}?mode=rw", uri=True, timeout=10)
    connection.execute("PRAGMA query_only = ON")
    return connection


async def applied_on_postgresql() -> list[str]:
    line = await asyncpg.connect(settings.database_url, timeout=10)
    try:
        return [row["name"] for row in await line.fetch("SELECT name FROM migration ORDER BY name")]
    finally:
        await line.close()


async def note_if_current(desk: list[str]) -> None:
    """In the audit, before it is given out. A desk of another Balie is not touched, not even for that."""
    if desk == rows.migrated():
        async with connected(settings.database_url), db.transaction():
            row = await Desk.select(Desk.id).first()
            fields = {"format": (None, "backup"), "private": (None, True), "files": (None, True)}
            await audit.note(None, "exported", f"desk:{row and row['id']}", fields)


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[None]:
    await db.connect(url)
    try:
        yield
    finally:
        await db.disconnect()


async def export(file: object, progress: Progress) -> None:
    """Of PostgreSQL: all of it as it is in one moment, read while others write."""
    moving.refuse_other_schema(await the_desk())
    async with connected(settings.database_url):
        with Writer(file, now()) as archive:  # type: ignore[arg-type]
            await moving.write(archive, "all", progress, noted=True)


async def copy_of_sqlite(file: object, progress: Progress) -> None:
    """Of SQLite: a copy as it is in one moment, without what was deleted; writers do not wait for it."""
    with tempfile.TemporaryDirectory(prefix=".balie-", dir=Path(file.name).parent) as beside:  # type: ignore[attr-defined]
        copy = Path(beside) / DATABASE
        progress.tell("database")
        await asyncio.to_thread(copied, sqlite_file(), copy)
        with Writer(file, now()) as archive:  # type: ignore[arg-type]
            database = await asyncio.to_thread(archive.whole, DATABASE, copy)
            missing = []
            for sha256 in named_in(copy):
                progress.tell(f"attachments: {archive.count}")
                if not archive.file(sha256, files.place(sha256)):
                    missing.append(sha256)
            kept = archives.Files(archive.count, archive.bytes, missing)
            desk, done = name_in(copy), applied_on_sqlite(copy)
            manifest = Manifest(FORM, VERSION, desk, archive.made_at, done, database, kept)
            archive.conclude(manifest, ABOUT.format(desk=desk))


def copied(source: Path, target: Path) -> None:
    target.touch(mode=0o600)
    with contextlib.closing(sqlite3.connect(source, timeout=10)) as connection:
        connection.execute("VACUUM INTO ?", [str(target)])


def named_in(copy: Path) -> Iterator[str]:
    """The SHA-256 of every attachment that a row names, once."""
    query = " UNION ".join(f"SELECT sha256 FROM {rows.name_of(table)}" for table in files.tables)  # noqa: S608
    with contextlib.closing(reading(copy)) as connection:
        yield from (sha256 for (sha256,) in connection.execute(f"{query} ORDER BY 1") if sha256)


def name_in(copy: Path) -> str:
    with contextlib.closing(reading(copy)) as connection:
        found = connection.execute("SELECT name FROM desk").fetchone()
    if found is None:
        raise Refused(f"there is no desk in {settings.database}: is it another directory or database?")
    return str(found[0])


# ---- in --------------------------------------------------------------------------------------------------


@archives.fills
@alone
async def restore(file: str) -> int:
    """From the command line: 0 if everything is there."""
    try:
        archive = opened(Path(file))
        if not isinstance(archive, Backup):
            async with connected(settings.database_url):
                return await moving.read_in(file)
        with told() as progress:
            about = await put_back(archive, progress)
    except (Refused, OSError, sqlite3.Error) as error:
        return complain(f"nothing was restored: {error}")
    print(f"balie: restored {about}")
    print("       Everybody signs in anew, with the password of then: bin/balie serve")
    return 0


def opened(file: Path) -> Reader:
    try:
        return Backup(file)
    except OtherForm:
        return Reader(file)


async def put_back(archive: Backup, progress: Progress) -> str:
    refuse_unless_empty()
    manifest = archive.contents(Path(settings.data))
    target = sqlite_file()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with moving.placing() as place:
            progress.tell("database")
            archive.unpack_whole(DATABASE, manifest.database.sha256, beside)
            for sha256 in archive.files():
                progress.tell(f"attachments: {sha256[:8]}")
                place(archive, sha256)
            forget_doors(beside)
            os.sync()
            refuse_unless_empty(but_for=archive)
            beside.replace(target)  # last: without it there is no desk
        os.sync()
    finally:
        for trace in target.parent.glob(f"{beside.name}*"):
            trace.unlink(missing_ok=True)
    async with connected(settings.database_url), db.transaction():
        await moving.note(manifest.made_at)
    return what_is_in(manifest)


def refuse_unless_empty(but_for: Reader | None = None) -> None:
    if not is_sqlite():
        raise Refused(
            "it is a backup of SQLite: restore it into a data directory, and move that with"
            " `export --all` and `import`"
        )
    file, kept = sqlite_file(), files.place("00" * 32).parent.parent
    if any(file.parent.glob(f"{file.name}*")):
        raise Refused(f"there is a desk in {file} already: name another directory, or put that one away")
    there = {path.parent.name + path.name for path in kept.glob("[0-9a-f][0-9a-f]/*")}
    if there - set(but_for.files() if but_for else ()):
        raise Refused(f"there are attachments in {kept} already: name another directory")


def forget_doors(file: Path) -> None:
    """As after a move: nobody is signed in, and no link of then works."""
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        there = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        for table in moving.LEFT_OUT.keys() & there:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608


def what_is_in(manifest: Manifest | archives.Manifest) -> str:
    made = f"{manifest.made_at:%Y-%m-%d %H:%M} UTC"
    return f"{printable(manifest.desk)} as of {made}"


# ---- verify ----------------------------------------------------------------------------------------------


class Found:
    """What was looked at, and what is wrong with it."""

    def __init__(self, about: str) -> None:
        self.about = about
        self.facts: list[str] = []
        self.problems: list[str] = []


@alone
async def verify(file: str | None) -> int:
    """From the command line: 0 if all is as it should be."""
    try:
        with told() as progress:
            found = await (judged(Path(file), progress) if file else judged_here(progress))
    except (Refused, rows.Misfit, OSError, sqlite3.DatabaseError, asyncpg.PostgresError) as error:
        return complain(f"{file or settings.database} is not in order: {error}")
    for problem in found.problems[:SHOWN]:
        complain(problem)
    if more := len(found.problems[SHOWN:]):
        complain(f"and {more} more")
    if not found.problems:
        print(f"balie: {found.about} is in order: {', '.join(found.facts)}")
    return 1 if found.problems else 0


async def judged_here(progress: Progress) -> Found:
    """The desk itself, as it is at this moment."""
    if await the_desk() != rows.migrated():
        raise Refused("it is of another version of Balie: verify it with that one")
    found = Found(f"the desk in {settings.database}")
    async with connected(settings.database_url):
        await judge_database(found, progress)
        async for sha256 in moving.held():
            progress.tell(f"attachments: {sha256[:8]}")
            if problem := await asyncio.to_thread(problem_with, sha256):
                found.problems.append(problem)
        found.facts.append(counted(len([each async for each in moving.held()]), "attachment"))
    return found


def problem_with(sha256: str) -> str:
    place = files.place(sha256)
    try:
        with place.open("rb") as file:
            good = archives.sha256_of(file) == sha256
    except OSError as error:
        return f"attachment {sha256}: {error.strerror}"
    return "" if good else f"attachment {sha256} is not as it was sent"


async def judged(file: Path, progress: Progress) -> Found:
    """All of it is read, and its database tried out in a place of its own."""
    archive = opened(file)
    for sha256 in archive.files():
        progress.tell(f"attachments: {sha256[:8]}")
        if await asyncio.to_thread(archive.digest, f"files/{sha256}") != sha256:
            raise Refused(f"the archive is damaged: files/{sha256} is another file than it says")
    with tempfile.TemporaryDirectory(prefix=".balie-", dir=workplace(file)) as beside:
        place = Path(beside) / DATABASE
        if isinstance(archive, Backup):
            manifest = archive.contents(place.parent)
            found, missing = Found(what_is_in(manifest)), manifest.files.missing
            await asyncio.to_thread(archive.unpack_whole, DATABASE, manifest.database.sha256, place)
            async with connected(f"sqlite:///{place}"):
                await judge_copy(found, archive, missing, progress)
        else:
            async with connected(f"sqlite:///{place}"):
                found, missing = await tried_out(archive, place.parent, progress)
                await judge_copy(found, archive, missing, progress)
    return found


def workplace(file: Path) -> Path | None:
    """Where there was room for it there is for its contents; what it holds is as secret there."""
    beside = file.resolve().parent
    return beside if os.access(beside, os.W_OK) else None


async def tried_out(archive: Reader, beside: Path, progress: Progress) -> tuple[Found, list[str]]:
    """What `export --all` has written, read in without its attachments."""
    moving.refuse_other_schema(archive.head.migrations)
    manifest = archive.manifest()
    moving.refuse_other_tables(manifest)
    archive.check(manifest, moving.free_bytes(beside))
    async with db.transaction():
        await moving.put_rows(archive, manifest, progress)
    return Found(what_is_in(manifest)), manifest.files.missing


async def judge_copy(found: Found, archive: Reader, missing: list[str], progress: Progress) -> None:
    await judge_database(found, progress)
    named = {sha256 async for sha256 in moving.held()}
    found.problems += [
        f"attachment {sha256} is not in it" for sha256 in named - set(archive.files()) - {*missing}
    ]
    found.facts.append(counted(len(named) - len(missing), "attachment"))
    if missing:
        found.facts.append(
            f"{counted(len(missing), 'attachment')} not in the data directory when it was made"
        )


async def judge_database(found: Found, progress: Progress) -> None:
    progress.tell("database")
    if db.dialect() == "sqlite":
        said = [row["integrity_check"] for row in await db.sql("PRAGMA integrity_check")]
        found.problems += [f"database: {line}" for line in said if line != "ok"]
    number = 0
    async with db.snapshot():
        for table in TABLES:
            progress.tell(f"{rows.name_of(table)}")
            async for part in rows.lines(table, {}):  # all of it can be read
                number += len(part)
            found.problems += [each async for each in lost_references(table)]
        checked = await audit.check()
    found.facts += [counted(number, "row"), f"{counted(checked.rows, 'line')} of audit"]
    if checked.broken is not None:
        found.problems.append(f"the audit is broken at line {checked.broken}")


async def lost_references(table: type) -> AsyncIterator[str]:
    """Rows that refer to what is not there: neither database lets anybody make one."""
    for column in table._meta.foreign_key_columns:  # type: ignore[attr-defined]
        mine, name = rows.name_of(table), column._meta.name
        other = rows.name_of(column._foreign_key_meta.resolved_references)
        query = (
            f'SELECT count(*) AS n FROM "{mine}" WHERE "{name}" IS NOT NULL'  # noqa: S608
            f' AND NOT EXISTS (SELECT 1 FROM "{other}" AS o WHERE o.id = "{mine}"."{name}")'
        )
        (lost,) = await db.sql(query)
        if lost["n"]:
            yield f"{counted(lost['n'], 'row')} of {mine} refer to a {other} that is not there"


commands = [
    (
        "backup",
        "write all of the desk to a file, while it is open, and look whether it is whole",
        backup,
        ("place", {"metavar": "PLACE", "help": "a new file, or a directory to put one in"}),
    ),
    (
        "restore",
        "put a backup into an empty data directory or database",
        restore,
        ("file", {"metavar": "FILE", "help": "what `balie backup` wrote"}),
    ),
    (
        "verify",
        "look whether a desk, or a backup of one, is whole and as it was written",
        verify,
        ("file", {"metavar": "FILE", "nargs": "?", "help": "a backup; without it, the desk in --data"}),
    ),
]
