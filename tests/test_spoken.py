"""What is said is said in the right language, and what is in another one says in which."""

from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

import layouts
from db.tables import Preset, Subject, Widget
from features import copies, reports
from features.button import boards, refresh
from layouts import LANGUAGES, _, speaking
from tests import scenes
from tests.conftest import Desk
from tests.scenes import connected
from tests.test_help import FORM

pytestmark = pytest.mark.either

LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
NARROW = "\N{NARROW NO-BREAK SPACE}"


# ---- who chooses -----------------------------------------------------------------------------------------


@LANGUAGE
async def test_the_visitors_language_is_kept_from_window_to_transcript_and_letter(
    desk: Desk, language: str
) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    jef = desk.visitor(language=language)
    jef.screen.show((await jef.get(f"/widget/{desk.widget}", params={"lang": f"{language}-BE"})).text)
    assert jef.screen.first("#window").attributes["data-lang"] == language, "which every request then carries"
    await jef.must("GET", "/chat")
    await jef.press()
    await jef.start()
    chat = await scenes.taken(an)
    with speaking("nl"):
        assert layouts.language_name(language) in an.screen.text("#panels"), "in the agent's own language"
    assert language.upper() in an.screen.text("#panels").split()
    await an.end(chat)
    text, pdf = [await jef.get(f"/chat/transcript.{kind}") for kind in ("txt", "pdf")]
    assert text.headers["content-language"] == pdf.headers["content-language"] == language
    with speaking(language):
        assert _("Participants") in text.text
        assert layouts.day(datetime(2026, 3, 11, 9, tzinfo=UTC)) in text.text
        subject = _("Your conversation with %(desk)s on %(day)s").partition("%")[0]
    letter = await copies.write({"chat": int(chat), "language": language})
    assert letter
    read = message_from_bytes(bytes(letter), policy=policy.default)
    assert str(read["Subject"]).startswith(subject)


async def test_an_unknown_language_is_that_of_the_widget(desk: Desk) -> None:
    await Widget.update({Widget.language: "de"}).where(Widget.key == desk.widget)
    nobody = desk.nobody()
    for page in ("", "/info"):
        for wanted in ("xx", "", "sv-SE"):
            answer = await nobody.get(f"/widget/{desk.widget}{page}", params={"lang": wanted})
            nobody.screen.show(answer.text)
            assert nobody.screen.first("html").attributes["lang"] == "de"
    nobody.screen.show((await nobody.get(f"/widget/{desk.widget}?lang=fr")).text)
    assert nobody.screen.first("html").attributes["lang"] == "fr"


async def test_a_language_is_chosen_before_signing_in_and_ones_own_after(desk: Desk) -> None:
    nobody = desk.nobody()
    nobody.screen.show((await nobody.get("/console?lang=de")).text)
    assert nobody.screen.text("h1") == "Anmelden"
    sent = nobody.screen.first("main").attributes["hx-headers:inherited"]
    assert sent == '{"X-Language": "de"}', "so that what is wrong is said in it, too"
    wrong = {"username": "chloe", "password": "fout"}
    answer = await nobody.post("/session", wrong, headers={"X-Language": "de"})
    assert "Benutzername oder Passwort stimmt nicht." in answer.text
    chloe = await desk.agent("chloe", "Loket")
    assert chloe.screen.first("html").attributes["lang"] == "fr", "her own"
    assert '<html lang="fr"' in (await chloe.get("/console?lang=de")).text


async def test_everybody_finds_their_language_by_its_own_name(desk: Desk) -> None:
    an = await desk.agent("an", "Loket")
    an.screen.show((await an.get("/settings/me")).text)
    names = {node.attributes["value"]: node for node in an.screen.css("#screens option")}
    assert [names[code].text() for code in LANGUAGES] == ["Nederlands", "Français", "Deutsch", "English"]
    assert [names[code].attributes.get("lang") for code in LANGUAGES] == [None, "fr", "de", "en"]
    version = an.screen.first("#screens [name=version]").attributes["value"]
    await an.must("PUT", "/settings/me", {"language": "fr", "version": version})
    assert '<html lang="fr"' in (await an.get("/settings/me")).text


# ---- in another language than the page -------------------------------------------------------------------


async def test_what_a_foreign_visitor_writes_is_marked_for_the_agent_alone(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    jef = await desk.visitor(language="fr").begin("Puis-je stationner ici ?")
    await an.open()
    assert "Puis-je stationner" in an.screen.text("[id^=request] .question[lang=fr], .question[lang=fr]")
    chat = await scenes.taken(an)
    await jef.say("Merci d’avance")
    await an.say(chat, "Bien sûr.")
    offer = {"title": "De quoi s’agit-il ?", "option": ["Permis", "Taxe"], "choose": "one", "key": "k" * 32}
    await an.must("POST", f"/chats/{chat}/offers", offer)
    await an.must("POST", f"/chats/{chat}/private-messages", {"key": "p" * 32, "body": "Even nakijken"})
    await an.open()
    said = an.screen.texts("#panels .thread .bubble[lang=fr]")
    assert said == ["Puis-je stationner ici ?", "Merci d’avance", "Bien sûr."]
    assert an.screen.text(".offer-title[lang=fr]") == "De quoi s’agit-il ?"
    assert not an.screen.has(".private .bubble[lang]"), "a colleague's note is in no known language"
    assert not an.screen.has(".event-words[lang]")
    await jef.open()
    jef.client.headers["X-Language"] = "fr"
    await jef.must("GET", "/chat")
    assert "Merci d’avance" in jef.screen.text("#thread")
    assert not jef.screen.has("#thread [lang]"), "for the visitor it is the language of the page"


async def test_of_ones_own_language_nothing_is_said(desk: Desk) -> None:
    talk = await connected(desk)
    await talk.an.open()
    assert talk.an.screen.has("#panels .thread .bubble")
    assert not talk.an.screen.has("#panels .thread [lang]")


async def test_a_subject_and_a_preset_say_their_language(desk: Desk) -> None:
    await Subject.update({Subject.label: '{"nl": "Parkeren"}'}, force=True)
    await Preset.update({Preset.language: "de"}, force=True)
    an = await desk.agent("an", "Loket", ready=True)
    async with an.stream():
        jef = desk.visitor(language="fr")
        await jef.open()
        await jef.press()
        options = jef.screen.css("[name=subject] option[value]")
        assert {option.attributes.get("lang") for option in options} == {"nl"}
        await jef.start()
        chat = await scenes.taken(an)
        await an.must("GET", f"/chats/{chat}/presets")
        assert {each.attributes["lang"] for each in an.screen.css("[role=option][id^=preset]")} == {"de"}
    chloe = await desk.agent("chloe")
    chloe.client.headers["X-Language"] = "fr"
    eva = await desk.agent("eva")
    await an.must("PUT", "/settings/me", {"language": "fr", "version": await version_of(an)})
    await an.open()
    assert an.screen.text("dd[lang=nl]") == "Parkeren"
    eva.screen.show((await eva.get(f"/settings/log/{chat}")).text)
    assert eva.screen.text(".bubble[lang=fr]") == "Mag ik vandaag parkeren?"


async def test_what_an_admin_says_but_once_is_in_the_desks_language(desk: Desk) -> None:
    admin, nobody = await scenes.sign_in_admin(desk), desk.nobody()
    await admin.must("PUT", "/settings/desk", FORM | {"emergency_numbers": "070 245 245 Antigifcentrum"})
    talk = await connected(desk)
    talk.jef.client.headers["X-Language"] = "fr"
    await talk.an.must("POST", f"/chats/{talk.chat}/emergency", {"shown": "yes"})
    await talk.jef.open()
    first, second = talk.jef.screen.css("#emergency li span")
    assert (first.text(), first.attributes.get("lang")) == ("Services de secours", None)
    assert (second.text(), second.attributes.get("lang")) == ("Antigifcentrum", "nl")
    nobody.screen.show((await nobody.get(f"/widget/{desk.widget}/info?lang=de")).text)
    assert nobody.screen.texts(".hours th[lang=nl]") == ["Algemeen", "Vergunningen"]
    nobody.screen.show((await nobody.get(f"/widget/{desk.widget}/info?lang=nl")).text)
    assert not nobody.screen.has(".hours th[lang]")


async def version_of(agent: object) -> str:
    from tests.people import AgentClient

    assert isinstance(agent, AgentClient)
    agent.screen.show((await agent.get("/settings/me")).text)
    return str(agent.screen.first("#screens [name=version]").attributes["value"])


# ---- the Dutch of the Netherlands ------------------------------------------------------------------------


async def test_a_dutch_desk_says_informatiepagina_everywhere(desk: Desk) -> None:
    admin, nobody = await scenes.sign_in_admin(desk), desk.nobody()
    page = f"/widget/{desk.widget}/info"
    assert "Infofiche" in (await nobody.get(page)).text
    try:
        await admin.must("PUT", "/settings/desk", FORM | {"dutch": "nl_NL"})
        await refresh()
        assert "bekijk de informatiepagina" in boards[desk.widget].first.decode(), "the button follows"
        for path in (page, "/help/visitor"):
            said = (await nobody.get(path)).text.lower()
            assert "informatiepagina" in said
            assert "infofiche" not in said
        admin.screen.show((await admin.get("/settings/hours")).text)
        assert admin.screen.text("h1") == "Openingstijden"
        chosen = admin.screen
        chosen.show((await admin.get("/settings/desk")).text)
        assert chosen.first("[name=dutch] [selected]").attributes["value"] == "nl_NL"
        assert "fiche d’information" in (await nobody.get("/help/visitor?lang=fr")).text, "French as ever"
    finally:
        layouts.dutch = "nl_BE"


def test_no_word_of_belgium_is_left_in_the_dutch_of_the_netherlands() -> None:
    layouts.dutch = "nl_NL"
    try:
        with speaking("nl"):
            assert _("Opening hours") == "Openingstijden"
            assert layouts.ngettext("%(num)s day", "%(num)s days", 2) == "%(num)s dagen"
        said = str(layouts.translations("nl_NL")._catalog).lower()  # type: ignore[attr-defined]
        assert [word for word in layouts.WORDS_OF_THE_NETHERLANDS if word in said] == []
        assert "infofiche" in str(layouts.translations("nl_BE")._catalog)  # type: ignore[attr-defined]
    finally:
        layouts.dutch = "nl_BE"


# ---- numbers, times, sizes -------------------------------------------------------------------------------

WRITTEN = {
    "nl": ("1.234 gesprekken", "van 1 verzoek", "09:00", "24:00", "0,5", "1,5 MB"),
    "fr": (f"1{NARROW}234 conversations", "sur 1 demande", "09:00", "24:00", "0,5", f"1,5{NARROW}Mo"),
    "de": ("1.234 Gespräche", "von 1 Anfrage", "09:00", "24:00", "0,5", "1,5 MB"),
    "en": ("1,234 conversations", "of 1 request", "09:00", "24:00", "0.5", "1.5 MB"),
}


@LANGUAGE
def test_numbers_in_texts_are_written_as_the_language_does(language: str) -> None:
    template = layouts.env.from_string(
        '{{ ngettext("%(num)s conversation", "%(num)s conversations", 1234) }}|'
        '{{ ngettext("of %(num)s request", "of %(num)s requests", 1) }}'
    )
    with speaking(language):
        said = (*template.render().split("|"), layouts.minute_time(540), layouts.minute_time(1440))
        assert (*said, layouts.decimal(0.5), layouts.file_size(1_572_864)) == WRITTEN[language]


async def test_a_report_of_thousands_can_be_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "language", layouts.language)
    with speaking("nl"):
        drawn = str(reports.ui.figure("Chats", 12345)) + str(reports.ui.figure("Duur", "0:48"))
    assert ">12.345<" in drawn
    assert ">0:48<" in drawn
