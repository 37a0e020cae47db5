"""An SQLite desk has one process that serves it or fills it: two would not hear of each other, so that people
wait in the one and agents in the other. What only reads goes on beside it. PostgreSQL tells all who serve."""

import os
import sys
from pathlib import Path

from db.settings import settings


class Taken(Exception):
    """By another process."""


def desk_file() -> Path | None:
    """The database, where that is a file."""
    is_file = settings.database_url.startswith("sqlite:")
    return Path(settings.database_url.removeprefix("sqlite:///")) if is_file else None


def hold() -> None:
    """To the end of this process, or of the program that it runs. The system takes the lock back, whatever
    becomes of it; those whom it has begun have no part in it."""
    file = desk_file()
    if sys.platform == "win32" or file is None:
        return
    import fcntl

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(lock)
        raise Taken(f"another process serves the desk in {file}, or fills it: stop that one first") from None
