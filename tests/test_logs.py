"""What the log says of a whole day at the desk, and that nothing of anybody is in it."""

import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import db
from db import logs
from db.settings import BadSetting, settings
from tests import scenes
from tests.conftest import Databases, Desk
from tests.people import PASSWORD, new_key
from tests.processes import START_S, writing
from tests.test_retention import talk_with_everything

ROOT = Path(__file__).parents[1]
CANARY = "kanarievogel"


@contextlib.asynccontextmanager
async def logging(database: str, data: Path, **environment: str) -> AsyncIterator[tuple[Desk, Path]]:
    """A desk in a process of its own, and where its log goes."""
    file = data / "log"
    async with writing(file, database, data, **environment) as desk:
        yield desk, file


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


async def test_a_whole_day_leaves_nothing_of_anybody_in_the_log(
    databases: Databases, example_database: str, tmp_path: Path
) -> None:
    """At its most talkative, with faults."""
    talkative = {"BALIE_LOG_LEVEL": "debug", "BALIE_LOG_FORMAT": "json"}
    async with logging(example_database, tmp_path, **talkative) as (desk, file):
        await db.connect(example_database)
        talk = await talk_with_everything(desk, CANARY)
        session = dict(talk.an.client.cookies)
        again = await desk.visitor().begin(f"Nog iets over {CANARY}", name=f"Jef {CANARY}")
        chat = await scenes.taken(talk.an)
        async with again.stream() as window, talk.an.stream() as console:
            await talk.an.say(chat, f"Nog een {CANARY}")
            await window.wait_for(f"Nog een {CANARY}")
            await console.wait_for(CANARY)
        nobody = desk.nobody()
        await nobody.post("/session", {"username": CANARY, "password": CANARY})
        for path in (f"/invitation/{CANARY}", f"/first-admin/{CANARY}", f"/{CANARY}", f"/console?{CANARY}"):
            await nobody.get(path)
        await again.post("/chat/identity", {"token": f"a.{CANARY}.c"})
        await again.post("/chat/messages", {"key": CANARY * 20, "body": CANARY})
        await (await scenes.sign_in_admin(desk)).must("GET", f"/settings/log?words={CANARY}")
        await db.sql("ALTER TABLE message RENAME TO lost_message")
        body = {"key": new_key(), "body": f"Dit gaat mis, {CANARY}"}
        assert (await again.post("/chat/messages", body)).status_code == 500
        await db.sql("ALTER TABLE lost_message RENAME TO message")
        await db.disconnect()
    told, text = lines(file), file.read_text()
    for secret in (CANARY, "Jef", "Peeters", talk.jef.token, again.token, PASSWORD, *session.values()):
        assert secret not in text, secret
    answered = {(each["method"], each["route"]) for each in told if each["event"] == "answered"}
    assert answered >= {("POST", "/chat/messages"), ("GET", "/invitation/{token}"), ("GET", "/chat/stream")}
    assert all(
        {"status", "ms", "timestamp", "level"} <= each.keys()
        for each in told
        if "route" in each and each["event"] == "answered"
    )
    (failed,) = [each for each in told if each["event"] == "failed"]
    assert failed["route"] == "/chat/messages"
    assert "features/messages.py" in failed["exception"], "where it went wrong"
    assert failed["exception"].splitlines()[-1].split()[0] in ("OperationalError", "UndefinedTableError")


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_quiet_log_has_a_line_for_what_is_wrong_and_none_for_each_request(
    example_database: str, tmp_path: Path
) -> None:
    async with logging(example_database, tmp_path) as (desk, file):
        await desk.visitor().open()
        assert file.read_text() == ""
        await db.connect(example_database)
        await db.sql("ALTER TABLE widget RENAME TO lost")
        assert (await desk.visitor().get("/widget/voorbeeld")).status_code == 500
        await db.disconnect()
    assert "level='error' event='failed' route='/widget/{key}'" in file.read_text()


@pytest.mark.parametrize("variable", ["BALIE_LOG_LEVEL", "BALIE_LOG_FORMAT"])
def test_how_it_is_written_is_one_of_those_it_knows(variable: str) -> None:
    with pytest.raises(BadSetting, match=variable):
        settings.load({variable: "loud"})
    settings.load({})


# ---- faults ----------------------------------------------------------------------------------------------


def fault(*raised: BaseException) -> str:
    """As it is told; each is the cause of the next."""
    try:
        try:
            raise raised[0]
        except BaseException as first:
            for each in raised[1:]:
                raise each from first
            raise
    except BaseException as last:
        return "".join(logs.told(last))


def test_a_fault_is_told_without_the_words_that_came_with_it() -> None:
    told = fault(ValueError(f"invalid literal: '{CANARY}'"), KeyError(CANARY))
    assert CANARY not in told
    assert "ValueError\n" in told
    assert "KeyError\n" in told
    assert "test_logs.py" in told
    broken = asyncpg.UniqueViolationError(f"Key (username)=({CANARY}) already exists")
    broken.sqlstate, broken.constraint_name = "23505", "agent_username"
    assert fault(broken).endswith("UniqueViolationError (sqlstate=23505, constraint_name=agent_username)\n")
    assert "FileNotFoundError (errno=2, strerror=No such file)" in fault(
        FileNotFoundError(2, "No such file", CANARY)
    )
    assert CANARY not in fault(FileNotFoundError(2, "No such file", CANARY))
    group = fault(ExceptionGroup(CANARY, [ValueError(CANARY), OSError(28, "No space left")]))
    assert CANARY not in group
    assert "OSError (errno=28, strerror=No space left)" in group


def test_what_happens_to_a_part_of_a_group_because_of_the_group_is_told_once() -> None:
    """As when a line goes while a stream of many tasks uses it: a log that never ends ends the task."""
    part = KeyError("part")
    group = ExceptionGroup("all", [part])
    part.__context__ = ExceptionGroup("again", [group])
    told = fault(group)
    assert told.count("KeyError\n") == 1
    assert told.count("ExceptionGroup\n") == 2


def test_our_own_words_are_told() -> None:
    assert "TypeError: unsupported" in fault(TypeError("unsupported operand"))
    assert "TransactionError: the transaction is over" in fault(
        db.TransactionError("the transaction is over")
    )


def test_nor_do_the_libraries_tell_them() -> None:
    """A task that nobody waited for: asyncio would say what it failed with."""
    code = f"""
import asyncio, gc, logging
from db import logs

async def fails():
    raise ValueError("{CANARY}")

async def main():
    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()

logs.configure("debug", "json")
logging.getLogger("sse_starlette").debug("chunk: {CANARY}")
logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=ValueError("{CANARY}"))
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=START_S
    )
    assert done.returncode == 0, done.stderr
    server, task = map(json.loads, done.stderr.splitlines())
    assert CANARY not in done.stderr + done.stdout
    assert (server["logger"], server["exception"]) == ("uvicorn.error", "ValueError")
    assert task["event"] == "Task exception was never retrieved"
    assert "in fails" in task["exception"]
