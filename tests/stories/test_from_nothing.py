"""From nothing: an empty desk, its first admin, an agent, a site with the button on it, and a conversation.

Nothing but pages: what one reads on the terminal, on the screen and in the transcript.
"""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.stories.conftest import AgentPage, Browsers, VisitorPage
from tests.stories.test_widget_settings import BLUE, GREEN, site

LONG = "een-lang-wachtwoord"
QUESTION = "Hoe laat gaat het zwembad open?"
ANSWER = "Om negen uur."


def first_admin(browsers: Browsers, name: str, **options: Any) -> Page:
    """By the link on the terminal, which works once."""
    found = re.search(r"http://\S+/first-admin/\S+", browsers.server.log)
    assert found, browsers.server.log
    page = browsers.context(**options).new_page()
    page.goto(found[0])
    page.locator("#first-admin[data-htmx-powered]").wait_for()
    browsers.check("link")
    page.get_by_label("Gebruikersnaam").fill(name.lower())
    page.get_by_label("Naam die bezoekers zien").fill(name)
    page.get_by_label("Wachtwoord").fill(LONG)
    page.get_by_role("button", name="Account aanmaken").click()
    page.wait_for_url("**/settings/start")
    return page


def step(page: Page, n: int) -> None:
    """This one is asked for."""
    expect(page.get_by_role("heading", name=re.compile(f"Stap {n} van 5"))).to_be_visible()
    if n < 5:
        page.locator("#start[data-htmx-powered]").wait_for()


def go_on(page: Page) -> None:
    page.get_by_role("button", name="Opslaan en verder").click()


def test_from_nothing_to_a_conversation(browsers_at_nothing: Browsers) -> None:
    browsers = browsers_at_nothing
    with site() as (origin, contents):
        mia = first_admin(browsers, "Mia")

        step(mia, 1)
        mia.get_by_label("Naam van de wachtrij").fill("")
        go_on(mia)
        expect(mia.locator("#desk-error")).to_be_visible()
        expect(mia.locator("#desk")).to_be_focused()
        browsers.check("queue")
        mia.get_by_label("Naam van de organisatie").fill("Stad Ergens")
        mia.get_by_label("Naam van de wachtrij").fill("Zwembad")
        go_on(mia)

        step(mia, 2)
        browsers.check("hours")
        go_on(mia)

        step(mia, 3)
        mia.get_by_label("Ik nodig een collega uit").check()
        mia.get_by_label("Naam die bezoekers zien").fill("Dirk")
        mia.locator("main").get_by_label("Gebruikersnaam").fill("dirk")
        browsers.check("agent")
        go_on(mia)
        link = mia.get_by_label("Link om een wachtwoord te kiezen").input_value()
        browsers.check("invited")
        mia.get_by_role("link", name="Volgende stap").click()

        step(mia, 4)
        mia.get_by_label("Site", exact=True).fill("zwembad")
        go_on(mia)
        expect(mia.locator("#origin-0-error")).to_be_visible()
        browsers.check("widget")
        mia.get_by_label("Site", exact=True).fill(origin)
        go_on(mia)

        step(mia, 5)
        state = mia.locator("#state")
        expect(state).to_contain_text("Dirk: uitgenodigd")
        browsers.check("blue")
        contents[0] = mia.locator("#snippet").inner_text()

        visitor = VisitorPage(browsers.context().new_page())
        visitor.page.goto(origin)
        expect(visitor.button(BLUE)).to_be_visible()

        page = browsers.context().new_page()
        page.goto(link)
        page.locator("#choice[data-htmx-powered]").wait_for()
        page.get_by_label("Wachtwoord").fill(LONG)
        page.get_by_role("button", name="Wachtwoord bewaren").click()
        expect(page.get_by_text("Uw wachtwoord is bewaard")).to_be_visible()
        expect(state).to_contain_text("Vraag Dirk om zich aan te melden")
        dirk = AgentPage(page, "dirk")
        dirk.sign_in(LONG)
        dirk.choose_profile("Zwembad")
        expect(state).to_contain_text("Dirk: aangemeld, maar nog niet beschikbaar")
        dirk.become_ready()

        expect(state).to_contain_text("De knop is groen")
        expect(mia.get_by_role("link", name="Uw site").locator(".icon")).to_be_visible()
        expect(visitor.button(GREEN)).to_be_visible()
        browsers.check("green")
        mia.get_by_role("button", name="Klaar").click()
        mia.wait_for_url("**/settings/queues")
        expect(mia.get_by_role("link", name="Eerste stappen")).to_have_count(0)

        visitor.press()
        visitor.window.get_by_label("Naam").fill("Jef")
        visitor.window.get_by_label("Uw vraag").fill(QUESTION)
        visitor.window.get_by_role("button", name="Gesprek starten").click()
        dirk.accept()
        dirk.sees(QUESTION)
        dirk.say(ANSWER)
        visitor.sees(ANSWER)
        browsers.check("conversation")
        visitor.end()
        visitor.window.get_by_role("button", name="Gesprek downloaden").click()
        with visitor.page.expect_download() as saved:
            visitor.window.locator("#download-menu").get_by_text("Als gewone tekst").click()
        text = saved.value.path().read_text()
        assert QUESTION in text
        assert ANSWER in text
        assert "Stad Ergens" in text


@pytest.mark.parametrize("scheme", ["dark"])
def test_one_person_alone_sees_it_work_on_the_trial_page(browsers_at_nothing: Browsers, scheme: str) -> None:
    browsers = browsers_at_nothing
    mia = first_admin(browsers, "Mia", viewport={"width": 390, "height": 844}, color_scheme=scheme)
    mia.get_by_label("Naam van de organisatie").fill("Stad Ergens")
    for n in (1, 2, 3, 4):
        step(mia, n)
        assert mia.evaluate("document.documentElement.scrollWidth") <= 390
        browsers.check(f"step-{n}")
        go_on(mia)
    step(mia, 5)
    browsers.check("step-5")
    with mia.context.expect_page() as opened:
        mia.get_by_role("link", name="Naar de console").click()
    console = AgentPage(opened.value, "mia")
    console.choose_profile("Algemeen")
    console.become_ready()
    expect(mia.locator("#state")).to_contain_text("De knop is groen")
    with mia.context.expect_page() as opened:
        mia.get_by_role("link", name="Probeer het uit").click()
    trial = VisitorPage(opened.value)
    expect(trial.button(GREEN)).to_be_visible()
    mia.get_by_role("link", name="Wachtrij").first.click()
    step_one = mia.get_by_role("heading", name=re.compile("Stap 1 van 5"))
    expect(step_one).to_be_visible()
    expect(mia.locator("#start")).to_contain_text("Algemeen")
