"""deploy/: what is said there of Balie is so."""

import ast
import re
from pathlib import Path

import pytest

import app
from db.settings import settings
from tests.parsing import parsed

ROOT = Path(__file__).parents[1]
DEPLOY = sorted(path for path in (ROOT / "deploy").iterdir())
CONTAINER = (ROOT / "deploy" / "Containerfile").read_text()
IGNORED = (ROOT / "deploy" / "Containerfile.dockerignore").read_text().splitlines()
UNITS = [path for path in DEPLOY if path.suffix == ".service"]
# Of the compose file and of Caddy; and the workers, which are said on the command line too.
OTHERS = {"BALIE_DOMAIN", "BALIE_UPSTREAM", "BALIE_WORKERS"}


@pytest.mark.parametrize("path", DEPLOY, ids=lambda path: path.name)
def test_every_setting_that_is_named_is_one(path: Path) -> None:
    known = {name for name, _default, _about in settings.documented()}
    assert set(re.findall(r"\bBALIE_[A-Z_]+", path.read_text())) <= known | OTHERS


@pytest.mark.parametrize("path", DEPLOY, ids=lambda path: path.name)
def test_every_command_that_is_named_is_one(path: Path) -> None:
    known = set(re.findall(r"^    (\w[\w-]*)  ", app.parser().format_help(), re.MULTILINE)) | {
        "serve",
        "demo",
    }
    assert {"backup", "verify"} <= known
    assert set(re.findall(r"(?:bin/balie|app\.py) (\w[\w-]*)", path.read_text())) <= known


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_may_write_to_its_own_directory_only(path: Path) -> None:
    said = set(path.read_text().splitlines())
    assert {"User=balie", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet="} <= said
    assert {"StateDirectory=balie", "StateDirectoryMode=0700", "UMask=0077"} <= said


def test_the_container_holds_all_that_is_imported_and_nothing_else() -> None:
    """Rooms of the house that it imports, and what they read."""
    copied = set(re.findall(r"^COPY (?!--from)(\S+)", CONTAINER, re.MULTILINE))
    assert copied == {"requirements/run.txt", "*.py", "db", "features", "layouts", "static"}
    assert {f"!{each}" for each in copied} == {line for line in IGNORED if line.startswith("!")}
    assert IGNORED[0] == "*"
    imported = set()
    for path in [
        *ROOT.glob("*.py"),
        *(each for room in ("db", "features", "layouts") for each in (ROOT / room).rglob("*.py")),
    ]:
        for node in ast.walk(parsed(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    ours = {path.stem for path in ROOT.glob("*.py")} | {
        path.parent.name for path in ROOT.glob("*/__init__.py")
    }
    assert imported & ours <= {path.stem for path in ROOT.glob("*.py")} | copied


def test_the_container_has_no_rights_and_takes_only_packages_with_their_hashes() -> None:
    assert re.search(r"^USER 10001:10001$", CONTAINER, re.MULTILINE)
    assert "--require-hashes" in CONTAINER
    assert "/health/live" in CONTAINER


def test_both_fronts_keep_the_metrics_inside_however_they_are_asked_for() -> None:
    nginx, caddy = (said_in(name) for name in ("nginx.conf", "Caddyfile"))
    (kept,) = re.findall(r"location ~ (\S*metrics\S*) \{\s+return 404;", nginx)
    asked = ("/metrics", "/metrics/", "//metrics", "/metrics/x")
    assert [bool(re.search(kept, path)) for path in (*asked, "/metricsx")] == [True] * 4 + [False]
    assert "@inside path /metrics /metrics/*\n" in caddy
    assert all("max-age=31536000" in front for front in (nginx, caddy))


def test_caddy_lets_go_of_the_streams_of_pages_that_have_gone() -> None:
    """With `flush_interval -1` it would not: seen with 2.6."""
    assert "flush_interval" not in said_in("Caddyfile")


def test_the_container_gets_every_setting_that_stands_in_its_env_file() -> None:
    assert "\n    env_file: .env\n" in said_in("compose.yaml")


def said_in(name: str) -> str:
    """But for comments."""
    return re.sub(r"(?m)^\s*#.*$", "", (ROOT / "deploy" / name).read_text())
