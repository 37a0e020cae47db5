"""Colours: those that a widget may have as its own, and whether they can be read.

Each has two shades: one for light pages, with white on it, and one for dark pages, with near-black on it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

Shades = Mapping[str, Sequence[str]]

SCHEMES = ("light", "dark")
STANDARD = {"green": ("#1a7f3c", "#4cc26f"), "blue": ("#0b5cad", "#6db3f8")}
GROUNDS = (("#ffffff", "#f4f6f9"), ("#131a22", "#1b2530"))  # what stands on them or under them, by scheme
LEAST = 4.5  # WCAG 1.4.3
HEX = re.compile("#[0-9a-f]{6}")


def ratio(one: str, other: str) -> float:
    """As WCAG measures it: 1 is the same, 21 black on white."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    red, green, blue = (linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear(part: float) -> float:
    return float(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)


def in_hex(rgb: Iterable[int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in rgb)


def weakest(colour: str, scheme: str) -> float:
    """The lowest contrast in which it is used in this scheme."""
    return min(ratio(colour, ground) for ground in GROUNDS[SCHEMES.index(scheme)])


def of_button(own: Shades) -> str:
    """What the button's element is styled with; "" leaves the standard."""
    return ";".join(f"--{name}:light-dark({light},{dark})" for name, (light, dark) in own.items())


def of_window(own: Shades) -> str:
    """Whatever the house style of the desk says of the same: a widget's own colours come before it."""
    if not own:
        return ""
    blue = "light-dark({}, {})".format(*own["blue"])
    roles = {"available": own["green"], "accent": own["blue"], "unavailable": own["blue"]}
    lines = [f"--balie-{role}: light-dark({light}, {dark});" for role, (light, dark) in roles.items()]
    lines += [
        f"--balie-{role}-strong: light-dark(color-mix(in srgb, {light} 75%, #000000),"
        f" color-mix(in srgb, {dark} 75%, #ffffff));"
        for role, (light, dark) in roles.items()
    ]
    lines += [f"--balie-{role}-paper: var(--balie-surface);" for role in ("available", "accent")]
    lines += [f"--balie-on-{role}: light-dark(#ffffff, #0b1a2a);" for role in ("accent", "unavailable")]
    lines += [f"--balie-{role}: {blue};" for role in ("link", "focus")]
    lines += ["--balie-link-strong: var(--balie-accent-strong);"]
    return "@layer tokens {\n  :root {\n    " + "\n    ".join(lines) + "\n  }\n}\n"
