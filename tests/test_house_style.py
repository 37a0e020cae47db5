"""A theme of the NL Design System: what is read of it, what becomes of it, and that no more gets through."""

import json
import re

import httpx
import pytest

from features import colours, theme_files, themes
from tests import scenes
from tests.conftest import Desk
from tests.people import AgentClient

pytestmark = pytest.mark.either

# As such files are made: classes and references, sizes and pictures, and rules for parts of a page.
THEME = """
@import url("https://evil.example/more.css");
/** Generated */
.voorbeeld-theme {
  --voorbeeld-color-red: hsl(345deg 80% 38%);
  --voorbeeld-font: "Noto Sans", Arial, sans-serif;
  --utrecht-button-primary-action-background-color: var(--voorbeeld-color-red);
  --utrecht-button-primary-action-color: white;
  --utrecht-button-primary-action-hover-background-color: rgb(120, 10, 40);
  --utrecht-link-color: var(--voorbeeld-missing, #24578F);
  --utrecht-focus-outline-color: #ff0;
  --utrecht-document-color: #222;
  --utrecht-document-font-family: var(--voorbeeld-font);
  --utrecht-button-border-radius: 1rem;
  --utrecht-form-control-border-color: rgba(0, 0, 0, 50%);
  --utrecht-logo-background-image: url("data:image/svg+xml,<svg onload=alert(1)>");
  --voorbeeld-loop: var(--voorbeeld-loop);
}
.voorbeeld-theme .utrecht-alert { --utrecht-link-color: #ff00ff; }
@media (prefers-color-scheme: dark) { .voorbeeld-theme { --utrecht-document-color: #eee; } }
body { background: url(https://evil.example/look.png); } script { --utrecht-document-color: red }
"""
READ = {
    "--utrecht-button-primary-action-background-color": "#ae133a",
    "--utrecht-button-primary-action-color": "#ffffff",
    "--utrecht-button-primary-action-hover-background-color": "#780a28",
    "--utrecht-link-color": "#24578f",
    "--utrecht-focus-outline-color": "#ffff00",
    "--utrecht-document-color": "#222222",
    "--utrecht-document-font-family": '"Noto Sans", "Arial", sans-serif',
    "--utrecht-button-border-radius": "16px",
}
RED = "--utrecht-button-primary-action-background-color"


# ---- reading ---------------------------------------------------------------------------------------------


def test_of_a_theme_only_the_known_properties_are_taken_each_as_a_plain_value() -> None:
    assert theme_files.read(THEME) == READ


def test_references_are_followed_and_lead_nobody_astray() -> None:
    steps = "".join(f"--step-{n}: var(--step-{n + 1});" for n in range(10))
    assert theme_files.read(f"{steps} --step-10: red; {RED}: var(--step-0)") == {RED: "#ff0000"}
    twice = "".join(f"--two-{n}: var(--two-{n + 1}) var(--two-{n + 1});" for n in range(60))  # 2⁶⁰ of them
    for endless in ("--a: var(--b); --b: var(--a);", f"{twice} --a: var(--two-0);"):
        with pytest.raises(theme_files.Unusable):
            theme_files.read(f"{endless} {RED}: var(--a)")


def test_what_was_read_reads_the_same_again() -> None:
    assert theme_files.read("\n".join(f"{name}: {value};" for name, value in READ.items())) == READ


@pytest.mark.parametrize(
    "value",
    [
        "url(https://evil.example/x)",
        "#24578f; } body { color: red",
        "red url(x)",
        "expression(alert(1))",
        "var(--nowhere)",
        "var(--utrecht-link-color)",
        "color-mix(in srgb, red, blue)",
        "transparent",
        "currentcolor",
        "rgb(0 0 0 / 40%)",
        "inherit",
        "",
    ],
)
def test_what_is_no_plain_colour_is_not_taken(value: str) -> None:
    text = f":root {{ --utrecht-link-color: {value}; {RED}: #ae133a; }}"
    taken = theme_files.read(text).get("--utrecht-link-color", "")
    assert taken in ("", "#24578f")
    assert (taken == "#24578f") == (value.startswith("#24578f")), (
        "the brace ends the rule, and no more comes of it"
    )


@pytest.mark.parametrize(
    ("family", "taken"),
    [
        ("Arial, sans-serif", '"Arial", sans-serif'),
        ("Fira Sans Condensed", '"Fira Sans Condensed"'),
        ('"O\\"</style><script>"', ""),
        ("attr(x)", ""),
        ("url(x.woff2)", ""),
        ("Arial,,", ""),
    ],
)
def test_names_of_fonts_are_names_and_nothing_else(family: str, taken: str) -> None:
    text = f":root {{ --utrecht-document-font-family: {family}; {RED}: #ae133a }}"
    assert theme_files.read(text).get("--utrecht-document-font-family", "") == taken


def test_a_theme_without_the_common_names_is_understood_by_its_own() -> None:
    own = theme_files.read(".denhaag-theme { --denhaag-link-color: #1260a1; --nl-link-color: #0b5cad }")
    assert own == {"--nl-link-color": "#0b5cad"}, "what many use goes before what one has"
    assert theme_files.read("--denhaag-link-color: #1260a1") == {"--denhaag-link-color": "#1260a1"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("iets anders", "geen eigenschap in die Balie kent"),
        ('@import "design-tokens.css";', "verwijst alleen met @import"),
        (".x { color: red }", "geen eigenschap"),
        (f"{RED}: rood;", "geen eigenschap"),
        ("/*" + "x" * theme_files.MOST_BYTES + "*/", "groter dan een themabestand"),
        ("}}{{;;:", "geen eigenschap"),
    ],
)
def test_what_is_no_theme_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(theme_files.Unusable, match=re.escape(said)):
        theme_files.read(text)


# ---- what it becomes -------------------------------------------------------------------------------------

COLOURS = [
    "#42145f",
    "#ae133a",
    "#ffcc00",
    "#e17000",
    "#000000",
    "#ffffff",
    "#00811f",
    "#767676",
    "#c93675",
    "#24578f",
]


@pytest.mark.parametrize("colour", COLOURS)
def test_whatever_a_theme_says_everything_can_be_read(colour: str) -> None:
    """Each role has this colour, with each other one as its letters."""
    for letters in COLOURS:
        style = dict.fromkeys(
            [
                RED,
                "--utrecht-button-primary-action-hover-background-color",
                "--utrecht-link-color",
                "--utrecht-link-hover-color",
                "--utrecht-focus-outline-color",
                "--utrecht-form-control-border-color",
            ],
            colour,
        )
        style |= {"--utrecht-button-primary-action-color": letters, "--utrecht-document-color": letters}
        shades = themes.OWN | themes.drawn(style).shades
        for at, scheme in enumerate(("light", "dark")):
            it = {name: both[at] for name, both in shades.items()}
            grounds = themes.GROUNDS[scheme]
            for name in ("link", "link-strong", "ink"):
                assert themes.weakest_on(it[name], grounds) >= 4.5, (name, scheme, letters)
            for name in ("accent", "focus", "edge", "unavailable"):
                assert themes.weakest_on(it[name], grounds) >= 3, (name, scheme, letters)
            for name in ("accent", "accent-strong", "unavailable", "private", "private-strong"):
                on = it[f"on-{name.removesuffix('-strong')}"]
                assert colours.ratio(on, it[name]) >= 4.5, (name, scheme, letters)
            for ground in (*grounds, it["private-paper"]):
                assert colours.ratio(it["private"], ground) >= 4.5
            assert colours.ratio(themes.SOFT[scheme], it["accent-paper"]) >= 4.5
            assert colours.ratio(it["accent"], it["accent-paper"]) >= 3


def test_what_is_too_weak_is_named_and_ours_stays() -> None:
    found = themes.drawn(READ)
    assert [(each.role, each.property) for each in found.remarks] == [
        ("focus", "--utrecht-focus-outline-color"),  # yellow on white
        ("radius", "--utrecht-button-border-radius"),
    ]
    assert "Contrast 1 : 1. Minstens 3 : 1" in found.remarks[0].why
    assert found.shades["focus"] == found.shades["accent"] or found.shades["focus"][0] == "#ae133a"
    assert found.others["radius"] == "12px"


@pytest.mark.parametrize(
    ("colour", "says_closed"),
    [("#24578f", True), ("#004699", True), ("#238541", False), ("#ae133a", False), ("#222222", False)],
)
def test_only_a_blue_says_that_nobody_is_free(colour: str, says_closed: bool) -> None:
    """On the desk's own pages it is called so."""
    assert ("unavailable" in themes.drawn({RED: colour}).shades) == says_closed


def test_what_is_private_stays_unlike_a_violet_house_style() -> None:
    found = themes.drawn({RED: "#42145f"})
    assert found.shades["private"] != themes.OWN["private"]
    assert [(each.role, each.property) for each in found.remarks] == [("accent", RED)]
    assert "private" not in themes.drawn({RED: "#24578f"}).shades


# ---- the page --------------------------------------------------------------------------------------------


async def test_a_theme_colours_window_console_and_button_and_goes_again(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    nobody = desk.nobody()
    for path in ("/widget/voorbeeld", "/widget/voorbeeld/info", "/console"):
        assert "/theme.css" not in (await nobody.get(path)).text
    answer = await put_on(admin, THEME)
    assert answer.headers["hx-redirect"] == "/settings/house-style"

    an = await desk.agent("an", "Loket")
    pages = [await nobody.get("/widget/voorbeeld"), await nobody.get("/widget/voorbeeld/info")]
    pages += [
        await nobody.get("/console"),
        await an.get("/console"),
        await admin.get("/settings/house-style"),
    ]
    addresses = {re.findall(r"/theme\.css\?v=\w+", page.text)[0] for page in pages}
    assert len(addresses) == 1, "one address for all, as long as it is the same"
    (address,) = addresses
    sheet = await nobody.get(address)
    assert sheet.headers["content-type"].startswith("text/css")
    assert "immutable" in sheet.headers["cache-control"]
    assert "--balie-accent: light-dark(#ae133a," in sheet.text
    assert sheet.text.startswith("@layer tokens {")
    for foreign in ("evil", "url(", "@import", "utrecht", "script", "<"):
        assert foreign not in sheet.text
    assert (await nobody.get("/theme.css?v=other")).headers["cache-control"] == "no-cache"

    assert (await admin.send("DELETE", "/settings/house-style")).is_success
    assert "/theme.css" not in (await nobody.get("/widget/voorbeeld")).text
    assert (await nobody.get("/theme.css")).text == ""


async def test_a_widget_with_colours_of_its_own_keeps_them(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    await put_on(admin, f"{RED}: #24578f;")
    looks = await admin.must("GET", "/settings/widgets/1/looks")
    blue = dict(re.findall(r'id="(blue_\w+)" name="blue_\w+" value="(#\w+)"', looks.text))
    assert blue["blue_light"] == "#24578f", "the house style is the standard there"
    own = {"green_light": "#00695c", "green_dark": "#80cbc4", "blue_light": "#7b1fa2", "blue_dark": "#ce93d8"}
    await admin.must("PUT", "/settings/widgets/1/looks", own | {"version": version_in(looks.text)})
    nobody = desk.nobody()
    page = (await nobody.get("/widget/voorbeeld")).text
    assert page.index("/theme.css?") < page.index("/widget/voorbeeld/theme.css?"), "the later one counts"
    sheet = (await nobody.get("/widget/voorbeeld/theme.css")).text
    for role in ("accent", "link", "focus", "on-accent", "unavailable"):
        assert f"--balie-{role}: light-dark(" in sheet


async def test_reading_shows_what_becomes_of_it_and_keeps_nothing(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    admin.screen.show((await admin.must("GET", "/settings/house-style")).text)
    file = {"file": ("theme.css", THEME.encode(), "text/css")}
    answer = await admin.send("POST", "/settings/house-style/reading", files=file)
    assert answer.status_code == 200
    assert f"{RED}: #ae133a;" in admin.screen.first("#style-text").text()
    assert "evil" not in answer.text
    told = admin.screen.text("#found")
    assert "Rand om wat de focus heeft --utrecht-focus-outline-color: #ffff00" in told
    assert "Contrast 1 : 1" in told
    tokens = json.loads(admin.screen.first("#preview").attributes["data-tokens"] or "")
    assert tokens["--balie-accent"].startswith("light-dark(#ae133a,")
    assert "/theme.css" not in (await desk.nobody().get("/console")).text


@pytest.mark.parametrize("text", ["iets anders", "@import 'x.css';"])
async def test_what_cannot_be_used_is_said_and_stays_in_the_field(desk: Desk, text: str) -> None:
    admin = await scenes.sign_in_admin(desk)
    answer = await put_on(admin, text)
    assert answer.status_code == 422
    admin.screen.show(answer.text)
    assert admin.screen.first("#style-text").text().strip() == text
    assert admin.screen.text("[role=alert]")
    assert "/theme.css" not in (await desk.nobody().get("/console")).text


async def test_the_audit_says_who_put_it_on_and_a_second_admin_does_not_undo_it(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    page = await admin.must("GET", "/settings/house-style")
    await put_on(admin, THEME)
    late = {"text": f"{RED}: #24578f;", "version": version_in(page.text)}
    answer = await admin.send("PUT", "/settings/house-style", late)
    assert answer.status_code == 409
    assert "#24578f" in answer.text
    admin.screen.show((await admin.must("GET", "/settings/audit")).text)
    assert "Huisstijl" in admin.screen.text(".trail")


# ---- the look that somebody has chosen -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("look", "scheme", "contrast"),
    [("", None, False), ("light", "light", False), ("dark", "dark", False), ("contrast", None, True)],
)
async def test_screens_look_as_their_owner_wants(
    desk: Desk, look: str, scheme: str | None, contrast: bool
) -> None:
    an, bram = await desk.agent("an", "Loket"), await desk.agent("bram", "Loket")
    page = await an.must("GET", "/settings/me")
    form = {"language": "nl", "look": look, "version": version_in(page.text)}
    await an.must("PUT", "/settings/me", form)
    for path in ("/settings/me", "/console"):
        text = (await an.must("GET", path)).text
        assert (re.findall(r'<html[^>]* data-scheme="(\w+)"', text) or [None]) == [scheme]
        link = re.findall(r"<link[^>]*contrast\.css[^>]*>", text)[0]
        assert ("media=" not in link) == contrast
    for other in (await bram.must("GET", "/console"), await desk.nobody().get("/widget/voorbeeld")):
        assert "data-scheme" not in other.text
        assert 'media="(prefers-contrast: more)"' in other.text


async def test_a_look_that_there_is_not_is_refused(desk: Desk) -> None:
    an = await desk.agent("an", "Loket")
    page = await an.must("GET", "/settings/me")
    form = {"language": "nl", "look": "roze", "version": version_in(page.text)}
    answer = await an.send("PUT", "/settings/me", form)
    assert answer.status_code == 422
    assert "Kies er een uit de lijst." in answer.text


async def put_on(admin: AgentClient, text: str) -> httpx.Response:
    page = await admin.must("GET", "/settings/house-style")
    return await admin.send("PUT", "/settings/house-style", {"text": text, "version": version_in(page.text)})


def version_in(page: str) -> str:
    found: list[str] = re.findall(r'name="version" value="(\d+)"', page)
    return found[0]
