"""An admin reads what happened, on the reports and on the wall; keeps what has to be kept; and forgets a
person who asks for it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.stories.conftest import AgentPage, Browsers, VisitorPage
from tests.stories.test_log import PHONE, admin_at

WIDE = "document.documentElement.scrollWidth > innerWidth"


def question(browsers: Browsers, name: str, email: str) -> VisitorPage:
    visitor = browsers.visitor("/widget/voorbeeld")
    visitor.fill_in(name=name, email=email, question=f"Wat bewaart u van {name}?")
    return visitor


def answered(an: AgentPage, visitor: VisitorPage) -> None:
    an.accept()
    visitor.sees_green()
    visitor.end()
    expect(visitor.window.get_by_role("button", name="Nieuw gesprek")).to_be_visible()
    an.close()
    expect(an.page.get_by_role("tab")).to_have_count(0)


def test_the_reports_and_the_wall_say_what_happened(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    answered(an, question(browsers, "Jef Peeters", ""))
    wall = admin_at(browsers, "/settings/wallboard")
    row = wall.get_by_role("row", name=re.compile("Algemeen"))
    expect(row).to_have_text(re.compile(r"Algemeen\s+Groen\s+0\s+–\s+0\s+1\s+3"))
    question(browsers, "Lien", "")
    expect(an.request_tab).to_be_visible()
    expect(row).to_have_text(re.compile(r"Algemeen\s+Groen\s+1\s+0:\d\d\s+0\s+1\s+2"))
    browsers.check("wall")
    wall.goto("/settings/reports")
    shown = wall.locator("main")
    expect(shown).to_contain_text("wo 11 mrt 2026")
    expect(shown.locator("svg.chart").first).to_be_visible()
    browsers.check("reports")
    with wall.expect_download() as taken:
        wall.get_by_role("link", name="Downloaden als CSV").first.click()
    assert "Algemeen" in Path(taken.value.path()).read_text("utf-8-sig")
    wall.get_by_label("Periode").select_option(label="Gisteren")
    wall.get_by_role("button", name="Tonen").click()
    expect(wall.get_by_text("Geen chats in deze periode")).to_be_visible()
    browsers.check("nothing")


def test_what_is_on_hold_stays_and_what_is_asked_to_be_forgotten_goes(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    for name in ("Jef Peeters", "Jef P."):
        answered(an, question(browsers, name, "jef@voorbeeld.be"))
    admin = admin_at(browsers, "/settings/privacy")
    admin.get_by_role("link", name="Algemeen").click()
    admin.get_by_label("Gesprekken (dagen)").fill("gisteren")
    admin.get_by_role("button", name="Opslaan").click()
    expect(admin.locator("[aria-invalid=true]")).to_have_value("gisteren")
    browsers.check("no-number")
    admin.get_by_label("Gesprekken (dagen)").fill("30")
    admin.get_by_label("Bestanden (dagen)").fill("10")
    admin.get_by_role("button", name="Opslaan").click()
    expect(admin.get_by_text("Opgeslagen.")).to_be_visible()

    admin.goto("/settings/log")
    admin.locator(".log-table a").first.click()
    held = admin.url.rsplit("/", 1)[1]
    admin.goto("/settings/privacy/holds")
    admin.get_by_label("Nummer van het gesprek").fill(held)
    admin.get_by_label("Reden").fill("Klacht 12")
    admin.get_by_role("button", name="Vasthouden").click()
    expect(admin.get_by_role("row", name=re.compile("Klacht 12"))).to_be_visible()
    browsers.check("held")

    admin.goto("/settings/privacy/person")
    admin.get_by_label("E-mailadres of geverifieerd id").fill("Jef@Voorbeeld.be")
    admin.get_by_role("button", name="Zoeken").click()
    expect(admin.get_by_role("heading", name="2 gesprekken")).to_be_visible()
    browsers.check("found")
    admin.get_by_role("button", name="Wissen").click()
    expect(admin.get_by_role("dialog")).to_contain_text("1 gesprek wissen?")
    browsers.check("sure")
    admin.get_by_role("dialog").get_by_role("button", name="Wissen").click()
    expect(admin.get_by_role("heading", name="Bewijs van een wissing")).to_be_visible()
    expect(admin.locator("#receipt")).to_contain_text(re.compile(r"11 maart 2026.*11 maart 2026", re.DOTALL))
    browsers.check("receipt")
    admin.goto("/settings/log")
    expect(admin.locator(".log-table tbody tr")).to_have_count(1)
    expect(admin.locator(".log-table")).to_contain_text("Jef P.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(browsers: Browsers, scheme: str) -> None:
    an = browsers.agent("an", "Loket")
    answered(an, question(browsers, "Jef Peeters", "jef@voorbeeld.be"))
    an.page.close()
    admin = admin_at(browsers, "/settings/reports", viewport=PHONE, color_scheme=scheme)
    for path in ("reports", "wallboard", "privacy", "privacy/holds", "privacy/person", "privacy/register"):
        admin.goto(f"/settings/{path}")
        assert not admin.evaluate(WIDE), path
        browsers.check(f"{path.replace('/', '-')}-{scheme}")
