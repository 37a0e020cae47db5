"""Theme files: what is read of a stylesheet of the NL Design System.

A few custom properties, for the page as a whole: each with a plain value, which is written anew. Selectors,
rules, addresses, functions and whatever else stands in the file are left there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tinycss2
from tinycss2 import ast, color4

import layouts
from features import colours
from layouts import _

MOST_BYTES = 512 * 1024
MOST_STEPS = 20  # from one property to the next that it refers to
MOST_FONTS = 8
ROOT = re.compile(r":root|:host|html|body|\.[\w-]+")  # where properties of a whole theme stand
NAME = re.compile(r"--[\w-]+")
FONT = re.compile(r"[\w .+-]{1,60}")
GENERIC = ("sans-serif", "serif", "monospace", "system-ui", "ui-sans-serif", "ui-serif")

# Role: what a property that gives it ends on, best first. Any prefix will do; these go before others.
PREFIXES = ("utrecht", "nl")
BUTTONS = ("button-primary-action", "button-primary", "button")
ENDINGS: dict[str, tuple[str, ...]] = {
    "accent": tuple(f"{each}-background-color" for each in BUTTONS),
    "on-accent": tuple(f"{each}-color" for each in BUTTONS),
    "accent-strong": tuple(f"{each}-hover-background-color" for each in BUTTONS),
    "link": ("link-color",),
    "link-strong": ("link-hover-color",),
    "focus": ("focus-outline-color", "focus-border-color"),
    "ink": ("document-color",),
    "edge": ("form-control-border-color", "textbox-border-color"),
    "font": ("document-font-family",),
    "radius": ("button-border-radius", "form-control-border-radius"),
}
Properties = Mapping[str, str]  # as the house style names them: {"--utrecht-link-color": "#24578f"}


class Unusable(Exception):
    """Nothing of it can be used; the reason is in the person's language."""


def read(text: str) -> dict[str, str]:
    """The properties that we know, each with a plain value. Whatever else is in it is left there."""
    if len(text.encode()) > MOST_BYTES:
        raise Unusable(
            _("This is larger than a theme file: at most %(size)s.") % {"size": layouts.file_size(MOST_BYTES)}
        )
    declared, refers = declarations(text)
    known = {}
    for role in ENDINGS:
        for name, value in found(role, declared):
            if plain := PLAIN.get(role, colour_in)(resolved(value, declared)):
                known[name] = plain
                break
    if not known:
        raise Unusable(nothing_in(refers, bool(declared)))
    return known


def nothing_in(refers: bool, declared: bool) -> str:
    if refers and not declared:
        return _("This file only refers to others with @import: choose the one that holds the properties.")
    return _(
        "No property that Balie knows is in it, such as --utrecht-button-primary-action-background-color."
    )


def found(role: str, among: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(name, value) of those that give this role, best first."""
    ends = {ending: at for at, ending in enumerate(ENDINGS[role])}
    fitting = []
    for name, value in among.items():
        prefix, _dash, ending = name.removeprefix("--").partition("-")
        if ending in ends:
            place = PREFIXES.index(prefix) if prefix in PREFIXES else len(PREFIXES)
            fitting.append((ends[ending], place, name, value))
    for _ending, _place, name, value in sorted(fitting, key=lambda each: each[:3]):
        yield name, value


Tokens = list[ast.Node]


def declarations(text: str) -> tuple[dict[str, Tokens], bool]:
    """Custom properties of the page as a whole, the last of a name; and whether there are imports. Without
    rules: a bare list of them."""
    declared: dict[str, Tokens] = {}
    rules = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
    refers = any(rule.type == "at-rule" and rule.lower_at_keyword == "import" for rule in rules)
    blocks = [rule.content for rule in rules if rule.type == "qualified-rule" and of_all(rule.prelude)]
    if "{" not in text:
        blocks = [tinycss2.parse_component_value_list(text)]
    for block in blocks:
        for each in tinycss2.parse_declaration_list(block, skip_comments=True, skip_whitespace=True):
            if each.type == "declaration" and NAME.fullmatch(each.name):
                declared[each.name] = each.value
    return declared, refers


def of_all(selector: Tokens) -> bool:
    return all(ROOT.fullmatch(each.strip()) for each in tinycss2.serialize(selector).split(","))


def resolved(value: Tokens, declared: Mapping[str, Tokens]) -> Tokens:
    """What it refers to, if it is one reference and no more; [] where that leads nowhere."""
    for _step in range(MOST_STEPS):
        value = without_space(value)
        if len(value) != 1 or value[0].type != "function" or value[0].lower_name != "var":
            return value
        said = without_space(value[0].arguments)
        name = said[0].value if said and said[0].type == "ident" else ""
        value = declared.get(name, said[2:])
    return []


def without_space(tokens: Tokens) -> Tokens:
    return [token for token in tokens if token.type not in ("whitespace", "comment")]


def colour_in(value: Tokens) -> str:
    """#rrggbb; "" for what is no colour, or lets through what is behind it."""
    if len(value) != 1:
        return ""
    colour = color4.parse_color(value[0])
    if colour is None or colour == "currentcolor" or colour.alpha < 1:
        return ""
    try:
        red, green, blue = colour.to("srgb").coordinates
    except NotImplementedError:
        return ""
    return colours.in_hex(round(min(max(part, 0), 1) * 255) for part in (red, green, blue))


def fonts_in(value: Tokens) -> str:
    """Names of families, quoted."""
    families: list[str] = [""]
    for token in value:
        if token.type == "literal" and token.value == ",":
            families.append("")
        elif token.type in ("ident", "string"):
            families[-1] = f"{families[-1]} {token.value}".strip()
        else:
            return ""
    if not all(FONT.fullmatch(each) for each in families):
        return ""
    return ", ".join(each if each in GENERIC else f'"{each}"' for each in families[:MOST_FONTS])


def radius_in(value: Tokens) -> str:
    if len(value) != 1:
        return ""
    token = value[0]
    if token.type == "number" and token.value == 0:
        return "0px"
    if token.type == "dimension" and token.lower_unit in ("px", "rem") and token.value >= 0:
        return f"{token.value * (16 if token.lower_unit == 'rem' else 1):g}px"
    return ""


PLAIN: dict[str, Callable[[Tokens], str]] = {"font": fonts_in, "radius": radius_in}
