"""A citizen who is signed in at the town's site chats; the official sees who vouches for it."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.stories.conftest import AgentPage, Browsers, VisitorPage, soon
from tests.stories.test_whole_chat import talking

BY = "Geverifieerd door E-loket"


def details(an: AgentPage) -> Locator:
    return an.pane.get_by_role("complementary", name="Chatdetails")


def case_number(an: AgentPage) -> Locator:
    return an.pane.get_by_label("Zaaknummer")


def signed_in(browsers: Browsers, question: str, citizen: str = "lien") -> VisitorPage:
    """Through the form, which asks no name."""
    visitor = browsers.visitor(f"/demo?citizen={citizen}")
    visitor.press()
    expect(visitor.form).to_contain_text("Doorgegeven door E-loket")
    expect(visitor.form.get_by_label("Naam")).to_have_count(0)
    visitor.fill_in(question=question)
    visitor.sees(question)
    return visitor


def test_a_citizen_signs_in_at_the_site_and_the_official_sees_the_lock(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    lien = browsers.visitor("/demo")
    lien.page.get_by_role("link", name="Aanmelden").click()
    expect(lien.page.get_by_text("Aangemeld als Lien Janssens")).to_be_visible()
    asked: list[str] = []
    lien.page.on("request", lambda request: asked.append(request.url))
    lien.page.reload()
    expect(lien.button()).to_be_visible()
    assert not [url for url in asked if "token" in url], "not before the press"
    lien.press()
    expect(lien.form.get_by_label("Onderwerp")).to_be_focused()
    browsers.check("form")
    lien.fill_in(question="Hoe verleng ik mijn kaart?")
    expect(an.pane).to_contain_text(BY)
    expect(an.pane.get_by_role("heading", name="Lien Janssens")).to_be_visible()
    browsers.check("asked")
    an.accept()
    lien.sees_green()
    expect(an.tab("Lien Janssens")).to_be_visible()
    expect(details(an)).to_contain_text("VB-1207")
    expect(details(an).locator("dd", has_text=BY)).to_have_count(4)
    expect(details(an).locator("dd:not(:has-text('Geverifieerd')) use[href$='#lock']")).to_have_count(0)
    an.say("Dat kan online.", to="Lien Janssens")
    browsers.check("talking")

    lien.page.get_by_role("button", name="Volgende stap").click(force=True)
    expect(lien.page.get_by_text("Aangemeld als Lien Janssens")).to_be_visible()
    lien.sees("Dat kan online.")
    lien.say("Bedankt")
    an.sees("Bedankt")
    expect(an.thread.get_by_text("Lien Janssens").first).to_be_visible()


def test_what_was_said_before_can_be_looked_up_and_what_is_said_copied(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket", permissions=["clipboard-read", "clipboard-write"])
    lien = signed_in(browsers, "Mijn eerste vraag")
    an.accept()
    lien.sees_green()
    an.say("Mijn eerste antwoord")
    lien.sees("Mijn eerste antwoord")
    lien.end()
    an.pane.get_by_role("button", name="Tabblad sluiten").click()

    karim = signed_in(browsers, "Iets anders", "karim")
    an.accept()
    karim.sees_green()
    expect(details(an)).to_contain_text("Nog geen met deze persoon.")
    karim.end()
    an.pane.get_by_role("button", name="Tabblad sluiten").click()

    signed_in(browsers, "Mijn tweede vraag")
    an.accept()
    earlier = details(an).get_by_role("button", name=re.compile("Algemeen · An"))
    expect(earlier).to_have_count(1)
    earlier.focus()
    an.page.keyboard.press("Enter")
    expect(an.dialog.get_by_role("heading", name="Gesprek van woensdag 11 maart 2026")).to_be_visible()
    expect(an.dialog).to_contain_text("Mijn eerste antwoord")
    expect(an.dialog.get_by_role("button", name="Sluiten")).to_be_focused()
    browsers.check("earlier")
    an.page.keyboard.press("Escape")
    expect(an.dialog).to_have_count(0)
    expect(earlier).to_be_focused()

    details(an).get_by_role("button", name="Gesprek kopiëren").click()
    expect(details(an).get_by_text("Gekopieerd")).to_be_visible()
    text = an.page.evaluate("navigator.clipboard.readText()")
    assert f"Naam: Lien Janssens ({BY})" in text
    assert "Lien Janssens:\nMijn tweede vraag" in text
    assert "Mijn eerste vraag" not in text


def test_a_copy_that_fails_says_so(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    talking(browsers, an)
    browsers.forgiven.append("Failed to fetch|net::ERR_FAILED")
    an.page.route("**/text", lambda route: route.abort())
    details(an).get_by_role("button", name="Gesprek kopiëren").click()
    expect(details(an).get_by_text("Kopiëren is niet gelukt. Probeer het opnieuw.")).to_be_visible()
    browsers.check("failed")
    an.page.unroute("**/text")
    an.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")  # as without https
    details(an).get_by_role("button", name="Gesprek kopiëren").click()
    expect(details(an).get_by_text("Gekopieerd")).to_be_visible()


def test_a_case_number_is_saved_as_it_is_typed_and_follows_in_other_windows(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    second = AgentPage(an.page.context.new_page(), "an")
    second.page.goto("/console")
    case_number(an).fill("2026/117")
    case_number(an).press("Enter")
    expect(details(an).get_by_text("Opgeslagen")).to_be_visible()
    expect(case_number(second)).to_have_value("2026/117")
    browsers.check("saved")

    # What is being typed survives all that is redrawn around it, and another window's number.
    case_number(second).fill("2026/1")
    case_number(an).fill("2026/200")
    case_number(an).press("Tab")
    expect(details(an).get_by_text("Opgeslagen")).to_be_visible()
    jef.page.close()
    expect(second.pane.get_by_text("Bezoeker weg").first).to_be_visible()
    expect(case_number(second)).to_have_value("2026/1")
    expect(case_number(second)).to_be_focused()
    second.page.keyboard.type("18")
    second.page.keyboard.press("Tab")
    expect(case_number(an)).to_have_value("2026/118")
    expect(details(second).get_by_text("Opgeslagen")).to_be_visible()
    case_number(an).focus()
    case_number(second).fill("2026/300")
    case_number(second).press("Enter")
    expect(case_number(an)).to_have_attribute("value", "2026/300")
    case_number(an).press("Tab")
    expect(case_number(an)).to_have_value("2026/300")

    browsers.forgiven.append("Failed to fetch|net::ERR_FAILED")
    an.page.route("**/case", lambda route: route.abort())
    case_number(an).fill("2026/999")
    case_number(an).press("Tab")
    expect(details(an).get_by_text("Niet opgeslagen. Probeer het opnieuw.")).to_be_visible()
    expect(case_number(an)).to_have_value("2026/999")


def is_told(page: Page, heard: list[str], words: str) -> None:
    """The page's makers are, after the window has opened."""
    soon(page, lambda: next((words for each in heard if each.startswith(words)), str(heard)), words)


def warned(visitor: VisitorPage) -> list[str]:
    heard: list[str] = []
    visitor.page.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
    return heard


def test_a_bad_token_is_told_to_the_developer_and_the_chat_goes_on(browsers: Browsers) -> None:
    browsers.agent("an", "Loket")
    tried = {
        "'geen token'": 'Balie: This is not a JWT: "geen token"',
        "() => fetch('/demo/token')": 'Balie: identify() was given an object, "[object Response]"',
        "() => fetch('/demo').then((answer) => answer.text())": "Balie: This is a web page (HTML)",
        "() => Promise.reject(new Error('weg'))": "Balie: identify() failed: Error: weg",
        "() => { throw new Error('stuk') }": "Balie: identify() failed: Error: stuk",
        "() => new Promise(() => {})": "Balie: identify() failed: no answer in 4 s",
    }
    for given, words in tried.items():
        jef = browsers.visitor()
        heard = warned(jef)
        expect(jef.button()).to_be_visible()
        jef.page.evaluate(f"Balie.identify({given})")
        jef.press()
        expect(jef.form.get_by_label("Naam")).to_be_focused()
        is_told(jef.page, heard, f"warning: {words}")
        expect(jef.window.get_by_text("JWT")).to_have_count(0)
        jef.window.get_by_role("button", name="Gesprek beëindigen").first.click()
        jef.page.close()
    for given in ("undefined", "null", "''", "() => null", "async () => ''"):
        jef = browsers.visitor()
        heard = warned(jef)
        expect(jef.button()).to_be_visible()
        jef.page.evaluate(f"Balie.identify({given})")
        jef.press()
        expect(jef.form.get_by_label("Naam")).to_be_focused()
        assert not heard, given
        jef.window.get_by_role("button", name="Gesprek beëindigen").first.click()
        jef.page.close()


def test_on_a_page_of_its_own_nobody_vouches(browsers: Browsers) -> None:
    browsers.agent("an", "Loket")
    lien = browsers.visitor("/widget/voorbeeld?citizen=lien")
    expect(lien.form.get_by_label("Naam")).to_be_visible()
    assert lien.page.evaluate("typeof Balie") == "undefined"
