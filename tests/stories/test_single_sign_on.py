"""People sign in with the provider of their organisation; the admin says who comes in, and as what."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.provider import Provider
from tests.stories.conftest import AgentPage, Browsers, Server

PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Server]:
    """The example desk, with a provider that goes by the same clock."""
    running = Server(tmp_path_factory.mktemp("desk") / "data", environment=provider.environment)
    provider.now = lambda: running.now.timestamp() + time.monotonic() - running.since
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log, running.log
    running.close()


def test_an_organisation_signs_in_with_its_own_accounts(
    browsers: Browsers, server: Server, provider: Provider
) -> None:
    server.sql("UPDATE agent SET email = 'an@voorbeeld.be' WHERE username = 'an'")
    server.sql("UPDATE agent SET email = 'beheer@voorbeeld.be' WHERE username = 'admin'")

    # The admin comes in with the provider, and says which group is what.
    admin = browsers.context().new_page()
    admin.goto("/settings/sign-in")
    browsers.check("door")
    through(admin, "Beheer")
    expect(admin.get_by_role("heading", name="Aanmelden", exact=True)).to_be_visible()
    add_group(admin, "ict", "Beheerder")
    add_group(admin, "loket", "Medewerker")
    browsers.check("groups")
    admin.get_by_label("Slechts één account").check()
    admin.get_by_label("Het account dat zijn wachtwoord houdt").select_option(label="Beheerder")
    admin.get_by_role("button", name="Opslaan").click()
    expect(admin.get_by_text("Opgeslagen.")).to_be_visible()
    admin.set_viewport_size(PHONE)
    browsers.check("groups on a phone")

    # An agent comes in, works, and has to sign in again under an open conversation.
    page = browsers.context().new_page()
    page.goto("/console")
    expect(page.get_by_label("Wachtwoord")).to_be_hidden()
    browsers.check("door without passwords")
    through(page, "An")
    an = AgentPage(page, "an")
    an.choose_profile("Loket")
    an.become_ready()
    visitor = browsers.visitor()
    visitor.press()
    visitor.fill_in(name="Jef", question="Mag ik hier parkeren?")
    an.accept()
    visitor.sees_green("An")
    an.text_bar("Jef").fill("Nog niet verz")
    server.sql("DELETE FROM session WHERE agent = (SELECT id FROM agent WHERE username = 'an')")
    expect(an.dialog.get_by_role("link", name="Aanmelden met Voorbeeld-ID")).to_be_visible()
    browsers.check("again")
    through(page, "An")
    expect(an.text_bar("Jef")).to_have_value("Nog niet verz")
    an.say("Ja, dat mag.")
    visitor.sees("Ja, dat mag.")
    visitor.end()

    # Somebody new has an account as soon as the group says so; somebody without a group has none.
    dirk = browsers.context(viewport=PHONE, color_scheme="dark").new_page()
    dirk.goto("/console")
    browsers.check("door in the dark")
    through(dirk, "Dirk")
    expect(dirk.get_by_text("Dirk").first).to_be_visible()
    provider.people["dirk"]["groups"] = []
    dirk.goto("/session/oidc")
    dirk.get_by_role("button", name="Dirk").click()
    expect(dirk.get_by_role("alert")).to_contain_text("Geen van uw groepen bij Voorbeeld-ID")
    browsers.check("refused")

    # Out, there as well.
    admin.set_viewport_size({"width": 1280, "height": 720})
    admin.locator("[popovertarget=person-menu]").click()
    admin.get_by_role("button", name="Afmelden", exact=True).click()
    expect(admin.get_by_role("heading", name="Afgemeld")).to_be_visible()
    browsers.check("left")
    admin.get_by_role("link", name="Ook afmelden bij Voorbeeld-ID").click()
    expect(admin).to_have_url(re.compile("/console$"))
    assert "/end" in provider.asked


def through(page: Page, name: str) -> None:
    page.get_by_role("link", name="Aanmelden met Voorbeeld-ID").first.click()
    page.get_by_role("button", name=name).click()


def add_group(page: Page, name: str, role: str) -> None:
    page.evaluate("{ let now = Date.now(); Date.now = () => now++; }")  # as on a slow machine
    page.get_by_role("button", name="Groep toevoegen").click()
    row = page.get_by_role("group", name="Groep").last
    row.get_by_label("Groep", exact=True).fill(name)
    row.get_by_label("Rol", exact=True).select_option(label=role)
