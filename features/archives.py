"""Archives: all that a desk has, in one file: a zip with

    manifest.json            what it is, and of each table the rows, the bytes and the SHA-256
    README.txt               the same in words
    tables/{table}.jsonl     a row on each line, see db/rows.py
    files/{sha256}           attachments, as they are

Here is the form: written from beginning to end, and believed in nothing when it is read. `moving` knows what
is in it.
"""

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import zipfile
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Literal, Self, TypeVar

import msgspec
from msgspec import Meta, Struct

FORMAT = "balie"
VERSION = 1
CHUNK_BYTES = 262_144
MOST_MANIFEST_BYTES = 64_000_000
MOST_LINE_BYTES = 16_000_000
Form = TypeVar("Form")
Command = TypeVar("Command", bound=Callable[..., Awaitable[int]])
Kind = Literal["all", "settings"]
MANIFEST, README = "manifest.json", "README.txt"
FILE = re.compile(r"files/([0-9a-f]{64})")
SAFE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)  # also RecursionError
ABOUT = """This is a desk of Balie, live chat: {desk}. {secrecy}

manifest.json          what this is, which columns the tables have, and of each table the number of rows, the
                       size and the SHA-256; which tables are not here, and why
tables/NAME.jsonl      UTF-8, a JSON object on each line: a row, with all its columns; times are UTC
files/SHA256           attachments; attachment.sha256 and private_attachment.sha256 name them

To read it into a new desk:  bin/balie import FILE
"""
SECRECY = {
    "all": "It is as secret as the desk's\ndatabase: it has all conversations, and what people sign in with.",
    "settings": "Of it, only how it has been set up.",
}


class Refused(Exception):
    """Cannot be done; says why, to whoever sits at the terminal."""


class OtherForm(Refused):
    """It may be something else that Balie has written."""


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    rows: int
    bytes: int
    sha256: str


class Files(Struct, frozen=True, forbid_unknown_fields=True):
    count: int
    bytes: int
    missing: list[str]  # what rows name and the data directory did not have


class Head(Struct, frozen=True):
    """What has to be known before anything else is believed."""

    format: str = ""
    version: int = 0
    migrations: list[str] = []


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    version: int
    kind: Kind
    desk: str
    made_at: datetime
    migrations: list[str]
    last_ids: dict[str, Annotated[int, Meta(ge=0, le=2**53)]]
    tables: dict[str, Table]
    files: Files
    columns: dict[str, dict[str, str]]
    left_out: dict[str, str]


# ---- written ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def new_file(path: Path, force: bool | None) -> Iterator[IO[bytes]]:
    """Under another name, its own, until it is whole, and for nobody else's eyes."""
    refuse_to_overwrite(path, force)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "x+b", opener=for_nobody_else) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        refuse_to_overwrite(path, force)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def for_nobody_else(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def refuse_to_overwrite(path: Path, force: bool | None) -> None:
    """None: it cannot be asked for."""
    if path.is_dir():
        raise Refused(f"{path} is a directory: name a file")
    if path.exists() and not force:
        way = ", or add --force" if force is not None else ""
        raise Refused(f"{path} is there already: name another file{way}")
    if not path.parent.is_dir():
        raise Refused(f"there is no directory {path.parent}")


class Writer:
    def __init__(self, file: IO[bytes], made_at: datetime) -> None:
        self.zip = zipfile.ZipFile(file, "w")
        self.made_at = made_at
        self.tables: dict[str, Table] = {}
        self.count = self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with contextlib.nullcontext() if error is None else contextlib.suppress(OSError, ValueError):
            self.zip.close()

    async def table(self, name: str, parts: AsyncIterator[list[bytes]], tell: Callable[[str], None]) -> None:
        rows = size = 0
        digest = hashlib.sha256()
        with self._member(path_of(name), zipfile.ZIP_DEFLATED) as member:
            async for part in parts:
                text = b"".join(part)
                member.write(text)
                digest.update(text)
                rows, size = rows + len(part), size + len(text)
                tell(f"{name}: {rows}")
        self.tables[name] = Table(rows, size, digest.hexdigest())

    def file(self, sha256: str, place: Path) -> bool:
        """False if it is not there, or is another one than it says."""
        try:
            file = place.open("rb")
        except FileNotFoundError:
            return False
        with file:
            if sha256_of(file) != sha256:
                return False
            file.seek(0)
            with self._member(f"files/{sha256}", zipfile.ZIP_STORED) as member:
                shutil.copyfileobj(file, member, CHUNK_BYTES)
            self.count, self.bytes = self.count + 1, self.bytes + file.tell()
        return True

    def whole(self, name: str, place: Path) -> Table:
        """A file of another kind, and what it should be when it is read."""
        digest, size = hashlib.sha256(), 0
        with place.open("rb") as file, self._member(name, zipfile.ZIP_DEFLATED) as member:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size += member.write(chunk)
        return Table(0, size, digest.hexdigest())

    def finish(self, manifest: Manifest) -> None:
        self.conclude(manifest, ABOUT.format(desk=manifest.desk, secrecy=SECRECY[manifest.kind]))

    def conclude(self, manifest: Struct, readme: str) -> None:
        about = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        for name, text in (
            (README, readme.encode()),
            (MANIFEST, about),
        ):
            with self._member(name, zipfile.ZIP_DEFLATED) as member:
                member.write(text)

    def _member(self, name: str, compression: int) -> IO[bytes]:
        info = zipfile.ZipInfo(name, self.made_at.timetuple()[:6])
        info.compress_type = compression
        info.external_attr = 0o600 << 16
        return self.zip.open(info, "w", force_zip64=True)


def sha256_of(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def path_of(table: str) -> str:
    return f"tables/{table}.jsonl"


# ---- read ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def undamaged(what: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise Refused(f"{what} is damaged") from error


def fills(command: Command) -> Command:
    """It makes a desk where there was none, and nobody may serve it meanwhile."""
    command.fills = True  # type: ignore[attr-defined]
    return command


class Reader:
    """Nothing in it decides where anything is written, or how much."""

    form, version = FORMAT, VERSION

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise Refused(f"there is no file {path}")
        with undamaged(f"{path} is no archive of a desk, or it"):
            self.zip = zipfile.ZipFile(path)
        self.members: dict[str, zipfile.ZipInfo] = {}
        for info in self.zip.infolist():
            self._add(info)
        head = self._manifest(Head)
        if head.format != self.form:
            raise OtherForm(f"{path} is no archive of a desk")
        if head.version > self.version:
            raise Refused("the archive was made by a newer Balie: read it in with that one")
        self.head = head

    def _add(self, info: zipfile.ZipInfo) -> None:
        name = info.orig_filename
        if name in self.members:
            raise Refused(f"{name!r} is in the archive twice")
        if info.flag_bits & 1 or info.compress_type not in SAFE:
            raise Refused(f"{name!r} is packed in a way that Balie does not read")
        self.members[name] = info

    def _manifest(self, form: type[Form]) -> Form:
        info = self.members.get(MANIFEST)
        if info is None:
            raise Refused(f"it is no archive of a desk: there is no {MANIFEST} in it")
        if info.file_size > MOST_MANIFEST_BYTES:
            raise Refused(f"{MANIFEST} is too large")
        with undamaged(MANIFEST):
            return msgspec.json.decode(self.zip.read(info), type=form)

    def room_for_all(self, free_bytes: int) -> None:
        if (needed := sum(info.file_size for info in self.members.values())) > free_bytes:
            raise Refused(
                f"there is no room: {megabytes(needed)} are needed, {megabytes(free_bytes)} are free"
            )

    def refuse_others(self, wanted: set[str], said: Files) -> None:
        """What is there is what should be, as many attachments as there were, and nothing else."""
        files = {name for name in self.members if FILE.fullmatch(name)}
        if others := self.members.keys() - wanted - files:
            raise Refused(f"{min(others)!r} does not belong in the archive of a desk")
        if lost := wanted - self.members.keys():
            raise Refused(f"the archive is damaged: {min(lost)} is not in it")
        size = sum(self.members[name].file_size for name in files)
        if (len(files), size) != (said.count, said.bytes):
            raise Refused(f"the archive is damaged: it should have {said.count} attachments")

    def manifest(self) -> Manifest:
        return self._manifest(Manifest)

    def check(self, manifest: Manifest, free_bytes: int) -> None:
        """That all is there, nothing else, and that there is room for it; before anything is unpacked."""
        self.refuse_others({MANIFEST, README, *map(path_of, manifest.tables)}, manifest.files)
        for table, said in manifest.tables.items():
            if self.members[path_of(table)].file_size != said.bytes:
                raise Refused(f"the archive is damaged: {path_of(table)} has another size than it should")
        self.room_for_all(free_bytes)

    def lines(self, table: str, said: Table) -> Iterator[bytes]:
        name, digest, rows = path_of(table), hashlib.sha256(), 0
        with undamaged(f"the archive is damaged: {name}"), self.zip.open(self.members[name]) as file:
            while line := file.readline(MOST_LINE_BYTES):
                if not line.endswith(b"\n"):
                    raise Refused(f"the archive is damaged: a line of {name} has no end")
                digest.update(line)
                rows += 1
                yield line
        if (digest.hexdigest(), rows) != (said.sha256, said.rows):
            raise Refused(f"the archive is damaged: {name} is not as it was written")

    def files(self) -> Iterator[str]:
        """Their SHA-256."""
        for name in self.members:
            if found := FILE.fullmatch(name):
                yield found[1]

    def has(self, sha256: str) -> bool:
        return f"files/{sha256}" in self.members

    def unpack(self, sha256: str, place: Path) -> None:
        self.unpack_whole(f"files/{sha256}", sha256, place)

    def unpack_whole(self, name: str, sha256: str, place: Path) -> None:
        with open(place, "xb", opener=for_nobody_else) as file:
            if self.digest(name, file) != sha256:
                raise Refused(f"the archive is damaged: {name} is another file than it says")

    def digest(self, name: str, copy: IO[bytes] | None = None) -> str:
        """The SHA-256 of what is there."""
        digest = hashlib.sha256()
        with (
            undamaged(f"the archive is damaged: {name}"),
            self.zip.open(self.members[name]) as packed,
        ):
            while chunk := packed.read(CHUNK_BYTES):
                digest.update(chunk)
                if copy:
                    copy.write(chunk)
        return digest.hexdigest()


def megabytes(size: int) -> str:
    return f"{max(size, 1) / 1_000_000:,.1f} MB"
