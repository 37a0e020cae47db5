"""A chat through all that window and console can show, by keyboard: judged by axe and a ruler."""

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.stories import ruler
from tests.stories.conftest import AgentPage, Browsers, Server
from tests.stories.test_every_page import judge


def somewhere(page: Page) -> None:
    """Not lost to the body of the page."""
    expect(page.locator(":focus").first).to_be_visible()


def judge_focus_and_size(page: Page, around: Locator) -> None:
    """In the page's own size and at 400 %; the focus is then where it was."""
    own = page.viewport_size
    page.keyboard.press("Shift")
    faults = [*ruler.unseen_focus(page)]
    page.set_viewport_size({"width": 320, "height": 256})
    faults += [*ruler.cut(page), *ruler.unseen_focus(page), *ruler.small(page)]
    assert own
    page.set_viewport_size(own)
    around.focus()
    assert not faults, "\n".join(faults)


def judge_in_forced_colours(page: Page) -> None:
    """Signs are drawn in the reader's own colours; what is selected has an edge of its own."""
    page.emulate_media(forced_colors="active")
    text = page.evaluate("getComputedStyle(document.body).color")
    expect(page.locator(".wordmark .icon")).to_have_css("color", text)
    expect(page.locator("[role=tab][aria-selected=true]")).to_have_css("border-top-width", "4px")
    expect(page.locator(".chat-head .dot:visible").first).to_have_css("border-top-style", "solid")


def press(on: Locator, key: str = "Enter") -> None:
    on.focus()
    on.page.keyboard.press(key)


def tool(an: AgentPage, name: str) -> Locator:
    return an.pane.locator(".tools").get_by_role("button", name=name, exact=True)


def test_the_visitor_by_keyboard(browsers: Browsers, tmp_path: Path) -> None:
    an = browsers.agent("an", "Loket")
    jef = browsers.visitor("/widget/voorbeeld", viewport={"width": 400, "height": 640})
    page = jef.page
    expect(jef.form.get_by_label("Naam")).to_be_focused()
    judge(page)
    press(jef.form.locator("[type=submit]"))
    expect(jef.form.get_by_label("Naam")).to_be_focused()
    expect(jef.form.get_by_label("Naam")).to_have_attribute("aria-invalid", "true")
    judge(page)
    judge_focus_and_size(page, jef.form.get_by_label("Naam"))
    jef.fill_in(name="Jef", question="Mag ik?")
    expect(jef.text_bar).to_be_focused()
    judge(page)
    judge_focus_and_size(page, page.get_by_role("button", name="Stoppen met wachten"))
    an.accept()
    jef.sees_green()
    expect(jef.text_bar).to_be_focused()

    refused = tmp_path / "virus.exe"
    refused.write_bytes(b"MZ\0\1" * 100)
    page.locator("[data-pick]").set_input_files(refused)
    expect(page.locator(".file-row.refused")).to_contain_text("virus.exe")
    judge(page)
    press(page.locator(".file-row.refused button"))
    expect(jef.text_bar).to_be_focused()

    download = page.get_by_role("button", name="Gesprek downloaden")
    press(download)
    expect(page.locator("#download-menu")).to_be_visible()
    judge(page)
    page.keyboard.press("Escape")
    expect(page.locator("#download-menu")).to_be_hidden()
    expect(download).to_be_focused()
    press(page.locator("#end"))
    expect(jef.dialog.get_by_role("button", name="Annuleren")).to_be_focused()
    judge(page)
    page.keyboard.press("Escape")
    expect(page.locator("#end")).to_be_focused()

    press(tool(an, "Aanbod"))
    made = an.page.get_by_role("region", name="Aanbod")
    made.get_by_label("Vraag aan de bezoeker").fill("Wat wilt u?")
    for place, words in enumerate(("Verlengen", "Stopzetten")):
        made.get_by_label("Optie", exact=True).nth(place).fill(words)
    press(made.get_by_role("button", name="Aanbod verzenden"))
    expect(jef.thread.get_by_role("button", name="Verlengen")).to_be_visible()
    judge(page)
    judge_focus_and_size(page, jef.thread.get_by_role("button", name="Verlengen"))
    page.keyboard.press("Enter")
    expect(jef.thread.get_by_role("group")).to_be_focused()
    press(page.locator("#end"))
    expect(jef.dialog).to_be_visible()
    an.close()
    an.confirm_end()
    expect(jef.dialog).to_be_hidden()
    expect(page.locator("#after-title")).to_be_focused()
    expect(page).to_have_title("Niet verbonden · Gemeente Voorbeeld")
    judge(page)
    judge_focus_and_size(page, page.get_by_role("button", name="Mening versturen"))
    page.emulate_media(forced_colors="active")
    for bubble in jef.thread.locator(".bubble").all():
        expect(bubble).not_to_have_css("border-top-style", "none")


def test_the_agent_by_keyboard(browsers: Browsers, server: Server) -> None:
    bram = browsers.agent("bram", "Loket", ready=False)
    an = browsers.agent("an", "Loket", ready=False)
    page = an.page
    judge(page)
    press(page.locator("#me").get_by_role("button", name="Beschikbaar"))
    expect(page.locator("#me:not(.paused)")).to_be_attached()
    somewhere(page)
    judge_focus_and_size(page, page.locator("#me button").first)
    for menu in ("Geluid", "An", "Beschikbaar"):
        opener = page.get_by_role("banner").get_by_role("button", name=menu, exact=True)
        press(opener)
        expect(page.locator(":popover-open")).to_be_visible()
        judge(page)
        page.keyboard.press("Escape")
        expect(opener).to_be_focused()
    jef = browsers.visitor("/widget/voorbeeld")
    jef.fill_in(name="Jef", question="Mag ik?")
    expect(an.request()).to_be_visible()
    expect(page.locator("#announce")).to_have_text("Nieuw chatverzoek, Algemeen")
    judge(page)
    judge_focus_and_size(page, an.request())
    transfer = an.pane.get_by_role("button", name="Doorverbinden")
    press(transfer)
    expect(an.dialog).to_be_visible()
    judge(page)
    page.keyboard.press("Escape")
    expect(transfer).to_be_focused()
    press(an.request())
    expect(an.text_bar("Jef")).to_be_focused()
    expect(an.pane).to_have_accessible_name("Jef")
    judge_focus_and_size(page, an.text_bar("Jef"))

    bram.become_ready()
    for name in ("Voorinstelling", "Aanbod", "Uitnodigen"):
        press(tool(an, name))
        panel = an.pane.locator(".tool-panel")
        expect(panel.locator(":focus")).to_be_visible()
        judge(page)
        page.keyboard.press("Escape")
        expect(an.text_bar("Jef")).to_be_focused()
    more = an.pane.get_by_role("button", name="Meer")
    for item in ("Noodgeval", "Beëindigen wegens gedrag"):
        press(more)
        press(page.locator(":popover-open").get_by_role("button", name=item))
        expect(an.dialog).to_be_visible()
        judge(page)
        page.keyboard.press("Escape")
        expect(an.dialog).to_be_hidden()
        somewhere(page)
    press(tool(an, "Privé"))
    expect(an.text_bar("Jef")).to_have_count(0)
    somewhere(page)
    judge(page)
    press(tool(an, "Privé"))
    expect(an.text_bar("Jef")).to_be_focused()

    press(tool(an, "Uitnodigen"))
    invite = an.pane.locator(".tool-panel")
    invite.get_by_role("radio", name="Bram").check()
    press(invite.get_by_role("button", name="Uitnodigen"))
    strip = an.pane.locator(".invite-strip")
    expect(strip).to_contain_text("Bram")
    judge(page)
    press(strip.get_by_role("button", name="Intrekken"))
    expect(strip).to_have_count(0)
    somewhere(page)

    press(an.pane.locator(".chat-head .close-chat"))
    expect(an.dialog.get_by_role("button", name="Annuleren")).to_be_focused()
    judge(page)
    page.keyboard.press("Enter")
    expect(an.pane.locator(".chat-head .close-chat")).to_be_focused()

    server.sql("DELETE FROM session WHERE agent = (SELECT id FROM agent WHERE username = 'an')")
    an.text_bar("Jef").fill("Zonder sessie")
    page.keyboard.press("Enter")
    again = page.get_by_role("dialog", name="Meld u aan")
    expect(again.get_by_label("Wachtwoord")).to_be_focused()
    judge(page)
    page.keyboard.type("geheim-1234")
    page.keyboard.press("Enter")
    jef.sees("Zonder sessie")
    expect(an.text_bar("Jef")).to_be_focused()

    an.text_bar("Jef").focus()
    jef.end()
    expect(an.pane).to_contain_text("Dit gesprek is beëindigd.")
    somewhere(page)
    judge(page)
    judge_focus_and_size(page, an.pane.get_by_role("button", name="Tabblad sluiten"))
    judge_in_forced_colours(page)
    press(an.pane.get_by_role("button", name="Tabblad sluiten"))
    expect(page.get_by_role("tab")).to_have_count(0)
    somewhere(page)
    judge(page)


IN_FRAME = """() => {
    for (let each = document.activeElement; each; each = each.shadowRoot?.activeElement)
        if (each.localName === "iframe") return true;
    return false;
}"""


def test_the_frame_is_no_trap(browsers: Browsers) -> None:
    """Tab goes on to the page that it stands on, and back into it, on both sides."""
    browsers.agent("an", "Loket")
    jef = browsers.visitor("/demo")
    jef.press()
    expect(jef.form.get_by_label("Naam")).to_be_focused()
    for key, back in (("Tab", "Shift+Tab"), ("Shift+Tab", "Tab")):
        hops = 0
        while jef.page.evaluate(IN_FRAME):
            jef.page.keyboard.press(key)
            hops += 1
            assert hops < 20, f"{key} does not lead out"
        jef.page.keyboard.press(back)
        assert jef.page.evaluate(IN_FRAME), f"{back} does not lead back"
