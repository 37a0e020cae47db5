"""What the database or a disk cannot do now, and will again: there is no room, another process holds the
file, the server is not there. Whoever asked made no mistake, and may ask the same again."""

import contextlib
import errno
import sqlite3
from collections.abc import Iterator

import asyncpg
import structlog

from db.logs import cause, kind

SQLITE = ("FULL", "IOERR", "BUSY", "LOCKED", "CANTOPEN", "READONLY", "PROTOCOL")
# Of the line, of resources, stopped or starting, of the system; read only, as one that stands by.
POSTGRESQL = ("08", "53", "57P", "58", "25006")
DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
MOST_CAUSES = 10

log = structlog.get_logger("balie.db")


def is_away(fault: BaseException) -> bool:
    return any(map(is_of_now, causes(fault)))


def is_of_now(fault: BaseException) -> bool:
    match fault:
        case sqlite3.Error():
            name = getattr(fault, "sqlite_errorname", None) or ""
            return name.removeprefix("SQLITE_").startswith(SQLITE)
        case asyncpg.PostgresError():
            return (fault.sqlstate or "").startswith(POSTGRESQL)
        case ConnectionError() | TimeoutError():
            return True
        case FileNotFoundError():
            return fault.filename is None  # the server's socket; who opens a file gives its name
        case OSError():
            return fault.errno in DISKS
        case asyncpg.InternalClientError():
            return str(fault).startswith("cannot switch to state")  # it was told so, and not yet that it went
    return type(fault) is asyncpg.InterfaceError  # the line went while it was used


def causes(fault: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = fault
    for _step in range(MOST_CAUSES):
        if each is None:
            return
        yield each
        each = cause(each)


@contextlib.contextmanager
def unless_away() -> Iterator[None]:
    """Around what need not be done if it cannot be done now."""
    try:
        yield
    except Exception as problem:
        if not is_away(problem):
            raise
        log.warning("left undone", problem=kind(problem))
