"""Everything is said in four languages, as it was agreed, and each reader gets their own.

`python -m tests.catalogues` brings new texts into the catalogues; then they want translating.
"""

import ast
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from jinja2 import nodes

import layouts
from db.settings import BadSetting, Settings
from db.tables import Widget
from layouts import LANGUAGES, _, ngettext, speaking
from tests import catalogues
from tests.catalogues import words_of
from tests.conftest import Desk
from tests.parsing import parsed
from tests.people import Visitor
from tests.streams import Stream

FRENCH_SPACE = "\N{NO-BREAK SPACE}"
ROOT = Path(__file__).parents[1]
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|\{\w*\}|%(?!\()")
LETTERS = re.compile(r"[^\W\d_]{2,}")

# The wording that was agreed: msgid, then Dutch, French, German, English. Where the English differs from the
# msgid, the msgid tells apart what English says with the same word.
AGREED = """
Chat with a member of staff | Chat met een medewerker | Discuter avec un agent | Mit unserem Team chatten | Chat with a member of staff
Chat unavailable, see the information page | Chat niet beschikbaar, bekijk de infofiche | Chat indisponible, consultez la fiche d’information | Chat nicht verfügbar, zum Infoblatt | Chat unavailable, see the information page
Back to your conversation | Terug naar uw gesprek | Revenir à votre conversation | Zurück zu Ihrem Gespräch | Back to your conversation
Connecting you to a member of staff… | Verbinden met een medewerker… | Mise en relation avec un agent… | Verbindung wird hergestellt … | Connecting you to a member of staff…
Connected to %(name)s | Verbonden met %(name)s | En conversation avec %(name)s | Verbunden mit %(name)s | Connected to %(name)s
Not connected | Niet verbonden | Non connecté | Nicht verbunden | Not connected
You are number %(n)s in the queue | U bent nummer %(n)s in de wachtrij | Vous êtes en position %(n)s dans la file d’attente | Sie sind auf Platz %(n)s der Warteschlange | You are number %(n)s in the queue
You can already type your question | U kunt uw vraag alvast typen | Vous pouvez déjà écrire votre question | Sie können Ihre Frage schon eingeben | You can already type your question
Stop waiting | Stoppen met wachten | Ne plus attendre | Nicht länger warten | Stop waiting
Your message | Uw bericht | Votre message | Ihre Nachricht | Your message
Message to %(name)s | Bericht aan %(name)s | Message à %(name)s | Nachricht an %(name)s | Message to %(name)s
Send | Zend | Envoyer | Senden | Send
Send message | Verzenden | Envoyer | Senden | Send
End conversation | Gesprek beëindigen | Terminer la conversation | Gespräch beenden | End conversation
Minimise | Minimaliseren | Réduire | Minimieren | Minimise
Do you want to end the conversation? | Wilt u het gesprek beëindigen? | Voulez-vous mettre fin à la conversation ? | Möchten Sie das Gespräch beenden? | Do you want to end the conversation?
%(name)s is typing… | %(name)s typt… | %(name)s écrit… | %(name)s schreibt … | %(name)s is typing…
Not sent. | Niet verzonden. | Non envoyé. | Nicht gesendet. | Not sent.
Try again | Opnieuw proberen | Réessayer | Erneut versuchen | Try again
No connection. We are trying again; your text is kept. | Geen verbinding. We proberen het opnieuw; uw tekst blijft bewaard. | Connexion perdue. Nous tentons de la rétablir ; votre texte est conservé. | Keine Verbindung. Wir versuchen es erneut; Ihr Text bleibt erhalten. | No connection. We are trying again; your text is kept.
One moment please, we are reconnecting you | Even geduld, we verbinden u opnieuw | Un instant, nous vous remettons en relation | Einen Moment bitte, wir verbinden Sie erneut | One moment please, we are reconnecting you
%(name)s has joined | %(name)s neemt deel | %(name)s participe à la conversation | %(name)s nimmt teil | %(name)s has joined
%(name)s has left the conversation | %(name)s heeft het gesprek verlaten | %(name)s a quitté la conversation | %(name)s hat das Gespräch verlassen | %(name)s has left the conversation
You are being transferred to %(queue)s | U wordt doorverbonden met %(queue)s | Votre conversation est transférée vers %(queue)s | Sie werden mit %(queue)s verbunden | You are being transferred to %(queue)s
Invite | Uitnodigen | Inviter | Einladen | Invite
Transfer | Doorverbinden | Transférer | Weiterleiten | Transfer
Leave conversation | Gesprek verlaten | Quitter la conversation | Gespräch verlassen | Leave conversation
Conversation ended by %(name)s at %(time)s | Gesprek beëindigd door %(name)s om %(time)s | Conversation terminée par %(name)s à %(time)s | Gespräch um %(time)s von %(name)s beendet | Conversation ended by %(name)s at %(time)s
All our staff are in conversation | Alle medewerkers zijn in gesprek | Tous nos agents sont en conversation | Alle Mitarbeitenden sind im Gespräch | All our staff are in conversation
Sign in | Aanmelden | Se connecter | Anmelden | Sign in
User name | Gebruikersnaam | Nom d’utilisateur | Benutzername | User name
Password | Wachtwoord | Mot de passe | Passwort | Password
Profile | Profiel | Profil | Profil | Profile
New chat request | Nieuw chatverzoek | Nouvelle demande de chat | Neue Chat-Anfrage | New chat request
Accept | Accepteren | Accepter | Annehmen | Accept
Decline | Afwijzen | Refuser | Ablehnen | Decline
Available | Beschikbaar | Disponible | Verfügbar | Available
Paused | Pauze | Pause | Pause | Paused
Not answered | Niet beantwoord | Sans réponse | Nicht beantwortet | Not answered
Are you sure you want to close this chat? | Weet u zeker dat u deze chat wilt sluiten? | Voulez-vous vraiment fermer cette conversation ? | Möchten Sie diesen Chat wirklich schließen? | Are you sure you want to close this chat?
Cancel | Annuleren | Annuler | Abbrechen | Cancel
The visitor has ended the conversation | De bezoeker heeft het gesprek beëindigd | La conversation a été terminée par le visiteur | Das Gespräch wurde von Besucherseite beendet | The visitor has ended the conversation
Chat details | Chatdetails | Détails du chat | Chatdetails | Chat details
Offer | Aanbod | Menu de choix | Auswahlmenü | Offer
Verified by %(site)s | Geverifieerd door %(site)s | Vérifié par %(site)s | Bestätigt durch %(site)s | Verified by %(site)s
Queue | Wachtrij | File d’attente | Warteschlange | Queue
"""  # noqa: E501

# Product's own words, in Dutch alone.
IN_DUTCH = {
    "Your profile contains no chat queues; you receive no chat requests.": "Uw profiel bevat geen chatwachtrijen; u ontvangt geen chatverzoeken.",  # noqa: E501
    "Visitor gone": "Bezoeker weg",
    "New conversation": "Nieuw gesprek",
    "Test sound": "Geluid testen",
}

LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)


# ---- the catalogues --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def used() -> Catalog:
    return catalogues.used()


@LANGUAGE
def test_every_text_is_translated_and_nothing_else(language: str, used: Catalog) -> None:
    translated = {message.id for message in messages(language) if message_is_done(message)}
    assert {message.id for message in used if message.id} == translated
    assert not catalogues.read(language).obsolete


def message_is_done(message: Message) -> bool:
    forms = 2 if message.pluralizable else 1
    return len(words_of(message)) == forms and all(words_of(message)) and not message.fuzzy


@LANGUAGE
def test_what_is_filled_in_is_the_same_in_every_language(language: str) -> None:
    for message in messages(language):
        wanted = {placeholder for text in words_of(message, message.id) for placeholder in blanks(text)}
        for text in words_of(message):
            assert set(blanks(text)) == wanted, text


def blanks(text: str) -> list[str]:
    return PLACEHOLDER.findall(text)


@LANGUAGE
def test_plurals_follow_the_language(language: str) -> None:
    with speaking(language):
        said = [ngettext("{n} new message", "{n} new messages", n) for n in (0, 1, 2)]
    assert said[1] != said[2]
    assert said[0] == (said[1] if language == "fr" else said[2])


def messages(language: str) -> list[Message]:
    return [message for message in catalogues.read(language) if message.id]


def texts(language: str) -> list[str]:
    return [text for message in messages(language) for text in words_of(message)]


# ---- the wording -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", AGREED.strip().splitlines(), ids=lambda row: row.partition(" | ")[0])
def test_agreed_words_are_said_exactly(row: str) -> None:
    msgid, *agreed = row.split(" | ")
    for language, words in zip(LANGUAGES, agreed, strict=True):
        with speaking(language):
            assert _(msgid) == (re.sub(" (?=[?!:;])", FRENCH_SPACE, words) if language == "fr" else words)


@pytest.mark.parametrize("msgid", IN_DUTCH)
def test_the_products_own_words_are_said_exactly(msgid: str) -> None:
    with speaking("nl"):
        assert _(msgid) == IN_DUTCH[msgid]


def test_french_has_its_spaces_and_apostrophes() -> None:
    assert [text for text in texts("fr") if badly_set(text)] == []


@pytest.mark.parametrize("text", ["Quoi?", "Quoi ?", "Quoi\u202f?", "Non : oui", "«Quoi»", "l'heure"])
def test_bad_french_would_be_found(text: str) -> None:
    assert badly_set(text)


def badly_set(french: str) -> object:
    return re.search(f"(?<!{FRENCH_SPACE})[?!:;»]|«(?!{FRENCH_SPACE})|'", french)


BANNED = {
    "nl": r"vertegenwoordiger|\bchatters?\b|\bu kan\b|\b(je|jij|jouw|jullie)\b",
    "fr": r"\b(tu|toi|te|ton|tes)\b|\w[·.(]e\b|représentant",
    "de": r"\b(du|dich|dir|dein\w*|euch|euer)\b|\w[*:_/]-?in(nen)?\b|\wInnen\b|Vertreter",
    "en": r"representative|\bchatters?\b",
}


@LANGUAGE
def test_house_style(language: str) -> None:
    assert [text for text in texts(language) if re.search(BANNED[language], text, flags(language))] == []


def flags(language: str) -> re.RegexFlag:
    return re.NOFLAG if language == "de" else re.IGNORECASE  # in German Innen is not innen


# ---- nothing is said past the catalogues -----------------------------------------------------------------


def test_only_whole_texts_are_handed_to_gettext() -> None:
    """A text put together, or in a variable, would be found by nobody who translates."""
    for path in catalogues.sources():
        for function, given in calls_in_python(path):
            assert all(isinstance(text, ast.Constant) for text in given[: taken_by(function)]), path
    for path, source in templates():
        for function, arguments in calls_in_template(source):
            assert all(isinstance(text, nodes.Const) for text in arguments[: taken_by(function)]), path


def calls_in_python(path: Path) -> Iterator[tuple[str, list[ast.expr]]]:
    for node in ast.walk(parsed(path.read_text())) if path.suffix == ".py" else ():
        match node:
            case ast.Call(func=ast.Name(id=function), args=given) if function in catalogues.KEYWORDS:
                yield function, given


def calls_in_template(source: str) -> Iterator[tuple[str, list[nodes.Expr]]]:
    for call in layouts.env.parse(source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in catalogues.KEYWORDS:
            yield call.node.name, call.args


def taken_by(function: str) -> int:
    return 2 if function == "ngettext" else 1


def templates() -> Iterator[tuple[Path, str]]:
    """All but the demo's: that is the page of a town that has but one language."""
    for path in catalogues.sources():
        if path.name != "demo.py":
            for method, source in catalogues.texts_of(path):
                if method is catalogues.in_template:
                    yield path, source


def test_templates_say_nothing_by_themselves() -> None:
    assert [said for _path, source in templates() for said in said_by(source)] == []


@pytest.mark.parametrize(
    "template", ["<p>Dag</p>", '<p title="Dag {{ name }}"></p>', "{% if a %}Dag{% endif %}"]
)
def test_a_template_that_did_would_be_found(template: str) -> None:
    assert said_by(template) == ["Dag"]


def said_by(template: str) -> list[str]:
    """Not what the macros say that write attributes for others."""
    html = re.sub(r"{% macro (described|whose|in_language)\b.*?{% endmacro %}", "", template, flags=re.DOTALL)
    html = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", "", html, flags=re.DOTALL)
    attributes = re.findall(r'\b(?:aria-label|aria-description|title|placeholder|alt)="([^"]*)"', html)
    between = re.sub("<[^>]*>", " ", html)
    return [word for text in (between, *attributes) for word in LETTERS.findall(text) if word != "Balie"]


# ---- dates, times, numbers -------------------------------------------------------------------------------

MOMENT = datetime(2026, 3, 11, 9, 5, tzinfo=UTC)
WRITTEN = {
    "nl": ("woensdag 11 maart 2026", "10:05", "4.000", "Frans"),
    "fr": ("mercredi 11 mars 2026", "10:05", "4\N{NARROW NO-BREAK SPACE}000", "Français"),
    "de": ("Mittwoch, 11. März 2026", "10:05", "4.000", "Französisch"),
    "en": ("Wednesday, 11 March 2026", "10:05", "4,000", "French"),
}


@LANGUAGE
def test_dates_times_and_numbers_are_written_as_the_language_does(language: str) -> None:
    with speaking(language):
        written = (
            layouts.day(MOMENT),
            layouts.clock_time(MOMENT),
            layouts.number(4000),
            layouts.language_name("fr"),
        )
    assert written == WRITTEN[language]


# ---- to each their own -----------------------------------------------------------------------------------


async def test_the_same_event_is_read_by_each_in_their_own_language(desk: Desk) -> None:
    chloe = await desk.agent("chloe", "Loket", ready=True)
    assert chloe.screen.first("html").attributes["lang"] == "fr"
    async with chloe.stream() as console:
        jef = await desk.visitor().begin()
        assert jef.screen.first("html").attributes["lang"] == "nl"
        async with jef.stream() as window:
            await console.wait_for(lambda: chloe.request)
            assert "Nouvelle demande de chat" in chloe.screen.text("#panels")
            await chloe.accept()
            await window.wait_for(lambda: "Chloé neemt deel" in jef.screen.text("#thread"))
            await window.wait_for(lambda: jef.screen.text("#status") == "Verbonden met Chloé")
            await console.wait_for(
                lambda: "Chloé participe à la conversation" in chloe.screen.text("#panels")
            )
            (chat,) = chloe.chats

            await jef.post("/chat/typing")
            await console.wait_for("Jef Peeters écrit…")
            await chloe.post(f"/chats/{chat}/typing")
            await window.wait_for("Chloé typt…")

            await jef.end()
            await console.wait_for(
                lambda: "La conversation a été terminée par le visiteur" in chloe.screen.text("#panels")
            )
    assert "U hebt het gesprek beëindigd om 10:00" in jef.screen.text("#thread")
    assert "neemt deel" not in chloe.screen.text()
    assert "participe" not in jef.screen.text()


CONNECTED = {"fr": "En conversation avec An", "de": "Verbunden mit An", "en": "Connected to An"}


async def test_one_agent_has_visitors_in_every_language(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    async with AsyncExitStack() as stack:
        console = await stack.enter_async_context(an.stream())
        windows = {}
        for language in CONNECTED:
            visitor = await desk.visitor(language=language).begin()
            windows[language] = visitor, await stack.enter_async_context(visitor.stream())
            await console.wait_for(lambda: an.request)
            await an.accept()
            await console.wait_for(lambda: not an.request)
        for language, words in CONNECTED.items():
            await shows(*windows[language], words)
    assert {"FR", "DE", "EN"} <= set(an.screen.text("#panels").split())
    assert "Duits" in an.screen.text("#panels")


async def shows(visitor: Visitor, window: Stream, status: str) -> None:
    await window.wait_for(lambda: visitor.screen.text("#status") == status)


async def test_the_page_says_which_language_it_is_in(desk: Desk) -> None:
    nobody = desk.nobody()
    for wanted, spoken in {"fr-BE": "fr", "de": "de", "xx": "nl", "": "nl"}.items():
        for page in ("", "/info"):
            answer = await nobody.get(f"/widget/{desk.widget}{page}", params={"lang": wanted})
            nobody.screen.show(answer.text)
            assert nobody.screen.first("html").attributes["lang"] == spoken
    titles = {"de-AT, en;q=0.5": "Anmelden", "sv, fr": "Se connecter", "sv": "Aanmelden"}
    for accepted, title in titles.items():
        answer = await nobody.get("/console", headers={"Accept-Language": accepted})
        nobody.screen.show(answer.text)
        assert nobody.screen.text("h1") == title


async def test_what_is_in_another_language_says_in_which(desk: Desk) -> None:
    await Widget.update(
        {
            Widget.language: "fr",
            Widget.privacy: '{"fr": {"text": "Vos données"}}',
            Widget.info_card: '{"fr": "Venez"}',
        }
    ).where(Widget.key == desk.widget)
    an = await desk.agent("an", "Loket", ready=True)
    async with an.stream():
        jef = desk.visitor(language="de")
        await jef.open()
        await jef.press()
        assert jef.screen.text(".privacy [lang=fr]") == "Vos données"
        assert "Ihre Frage" in jef.screen.text("#form")
        jef.screen.show((await jef.get(f"/widget/{desk.widget}/info?lang=de")).text)
        assert jef.screen.text("[lang=fr]") == "Venez"


async def test_an_error_is_said_in_the_language_of_the_page(desk: Desk) -> None:
    answer = await desk.nobody().get("/nergens", headers={"Accept-Language": "fr-BE"})
    assert answer.status_code == 404
    assert "Introuvable" in answer.text
    jef = desk.visitor(language="de")
    await jef.open()
    answer = await jef.post("/chat/messages", {"body": "Hallo"}, headers={"HX-Request": "true"})
    assert answer.status_code == 404
    assert "Nicht gefunden" in jef.screen.text("#notices")


def test_a_language_that_we_do_not_speak_is_refused() -> None:
    with pytest.raises(BadSetting, match="BALIE_LANGUAGE"):
        Settings().load({"BALIE_LANGUAGE": "es"})
