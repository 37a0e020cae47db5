"""What everybody keeps to, held by tests: order of features, guards, sizes, templates."""

import ast
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import app
import features
from db.settings import settings
from features import access, embed
from tests.parsing import parsed

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for room in ("db", "features", "layouts") for path in (ROOT / room).rglob("*.py"))
FEATURES = [path for path in MODULES if path.parent.name == "features" and path.stem != "__init__"]
SHELL = re.compile(r'document\(.*?\[(".*?")\]', re.DOTALL)
MOST_LINES = 600
EMBED_BYTES = 4_096
WINDOW_BYTES = 30_720


# ---- features --------------------------------------------------------------------------------------------


def test_every_feature_is_in_the_list() -> None:
    listed = {module.__name__.removeprefix("features.") for module in features.ALL}
    with_routes = {path.stem for path in FEATURES if re.search(r"^routes\b", path.read_text(), re.MULTILINE)}
    assert with_routes <= listed


def test_a_feature_imports_only_from_those_before_it() -> None:
    order = [module.__name__.removeprefix("features.") for module in features.ALL]
    for path in FEATURES:
        if path.stem in order:
            for other in imported(path) & set(order):
                assert order.index(other) < order.index(path.stem), f"{path.stem} imports {other}"


def test_no_features_import_each_other() -> None:
    """Also those that are not in the list, being parts of others."""
    needs = {path.stem: imported(path) for path in FEATURES}
    while free := [name for name, others in needs.items() if not others & needs.keys()]:
        for name in free:
            del needs[name]
    assert not needs


def imported(path: Path) -> set[str]:
    """The features that a module imports when it is loaded."""
    found = set()
    for node in parsed(path.read_text()).body:
        match node:
            case ast.ImportFrom(module="features"):
                found |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module)) if module.startswith("features."):
                found.add(module.split(".")[1])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_is_longer_than_a_room(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_there_are_no_layers() -> None:
    for name in ("services", "schemas", "utils.py", "common.py"):
        assert not list(ROOT.glob(f"[!.]*/{name}"))


# ---- routes ----------------------------------------------------------------------------------------------


def test_every_route_names_its_guard() -> None:
    unguarded = [f"{method} {path}" for method, path, guards in routes() if not guards]
    assert not unguarded


def test_guards_are_named() -> None:
    """By what they ask for, so that the list of routes can be read."""
    known = {
        "public",
        "visitor",
        "signed_in",
        "monitor",
        *(f"may_{permission}" for permission in access.PERMISSIONS),
    }
    named = {guard.__name__ for _method, _path, guards in routes() for guard in guards}
    assert named, "there are routes"
    assert {
        f"may_{part}" if at else part for name in named for at, part in enumerate(name.split("_or_"))
    } <= known


def routes() -> list[tuple[str, str, list[Any]]]:
    settings.load({}, demo=True)
    try:
        made = app.create_app()
    finally:
        settings.load({})
    found = []
    for route in made.routes:
        for handler in getattr(route, "route_handlers", None) or [route.route_handler]:  # type: ignore[union-attr]
            methods = sorted(getattr(handler, "http_methods", {"ASGI"}) - {"OPTIONS"})
            found += [(method, route.path, list(handler.resolve_guards())) for method in methods]
    return found


# ---- templates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*FEATURES, *(ROOT / "layouts").glob("*.html")], ids=lambda path: path.name)
def test_templates_trust_nothing_and_bring_no_code(path: Path) -> None:
    for source in templates(path):
        assert not re.search(r"\|\s*safe\b", source), "everything is escaped"
        assert not re.search(r"<script(?![^>]*\ssrc=)", source), "no inline script: the policy forbids it"
        assert not re.search(r"""<[^>]*\s(style|on\w+|hx-on[\w:]*)\s*=""", source), (
            "nor inline styles and handlers"
        )
        assert not re.search(r"\bjs:|javascript:", source), "nor code in attributes"
        assert not re.search(r"""hx-trigger=["'][^"']*\[""", source), "nor filters, which need eval"


def templates(path: Path) -> Iterator[str]:
    if path.suffix == ".html":
        yield re.sub(r"{#.*?#}", "", path.read_text(), flags=re.DOTALL)
        return
    for node in ast.walk(parsed(path.read_text())):
        match node:
            case ast.Call(func=ast.Name("template"), args=[ast.Constant(str(source))]):
                yield source


# ---- what is sent to the browser -------------------------------------------------------------------------


def test_the_script_for_host_pages_is_small() -> None:
    assert len(embed.ZIPPED) <= EMBED_BYTES


def test_the_scripts_of_the_window_are_small() -> None:
    shell = SHELL.search((ROOT / "features" / "chat.py").read_text())
    assert shell, "the window says which scripts it loads"
    scripts = re.findall(r'"([\w.-]+\.js)"', shell[1])
    assert "htmx.min.js" in scripts
    assert sum(zipped(name) for name in scripts) <= WINDOW_BYTES


@pytest.mark.parametrize("feature", ["chat", "console"])
def test_no_script_of_a_page_takes_another_ones_name(feature: str) -> None:
    """They share one room: the later one would quietly stand in for the earlier one."""
    shell = SHELL.search((ROOT / "features" / f"{feature}.py").read_text())
    assert shell
    whose: dict[str, str] = {}
    for script in re.findall(r'"([\w.-]+\.js)"', shell[1]):
        if ".min." in script:
            continue
        source = (ROOT / "static" / script).read_text()
        for name in re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", source, re.MULTILINE):
            assert name not in whose, f"{name} of {whose[name]} is taken by {script}"
            whose[name] = script
    assert whose


def zipped(name: str) -> int:
    return len(gzip.compress((ROOT / "static" / name).read_bytes()))
