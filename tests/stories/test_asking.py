"""Who is asked: one agent at a time; a rejection, silence or a lost line brings the request to the next."""

import re

from playwright.sync_api import expect

from tests.stories.conftest import Browsers, Server


def test_rejected_by_one_asked_of_the_other(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    bram = browsers.agent("bram", "Loket")
    jef = browsers.visitor("/demo")
    jef.press()
    jef.fill_in(name="Jef Peeters", question="Wie helpt mij?")
    an.reject()
    expect(bram.request()).to_be_visible()
    expect(an.request_tab).to_have_count(0)
    expect(jef.status).to_have_text("Verbinden met een medewerker…")
    bram.accept()
    jef.sees_green("Bram")
    bram.sees("Wie helpt mij?")
    expect(an.page.get_by_role("tab")).to_have_count(0)


def test_silence_pauses_and_one_press_leads_back(browsers: Browsers, server: Server) -> None:
    server.set("queue", "Algemeen", answer_s=3)
    an = browsers.agent("an", "Loket")
    bram = browsers.agent("bram", "Loket", ready=False)
    jef = browsers.visitor("/demo")
    jef.press()
    jef.fill_in(name="Jef Peeters", question="Is daar iemand?")
    expect(an.request()).to_be_visible()
    expect(an.page.locator("#me")).to_contain_text("Niet beantwoord")
    expect(an.request_tab).to_have_count(0)
    expect(jef.status).to_have_text("Alle medewerkers zijn in gesprek")
    browsers.check("not-answered")

    server.set("queue", "Algemeen", answer_s=30)
    bram.become_ready()
    expect(bram.request()).to_be_visible()
    an.page.get_by_role("button", name=re.compile("^Beschikbaar$")).first.click()
    expect(an.page.locator("#me")).not_to_contain_text("Niet beantwoord")
    bram.accept()
    jef.sees_green("Bram")


def test_a_pause_and_a_sign_out_leave_conversations_alone(browsers: Browsers) -> None:
    """Lunch stops new requests only; signing out asks what is to become of those that run."""
    an = browsers.agent("an", "Loket")
    jef = browsers.visitor("/demo")
    jef.press()
    jef.fill_in(name="Jef Peeters", question="Eet smakelijk?")
    an.accept()
    an.page.locator("#me").get_by_role("button", name="Beschikbaar").click()
    an.page.get_by_role("button", name="lunch").click()
    fatima = browsers.visitor("/demo")
    expect(fatima.button("Chat niet beschikbaar, bekijk de infofiche")).to_be_visible()
    an.say("Dank u, Jef")
    jef.sees("Dank u, Jef")
    bram = browsers.agent("bram", "Loket")
    an.page.locator("[popovertarget=person-menu]").click()
    browsers.picture(an.page, "menu")
    an.page.get_by_role("button", name="Afmelden").click()
    expect(an.dialog).to_contain_text("Jef Peeters")
    expect(an.dialog.get_by_role("button", name="Annuleren")).to_be_focused()
    browsers.check("sign-out")
    an.dialog.get_by_role("button", name="Overdragen en afmelden").click()
    expect(an.page.get_by_label("Gebruikersnaam")).to_be_visible()
    bram.accept()
    jef.sees_green("Bram")
    bram.sees("Dank u, Jef")


def test_an_agent_whose_browser_is_gone(browsers: Browsers, server: Server) -> None:
    server.set("queue", "Algemeen", grace_s=14)
    an = browsers.agent("an", "Loket")
    bram = browsers.agent("bram", "Loket", ready=False)
    jef = browsers.visitor("/demo")
    jef.press()
    jef.fill_in(name="Jef Peeters", question="Blijft u bij mij?")
    an.accept()
    an.say("Natuurlijk.")
    jef.sees("Natuurlijk.")
    fatima = browsers.visitor("/widget/voorbeeld")
    fatima.fill_in(name="Fatima Benali", question="Mag ik na Jef?")
    expect(an.request_tab).to_be_visible()

    an.page.context.close()
    expect(jef.status).to_have_text("Even geduld, we verbinden u opnieuw", timeout=20_000)
    browsers.picture(jef.page, "grey")
    jef.say("Hallo?")
    jef.sees("Hallo?")
    jef.thread.get_by_text("Even geduld").wait_for()  # given back to the queue, at its head
    bram.become_ready()
    expect(bram.pane).to_contain_text("Jef Peeters")
    browsers.check("returned")
    bram.accept()
    for text in ("Blijft u bij mij?", "Natuurlijk.", "Hallo?"):
        bram.sees(text)
    jef.sees_green("Bram")
    expect(bram.tab("Jef Peeters")).to_be_visible()
    expect(bram.request_tab).to_be_visible()  # and then Fatima
    bram.request_tab.click()
    expect(bram.pane).to_contain_text("Fatima Benali")


def test_two_windows_of_one_agent_show_the_same(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    other = type(an)(an.page.context.new_page(), "an")
    other.page.goto("/console")
    jef = browsers.visitor("/demo")
    jef.press()
    jef.fill_in(name="Jef Peeters", question="Ziet u dubbel?")
    expect(an.request()).to_be_visible()
    other.accept()
    expect(an.request_tab).to_have_count(0)
    an.tab("Jef Peeters").click()
    an.say("Ja.")
    other.sees("Ja.")
    jef.say("Tot ziens")
    an.sees("Tot ziens")
    other.sees("Tot ziens")
    other.close()
    other.confirm_end()
    expect(an.page.get_by_role("tab")).to_have_count(0)
