"""What the log says, and what it never does: no message, no name, no address, no token.

Lines on standard error, as text or as JSON; the code that writes one gives ids, counts and codes. A fault is
told by where it happened and of which kind it is, without the words that came with it: those of a database,
of a parser or of a mail server may hold what somebody wrote.
"""

import contextlib
import logging
import sqlite3
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from traceback import format_tb
from typing import Any

import asyncpg
import structlog
from structlog.typing import Processor

from db.transactions import TransactionError

# Their words are Python's own, or ours.
PLAIN = (TypeError, AttributeError, NameError, ImportError, NotImplementedError, TransactionError)
MOST_CAUSES = 10

Line = MutableMapping[str, Any]


def configure(level: str, form: str) -> None:
    """All of this process: our lines, and those of the libraries from a warning on; what these say below
    that may hold whatever goes by."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        tell_fault,
    ]
    structlog.configure(
        processors=[*shared, renderer(form)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_names: Printer(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, shorten, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer(form)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.ERROR if level == "error" else logging.WARNING)
    # Its warnings are about requests that are none: anybody could fill the log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


class Printer(structlog.PrintLogger):
    """On a full disk nothing is told, and whoever tells goes on."""

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def renderer(form: str) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    order = ["timestamp", "level", "event"]
    return structlog.processors.KeyValueRenderer(key_order=order, drop_missing=True)


def shorten(logger: Any, method: str, line: Line) -> Line:
    """After its first line asyncio shows what a task had in its hands."""
    if line.get("logger") == "asyncio":
        line["event"] = str(line["event"]).partition("\n")[0]
    return line


def tell_fault(logger: Any, method: str, line: Line) -> Line:
    """In the place of structlog's own, which gives the words too."""
    given = line.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    fault = given[1] if isinstance(given, tuple) else given
    if isinstance(fault, BaseException):
        line["exception"] = "".join(told(fault)).rstrip()
    return line


def told(fault: BaseException, around: tuple[BaseException, ...] = ()) -> Iterator[str]:
    """The causes first, as Python does. What happened to a part of a group may have the group `around` it as
    its cause."""
    chain, each = [fault], fault
    while (before := cause(each)) is not None and before not in (*chain, *around):
        chain.append(before)
        each = before
        if len(chain) == MOST_CAUSES:
            break
    for each in reversed(chain):
        yield from format_tb(each.__traceback__)
        yield f"{kind(each)}\n"
        if isinstance(each, BaseExceptionGroup):
            for part in each.exceptions[:MOST_CAUSES]:
                if part not in (*chain, *around):
                    yield from told(part, (*chain, *around))


def cause(fault: BaseException) -> BaseException | None:
    return fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)


def kind(fault: BaseException) -> str:
    """What it is, and what the database or the system calls it; of its words only those that are ours."""
    name = type(fault).__qualname__
    if isinstance(fault, PLAIN):
        return f"{name}: {fault}"
    more: Mapping[str, Any] = {}
    if isinstance(fault, asyncpg.PostgresError):
        more = {each: getattr(fault, each, None) for each in ("sqlstate", "table_name", "constraint_name")}
    elif isinstance(fault, sqlite3.Error):
        more = {"code": getattr(fault, "sqlite_errorname", None)}
    elif isinstance(fault, OSError):
        more = {"errno": fault.errno, "strerror": fault.strerror}
    said = ", ".join(f"{key}={value}" for key, value in more.items() if value)
    return f"{name} ({said})" if said else name
