"""An admin lets somebody in, and out again."""

import re
import time

from playwright.sync_api import expect

from tests.stories.conftest import AgentPage, Browsers, Server

LONG = "een-lang-wachtwoord"


def test_somebody_is_invited_works_and_is_let_out(browsers: Browsers, server: Server) -> None:
    admin = browsers.context().new_page()
    admin.goto("/settings/people")
    admin.get_by_label("Gebruikersnaam").fill("admin")
    admin.get_by_label("Wachtwoord").fill("geheim-1234")
    admin.get_by_role("button", name="Aanmelden").click()
    admin.get_by_role("link", name="Medewerker toevoegen").click()
    name = f"Dirk {time.monotonic_ns() % 10_000}"
    username = name.lower().replace(" ", "-")
    admin.get_by_label("Naam die bezoekers zien").fill(name)
    admin.locator("main").get_by_label("Gebruikersnaam").fill(username)
    admin.get_by_label("Loket").check()
    admin.get_by_role("button", name="Toevoegen en link maken").click()
    link = admin.get_by_label("Link om een wachtwoord te kiezen").input_value()
    browsers.check("link")

    page = browsers.context().new_page()
    page.goto(link)
    page.locator("#choice[data-htmx-powered]").wait_for()
    page.get_by_label("Wachtwoord").fill(LONG)
    page.get_by_role("button", name="Wachtwoord bewaren").click()
    expect(page.get_by_text("Uw wachtwoord is bewaard")).to_be_visible()
    admin.get_by_role("link", name="Naar de lijst").click()
    admin.get_by_label("Zoeken").fill(name)
    row = admin.locator("#people [data-row]:visible")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Niet aangemeld")
    browsers.check("password")
    dirk = AgentPage(page, username)
    dirk.sign_in(LONG)
    dirk.choose_profile("Loket")
    dirk.become_ready()
    expect(row).to_contain_text("Beschikbaar")
    expect(row).to_have_count(1)

    visitor = browsers.visitor()
    visitor.press()
    visitor.fill_in(name="Jef", question="Mag ik hier parkeren?")
    dirk.accept()
    visitor.sees_green(name)

    browsers.check("list")
    row.get_by_role("link").click()
    admin.get_by_role("button", name="Uitschakelen").click()
    admin.get_by_role("dialog").get_by_role("button", name="Uitschakelen").click()
    expect(admin.get_by_text("Uitgeschakeld: aanmelden kan niet.")).to_be_visible()
    expect(page.get_by_role("dialog", name=re.compile("aan"))).to_be_visible()
    expect(visitor.status).not_to_contain_text("Verbonden met")
    server.sql("UPDATE agent SET active = FALSE WHERE username = ?", username)


def test_a_second_step_is_set_up_and_asked_for(browsers: Browsers, server: Server) -> None:
    import pyotp

    page = browsers.context(viewport={"width": 390, "height": 844}).new_page()
    page.goto("/settings/me")
    page.get_by_label("Gebruikersnaam").fill("chloe")
    page.get_by_label("Wachtwoord").fill("geheim-1234")
    page.get_by_role("button", name="Aanmelden").click()
    page.get_by_role("button", name="Configurer").click()
    key = page.locator("#totp-key").inner_text().replace(" ", "")
    expect(page.locator("svg.qr")).to_be_visible()
    browsers.check("key")
    elapsed = time.monotonic() - server.since
    page.get_by_label("Code affiché").fill(pyotp.TOTP(key).at(int(server.now.timestamp() + elapsed)))
    page.get_by_role("button", name="Activer", exact=True).click()
    expect(page.locator("#recovery-codes li")).to_have_count(10)
    code, last = page.locator("#recovery-codes li").all_inner_texts()[:2]
    browsers.check("codes")

    other = browsers.context().new_page()
    other.goto("/console")
    chloe = AgentPage(other, "chloe")
    chloe.sign_in()
    other.get_by_label("Code").fill(code)
    browsers.check("code")
    other.get_by_role("button", name="Aanmelden").click()
    chloe.choose_profile("Loket")

    page.get_by_role("link", name="Je les ai conservés").click()
    page.get_by_label("Pour modifier ceci").fill("000")
    page.get_by_role("button", name="Désactiver").click()
    expect(page.get_by_text("Ce code n’est pas correct")).to_be_visible()
    browsers.check("wrong")
    page.get_by_label("Pour modifier ceci").fill(last)
    page.get_by_role("button", name="Désactiver").click()
    expect(page.get_by_role("button", name="Configurer")).to_be_visible()
