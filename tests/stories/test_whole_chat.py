"""A citizen presses the button on a web form, an official answers, both talk until one of them ends it."""

import re

import pytest
from playwright.sync_api import expect

from tests.stories.conftest import PATIENCE_MS, AgentPage, Browsers, Server, VisitorPage

NEWS = re.compile(r"^\(1\) ")


def in_line(browsers: Browsers, name: str, question: str, path: str = "/widget/voorbeeld") -> VisitorPage:
    """A visitor who has sent the form."""
    visitor = browsers.visitor(path)
    if path.startswith("/demo"):
        visitor.press()
    visitor.fill_in(name=name, question=question)
    visitor.sees(question)
    return visitor


def talking(browsers: Browsers, an: AgentPage, name: str = "Jef Peeters") -> VisitorPage:
    visitor = in_line(browsers, name, f"Een vraag van {name}", "/demo")
    an.accept()
    visitor.sees_green()
    expect(an.text_bar(name)).to_be_visible()
    return visitor


@pytest.mark.twice
def test_the_whole_chat(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    bram = browsers.agent("bram", "Loket")
    jef = browsers.visitor("/demo")
    jef.press()
    expect(jef.form).to_be_visible()
    browsers.check("form")
    jef.fill_in(name="Jef Peeters", email="jef@voorbeeld.be", question="Mag ik vandaag parkeren?")
    jef.sees("Mag ik vandaag parkeren?")
    expect(jef.status).to_have_text("Verbinden met een medewerker…")
    expect(jef.window.get_by_role("button", name="Stoppen met wachten")).to_be_visible()

    expect(an.request_tab).to_be_visible()
    expect(an.page).to_have_title(NEWS)
    expect(an.pane).to_contain_text("Mag ik vandaag parkeren?")
    expect(an.pane).to_contain_text("Jef Peeters")
    expect(bram.request_tab).to_have_count(0)
    browsers.check("asked")
    an.accept()
    jef.sees_green("An")
    an.sees("Mag ik vandaag parkeren?")
    expect(an.page).not_to_have_title(NEWS)
    expect(an.text_bar("Jef Peeters")).to_be_focused()
    expect(jef.text_bar).to_be_focused()

    an.say("Dag Jef, in welke straat?", to="Jef Peeters")
    jef.sees("Dag Jef, in welke straat?")
    jef.say("In de Kerkstraat")
    an.sees("In de Kerkstraat")
    browsers.check("talking")

    jef.end()
    expect(an.pane.get_by_role("log")).to_contain_text("De bezoeker heeft het gesprek beëindigd")
    expect(jef.window.get_by_role("button", name="Nieuw gesprek")).to_be_visible()
    expect(jef.text_bar).to_be_hidden()


def test_sound_is_hinted_at_only_while_it_is_blocked(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    expect(an.page.locator("#sound-hint")).to_be_hidden()  # the press on "Beschikbaar" has allowed it
    an.page.reload()
    expect(an.page.locator("#sound-hint")).to_be_visible()
    browsers.picture(an.page, "blocked")
    an.page.locator("#sound-hint").click()
    expect(an.page.locator("#sound-hint")).to_be_hidden()


def test_each_sees_the_other_type(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    jef.text_bar.press_sequentially("Ik ben")
    expect(an.pane.locator(".typing")).to_have_text("Jef Peeters typt…")
    an.text_bar("Jef Peeters").press_sequentially("Wacht")
    expect(jef.window.locator(".typing")).to_have_text("An typt…")
    browsers.check("typing")
    jef.say("Ik ben er.")
    an.sees("Ik ben er.")
    expect(an.pane.locator(".typing")).to_have_text("")
    expect(jef.window.locator(".typing")).to_have_text("")  # An has stopped, without having sent it


def test_links_show_where_they_lead(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    jef.say("Zie https://voorbeeld.be@bank.example.org/inloggen of bel 02 555 12 34")
    link = an.thread.get_by_role("link", name="voorbeeld.be@bank")
    expect(link).to_have_attribute("rel", re.compile("noopener"))
    expect(an.thread).to_contain_text("(bank.example.org)")
    expect(an.thread.get_by_role("link", name="02 555 12 34")).to_have_attribute("href", "tel:+3225551234")
    an.say("www.voorbeeld.be en info@voorbeeld.be <b>vet</b>")
    expect(jef.thread.get_by_role("link", name="www.voorbeeld.be")).to_be_visible()
    expect(jef.thread.get_by_role("link", name="info@voorbeeld.be")).to_be_visible()
    expect(jef.thread).to_contain_text("<b>vet</b>")


VISITORS = (
    "Jef Peeters",
    "Fatima Benali",
    "Maximiliaan-Alexander van der Straeten-Ponthoz",
    "Lien",
    "Ümit Özdemir",
)


def test_five_chats_at_once(browsers: Browsers, server: Server) -> None:
    server.set("profile", "Loket", places=5)
    an = browsers.agent("an", "Loket")
    visitors = {}
    for name in VISITORS:
        visitors[name] = in_line(browsers, name, f"Een vraag van {name}")
        expect(an.request_tab).to_have_count(1)
        an.request_tab.click()
        an.accept()
        visitors[name].sees_green()
        expect(an.text_bar(name)).to_be_visible()
    expect(an.page.get_by_role("tab")).to_have_count(5)
    fits = "tabs => tabs.scrollWidth <= tabs.clientWidth"
    assert an.page.get_by_role("tablist").evaluate(fits), "five chats fit"

    an.tab("Jef Peeters").click()
    an.text_bar("Jef Peeters").fill("Dag Jef, een half")
    visitors["Fatima Benali"].say("Bent u er nog?")
    visitors["Fatima Benali"].say("Hallo?")
    visitors["Lien"].say("Dag")
    expect(an.tab("Fatima Benali")).to_contain_text("2 ongelezen berichten")
    expect(an.tab("Lien")).to_contain_text("1 ongelezen bericht")
    expect(an.page).to_have_title(re.compile(r"^\(3\) "))
    expect(an.text_bar("Jef Peeters")).to_be_focused()
    browsers.check("five")

    an.tab("Fatima Benali").click()
    an.sees("Hallo?")
    expect(an.tab("Fatima Benali")).not_to_contain_text("ongelezen")
    expect(an.page).to_have_title(re.compile(r"^\(1\) "))
    an.text_bar("Fatima Benali").fill("Een ander half")
    an.tab("Jef Peeters").click()
    expect(an.text_bar("Jef Peeters")).to_have_value("Dag Jef, een half")
    an.page.reload()
    an.tab("Fatima Benali").click()
    expect(an.text_bar("Fatima Benali")).to_have_value("Een ander half")
    an.tab("Jef Peeters").click()
    expect(an.text_bar("Jef Peeters")).to_have_value("Dag Jef, een half")
    an.text_bar("Jef Peeters").press("End")
    an.page.keyboard.type(" woord")
    an.page.keyboard.press("Enter")
    visitors["Jef Peeters"].sees("Dag Jef, een half woord")
    expect(an.text_bar("Jef Peeters")).to_have_value("")


def test_closing_asks_while_the_visitor_is_there(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    an.close()
    expect(an.dialog).to_contain_text("Weet u zeker dat u deze chat wilt sluiten?")
    expect(an.dialog.get_by_role("button", name="Annuleren")).to_be_focused()
    browsers.check("asks")
    an.page.keyboard.press("Enter")
    expect(an.dialog).to_be_hidden()
    an.say("Ik ben er nog.")
    jef.sees("Ik ben er nog.")
    an.close()
    expect(an.dialog).to_be_visible()
    an.page.keyboard.press("Escape")
    expect(an.dialog).to_be_hidden()
    an.close()
    an.confirm_end()
    expect(an.page.get_by_role("tab")).to_have_count(0)
    expect(jef.window.get_by_role("heading", name="Gesprek beëindigd door An")).to_be_visible()


def test_closing_does_not_ask_when_the_visitor_has_ended_it(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    jef.window.get_by_role("button", name="Gesprek beëindigen").click()
    expect(jef.dialog).to_contain_text("Wilt u het gesprek beëindigen?")
    browsers.check("visitor-asks")
    jef.page.keyboard.press("Escape")
    jef.sees_green()
    jef.end()
    expect(an.tab("Jef Peeters")).to_contain_text("Beëindigd")
    an.close()
    expect(an.page.get_by_role("tab")).to_have_count(0)
    expect(an.dialog).to_be_hidden()


def test_a_visitor_who_is_away(browsers: Browsers, server: Server) -> None:
    """For a moment, closing asks; for longer than the queue allows, there is nothing left to ask."""
    server.set("queue", "Algemeen", away_s=20)
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    jef.page.close()
    expect(an.pane.locator(".chat-head")).to_contain_text("Bezoeker weg")
    an.close()
    expect(an.dialog).to_be_visible()
    browsers.check("away")
    an.page.keyboard.press("Escape")
    expect(an.tab("Jef Peeters")).to_contain_text("Beëindigd", timeout=2 * PATIENCE_MS)
    an.close()
    expect(an.page.get_by_role("tab")).to_have_count(0)
    expect(an.dialog).to_be_hidden()


def test_a_visitor_who_stops_waiting_leaves_nothing(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = in_line(browsers, "Jef Peeters", "Te laat?", "/demo")
    expect(an.request()).to_be_visible()
    jef.window.get_by_role("button", name="Stoppen met wachten").click()
    expect(jef.button()).to_be_visible()
    expect(an.request_tab).to_have_count(0)
    expect(an.page).not_to_have_title(NEWS)


@pytest.mark.parametrize("scheme", ["dark"])
def test_by_night(browsers: Browsers, scheme: str) -> None:
    an = browsers.agent("an", "Loket", color_scheme=scheme)
    jef = browsers.visitor("/demo", color_scheme=scheme)
    jef.press()
    expect(jef.form).to_be_visible()
    browsers.check("form")
    jef.fill_in(name="Jef Peeters", question="Mag dat 's nachts ook?")
    expect(an.request()).to_be_visible()
    browsers.check("asked")
    an.accept()
    an.say("Dag Jef")
    jef.sees("Dag Jef")
    browsers.check("talking")
    an.close()
    expect(an.dialog).to_be_visible()
    browsers.check("asks")
    an.confirm_end()
    expect(jef.window.get_by_role("button", name="Nieuw gesprek")).to_be_visible()
