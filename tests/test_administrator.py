"""What an administrator meets at the command line when something is not as it should be: one line that says
what, nothing made that was not asked for, and nothing that others on the machine may read."""

import json
import sqlite3
import stat
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from db import example_desk
from db.rows import migrated
from db.tables import Widget
from features import first_admin
from tests.conftest import Clock
from tests.processes import ROOT, Served, foreign, free_port, served
from tests.test_moving import Said

TERMINAL = """
import json, os, signal, sys, tempfile, traceback
import app

for line in sys.stdin:
    arguments, environment = json.loads(line)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        if (pid := os.fork()) == 0:
            status = 70
            signal.alarm(30)
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                os.environ.update(environment)
                status = app.main(arguments)
            except SystemExit as end:
                status = end.code
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        out.seek(0)
        err.seek(0)
        print(json.dumps([status, out.read(), err.read()]), flush=True)
"""
Terminal = Callable[..., Said]


@pytest.fixture(scope="module")
def balie() -> Iterator[Terminal]:
    """As from a terminal, of somebody who lets others read: each command in a process of its own, of a
    program that is loaded once."""
    program = subprocess.Popen(
        [sys.executable, "-c", TERMINAL],
        cwd=ROOT,
        env=foreign(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        umask=0o022,
    )
    assert program.stdin
    assert program.stdout
    asked, said = program.stdin, program.stdout

    def run(*arguments: str | Path, **environment: str) -> Said:
        asked.write(json.dumps([[str(each) for each in arguments], environment]) + "\n")
        asked.flush()
        return Said(*json.loads(said.readline()))

    yield run
    with program:
        asked.close()
    assert program.returncode == 0


def one_line(said: Said, status: int, *words: str) -> None:
    assert said.status == status, said
    assert said.err.startswith("balie: "), said.err
    assert said.err.count("\n") == 1, said.err
    assert said.out == ""
    for each in words:
        assert each in said.err


@pytest.fixture
async def open_desk(example_database: str, clock: Clock, tmp_path: Path) -> AsyncIterator[Served]:
    async with served(example_database, tmp_path, clock, widget="voorbeeld") as running:
        yield running


def test_what_keeps_a_desk_from_being_served_is_said_in_one_line(balie: Terminal, tmp_path: Path) -> None:
    file, newer, shut = tmp_path / "file", tmp_path / "newer", tmp_path / "shut"
    file.write_text("this is no database, however long one reads in it: it is a text, and was so all along")
    newer.mkdir()
    with closing(sqlite3.connect(newer / "balie.sqlite3")) as made, made:
        made.execute("CREATE TABLE migration (name TEXT PRIMARY KEY, applied_at TEXT)")
        made.execute("INSERT INTO migration VALUES ('9999_later', '2026-01-01')")
    nobody = f"127.0.0.1:{free_port()}"
    away = {"BALIE_DATABASE_URL": f"postgresql://balie:geheim@{nobody}/desk"}
    one_line(balie("serve", "--data", shut, **away), 1, f"database desk at {nobody}: ")
    one_line(balie("export", "--all", tmp_path / "x.zip", **away), 1, f"database desk at {nobody}: ")
    text = {"BALIE_DATABASE_URL": f"sqlite:///{file}"}
    one_line(balie("serve", "--data", shut, **text), 1, f"database {file}: file is not a database")
    one_line(balie("serve", "--data", newer), 2, "made by a newer Balie: 9999_later")
    one_line(balie("serve", "--data", file), 1, f"cannot use {file}: ")
    one_line(balie("serve", "--data", file / "below"), 1, f"cannot use {file}/below: Not a directory")
    one_line(balie("serve", "--data", "/proc/balie"), 1, "cannot use /proc/balie: ")
    one_line(balie("serve", "--port", "99999"), 2, "BALIE_PORT = '99999': not a port number")
    one_line(balie("serve", "--port=-1"), 2, "BALIE_PORT = '-1': not a port number")


def test_a_command_that_reads_makes_no_desk_where_there_is_none(balie: Terminal, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    for command in (["verify"], ["verify-audit"], ["backup", tmp_path], ["export", "--all", tmp_path / "x"]):
        one_line(balie(*command, "--data", nowhere), 1, f"no desk in {nowhere}/balie.sqlite3: is it")
    assert not nowhere.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_desk_is_served_by_one_process_and_nobody_else_reads_what_it_keeps(
    open_desk: Served, balie: Terminal, example_database: str, tmp_path: Path
) -> None:
    file, data = example_database.removeprefix("sqlite:///"), tmp_path / "data"
    same = {"BALIE_DATABASE_URL": example_database}
    for command in (
        ["serve", "--port", str(free_port())],
        ["demo"],
        ["import", "x.zip"],
        ["restore", "x.zip"],
    ):
        said = balie(*command, "--data", data, **same)
        one_line(said, 1, f"another process serves the desk in {file}, or fills it")
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    archive = data / "x.zip"
    backed_up = balie("backup", archive, "--data", data, **same)
    assert (backed_up.status, f"from {file}, to {archive}" in backed_up.out) == (0, True), backed_up
    verified = balie("verify", "--data", data, **same)
    assert (verified.status, f"the desk in {file} is in order" in verified.out) == (0, True), verified
    said = balie("backup", archive, "--data", data, **same)
    one_line(said, 1, "is there already: name another file\n")

    open_desk.process.kill()
    await open_desk.process.wait()
    said = balie("import", archive, "--data", data, **same)
    one_line(said, 1, "That is for `balie restore`")
    new = data / "new"
    assert balie("restore", archive, "--data", new).status == 0
    assert [each for each in (new, *new.rglob("*")) if stat.S_IMODE(each.stat().st_mode) & 0o077] == []


@pytest.mark.usefixtures("cheap_passwords")
@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_demo_opens_no_real_desk_and_the_example_desk_is_not_taken_for_one(
    connected: str, balie: Terminal, tmp_path: Path
) -> None:
    await example_desk.load("the same")
    assert "THIS IS THE EXAMPLE DESK" in "".join(await first_admin.say_what_is_known(""))
    await Widget.delete().where(Widget.key == example_desk.WIDGET)
    assert await first_admin.say_what_is_known("") == []
    said = balie("demo", "--data", tmp_path, BALIE_DATABASE_URL=connected)
    one_line(said, 2, f"the desk in {connected.removeprefix('sqlite:///')} is no example")


def test_what_nobody_would_see_otherwise_is_in_the_log(balie: Terminal, tmp_path: Path) -> None:
    strange = {"BALIE_TRUSTED_PROXY": "10.0.0.1", "BALIE_NOW": "2026-01-07T10:00:00Z", "BALIE_VENV": "x"}
    (tmp_path / "balie.sqlite3").write_text("this is no database, so that nobody is served: " * 10)
    said = balie("serve", "--data", tmp_path, **strange).err
    assert "BALIE_TRUSTED_PROXY is no setting of Balie" in said
    assert "BALIE_NOW says so" in said
    assert said.count("warning") == 2


def test_it_says_which_one_it_is(balie: Terminal) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert balie("--version").out == f"Balie {version}, tables up to {migrated()[-1]}\n"
