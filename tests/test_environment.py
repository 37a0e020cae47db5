"""bin/balie makes its own environment: once, and again when the lock file changes."""

import ast
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTHING = "# no packages\n"
START = (
    "import sys; sys.path.insert(0, {bin!r}); import environment; "
    "print(environment.python_of({venv!r}, {lock!r}, 'the test needs'))"
)


def start(venv: Path, lock: Path) -> subprocess.Popen[str]:
    code = START.format(bin=str(ROOT / "bin"), venv=str(venv), lock=str(lock))
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "lock.txt"
    file.write_text(NOTHING)
    return file


def test_two_that_start_at_once_make_it_once_and_a_third_not_at_all(tmp_path: Path, lock: Path) -> None:
    both = [start(tmp_path / "venv", lock) for _ in range(2)]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("Installing" in errors for _output, errors in said) == 1, said
    assert said[0][0] == said[1][0]
    assert Path(said[0][0].strip()).exists()

    _output, errors = start(tmp_path / "venv", lock).communicate()
    assert errors == ""

    lock.write_text(NOTHING + "# changed\n")
    _output, errors = start(tmp_path / "venv", lock).communicate()
    assert "Installing" in errors


def test_a_package_without_the_right_hash_is_refused_and_asked_for_again(tmp_path: Path, lock: Path) -> None:
    package = tmp_path / "nothing-1.0.tar.gz"
    package.write_bytes(b"not what it was")
    lock.write_text(
        f"nothing @ {package.as_uri()} --hash=sha256:{hashlib.sha256(b'what it was').hexdigest()}\n"
    )
    for _again in range(2):
        process = start(tmp_path / "venv", lock)
        output, errors = process.communicate()
        assert process.returncode == 1
        assert output == ""
        assert "DO NOT MATCH" in errors
        assert "could not be installed" in errors


@pytest.mark.parametrize("script", ["balie", "test", "environment.py"])
def test_an_old_python_can_read_it_well_enough_to_be_refused(script: str) -> None:
    source = (ROOT / "bin" / script).read_text()
    ast.parse(source, feature_version=(3, 6))
