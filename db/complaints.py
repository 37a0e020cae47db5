"""What keeps a command from doing its work, in one sentence for whoever administers the machine. What is left
over is a fault of Balie's own, of which a programmer wants to see all."""

import socket
import sqlite3

import asyncpg

from db.away import causes, is_away
from db.holding import Taken
from db.migrations import OfNewer
from db.settings import BadSetting, settings

USELESS = 2  # another start would not help
TORN = ("SQLITE_NOTADB", "SQLITE_CORRUPT")


def complaint(problem: Exception) -> tuple[str, int] | None:
    """And the status to end with."""
    if isinstance(problem, BadSetting | OfNewer):
        return str(problem), USELESS
    if isinstance(problem, Taken):
        return str(problem), 1
    for each in causes(problem):
        if words := about_the_database(each):
            return f"cannot use the database {settings.database}: {words}", 1
        if isinstance(each, OSError) and each.filename is not None:
            return f"cannot use {each.filename}: {each.strerror}", 1
    return (f"cannot go on: {problem}", 1) if is_away(problem) else None


def about_the_database(problem: BaseException) -> str:
    match problem:
        case sqlite3.Error() if is_away(problem) or name_of(problem) in TORN:
            return str(problem)
        case asyncpg.ClientConfigurationError():
            return "its address cannot be understood"
        case asyncpg.InvalidAuthorizationSpecificationError() | asyncpg.InvalidCatalogNameError():
            return str(problem)
        case asyncpg.PostgresError() if is_away(problem):
            return str(problem)
        case TimeoutError():
            return "it does not answer"
        case ConnectionError() | socket.gaierror():
            return problem.strerror or str(problem) or "no connection"
        case FileNotFoundError() if problem.filename is None:  # the server's socket
            return "no such server"
    return ""


def name_of(problem: sqlite3.Error) -> str:
    return getattr(problem, "sqlite_errorname", None) or ""
