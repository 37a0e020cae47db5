"""A supervisor reads along and takes over; an agent raises an emergency, or ends a chat because of
behaviour."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.stories.conftest import AgentPage, Browsers, VisitorPage

WHY = "Bleef dreigen na twee waarschuwingen."


def talking(browsers: Browsers, path: str = "/widget/voorbeeld") -> tuple[AgentPage, VisitorPage]:
    an, jef = browsers.agent("an", "Loket"), browsers.visitor(path)
    if "/widget/" not in path:
        jef.press()
    jef.fill_in(name="Jef Peeters", question="Hoe lang duurt dit nog?")
    an.accept()
    jef.sees_green("An")
    return an, jef


def supervising(browsers: Browsers) -> AgentPage:
    eva = browsers.agent("eva", "Loket", ready=False)
    eva.page.locator("#me [data-htmx-powered]").first.wait_for(state="attached")
    return eva


def press(page: Page, wanted: Locator) -> None:
    """By keyboard alone."""
    wanted.focus()
    page.keyboard.press("Enter")


def more(agent: AgentPage, item: str) -> None:
    press(agent.page, agent.pane.get_by_role("button", name="Meer"))
    press(agent.page, agent.page.get_by_role("button", name=item))
    expect(agent.dialog).to_be_visible()


def test_a_supervisor_reads_along_whispers_and_takes_over(browsers: Browsers) -> None:
    an, jef = talking(browsers)
    eva = supervising(browsers)
    eva.page.goto("/settings/running")
    press(eva.page, eva.page.get_by_role("link", name="Jef Peeters"))
    expect(eva.thread).to_contain_text("Hoe lang duurt dit nog?")
    jef.say("Ik wacht al een week.")
    expect(eva.thread).to_contain_text("Ik wacht al een week.")
    eva.page.get_by_label("Influisteren").fill("Ik neem dit van u over.")
    press(eva.page, eva.page.get_by_role("button", name="Influisteren"))
    an.sees("Ik neem dit van u over.")
    browsers.check("reading-along")
    press(eva.page, eva.page.get_by_role("button", name="Overnemen"))
    expect(eva.dialog).to_contain_text("Het gesprek gaat van An naar u")
    browsers.check("asked")
    press(eva.page, eva.dialog.get_by_role("button", name="Overnemen"))
    expect(eva.page).to_have_url(re.compile("/console"))
    expect(eva.tab("Jef Peeters")).to_have_attribute("aria-selected", "true")
    jef.sees("Eva neemt het gesprek over")
    jef.sees_green("Eva")
    expect(an.page.locator("#notices")).to_contain_text("Eva heeft uw gesprek met Jef Peeters overgenomen.")
    expect(an.page.get_by_role("tab")).to_have_count(0)
    eva.say("Goeiemorgen, ik kijk het na.", to="Jef Peeters")
    jef.sees("Goeiemorgen, ik kijk het na.")
    expect(jef.thread).not_to_contain_text("Ik neem dit van u over.")
    browsers.check("taken")


def test_an_emergency_is_pinned_and_seen_by_supervisors_until_it_is_taken_back(browsers: Browsers) -> None:
    eva = supervising(browsers)
    an, jef = talking(browsers)
    more(an, "Noodgeval")
    expect(an.dialog.get_by_role("button", name="Annuleren")).to_be_focused()
    browsers.check("asked")
    an.dialog.get_by_label("De nummers ook aan de bezoeker tonen").press("Space")
    press(an.page, an.dialog.get_by_role("button", name="Noodgeval melden"))
    expect(an.dialog).to_be_hidden()
    expect(an.pane.get_by_role("link", name="112")).to_be_visible()
    expect(jef.window.get_by_role("link", name="112")).to_be_visible()
    expect(eva.page.locator("#alarms")).to_contain_text("Jef Peeters")
    browsers.check("pinned")
    press(an.page, an.pane.get_by_role("button", name="Noodgeval opheffen"))
    expect(an.pane.get_by_role("link", name="112")).to_have_count(0)
    expect(jef.window.get_by_role("link", name="112")).to_have_count(0)
    expect(eva.page.locator("#alarms .emergency")).to_have_count(0)
    jef.say("Dank u")
    an.sees("Dank u")


def test_whoever_is_kept_out_finds_the_card_on_every_page_and_comes_back_when_let_in(
    browsers: Browsers,
) -> None:
    browsers.forgiven.append("status of 403|status of 422")
    an, jef = talking(browsers, "/demo")
    more(an, "Beëindigen wegens gedrag")
    press(an.page, an.dialog.get_by_role("button", name="Beëindigen en weren"))
    expect(an.dialog.get_by_label("Wat er gebeurde")).to_have_attribute("aria-invalid", "true")
    browsers.check("asked")
    an.dialog.get_by_label("Wat er gebeurde").fill(WHY)
    press(an.page, an.dialog.get_by_role("button", name="Beëindigen en weren"))
    expect(an.dialog).to_be_hidden()
    after = jef.window.locator("#after")
    expect(after).to_contain_text("kunt u niet met ons chatten")
    expect(after.get_by_role("link", name="02 123 45 67")).to_be_visible()
    expect(after.get_by_role("link", name="klachten@example.org")).to_be_attached()
    expect(after.get_by_role("button", name="Nieuw gesprek")).to_have_count(0)
    expect(jef.window.get_by_text(WHY)).to_have_count(0)
    browsers.check("ended")
    browsers.server.sql("UPDATE chat SET ended_at = '2026-03-10T09:00:00+00:00'")
    jef.window.get_by_role("button", name="Venster sluiten").click()
    expect(jef.button("Terug naar uw gesprek")).to_be_visible()
    jef.page.reload()
    jef.button("Terug naar uw gesprek").click()
    card = jef.window.locator("#kept-out")
    expect(card).to_contain_text("kunt u niet met ons chatten")
    expect(jef.window.get_by_text("Hoe lang duurt dit nog?")).to_have_count(0)
    browsers.check("card")
    eva = supervising(browsers)
    eva.page.goto("/settings/blocks")
    expect(eva.page.get_by_role("row", name="Jef Peeters")).to_contain_text(WHY)
    browsers.check("blocks")
    press(eva.page, eva.page.get_by_role("button", name="Weer toelaten"))
    expect(eva.page.locator("#blocks")).to_contain_text("Niemand wordt geweerd")
    jef.page.reload()
    jef.press()
    expect(jef.form).to_be_visible()
