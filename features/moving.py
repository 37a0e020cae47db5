"""Moving: all that the desk has in one file, and out of it into another desk, of either database. No lock-in.

    bin/balie export --all FILE         while the desk is open: as it is at that moment
    bin/balie export --settings FILE    only how it has been set up: no people, no conversations, no secrets
    bin/balie import FILE               into an empty desk that is not running; all of it or nothing

What the environment says is not in it. Running conversations come along as they are: for them the move is a
restart, and where the address stays the same, their windows come back by themselves. What lives for minutes
stays behind (LEFT_OUT), and the words to search for are written anew. What is a setting the register says.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from piccolo.table import Table

import db
from db import rows
from db.clock import now
from db.settings import settings
from db.tables import TABLES, Chat, Desk, Queue, Step
from features import archives, audit, files, register, searching
from features.archives import Kind, Manifest, OtherForm, Reader, Refused, Writer

# Whatever lets people in for a while: the register says which, so that a new one stays behind, too.
DOORS = [name for name, (purpose, _kinds) in register.SAID.items() if purpose == "door"]
LEFT_OUT = dict.fromkeys(DOORS, "signing in: everybody does so anew") | {
    "session": "browsers that are signed in: everybody signs in anew",
    "one_time_link": "links that work once, for hours or days: ask for new ones",
    "sign_in_failure": "wrong passwords of the last minutes",
    "presence": "pages that are open at this moment",
    "token_check": "how many tokens an address has had explained in the last minutes",
    "start": "how many chats an address has started in the last minutes",
}
# Tables that no feature knows as rows.
MADE_ANEW = {"migration": "in manifest.json", "log_words": "the words to search for: written anew"}
INSTEAD: dict[str, dict[str, Any]] = {"chat": {"log_seq": -1}, "private_thread": {"log_seq": 0}}
HASHES_AT_A_TIME = 1_000


def moved(kind: Kind = "all") -> list[type[Table]]:
    """Those first that others refer to."""
    chosen = [table for table in TABLES if rows.name_of(table) not in LEFT_OUT]
    return chosen if kind == "all" else [table for table in chosen if is_setting(table)]


def is_setting(table: type[Table]) -> bool:
    """Not what is nothing without its secret, or without the people it is about."""
    purpose, kinds = register.SAID[rows.name_of(table)]
    whole = "secret" not in kinds and not any(map(leads_away, table._meta.foreign_key_columns))
    return purpose == "setup" and (whole or table in (Desk, Queue))


def leads_away(column: Any) -> bool:
    parent = column._foreign_key_meta.resolved_references
    return register.SAID[rows.name_of(parent)][0] != "setup"


def instead(table: type[Table], kind: Kind) -> dict[str, Any]:
    """Of settings: nothing that is secret, that leads to somebody, or that has come about by itself."""
    if kind == "all":
        return INSTEAD.get(rows.name_of(table), {})
    _purpose, kinds = register.SAID[rows.name_of(table)]
    lapse = f"{kinds.get('secret', '')} {kinds.get('course', '')}".split()
    lapse += [column._meta.name for column in table._meta.foreign_key_columns if leads_away(column)]
    return {name: getattr(table, name).get_default_value() for name in lapse}


class Progress:
    """On one line of a terminal; nowhere else."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()

    def tell(self, words: str) -> None:
        if self.shown:
            print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        self.tell("")


@contextlib.contextmanager
def told() -> Iterator[Progress]:
    """Clears its line, whatever happens."""
    progress = Progress()
    try:
        yield progress
    finally:
        progress.done()


# ---- out -------------------------------------------------------------------------------------------------


async def export(file: str, all: bool, settings: bool, force: bool) -> int:
    """From the command line: 0 if it is written."""
    if all == settings:
        return complain("say --all, or --settings for a desk without people and conversations", 2)
    try:
        with (
            told() as progress,
            archives.new_file(Path(file), force) as opened,
            Writer(opened, now()) as archive,
        ):
            manifest = await write(archive, "all" if all else "settings", progress)
    except (Refused, OSError) as error:
        return complain(f"nothing was exported: {error}")
    print(f"balie: exported {what_is_in(manifest)}, to {file}")
    if all:
        print("       It is as secret as the desk's database: whoever has it can read everything.")
    if missing := len(manifest.files.missing):
        complain(f"{counted(missing, 'attachment')} not in the data directory, or damaged")
    return 0


def complain(words: str, status: int = 1) -> int:
    """To a terminal, which an archive could make do things."""
    print(f"balie: {printable(words)}", file=sys.stderr)
    return status


def printable(words: str) -> str:
    return "".join(each for each in words if each.isprintable())


def what_is_in(manifest: Manifest) -> str:
    desk = printable(manifest.desk)
    if manifest.kind != "all":
        return f"{desk}: its settings"
    chats, count = manifest.tables["chat"].rows, manifest.files.count
    return f"{desk}: {counted(chats, 'conversation')}, {counted(count, 'attachment')}"


def counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


async def write(archive: Writer, kind: Kind, progress: Progress, noted: bool = False) -> Manifest:
    desk = await Desk.select(Desk.id, Desk.name).first()
    if desk is None:
        raise Refused(f"there is no desk in {settings.database}: is it another directory or database?")
    fields = {"format": (None, "zip"), "private": (None, kind == "all"), "files": (None, kind == "all")}
    if not noted:
        async with db.transaction():  # before it is given out, so that it is known in any case
            await audit.note(None, "exported", f"desk:{desk['id']}", fields)
    missing: list[str] = []
    async with db.snapshot():
        for table in moved(kind):
            name = rows.name_of(table)
            await archive.table(name, rows.lines(table, instead(table, kind)), progress.tell)
        if kind == "all":
            missing = [sha256 async for sha256 in write_files(archive, progress)]
        last_ids = await rows.last_ids() if kind == "all" else {}
    left_out = dict.fromkeys(register.SAID, "a conversation, a person or a secret")
    manifest = Manifest(
        format=archives.FORMAT,
        version=archives.VERSION,
        kind=kind,
        desk=desk["name"],
        made_at=archive.made_at,
        migrations=rows.migrated(),
        last_ids=last_ids,
        tables=archive.tables,
        files=archives.Files(archive.count, archive.bytes, missing),
        columns={rows.name_of(table): rows.described(table) for table in moved(kind)},
        left_out={
            name: why for name, why in (left_out | LEFT_OUT | MADE_ANEW).items() if name not in archive.tables
        },
    )
    archive.finish(manifest)
    return manifest


async def write_files(archive: Writer, progress: Progress) -> AsyncIterator[str]:
    """Gives those that are not there: they may have gone since the snapshot."""
    async for sha256 in held():
        progress.tell(f"attachments: {archive.count}")
        if not archive.file(sha256, files.place(sha256)):
            yield sha256


async def held() -> AsyncIterator[str]:
    """The SHA-256 of every file that a row names, once, in order."""
    each = (f"SELECT sha256 FROM {rows.name_of(table)} WHERE sha256 > {{}}" for table in files.tables)  # noqa: S608
    query = f"{' UNION '.join(each)} ORDER BY sha256 LIMIT {{}}"
    last = ""
    while found := await db.sql(query, *([last] * len(files.tables)), HASHES_AT_A_TIME):
        for row in found:
            yield row["sha256"]
        last = found[-1]["sha256"]


# ---- in --------------------------------------------------------------------------------------------------


@archives.fills
async def read_in(file: str) -> int:
    """From the command line: 0 if everything is there."""
    try:
        with told() as progress:
            manifest = await read(Reader(Path(file)), progress)
    except OtherForm as error:
        return complain(f"nothing was imported: {error}. Is it a backup? That is for `balie restore`")
    except (Refused, rows.Misfit, OSError) as error:
        return complain(f"nothing was imported: {error}")
    print(f"balie: imported {what_is_in(manifest)}")
    if missing := len(manifest.files.missing):
        complain(f"{counted(missing, 'attachment')} not in the archive")
    if (broken := (await audit.check()).broken) is not None:
        complain(f"the audit is broken at line {broken}, as in the archive")
    if manifest.kind == "all":
        with told() as progress:
            await write_words(progress)
        print("       Everybody signs in anew, with the password of before: bin/balie serve")
    return 0


async def write_words(progress: Progress) -> None:
    """What is not done when this is interrupted, the server does."""
    writing = asyncio.create_task(searching.catch_up())
    while not writing.done():
        (due,) = await db.sql(
            "SELECT count(*) AS n FROM chat WHERE seq <> log_seq AND started_at IS NOT NULL"
        )
        progress.tell(f"words to search for: {due['n']} conversations to go")
        await asyncio.wait([writing], timeout=1)
    await writing


async def read(archive: Reader, progress: Progress) -> Manifest:
    refuse_other_schema(archive.head.migrations)
    manifest = archive.manifest()
    refuse_other_tables(manifest)
    archive.check(manifest, free_bytes())
    with placing() as place:
        async with db.transaction():
            await db.lock("first start")
            await db.lock("files")
            await refuse_unless_empty()
            await put_rows(archive, manifest, progress)
            for sha256 in archive.files():
                place(archive, sha256)
                progress.tell(f"attachments: {sha256[:8]}")
            await refuse_if_missing(archive, manifest)
            await Desk.update({Desk.secret: secrets.token_hex(32)}).where(Desk.secret == "")
            await note(manifest.made_at)
            os.sync()
    return manifest


def refuse_other_schema(theirs: list[str]) -> None:
    ours = rows.migrated()
    if newer := sorted(set(theirs) - set(ours)):
        raise Refused(f"the archive was made by a newer Balie ({newer[-1]}): read it in with that one")
    if set(ours) - set(theirs):
        last = max(theirs, default="nothing")
        raise Refused(
            f"the archive was made by an older Balie (up to {last}): read it in with that one, then upgrade"
        )


def refuse_other_tables(manifest: Manifest) -> None:
    ours = {rows.name_of(table): rows.described(table) for table in moved(manifest.kind)}
    if other := manifest.tables.keys() ^ ours.keys():
        raise Refused(f"the archive has other tables than this Balie: {', '.join(sorted(other))}")
    if other := {name for name in ours if manifest.columns.get(name) != ours[name]}:
        raise Refused(f"the archive has other columns than this Balie, in {', '.join(sorted(other))}")
    if manifest.tables["desk"].rows != 1:
        raise Refused("the archive holds no desk")


def free_bytes(place: Path | None = None) -> int:
    return shutil.disk_usage(place or settings.data).free


async def refuse_unless_empty() -> None:
    """What a first start has left makes room: the desk itself, the link for its first admin, the step that
    says that it was started."""
    for table in moved():
        if table not in (Desk, Step) and await table.exists():
            raise Refused(
                f"this desk is not empty (it has rows in {rows.name_of(table)}): name another directory"
                " or another database"
            )
    for table in reversed(TABLES):
        if table in (Desk, Step) or rows.name_of(table) in LEFT_OUT:
            await table.delete(force=True)


async def put_rows(archive: Reader, manifest: Manifest, progress: Progress) -> None:
    for table in moved(manifest.kind):
        name = rows.name_of(table)
        progress.tell(f"{name}: {manifest.tables[name].rows}")
        await rows.put(table, archive.lines(name, manifest.tables[name]))
    await rows.go_on_after(manifest.last_ids)


async def refuse_if_missing(archive: Reader, manifest: Manifest) -> None:
    known = set(manifest.files.missing)
    async for sha256 in held():
        if not archive.has(sha256) and sha256 not in known:
            raise Refused(f"the archive is damaged: files/{sha256} is not in it")


async def note(made_at: datetime) -> None:
    desk = await Desk.select(Desk.id).first()
    fields = {"made_at": (None, made_at.isoformat()), "conversations": (None, await Chat.count())}
    await audit.note(None, "imported", f"desk:{desk and desk['id']}", fields)


# ---- files -----------------------------------------------------------------------------------------------


class Placing:
    """Puts files where they belong, and takes them away again."""

    def __init__(self) -> None:
        self.new: list[str] = []

    def __call__(self, archive: Reader, sha256: str) -> None:
        there, spool = files.place(sha256), files.inbox() / secrets.token_hex(16)
        try:
            archive.unpack(sha256, spool)
            there.parent.mkdir(parents=True, exist_ok=True)
            if not there.exists():
                self.new.append(sha256)
            spool.replace(there)
        finally:
            spool.unlink(missing_ok=True)

    def undo(self) -> None:
        for sha256 in self.new:
            files.place(sha256).unlink(missing_ok=True)


@contextlib.contextmanager
def placing() -> Iterator[Placing]:
    """What was placed in a block that fails goes again."""
    files.inbox().mkdir(parents=True, exist_ok=True)
    place = Placing()
    try:
        yield place
    except BaseException:
        place.undo()
        raise


commands: list[Any] = [
    (
        "export",
        "write the desk to one file",
        export,
        ("file", {"metavar": "FILE", "help": "a zip; with --all as secret as the desk's database"}),
        ("--all", {"action": "store_true", "help": "everything, to move the desk"}),
        ("--settings", {"action": "store_true", "help": "without people, conversations and secrets"}),
        ("--force", {"action": "store_true", "help": "overwrite the file if it is there"}),
    ),
    (
        "import",
        "read what export wrote into an empty desk that is not running",
        read_in,
        ("file", {"metavar": "FILE", "help": "what `balie export --all` wrote, here or elsewhere"}),
    ),
]
routes: list[Any] = []
