"""When the button is green and when blue, and what blue leads to."""

import re

import pytest
from playwright.sync_api import expect

from tests.stories.conftest import SUNDAY_EVENING, Browsers, Server

GREEN = "Chat met een medewerker"
BLUE = "Chat niet beschikbaar, bekijk de infofiche"
FOLLOWS_MS = 2_000


@pytest.mark.parametrize("time_of_day", [SUNDAY_EVENING], ids=["sunday"])
def test_outside_hours_it_is_blue_and_leads_to_the_info_card(browsers: Browsers, server: Server) -> None:
    server.set("queue", "Algemeen", always_open=False)
    browsers.agent("an", "Loket")
    jef = browsers.visitor("/demo")
    expect(jef.button(BLUE)).to_be_visible()
    jef.button(BLUE).click()
    expect(jef.window.get_by_text("112")).to_be_visible()
    expect(jef.window.get_by_text("02 123 45 67")).to_be_visible()
    browsers.check("card")
    jef.page.keyboard.press("Escape")
    expect(jef.button(BLUE)).to_be_focused()


@pytest.mark.parametrize("time_of_day", [SUNDAY_EVENING], ids=["sunday"])
def test_a_subject_whose_queue_is_closed_is_marked(browsers: Browsers) -> None:
    """The other one is open: nothing that was typed is lost by choosing."""
    an = browsers.agent("an", "Loket")
    jef = browsers.visitor("/demo")
    jef.press()
    subjects = jef.form.get_by_label("Onderwerp")
    expect(subjects.locator("option", has_text="Vergunningen")).not_to_have_text("Vergunningen")
    jef.fill_in(name="Jef Peeters", question="Mag ik bouwen?")
    # … by mistake, with the first subject; and a second visitor who does choose
    expect(an.request()).to_be_visible()
    lien = browsers.visitor("/widget/voorbeeld")
    lien.form.get_by_label("Onderwerp").select_option(index=1)
    lien.form.get_by_label("Naam").fill("Lien")
    lien.form.get_by_label("Uw vraag").fill("Mag ik ook bouwen?")
    lien.form.locator("[type=submit]").click()
    expect(lien.form.locator("#place .notice")).to_be_visible()
    expect(lien.form.get_by_label("Uw vraag")).to_have_value("Mag ik ook bouwen?")
    browsers.check("closed")
    lien.form.get_by_label("Onderwerp").select_option(index=0)
    lien.form.locator("[type=submit]").click()
    lien.sees("Mag ik ook bouwen?")


def test_green_as_long_as_somebody_has_a_place(browsers: Browsers, server: Server) -> None:
    server.set("profile", "Loket", places=1)
    jef, lien = browsers.visitor("/demo"), browsers.visitor("/demo/2")
    expect(jef.button(BLUE)).to_be_visible()
    expect(lien.button(BLUE)).to_be_visible()
    an = browsers.agent("an", "Loket")
    expect(lien.button(GREEN)).to_be_visible(timeout=FOLLOWS_MS)
    jef.press()
    expect(lien.button(BLUE)).to_be_visible(timeout=FOLLOWS_MS)  # the place is held
    browsers.check("held")
    jef.fill_in(name="Jef Peeters", question="Net op tijd?")
    an.accept()
    jef.sees_green()
    expect(lien.button(BLUE)).to_be_visible()
    an.close()
    an.confirm_end()
    expect(lien.button(GREEN)).to_be_visible(timeout=FOLLOWS_MS)
    an.page.locator("#me").get_by_role("button", name="Beschikbaar").click()
    an.page.get_by_role("button", name="lunch").click()
    expect(lien.button(BLUE)).to_be_visible(timeout=FOLLOWS_MS)


def test_a_place_that_is_gone_loses_nothing(browsers: Browsers) -> None:
    """The agent pauses while the form is filled in: wait, or the info card."""
    an = browsers.agent("an", "Loket")
    jef = browsers.visitor("/demo")
    jef.press()
    jef.form.get_by_label("Naam").fill("Jef Peeters")
    an.page.locator("#me").get_by_role("button", name="Beschikbaar").click()
    an.page.get_by_role("button", name="lunch").click()
    jef.form.get_by_label("Uw vraag").fill("Te laat?")
    jef.form.locator("[type=submit]").click()
    jef.sees("Te laat?")
    expect(jef.status).to_have_text("Alle medewerkers zijn in gesprek")
    browsers.check("nobody")
    an.become_ready()
    an.accept()
    jef.sees_green()
    an.sees("Te laat?")


def test_the_place_in_the_queue(browsers: Browsers, server: Server) -> None:
    server.set("profile", "Loket", places=1)
    an = browsers.agent("an", "Loket")
    jef = browsers.visitor("/widget/voorbeeld")
    jef.fill_in(name="Jef Peeters", question="De eerste")
    an.accept()
    jef.sees_green()
    for place, name in enumerate(("Fatima Benali", "Lien"), 1):
        waiting = browsers.visitor("/widget/voorbeeld")
        waiting.fill_in(name=name, question="In de rij")
        expect(waiting.status).to_have_text(f"U bent nummer {place} in de wachtrij")
        expect(waiting.text_bar).to_be_visible()
    expect(an.page.locator("#lines")).to_contain_text(re.compile(r"Algemeen\s*2"))
    browsers.check("line")
