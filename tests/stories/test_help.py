"""Whoever comes with another language chooses it, is helped in it, and stays in it."""

from playwright.sync_api import expect

from tests.stories.conftest import Browsers
from tests.stories.test_small_screens import NARROW, fits


def test_a_language_is_chosen_and_stays(browsers: Browsers) -> None:
    page = browsers.context(viewport=NARROW).new_page()
    page.goto("/widget/voorbeeld")
    page.get_by_role("navigation", name="Taal").get_by_role("link", name="Deutsch").click()
    expect(page.locator("html[lang=de]")).to_be_attached()
    expect(page.get_by_label("Ihre Frage")).to_be_visible()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Hilfe").click()
    manual = opened.value
    expect(manual.get_by_role("heading", level=1)).to_have_text("Mit dem Team chatten")
    fits(manual)
    manual.get_by_role("link", name="Für das Team").click()
    manual.get_by_role("link", name="Die fünf Schaltflächen").click()
    expect(manual.locator("#tools")).to_be_in_viewport()
    fits(manual)
    browsers.check("manual")
    manual.get_by_role("link", name="Barrierefreiheit", exact=True).click()
    expect(manual.get_by_role("heading", level=1)).to_have_text("Erklärung zur Barrierefreiheit")
    fits(manual)
    manual.goto("/console")
    manual.get_by_role("link", name="Français").click()
    manual.get_by_label("Nom d’utilisateur").fill("an")
    manual.get_by_label("Mot de passe").fill("fout")
    manual.get_by_role("button", name="Se connecter").click()
    expect(manual.locator(".field-error")).to_have_text(
        "Le nom d’utilisateur ou le mot de passe est incorrect."
    )


def test_in_a_frame_the_host_page_chooses(browsers: Browsers) -> None:
    browsers.agent("an", "Loket")
    jef = browsers.visitor()
    jef.press()
    expect(jef.form).to_be_visible()
    expect(jef.window.get_by_role("link", name="Toegankelijkheid")).to_be_visible()
    expect(jef.window.get_by_role("navigation", name="Taal")).to_have_count(0)
