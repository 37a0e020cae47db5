"""The organisation's own theme on every page; and screens of high contrast for who needs them."""

import re

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from tests.stories.conftest import AT_REST, AgentPage, Browsers, check_accessibility

BLUE = "Chat niet beschikbaar, bekijk de infofiche"
NAVY = "rgb(20, 61, 107)"
LINK = re.compile("--utrecht-link-color: #00811f;")
THEME = """.voorbeeld-theme {
  --voorbeeld-navy: #143d6b;
  --utrecht-button-primary-action-background-color: var(--voorbeeld-navy);
  --utrecht-button-primary-action-color: #fff;
  --utrecht-link-color: #00811f;
  --utrecht-focus-outline-color: yellow;
  --utrecht-button-border-radius: 0;
  --utrecht-logo: url(https://voorbeeld.example/logo.svg);
}"""


def test_a_theme_file_colours_the_button_the_window_and_the_screens(browsers: Browsers) -> None:
    host = browsers.visitor()
    button = host.button(BLUE)
    expect(button).to_be_visible()
    ours = button.evaluate("each => getComputedStyle(each).backgroundColor")
    admin = browsers.context().new_page()
    admin.goto("/settings/house-style")
    AgentPage(admin, "admin").sign_in()
    admin.locator("#style[data-htmx-powered]").wait_for()

    admin.get_by_label("Themabestand").set_input_files(
        {"name": "leeg.css", "mimeType": "text/css", "buffer": b"@import 'theme.css';"}
    )
    expect(admin.get_by_role("alert")).to_contain_text("verwijst alleen met @import")
    admin.get_by_label("Themabestand").set_input_files(
        {"name": "theme.css", "mimeType": "text/css", "buffer": THEME.encode()}
    )
    row = admin.get_by_role("row", name="Rand om wat de focus heeft")
    expect(row).to_contain_text("Contrast 1 : 1. Minstens 3 : 1 is nodig")
    expect(admin.get_by_role("alert")).to_have_count(0)
    expect(admin.get_by_label("Eigenschappen")).to_have_value(LINK)
    drawn = admin.frame_locator("iframe >> nth=0").get_by_role(
        "button", name="Gesprek starten", include_hidden=True
    )
    expect(drawn).to_have_css("background-color", NAVY)
    expect(drawn).to_have_css("border-radius", "0px")
    admin.get_by_label("Pagina", exact=True).select_option("dark")
    expect(drawn).not_to_have_css("background-color", NAVY)
    save = admin.get_by_role("button", name="Opslaan").first
    expect(save).not_to_have_css("background-color", NAVY)
    check_accessibility(admin)
    browsers.picture(admin, "read")

    save.click()
    expect(save).to_have_css("background-color", NAVY)
    expect(button).to_have_css("background-color", NAVY)
    assert ours != NAVY
    button.click()
    expect(host.window.get_by_role("link", name="02 123 45 67")).to_have_css("color", "rgb(0, 123, 29)")
    for scheme in ("light", "dark"):
        for page in (host.page, admin):
            page.emulate_media(color_scheme=scheme)
        browsers.check(scheme)
    admin.emulate_media(contrast="more", color_scheme="light")
    expect(save).to_have_css("background-color", "rgb(0, 56, 111)")

    admin.get_by_role("button", name="Huisstijl verwijderen").click()
    expect(admin.get_by_role("button", name="Huisstijl verwijderen")).to_have_count(0)
    host.page.emulate_media(color_scheme="light")
    host.page.reload()
    expect(button).to_have_css("background-color", ours)


def test_screens_of_high_contrast_are_read_by_whoever_needs_seven_to_one(browsers: Browsers) -> None:
    jef = browsers.visitor("/widget/voorbeeld", contrast="more")
    an = browsers.agent("an", "Loket")
    page = an.page
    page.goto("/settings/me")
    page.locator("#screens[data-htmx-powered]").wait_for()
    page.get_by_label("Weergave").select_option("contrast")
    page.locator("#screens [type=submit]").click()
    expect(page.locator("link[href*='contrast.css']:not([media])")).to_have_count(1)
    enhanced(page)
    page.goto("/console")
    jef.page.reload()
    jef.fill_in(name="Jef Peeters", question="Mag ik vandaag parkeren?")
    expect(an.request()).to_be_visible()
    enhanced(page, jef.page)
    an.accept()
    an.say("Dat mag.", "Jef")
    jef.sees("Dat mag.")
    page.get_by_role("button", name="Privé", exact=True).click()
    page.get_by_label("Privé: alleen collega’s lezen dit").fill("Kijk in het dossier")
    page.get_by_label("Privé: alleen collega’s lezen dit").press("Enter")
    an.sees("Kijk in het dossier")
    enhanced(page, jef.page)
    page.get_by_role("button", name="Privémodus uitschakelen").first.click()
    page.get_by_role("button", name="Aanbod").click()
    expect(page.locator(".tool-panel .input").first).to_be_visible()
    enhanced(page)
    outline = "each => getComputedStyle(each).borderTopColor === getComputedStyle(document.body).color"
    assert page.locator(".from-visitor .bubble").first.evaluate(outline), "a bubble is more than a tint"
    browsers.server.sql("UPDATE agent SET look = '' WHERE username = 'an'")


def enhanced(*pages: Page) -> None:
    """Axe, with what it asks of text for level AAA; in light and in dark."""
    for page in pages:
        page.evaluate(AXE_SCRIPT)
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            page.evaluate(AT_REST)
            judge = "rule => axe.run(document, {runOnly: {type: 'rule', values: [rule]}})"
            result = page.evaluate(judge, "color-contrast-enhanced")
            assert result["passes"], "there is text to be judged"
            found = [node for each in result["violations"] for node in each["nodes"]]
            assert not [node["html"] + node["failureSummary"] for node in found], scheme
