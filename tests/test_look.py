"""The look: colours that can be read, tokens instead of literals, icons that exist, a small stylesheet."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import nodes

from features import themes
from layouts import env, inline, problems
from tests.test_templates import MODULES, inline_templates

ROOT = Path(__file__).parents[1]
SHEETS = [ROOT / "static" / name for name in ("app.css", "console.css", "settings.css")]
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
CSS = COMMENT.sub("", "".join(sheet.read_text() for sheet in SHEETS))
CONTRAST = COMMENT.sub("", (ROOT / "static" / "contrast.css").read_text())
SPRITE = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static" / "icons.svg").read_text()))
CSS_BYTES = 12_288
LONGEST_MOTION_MS = 150

# What may be written on what: text wants 4.5 : 1, a shape that means something 3 : 1 (WCAG 1.4.3, 1.4.11).
GROUNDS = ("paper", "surface", "hover", "raised")
TEXT = [
    *((ink, ground) for ink in ("ink", "ink-soft", "link", "link-strong", "lost") for ground in GROUNDS),
    *(
        (f"on-{role}", f"{role}{strong}")
        for role in ("accent", "available", "lost", "private")
        for strong in ("", "-strong")
    ),
    ("on-unavailable", "unavailable"),
    *(
        (ink, f"{role}-paper")
        for role in ("accent", "available", "lost", "private", "warning")
        for ink in ("ink", role)
    ),
    ("ink-soft", "accent-paper"),
    ("lost", "accent-paper"),
    ("warning", "paper"),
    ("warning", "surface"),
    ("warning", "hover"),
    ("private", "paper"),
]
SHAPES = [
    *(
        (shape, ground)
        for shape in ("accent", "focus", "available", "unavailable", "idle", "lost", "edge")
        for ground in GROUNDS
    ),
    ("warning", "hover"),
    ("idle", "warning-paper"),
    ("private", "private-paper"),
    ("warning", "warning-paper"),
]


# ---- colours ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(scheme: str) -> None:
    too_weak = {pair: contrast(*pair, scheme) for pair in TEXT if contrast(*pair, scheme) < 4.5}
    assert not too_weak


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_shape_can_be_seen(scheme: str) -> None:
    too_weak = {pair: contrast(*pair, scheme) for pair in SHAPES if contrast(*pair, scheme) < 3}
    assert not too_weak


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_high_contrast_is_high(scheme: str) -> None:
    """Text 7 : 1 (WCAG 1.4.6); shapes, lines and the outline of what else only a ground sets off 4.5 : 1."""
    lines = [(line, ground) for line in ("line", "edge", "outline") for ground in GROUNDS]
    for pairs, least in ((TEXT, 7.0), (SHAPES + lines, 4.5)):
        found = {pair: contrast(*pair, scheme, CONTRAST) for pair in pairs}
        assert not {pair: ratio for pair, ratio in found.items() if ratio < least}


def test_high_contrast_is_a_theme_it_sets_colours_and_all_of_them() -> None:
    assert re.findall(r"@layer (\w+)", CONTRAST) == ["tokens"]
    assert re.findall(r"([^{}]+)\{[^{}]*\}", CONTRAST.partition("{")[2]) == ["\n  :root:root "]
    assert colours_in(CONTRAST) == colours_in(CSS) - {"backdrop", "shade"} | {"outline"}


def test_a_house_style_stands_on_the_grounds_that_there_are() -> None:
    """What it is judged on, and what it leaves, is written in the stylesheet."""
    for at, scheme in enumerate(("light", "dark")):
        assert set(themes.GROUNDS[scheme]) == {token(ground, scheme) for ground in GROUNDS}
        assert {role: shades[at] for role, shades in themes.OWN.items()} == {
            role: token(role, scheme) for role in themes.OWN
        }
        assert themes.SOFT[scheme] == token("ink-soft", scheme)


def test_contrast_is_measured_as_wcag_does() -> None:
    assert ratio("#ffffff", "#000000") == pytest.approx(21)
    assert ratio("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_colours_are_written_among_the_tokens_only() -> None:
    for layer, body in layers():
        if layer != "tokens":
            assert not [each for each in declarations(body) if is_literal_colour(each[1])]


def test_a_literal_colour_would_be_found() -> None:
    """Premise of the test above."""
    for value in ("1px solid #d8dee6", "rgb(0 0 0 / 50%)", "white", "linear-gradient(red, transparent)"):
        assert is_literal_colour(value)
    for value in ("var(--balie-ink)", "currentcolor", "1px solid transparent", "Highlight"):
        assert not is_literal_colour(value)


def test_every_token_that_is_used_exists() -> None:
    used = set(re.findall(r"var\(--(balie-[\w-]+)", CSS))
    assert used <= set(re.findall(r"--(balie-[\w-]+):", CSS))


# ---- the stylesheet --------------------------------------------------------------------------------------


def test_the_stylesheet_reads_in_both_directions() -> None:
    """Logical properties only: a right-to-left language needs no stylesheet of its own."""
    physical = re.compile(
        r"^(margin|padding|border|inset)-(left|right|top|bottom)|^(left|right|top|bottom)$|^(min-|max-)?(width|height)$"
    )
    for _, body in layers():
        for name, value in declarations(body):
            assert not physical.search(name), f"{name}: {value}"
            assert not (name in ("text-align", "float", "clear") and value in ("left", "right")), (
                f"{name}: {value}"
            )


def test_motion_is_short_and_can_be_switched_off() -> None:
    motion = re.search(r"--balie-motion: (\d+)ms", CSS)
    assert motion
    assert int(motion[1]) <= LONGEST_MOTION_MS
    assert re.search(r"prefers-reduced-motion: reduce\) \{\s*:root \{ --balie-motion: 0s", CSS)


def test_messages_are_never_small() -> None:
    assert re.search(r"--balie-text: 0\.9375rem", CSS)  # 15 px, and more for who asked the browser for more
    for selector, body in re.findall(r"([^{}]*)\{([^{}]*)\}", CSS):
        if re.search(r"\.bubble\s*$|textarea\s*$", selector):
            assert "font-size" not in body, selector


def test_the_stylesheets_that_visitors_load_stay_small() -> None:
    """High contrast is one of them: browsers fetch it for all."""
    sheets = [(ROOT / "static" / name).read_bytes() for name in ("app.css", "contrast.css")]
    assert sum(len(gzip.compress(sheet, 9)) for sheet in sheets) <= CSS_BYTES


# ---- templates -------------------------------------------------------------------------------------------


def test_every_icon_is_in_the_sprite() -> None:
    used = {icon for source in templates() for icon in icons_of(source)}
    assert len(used) > 10, "icons are found at all"
    assert used <= SPRITE, used - SPRITE


def test_an_unknown_icon_would_be_found() -> None:
    """Premise of the test above."""
    source = '{{ icon("a") }}{{ icon_button("b", "") }}{{ button("", "quiet", "c" if 1 else "d") }}'
    source += '{{ button("", icon="e") }}'
    assert set(icons_of(source)) == {"a", "b", "c", "d", "e"}


def test_no_template_carries_a_style() -> None:
    for source in templates():
        assert not re.search(r"<style|\sstyle=", source)


# ---- how the stylesheet is read --------------------------------------------------------------------------


def layers() -> Iterator[tuple[str, str]]:
    """Each layer's name and what is in it."""
    for opening in re.finditer(r"^@layer (\w+) \{", CSS, re.MULTILINE):
        yield opening[1], CSS[opening.end() : CSS.index("\n}", opening.end())]


def declarations(body: str) -> Iterator[tuple[str, str]]:
    for block in re.findall(r"\{([^{}]*)\}", body):
        for declaration in block.split(";"):
            name, colon, value = declaration.partition(":")
            if colon:
                yield name.strip(), value.strip()


def is_literal_colour(value: str) -> bool:
    named = r"white|black|red|green|blue|gr[ae]y|silver|orange|yellow|purple|navy|teal|maroon"
    return bool(
        re.search(
            rf"#[0-9a-f]{{3,8}}\b|\b(rgba?|hsla?|oklch|lab|lch)\(|(?<![\w-])({named})(?![\w-])", value, re.I
        )
    )


def contrast(one: str, other: str, scheme: str, sheet: str = CSS) -> float:
    return ratio(token(one, scheme, sheet), token(other, scheme, sheet))


def token(name: str, scheme: str, sheet: str = CSS) -> str:
    same = re.search(rf"--balie-{name}: var\(--balie-([\w-]+)\)", sheet)
    if same:
        return token(same[1], scheme, sheet)
    both = re.search(rf"--balie-{name}: light-dark\((#\w{{6}}), (#\w{{6}})\)", sheet)
    assert both, f"--balie-{name} has a colour for light and one for dark"
    return both[1] if scheme == "light" else both[2]


def colours_in(sheet: str) -> set[str]:
    """Tokens that are colours."""
    return set(re.findall(r"--balie-([\w-]+): (?:light-dark|var)\(", sheet))


def ratio(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# ---- how templates are read ------------------------------------------------------------------------------

# Which argument of a macro names an icon.
ICON_AT = {"icon": 0, "icon_": 0, "icon_button": 0, "button": 2, "empty": 2, "sound": 1}


def templates() -> Iterator[str]:
    for module in MODULES:
        yield from inline_templates(module.read_text())
    for layout in (ROOT / "layouts").glob("*.html"):
        yield layout.read_text()
    yield inline[problems.ui.name][0]


def icons_of(source: str) -> Iterator[str]:
    tree = env.parse(source)
    for call in tree.find_all(nodes.Call):
        name = call.node.name if isinstance(call.node, nodes.Name) else getattr(call.node, "attr", "")
        place = ICON_AT.get(name)
        if place is None:
            continue
        said = [*call.args[place : place + 1], *(each.value for each in call.kwargs if each.key == "icon")]
        for argument in said:
            yield from words_of(argument)
    for each in tree.find_all(nodes.Assign):  # a table of icons, as notice() has
        if isinstance(each.target, nodes.Name) and each.target.name == "signs":
            yield from (str(pair.value.as_const()) for pair in each.find_all(nodes.Pair))


def words_of(node: nodes.Node) -> Iterator[str]:
    match node:
        case nodes.Const(value=str(word)):
            yield word
        case nodes.CondExpr():
            yield from words_of(node.expr1)
            if node.expr2:
                yield from words_of(node.expr2)
