"""The templates inside feature modules are as tidy as the files in layouts/: djlint looks at them too."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parsing import parsed

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "features").glob("*.py"))


def test_djlint_finds_nothing_in_the_templates_of_features(tmp_path: Path) -> None:
    for module in MODULES:
        for source in inline_templates(module.read_text()):
            (tmp_path / f"{module.name}.html").write_text(source)
    assert list(tmp_path.iterdir()), "some feature has a template"
    said = djlint(tmp_path)
    assert not findings(said), said


def test_djlint_would_find_something(tmp_path: Path) -> None:
    """Premise of the test above."""
    module = 'ui = template("""\n{% macro a() %}\n<div class="b" class="c"></div>\n{% endmacro %}\n""")'
    (tmp_path / "a.py.html").write_text(next(inline_templates(module)))
    said = djlint(tmp_path)
    assert re.search(r"^H\d+ 3:", said, re.MULTILINE), said


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_templates_of_features_are_macros_only(module: Path) -> None:
    for source in inline_templates(module.read_text()):
        outside = re.sub(r"{% macro .*?{% endmacro %}|{%.*?%}|{#.*?#}", "", source, flags=re.DOTALL)
        assert not outside.strip()


def inline_templates(module: str) -> Iterator[str]:
    for node in ast.walk(parsed(module)):
        match node:
            case ast.Call(func=ast.Name("template"), args=[ast.Constant(str(source))]):
                # Padded, so that what is found names the line of the module.
                yield "{#" + "\n" * (node.lineno - 1) + "#}" + source


def djlint(directory: Path) -> str:
    command = [sys.executable, "-m", "djlint", str(directory), "--lint", "--quiet"]
    command += ["--configuration", str(ROOT / "pyproject.toml")]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def findings(said: str) -> list[str]:
    return re.findall(r"^[A-Z]\d+ \d+:.*", said, re.MULTILINE)
