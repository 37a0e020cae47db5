"""Without a pointer; and nothing ever takes the focus from a half-typed sentence."""

from playwright.sync_api import Locator, Page, Route, expect

from tests.people import PASSWORD
from tests.stories.conftest import AgentPage, Browsers, VisitorPage

HOPS = 40


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    for _ in range(HOPS):
        page.keyboard.press(key)
        if wanted.evaluate("element => element === element.getRootNode().activeElement"):
            return
    raise AssertionError(f"{key} does not lead to {wanted}")


def test_a_whole_chat_by_keyboard_alone(browsers: Browsers) -> None:
    an = AgentPage(browsers.context().new_page(), "an")
    an.page.goto("/console")
    an.page.locator("#sign-in[data-htmx-powered]").wait_for()
    keys = an.page.keyboard
    expect(an.page.get_by_label("Gebruikersnaam")).to_be_focused()
    keys.type("an")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    an.page.locator("#profile-form[data-htmx-powered]").wait_for()
    tab_to(an.page, an.page.get_by_role("radio").first)
    keys.press("Enter")
    ready = an.page.locator("#me").get_by_role("button", name="Beschikbaar").first
    expect(ready).to_be_visible()
    tab_to(an.page, ready)
    keys.press("Enter")

    jef = browsers.visitor("/demo")
    expect(jef.button()).to_be_visible()
    jef.page.locator("#zone").focus()  # where the person is in the form of the site
    tab_to(jef.page, jef.button())
    jef.page.keyboard.press("Enter")
    expect(jef.form.get_by_label("Naam")).to_be_focused()
    jef.page.keyboard.type("Jef Peeters")
    tab_to(jef.page, jef.form.get_by_label("Uw vraag"))
    jef.page.keyboard.type("Kan dat zonder muis?")
    tab_to(jef.page, jef.form.locator("[type=submit]"))
    jef.page.keyboard.press("Enter")
    expect(jef.text_bar).to_be_focused()

    expect(an.request_tab).to_be_visible()
    tab_to(an.page, an.request())
    keys.press("Enter")
    expect(an.text_bar()).to_be_focused()
    keys.type("Zeker.")
    keys.press("Shift+Enter")
    keys.type("Altijd.")
    keys.press("Enter")
    expect(jef.thread).to_contain_text("Zeker.\nAltijd.")
    jef.page.keyboard.type("Mooi")
    jef.page.keyboard.press("Enter")
    an.sees("Mooi")

    jef.page.keyboard.press("Escape")
    expect(jef.button("Terug naar uw gesprek")).to_be_focused()
    expect(jef.frame).to_be_hidden()
    jef.page.keyboard.press("Enter")
    expect(jef.text_bar).to_be_focused()

    tab_to(an.page, an.pane.locator(".chat-head .close-chat"), "Shift+Tab")
    keys.press("Enter")
    expect(an.dialog.get_by_role("button", name="Annuleren")).to_be_focused()
    tab_to(an.page, an.dialog.get_by_role("button", name="Gesprek beëindigen"))
    keys.press("Enter")
    expect(an.page.get_by_role("tab")).to_have_count(0)
    expect(jef.window.locator("#after h2")).to_be_focused()
    an.page.wait_for_function("document.activeElement !== document.body")


def test_the_arrows_go_through_the_tabs(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    for name in ("Jef", "Lien", "Fatima"):
        in_chat(browsers, an, name)
    an.tab("Jef").focus()
    an.page.keyboard.press("ArrowRight")
    expect(an.tab("Lien")).to_be_focused()
    expect(an.text_bar("Lien")).to_be_visible()
    an.page.keyboard.press("End")
    expect(an.tab("Fatima")).to_be_focused()
    an.page.keyboard.press("ArrowRight")
    expect(an.tab("Jef")).to_be_focused()
    expect(an.tab("Jef")).to_have_attribute("aria-selected", "true")


def test_who_presses_another_tab_before_the_answer_to_accepting_has_come_stays_there(
    browsers: Browsers,
) -> None:
    an = browsers.agent("an", "Loket")
    in_chat(browsers, an, "Jef")
    lien = browsers.visitor("/widget/voorbeeld")
    lien.fill_in(name="Lien", question="Een vraag van Lien")
    an.request_tab.click()
    slow: list[Route] = []
    an.page.route("**/acceptance", lambda route: slow.append(route))
    with an.page.expect_request("**/acceptance"):
        an.accept()
    an.tab("Jef").click()
    with an.page.expect_response("**/acceptance"):
        slow[0].continue_()
    expect(an.text_bar("Lien")).to_be_attached()
    lien.sees_green()
    expect(an.text_bar("Jef")).to_be_focused()
    expect(an.tab("Jef")).to_have_attribute("aria-selected", "true")


def in_chat(browsers: Browsers, an: AgentPage, name: str) -> VisitorPage:
    visitor = browsers.visitor("/widget/voorbeeld")
    visitor.fill_in(name=name, question=f"Een vraag van {name}")
    an.request_tab.click()
    an.accept()
    visitor.sees_green()
    expect(an.text_bar(name)).to_be_visible()
    return visitor


TYPED = "Beste Jef, u kunt de kaart"
CARET = "area => [area.selectionStart, area.selectionEnd]"


def test_nothing_takes_the_focus_from_a_half_typed_sentence(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef, lien = in_chat(browsers, an, "Jef"), in_chat(browsers, an, "Lien")
    an.tab("Jef").click()
    an.text_bar("Jef").press_sequentially(TYPED)
    for _ in range(5):
        an.page.keyboard.press("ArrowLeft")

    def unmoved() -> None:
        expect(an.text_bar("Jef")).to_be_focused()
        expect(an.text_bar("Jef")).to_have_value(TYPED)
        assert an.text_bar("Jef").evaluate(CARET) == [len(TYPED) - 5] * 2
        expect(an.tab("Jef")).to_have_attribute("aria-selected", "true")

    lien.say("Bent u er nog?")
    expect(an.tab("Lien")).to_contain_text("1")
    unmoved()
    jef.say("Ik luister")
    an.sees("Ik luister")
    unmoved()
    fatima = browsers.visitor("/widget/voorbeeld")
    fatima.fill_in(name="Fatima", question="En ik?")
    expect(an.request_tab).to_be_visible()
    unmoved()
    browsers.check("half-typed")
    lien.end()
    expect(an.tab("Lien")).to_contain_text("Beëindigd")
    unmoved()
    fatima.window.get_by_role("button", name="Stoppen met wachten").click()
    expect(an.request_tab).to_have_count(0)
    unmoved()
    an.page.keyboard.type("XY")
    an.page.keyboard.press("Enter")
    jef.sees(f"{TYPED[:-5]}XY{TYPED[-5:]}")

    jef.text_bar.press_sequentially("Dank u, ik")
    an.say("Nog iets?", to="Jef")
    jef.sees("Nog iets?")
    expect(jef.text_bar).to_be_focused()
    expect(jef.text_bar).to_have_value("Dank u, ik")
