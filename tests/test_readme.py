"""The README is true."""

import re
from pathlib import Path

from db.settings import settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SCRIPTS = "".join((ROOT / "bin" / name).read_text() for name in ("balie", "test"))
STORIES = (ROOT / "tests" / "stories" / "conftest.py").read_text()


def test_every_setting_has_its_line_with_its_default() -> None:
    rows = re.findall(r"^\| `(BALIE_\w+)` \| (.+?) \| (.+) \|$", README, re.MULTILINE)
    told = [(name, default.strip("`"), about) for name, default, about in rows]
    assert told == settings.documented()


def test_no_other_variable_is_promised() -> None:
    known = {name for name, _default, _about in settings.documented()}
    for variable in set(re.findall(r"BALIE_[A-Z_]+", README)) - known:
        assert variable in SCRIPTS + STORIES


def test_every_file_it_names_is_there() -> None:
    for path in re.findall(r"(?:bin|tests|requirements|features|layouts|db|static)/[\w./]*", README):
        assert (ROOT / path).exists(), path


def test_it_starts_with_how_to_start() -> None:
    first_screen = README.splitlines()[:20]
    assert "bin/balie demo" in first_screen
