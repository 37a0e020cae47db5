"""The manuals and the accessibility statement: for everybody, the same in four languages, and true."""

import re
from datetime import timedelta

import pytest

import layouts
from features import help as manuals
from features.help import PROSE
from layouts import LANGUAGES, speaking
from tests import scenes
from tests.catalogues import read, words_of
from tests.conftest import Clock, Desk
from tests.screen import Screen

pytestmark = pytest.mark.either

PAGES = ("visitor", "agent", "admin", "accessibility")
PAGE = pytest.mark.parametrize("page", PAGES)
LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
# What the first manuals told: every one of these is still told somewhere, in words or by a sign.
NO_BREAK = "\N{NO-BREAK SPACE}"
TOLD = {
    "visitor": "groen blauw wachtrij infofiche grijs rood tekstbalk Enter Zend Bijlage downloaden computer",
    "agent": "profiel tabblad Accepteren Afwijzen slotje Voorinstelling Aanbod Uitnodigen Privé oogje logboek"
    " Bijlage vijf 20 PDF afbeelding privémodus notitie rechtsboven wachtrij Verzenden Enter",
}


def source(page: str, language: str) -> str:
    return (PROSE / language / f"{page}.md").read_text("utf-8")


# ---- what is written -------------------------------------------------------------------------------------


@PAGE
def test_every_language_has_the_same_chapters_and_signs(page: str) -> None:
    for found in (r"^#+ .*\{#([a-z-]+)\}$", r"\[\[[a-z]+:[^\]]+\]\]", r"\{[a-z]+\}", r"^(?:- |#+ )"):
        kinds = {tuple(re.findall(found, source(page, code), re.MULTILINE)) for code in LANGUAGES}
        assert len(kinds) == 1, found
    names = re.findall(r"\{#([a-z-]+)\}", source(page, "nl"))
    assert len(set(names)) == len(names) >= 5


@pytest.mark.parametrize("page", PAGES[:3])
@LANGUAGE
def test_a_manual_names_controls_as_they_are_on_screen(page: str, language: str) -> None:
    on_screen = {text for message in read(language) for text in words_of(message)}
    named = re.findall(r"\*\*(.+?)\*\*", spaced(source(page, language), language))
    assert len(named) > 10
    assert [words for words in named if words not in on_screen] == []


def spaced(text: str, language: str) -> str:
    return re.sub(" (?=[?!:;»])", NO_BREAK, text) if language == "fr" else text


@LANGUAGE
def test_signs_are_drawn_and_headings_have_names(language: str) -> None:
    with speaking(language):
        for page in PAGES:
            prose = manuals.prose(page)
            drawn = Screen(prose.body)
            assert not re.search(r"\[\[|\{#|\*\*|&lt;", prose.body)
            assert all(drawn.text(f"h2#{id}") == " ".join(words.split()) for id, words in prose.contents)
            sprite = (layouts.HERE.parent / "static" / "icons.svg").read_text()
            for used in drawn.css("use"):
                assert f'id="{str(used.attributes["href"]).partition("#")[2]}"' in sprite


def test_french_prose_has_its_spaces() -> None:
    with speaking("fr"):
        for page in PAGES:
            said = re.sub("<code>.*?</code>|<[^>]+>", "", str(manuals.prose(page).body))
            assert re.search(f"{NO_BREAK}[?!:;]", said)
            assert not re.search(
                f"[^{NO_BREAK}][?!;»]|[^{NO_BREAK}]:(?!//)|«[^{NO_BREAK}]|'", said.replace("&quot;", "")
            )


@pytest.mark.parametrize("page", TOLD)
def test_what_the_first_manuals_told_is_told(page: str) -> None:
    text = source(page, "nl").lower()
    assert [word for word in TOLD[page].split() if word.lower() not in text] == []


# ---- the pages -------------------------------------------------------------------------------------------


async def test_anybody_reads_them_in_a_language_of_choice(desk: Desk) -> None:
    nobody = desk.nobody()
    for path in ("/help", *(f"/help/{name}" for name in PAGES[:3]), "/accessibility"):
        for language in LANGUAGES:
            nobody.screen.show((await nobody.must("GET", f"{path}?lang={language}")).text)
            assert nobody.screen.first("html").attributes["lang"] == language
            (chosen,) = nobody.screen.css(".languages [aria-current]")
            assert chosen.attributes["lang"] == language
            others = [link.attributes for link in nobody.screen.css(".languages a")]
            assert (
                [each["lang"] for each in others] == [each["hreflang"] for each in others] == list(LANGUAGES)
            )
    assert nobody.screen.texts(".languages a") == ["Nederlands", "Français", "Deutsch", "English"]
    assert (await nobody.get("/help/boss")).status_code == 404


async def test_without_a_choice_the_browser_chooses(desk: Desk) -> None:
    answer = await desk.nobody().get("/help/visitor", headers={"Accept-Language": "de-BE"})
    assert '<html lang="de"' in answer.text
    answer = await desk.nobody().get("/help/visitor?lang=xx", headers={"Accept-Language": "sv"})
    assert '<html lang="nl"' in answer.text


async def test_every_chapter_is_reached_from_the_table_of_contents(desk: Desk) -> None:
    nobody = desk.nobody()
    nobody.screen.show((await nobody.get("/help/agent")).text)
    targets = [str(link.attributes["href"]) for link in nobody.screen.css(".reading-contents a")]
    assert len(targets) >= 9
    assert all(nobody.screen.has(f"main {target}") for target in targets)


async def test_they_are_linked_where_people_are(desk: Desk) -> None:
    an, admin, nobody = await desk.agent("an", "Loket"), await scenes.sign_in_admin(desk), desk.nobody()
    assert an.screen.has("#person-menu a[href='/help/agent?lang=nl']")
    assert an.screen.has("#person-menu a[href='/accessibility?lang=nl']")
    admin.screen.show((await admin.get("/settings/queues")).text)
    assert admin.screen.has("a[href='/help/admin?lang=nl']")
    nobody.screen.show((await nobody.get("/console?lang=fr")).text)
    assert nobody.screen.has("a[href='/accessibility?lang=fr']")
    nobody.screen.show((await nobody.get(f"/widget/{desk.widget}/info?lang=de")).text)
    assert nobody.screen.has("a[href='/help/visitor?lang=de'][target=_blank]")
    async with an.stream():
        await an.ready()
        jef = desk.visitor(language="en")
        await jef.open()
        assert jef.screen.has("#panel a[href='/accessibility?lang=en'][target=_blank]")


# ---- what only the desk knows ----------------------------------------------------------------------------

FORM = {"name": "Gemeente Voorbeeld", "time_zone": "Europe/Brussels", "language": "nl", "version": "1"}


async def test_the_statement_says_what_the_desk_has_filled_in(desk: Desk) -> None:
    admin, nobody = await scenes.sign_in_admin(desk), desk.nobody()
    before = (await nobody.get("/accessibility")).text
    nobody.screen.show(before)
    assert nobody.screen.text("main").count("nog niet ingevuld door deze organisatie") == 3
    filled = {
        "accessibility_contact": " toegankelijk@voorbeeld.be",
        "accessibility_body": "<b>Ombudsdienst</b> {contact}",
        "accessibility_on": "2026-03-02",
    }
    await admin.must("PUT", "/settings/desk", FORM | filled)
    nobody.screen.show((await nobody.get("/accessibility?lang=fr")).text)
    said = nobody.screen.text("main")
    assert "pas encore indiqué" not in said
    assert nobody.screen.has("main a[href='mailto:toegankelijk@voorbeeld.be']")
    assert "<b>Ombudsdienst</b> {contact}" in said, "as it was typed, and nothing else"
    assert "2 mars 2026" in said


@pytest.mark.parametrize(
    ("changes", "at", "words"),
    [
        ({"accessibility_contact": "javascript:alert(1)"}, "accessibility_contact", "Een e-mailadres, of"),
        ({"security_contact": "http://onveilig.be"}, "security_contact", "Een e-mailadres, of"),
        ({"accessibility_body": "x" * 201}, "accessibility_body", "201 tekens"),
        ({"accessibility_on": "2026-03-12"}, "accessibility_on", "niet in de toekomst"),
        ({"accessibility_on": "gisteren"}, "accessibility_on", "niet in de toekomst"),
        ({"dutch": "nl_SR"}, "dutch", "Kies een land uit de lijst."),
    ],
)
async def test_what_cannot_be_said_there_is_refused(
    desk: Desk, changes: dict[str, str], at: str, words: str
) -> None:
    admin = await scenes.sign_in_admin(desk)
    refused = await admin.send("PUT", "/settings/desk", FORM | changes)
    assert refused.status_code == 422
    admin.screen.show(refused.text)
    assert words in admin.screen.text(f"#{at}-error")
    assert changes[at] in refused.text or at == "dutch"


async def test_security_txt_names_whom_to_tell_and_does_not_run_out(desk: Desk, clock: Clock) -> None:
    admin, nobody = await scenes.sign_in_admin(desk), desk.nobody()
    assert (await nobody.get("/.well-known/security.txt")).status_code == 404, "nobody has been named"
    await admin.must(
        "PUT", "/settings/desk", FORM | {"accessibility_contact": "https://voorbeeld.be/contact"}
    )
    assert "Contact: https://voorbeeld.be/contact\n" in (await nobody.get("/.well-known/security.txt")).text
    await admin.must("PUT", "/settings/desk", FORM | {"version": "2", "security_contact": "lek@voorbeeld.be"})
    for _year in range(2):
        answer = await nobody.get("/.well-known/security.txt")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        lines = dict(line.split(": ", 1) for line in answer.text.splitlines())
        assert lines["Contact"] == "mailto:lek@voorbeeld.be"
        assert lines["Preferred-Languages"] == "nl, fr, de, en"
        assert lines["Canonical"] == f"{desk.url}/.well-known/security.txt"
        ahead = clock.now().strptime(lines["Expires"], "%Y-%m-%dT%H:%M:%S%z") - clock.now()
        assert timedelta(days=30) < ahead < timedelta(days=365)
        clock.shift(300 * 24 * 3600)
