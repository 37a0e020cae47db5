"""An agent puts a menu of options before a citizen, who chooses with a press."""

from playwright.sync_api import Locator, expect

from tests.stories.conftest import AgentPage, Browsers, VisitorPage
from tests.stories.test_whole_chat import talking


def panel(an: AgentPage) -> Locator:
    return an.page.get_by_role("region", name="Aanbod")


def tool(an: AgentPage) -> Locator:
    return an.pane.get_by_role("button", name="Aanbod", exact=True)


def row(made: Locator, place: int = 0) -> Locator:
    return rows(made).nth(place)


def rows(made: Locator) -> Locator:
    return made.get_by_label("Optie", exact=True).filter(visible=True)


def option(of: AgentPage | VisitorPage, words: str) -> Locator:
    return of.thread.get_by_text(words, exact=True)


def test_one_is_chosen_from_a_menu_made_on_the_spot(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    tool(an).click()
    made = panel(an)
    expect(made.get_by_role("combobox")).to_be_focused()
    browsers.check("panel")

    made.get_by_role("button", name="Aanbod verzenden").click()
    expect(made).to_contain_text("Schrijf waarover de bezoeker kiest.")
    expect(made.get_by_label("Vraag aan de bezoeker")).to_be_focused()
    made.get_by_label("Vraag aan de bezoeker").fill("Wat wilt u met uw kaart doen?")
    row(made, 0).fill("Verlengen")
    made.get_by_role("button", name="Aanbod verzenden").click()
    expect(made).to_contain_text("Geef 2 tot 10 opties.")
    expect(row(made, 0)).to_have_value("Verlengen")
    expect(row(made, 1)).to_be_focused()
    browsers.check("refused")
    row(made, 1).fill("Weg ermee")
    made.get_by_role("button", name="Optie toevoegen").click()
    expect(row(made, 2)).to_be_focused()
    an.page.keyboard.type("Stopzetten")
    made.get_by_role("button", name="Optie verwijderen").nth(1).click()
    expect(rows(made)).to_have_count(2)
    made.get_by_role("button", name="Aanbod verzenden").click()
    expect(made).to_have_count(0)
    expect(an.text_bar()).to_be_focused()
    expect(an.thread).to_contain_text("De bezoeker heeft nog niet gekozen.")

    expect(jef.thread.get_by_role("button", name="Verlengen")).to_be_visible()
    expect(jef.thread.get_by_role("button", name="Weg ermee")).to_have_count(0)
    browsers.check("offered")
    jef.thread.get_by_role("button", name="Stopzetten").click()
    for side in (jef, an):
        expect(option(side, "Stopzetten (gekozen)")).to_be_visible()
        expect(side.thread.get_by_role("blockquote")).to_have_text("Wat wilt u met uw kaart doen?")
    expect(jef.thread.get_by_role("button", name="Verlengen")).to_have_count(0)
    expect(jef.thread.get_by_role("group")).to_be_focused()
    expect(an.thread).not_to_contain_text("nog niet gekozen")

    an.pane.get_by_role("button", name="Privé", exact=True).click()
    expect(tool(an)).to_be_disabled()
    browsers.check("private")


def test_with_the_keyboard_alone(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    keys = an.page.keyboard
    an.text_bar().focus()
    tool(an).focus()
    keys.press("Enter")
    expect(panel(an).get_by_role("combobox")).to_be_focused()
    keys.press("Escape")
    expect(panel(an)).to_have_count(0)
    expect(an.text_bar()).to_be_focused()

    tool(an).focus()
    keys.press("Enter")
    expect(panel(an).get_by_role("combobox")).to_be_focused()
    keys.press("ArrowDown")
    keys.press("ArrowUp")
    keys.press("Enter")  # a saved one
    send = panel(an).get_by_role("button", name="Aanbod verzenden")
    expect(send).to_be_focused()
    expect(panel(an).get_by_label("Vraag aan de bezoeker")).to_have_value(
        "Wat wilt u met uw bewonerskaart doen?"
    )
    browsers.check("saved")
    keys.press("Enter")
    expect(an.text_bar()).to_be_focused()

    first = jef.thread.get_by_role("button", name="Aanvragen")
    expect(first).to_be_visible()
    first.focus()
    jef.page.keyboard.press("Tab")
    expect(jef.thread.get_by_role("button", name="Verlengen")).to_be_focused()
    jef.page.keyboard.press("Enter")
    expect(option(jef, "Verlengen (gekozen)")).to_be_visible()
    expect(option(an, "Verlengen (gekozen)")).to_be_visible()
    for _press in range(3):
        jef.page.keyboard.press("Tab")
        if jef.text_bar.evaluate("bar => bar === document.activeElement"):
            break
    expect(jef.text_bar).to_be_focused()

    tool(an).focus()
    keys.press("Enter")
    expect(panel(an).get_by_role("combobox")).to_be_focused()
    keys.press("Tab")
    for words in ("Welke dagen?", "Maandag", "Dinsdag", "Woensdag"):
        keys.type(words)
        keys.press("Enter")
    keys.press("Enter")  # an empty row is the last
    expect(send).to_be_focused()
    keys.press("Shift+Tab")
    keys.press("ArrowRight")
    keys.press("Tab")
    keys.press("Enter")
    expect(jef.thread.get_by_role("checkbox")).to_have_count(3)
    jef.thread.get_by_role("checkbox", name="Maandag").focus()
    jef.page.keyboard.press("Space")
    jef.page.keyboard.press("Tab")
    jef.page.keyboard.press("Tab")
    jef.page.keyboard.press("Space")
    browsers.check("several")
    jef.page.keyboard.press("Tab")
    jef.page.keyboard.press("Enter")
    for side in (jef, an):
        expect(side.thread.get_by_text("(gekozen)")).to_have_count(3)  # one before, two now


def test_on_a_phone_and_when_it_is_over(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    phone = {"width": 390, "height": 844}
    jef = browsers.visitor("/widget/voorbeeld", viewport=phone, has_touch=True)
    jef.fill_in(name="Jef Peeters", question="Wat moet ik doen?")
    an.accept()
    tool(an).click()
    panel(an).get_by_label("Vraag aan de bezoeker").fill("Wat is het?" + " Rindvleesetiketterings" * 3)
    for place, words in enumerate(("x" * 100, "Een korte", "שלום <b>vet</b>")):
        if place == 2:
            panel(an).get_by_role("button", name="Optie toevoegen").click()
        row(panel(an), place).fill(words)
    panel(an).get_by_role("button", name="Aanbod verzenden").click()
    expect(jef.thread.get_by_role("button", name="שלום <b>vet</b>")).to_be_visible()
    assert jef.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    browsers.check("phone")

    browsers.forgiven.append("Failed to fetch|net::ERR_FAILED")
    jef.page.route("**/choice", lambda route: route.abort())
    jef.thread.get_by_role("button", name="Een korte").click()
    expect(jef.thread.get_by_text("Niet verzonden. Kies opnieuw.")).to_be_visible()
    browsers.picture(jef.page, "not-sent")
    jef.page.unroute("**/choice")
    jef.end()
    expect(jef.thread.get_by_role("button", name="Een korte")).to_have_count(0)
    for side in (jef, an):
        expect(side.thread.get_by_text("Er is niets gekozen.")).to_be_visible()
