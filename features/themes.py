"""Themes: what a house style of the NL Design System says, and the tokens of ours that it becomes.

GET /theme.css

Of a theme file only a few custom properties are taken: colours, the fonts, the radius of corners. Each is
read and written anew, so that nothing of the file itself is ever served. Such themes are made for light
pages; their dark shades are found here. What would be too weak to read is not used, and who set it is told.
"""

import colorsys
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from litestar import Request, Response, get

import layouts
from features import colours, desk
from features.access import public
from features.theme_files import GENERIC, Properties, found
from layouts import _

MOST_RADIUS_PX = 12
FOR_EVER = "public, max-age=31536000, immutable"

# As in app.css: what there is behind words and signs, and what stands on it.
GROUNDS = {
    "light": ("#ffffff", "#f4f6f9", "#e7ecf2"),
    "dark": ("#131a22", "#1b2530", "#263340", "#202b37"),
}
OWN = {
    "accent": ("#0b5cad", "#6db3f8"),
    "on-accent": ("#ffffff", "#0b1a2a"),
    "accent-strong": ("#084680", "#9accfb"),
    "accent-paper": ("#e6f0fa", "#1a3048"),
    "unavailable": ("#0b5cad", "#6db3f8"),
    "on-unavailable": ("#ffffff", "#0b1a2a"),
    "link": ("#0b5cad", "#6db3f8"),
    "link-strong": ("#084680", "#9accfb"),
    "focus": ("#0b5cad", "#6db3f8"),
    "ink": ("#1b2430", "#e8edf3"),
    "edge": ("#727e8c", "#7f8b99"),
    "private": ("#5b2a86", "#d9b8f5"),
    "private-strong": ("#44206a", "#e9d6fa"),
    "on-private": ("#ffffff", "#241533"),
    "private-paper": ("#f3eafb", "#2e2140"),
}
# Beside a violet of the house style, violet would no longer say that something is private: teal does.
PRIVATE = {
    "private": ("#00565b", "#7fd6db"),
    "private-strong": ("#003c40", "#b0e8eb"),
    "on-private": ("#ffffff", "#04191b"),
    "private-paper": ("#e0f2f3", "#12302f"),
}
LETTERS = {"light": ("#ffffff", "#1b2430"), "dark": ("#0b1a2a", "#ffffff")}
SOFT = {"light": "#515d6b", "dark": "#a9b4c0"}
AWAY = {"light": "#000000", "dark": "#ffffff"}  # where a shade of more contrast lies
TEXT, SHAPE = 4.5, 3.0  # WCAG 1.4.3 and 1.4.11

# ---- its stylesheet --------------------------------------------------------------------------------------


@get("/theme.css", guards=[public])
async def stylesheet(request: Request[Any, Any, Any]) -> Response[str]:
    """Under the address that pages name it may be kept for ever; another house style has another address."""
    named = request.url.path + "?" + request.url.query == address()
    headers = {"Cache-Control": FOR_EVER if named else "no-cache"}
    return Response(css(worn()), media_type="text/css", headers=headers)


def address() -> str:
    """ "" if the desk has no house style of its own."""
    said = css(worn())
    return f"/theme.css?v={hashlib.sha256(said.encode()).hexdigest()[:10]}" if said else ""


def worn() -> "Drawn":
    return drawn_once(tuple(desk.facts.house_style.items()))


@lru_cache(maxsize=2)
def drawn_once(style: tuple[tuple[str, str], ...]) -> "Drawn":
    """Every page asks for it."""
    return drawn(dict(style))


# ---- what it becomes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Remark:
    """A property of the house style that is not used, or not as it stands."""

    role: str
    property: str
    why: str


@dataclass
class Drawn:
    """Tokens: a value for light pages and one for dark pages, each."""

    shades: dict[str, tuple[str, str]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)


def drawn(properties: Properties) -> Drawn:
    """From strongest to weakest: the button, what is pressed, links, the ring, letters, edges."""
    style = Style(properties)
    accent = style.shape("accent")
    if accent:
        style.button(accent)
    else:
        style.leave("on-accent", "accent-strong")
    link = style.text("link") or (shifted(accent, "light", TEXT) if accent else "")
    if link:
        style.link(link)
    else:
        style.leave("link-strong")
    if focus := style.shape("focus") or accent:
        style.out.shades["focus"] = (focus, shifted(focus, "dark", TEXT))
    if ink := style.text("ink", 7):
        style.out.shades["ink"] = (ink, OWN["ink"][1])
    if edge := style.shape("edge"):
        style.out.shades["edge"] = (edge, OWN["edge"][1])
    if font := style.of("font"):
        style.out.others["font"] = font[1] if font[1].endswith(GENERIC) else f"{font[1]}, sans-serif"
    if radius := style.of("radius"):
        style.radius(float(radius[1].removesuffix("px")))
    return style.out


class Style:
    """Judges one property after another."""

    def __init__(self, properties: Properties) -> None:
        self.properties = properties
        self.out = Drawn()

    def of(self, role: str) -> tuple[str, str] | None:
        """The property that gives this role, and its value."""
        return next(found(role, self.properties), None)

    def shape(self, role: str) -> str:
        return self.judged(role, SHAPE)

    def text(self, role: str, least: float = TEXT) -> str:
        return self.judged(role, least)

    def judged(self, role: str, least: float) -> str:
        """Its colour, if it is seen on white; on our greys too, where it becomes a little darker for that."""
        name, colour = self.of(role) or ("", "")
        if not colour:
            return ""
        if (found := colours.ratio(colour, GROUNDS["light"][0])) >= least:
            return shifted(colour, "light", least)
        self.remark(role, name, too_weak(found, least))
        return ""

    def leave(self, *roles: str) -> None:
        """What belongs to a colour that is not used."""
        for role in roles:
            if given := self.of(role):
                self.remark(role, given[0], _("It belongs to a colour that is not used."))

    def remark(self, role: str, name: str, why: str) -> None:
        self.out.remarks.append(Remark(role, name, why))

    def button(self, accent: str) -> None:
        shades, dark = self.out.shades, shifted(accent, "dark", TEXT)
        name, wanted = self.of("on-accent") or ("", "")
        letters = wanted or LETTERS["light"][0]
        if colours.ratio(letters, accent) < TEXT:
            if name:
                self.remark("on-accent", name, too_weak(colours.ratio(letters, accent), TEXT))
            letters = max((*LETTERS["light"], "#000000"), key=lambda each: colours.ratio(each, accent))
        shades["accent"], shades["on-accent"] = (accent, dark), (letters, LETTERS["dark"][0])
        shades["accent-strong"] = (self.pressed(accent, letters), mixed(dark, "#ffffff", 0.3))
        shades["accent-paper"] = (paper_of(accent, "light"), paper_of(dark, "dark"))
        if is_violet(accent):
            shades.update(PRIVATE)
            name, _value = self.of("accent") or ("", "")
            self.remark("accent", name, _("Used. Private messages become blue-green, to stay unlike it."))
        if is_for_closed(accent, dark):
            shades["unavailable"], shades["on-unavailable"] = (accent, dark), ("#ffffff", LETTERS["dark"][0])

    def pressed(self, accent: str, letters: str) -> str:
        name, colour = self.of("accent-strong") or ("", "")
        if colour and colours.ratio(colour, letters) >= TEXT:
            return colour
        if colour:
            self.remark("accent-strong", name, too_weak(colours.ratio(colour, letters), TEXT))
        return mixed(accent, AWAY["light"] if colours.luminance(letters) > 0.4 else AWAY["dark"], 0.25)

    def link(self, link: str) -> None:
        dark = shifted(link, "dark", TEXT)
        self.out.shades["link"] = (link, dark)
        strong = self.text("link-strong") or mixed(link, AWAY["light"], 0.3)
        self.out.shades["link-strong"] = (strong, mixed(dark, AWAY["dark"], 0.3))

    def radius(self, px: float) -> None:
        if px > MOST_RADIUS_PX:
            name, _value = self.of("radius") or ("", "")
            self.remark("radius", name, _("It becomes %(most)s pixels.") % {"most": MOST_RADIUS_PX})
        self.out.others["radius"] = f"{min(px, MOST_RADIUS_PX):g}px"


def css(found: Drawn) -> str:
    """In the layer of the tokens: it overrides them and nothing else, and high contrast overrides it."""
    lines = [f"--balie-{name}: light-dark({light}, {dark});" for name, (light, dark) in found.shades.items()]
    lines += [f"--balie-{name}: {value};" for name, value in found.others.items()]
    return "@layer tokens {\n  :root {\n    " + "\n    ".join(lines) + "\n  }\n}\n" if lines else ""


def in_preview(found: Drawn) -> dict[str, str]:
    """Every token that a theme may set, also where it leaves ours."""
    every = {name: f"light-dark({light}, {dark})" for name, (light, dark) in (OWN | found.shades).items()}
    return {f"--balie-{name}": value for name, value in (every | {"radius": "6px"} | found.others).items()}


def shades() -> dict[str, tuple[str, str]]:
    """What the button has that leads to the information page, where a widget has no colours of its own."""
    blue = worn().shades.get("unavailable")
    return {"blue": blue} if blue else {}


def of_button(own: colours.Shades) -> str:
    return colours.of_button(own or shades())


def is_for_closed(light: str, dark: str) -> bool:
    """Blue says that nobody is free, on the button and on the desk's own pages: another blue may say it."""
    blue = between(light, 190, 260)
    return blue and min(colours.weakest(light, "light"), colours.weakest(dark, "dark")) >= colours.LEAST


def is_violet(colour: str) -> bool:
    return between(colour, 255, 325)


def between(colour: str, least: int, most: int) -> bool:
    """Its hue, in degrees; a grey has none."""
    hue, _light, clear = colorsys.rgb_to_hls(*(part / 255 for part in parts(colour)))
    return least <= hue * 360 <= most and clear >= 0.25


# ---- colours ---------------------------------------------------------------------------------------------


def too_weak(found: float, least: float) -> str:
    return _("Contrast %(found)s : 1. At least %(least)s : 1 is needed to read it.") % {
        "found": layouts.number(int(found * 10) / 10),  # 4.46 is not 4.5
        "least": layouts.number(least),
    }


def weakest_on(colour: str, grounds: Iterable[str]) -> float:
    return min(colours.ratio(colour, ground) for ground in grounds)


def shifted(colour: str, scheme: str, least: float) -> str:
    """The same hue, as little lighter or darker as is needed to be seen on each ground of this scheme."""
    hue, light, clear = colorsys.rgb_to_hls(*(part / 255 for part in parts(colour)))
    end = 0.0 if AWAY[scheme] == "#000000" else 1.0
    steps = (colorsys.hls_to_rgb(hue, light + (end - light) * step / 40, clear) for step in range(41))
    shades = (colours.in_hex(round(part * 255) for part in step) for step in steps)
    return next(each for each in shades if weakest_on(each, GROUNDS[scheme]) >= least)


def paper_of(colour: str, scheme: str) -> str:
    """A ground with a breath of it, on which everything can still be read."""
    ground = GROUNDS[scheme][0]
    soft = SOFT[scheme]
    papers = (mixed(ground, colour, share / 100) for share in (12, 10, 8, 6, 4, 2))
    good = (
        each for each in papers if colours.ratio(soft, each) >= TEXT and colours.ratio(colour, each) >= SHAPE
    )
    return next(good, GROUNDS[scheme][1])


def mixed(one: str, other: str, share: float) -> str:
    """`share` of the other."""
    pairs = zip(parts(one), parts(other), strict=True)
    return colours.in_hex(round(a + (b - a) * share) for a, b in pairs)


def parts(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


layouts.env.globals["theme_address"] = address
routes = [stylesheet]
