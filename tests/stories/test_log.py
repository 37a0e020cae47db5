"""An admin looks into a conversation: finds it by a number, reads what was said privately and what was
withdrawn, takes it along; and the audit knows it."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.stories.conftest import Browsers, Server, VisitorPage

PHONE = {"width": 390, "height": 844}


def conversation(browsers: Browsers) -> VisitorPage:
    an = browsers.agent("an", "Loket")
    jef = browsers.visitor("/widget/voorbeeld?lang=nl")
    jef.form.locator("[name=name]").fill("Jef Peeters")
    jef.form.locator("[name=question]").fill("Mijn nummer is 02 123 45 67. Mag mijn caravan daar staan?")
    jef.form.locator("[type=submit]").click()
    an.accept()
    bar = an.text_bar("Jef Peeters")
    bar.fill("Dit was voor iemand anders.")
    bar.press("Enter")
    said = an.pane.locator(".message", has_text="Dit was voor iemand anders.")
    said.hover()
    said.get_by_role("button", name="Intrekken").click()
    expect(said).to_contain_text("Ingetrokken")
    an.pane.get_by_role("button", name="Privé", exact=True).click()
    an.pane.locator("textarea:visible").fill("Deze man belde gisteren ook al.")
    an.pane.locator("textarea:visible").press("Enter")
    expect(an.pane.locator(".message.private")).to_contain_text("Deze man belde gisteren ook al.")
    return jef


def admin_at(browsers: Browsers, path: str, **options: Any) -> Page:
    page = browsers.context(**options).new_page()
    page.goto(path)
    page.locator("#sign-in[data-htmx-powered]").wait_for()
    page.get_by_label("Gebruikersnaam").fill("admin")
    page.get_by_label("Wachtwoord").fill("geheim-1234")
    with page.expect_navigation(url=f"**{path}"):  # to the same address
        page.get_by_role("button", name="Aanmelden").click()
    return page


def test_a_conversation_is_found_read_and_taken_along_and_the_audit_knows(
    browsers: Browsers, server: Server
) -> None:
    conversation(browsers)
    admin = admin_at(browsers, "/settings/log")
    indexed = "SELECT count(*) FROM chat WHERE seq = log_seq"
    for _try in range(100):
        if server.sql(indexed) != [(0,)]:
            break
        admin.wait_for_timeout(100)
    search = admin.get_by_role("searchbox", name="Zoeken in het logboek")
    search.fill("021234567 CARAVAN")
    search.press("Enter")
    rows = admin.locator(".log-table tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Jef Peeters")
    browsers.check("found")
    admin.get_by_text("Filters", exact=True).click()
    admin.get_by_label("Met bijlagen").check()
    admin.get_by_role("button", name="Filters toepassen").click()
    expect(admin.get_by_role("heading", name="Niets gevonden")).to_be_visible()
    browsers.check("nothing")
    admin.get_by_label("Met bijlagen").uncheck()
    admin.get_by_label("Met privéberichten").check()
    admin.get_by_role("button", name="Filters toepassen").click()
    expect(rows).to_have_count(1)

    rows.get_by_role("link").click()
    thread = admin.locator(".log-thread")
    expect(thread.locator(".private")).to_contain_text("Deze man belde gisteren ook al.")
    expect(thread.locator(".withdrawn")).to_contain_text("Dit was voor iemand anders.")
    expect(thread).to_contain_text("An heeft geaccepteerd")
    browsers.check("conversation")
    with admin.expect_download() as taken:
        admin.get_by_role("link", name="PDF").click()
    assert Path(taken.value.path()).read_bytes().startswith(b"%PDF")
    admin.emulate_media(media="print")
    expect(admin.get_by_text("Intern: bevat privéberichten")).to_be_visible()
    expect(admin.get_by_role("button", name="Afdrukken")).to_be_hidden()
    expect(admin.locator(".settings-nav")).to_be_hidden()
    admin.emulate_media(media="screen")

    admin.goto("/settings/audit")
    trail = admin.locator(".trail")
    expect(trail).to_contain_text(re.compile("Beheerder exporteerde: Gesprek"))
    expect(trail).to_contain_text("Beheerder bekeek: Gesprek")
    expect(trail).not_to_contain_text("CARAVAN")
    admin.get_by_role("button", name="Keten controleren").click()
    expect(admin.get_by_role("status")).to_contain_text(
        re.compile(r"Keten gecontroleerd: \d+ regels, in orde")
    )
    browsers.check("audit")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(browsers: Browsers, scheme: str) -> None:
    conversation(browsers)
    admin = admin_at(browsers, "/settings/log", viewport=PHONE, color_scheme=scheme)
    wide = "document.documentElement.scrollWidth > innerWidth"
    assert not admin.evaluate(wide)
    browsers.check(f"list-{scheme}")
    admin.locator(".log-table a").first.click()
    expect(admin.locator(".log-thread .private")).to_be_visible()
    assert not admin.evaluate(wide)
    browsers.check(f"conversation-{scheme}")
    admin.goto("/settings/audit")
    assert not admin.evaluate(wide)
    browsers.check(f"audit-{scheme}")
