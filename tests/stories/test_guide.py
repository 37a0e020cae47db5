"""Somebody who builds a site reads the guide, and has a token checked; with the keyboard alone."""

import httpx
from playwright.sync_api import Page, expect

from tests.stories.conftest import Browsers

PHONE = {"width": 390, "height": 844}


def check(page: Page, token: str) -> None:
    page.get_by_role("textbox", name="Token").focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(token)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")


def test_a_developer_reads_the_guide_and_has_a_token_checked(browsers: Browsers) -> None:
    context = browsers.context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto("/guide/voorbeeld")
    expect(page.get_by_role("heading", name="Gids voor ontwikkelaars")).to_be_visible()
    page.get_by_role("button", name="Kopiëren").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Gekopieerd")).to_be_visible()
    line = f'<script async src="{browsers.server.url}/embed.js" data-widget="voorbeeld"></script>'
    assert page.evaluate("navigator.clipboard.readText()") == line
    page.get_by_text("PHP", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#code-php")).to_contain_text("hash_hmac")
    browsers.check("guide")
    page.get_by_role("link", name="Een token nakijken").focus()
    page.keyboard.press("Enter")

    token = httpx.get(f"{browsers.server.url}/demo/token?citizen=lien", trust_env=False).text
    check(page, token)
    expect(page.get_by_role("heading", name="Dit token wordt geloofd")).to_be_visible()
    expect(page.locator("#checked")).to_be_focused()
    expect(page.locator("#checked")).to_contain_text("VB-1207")
    browsers.check("believed")
    check(page, token.rpartition(".")[0] + "." + "A" * 43)
    expect(page.get_by_role("heading", name="Dit token wordt niet geloofd")).to_be_visible()
    expect(page.locator("#checked .wrong")).to_contain_text("The signature does not fit")
    expect(page.locator("#checked")).to_be_focused()
    browsers.check("wrong")
    check(page, "")
    expect(page.get_by_text("Plak een token.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Token")).to_be_focused()

    phone = browsers.context(viewport=PHONE, color_scheme="dark").new_page()
    phone.goto("/guide/voorbeeld?lang=fr&algorithm=RS256")
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    expect(phone.get_by_role("link", name="RS256")).to_have_attribute("aria-current", "true")
