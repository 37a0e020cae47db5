"""An agent answers with ready-made words: from the list, narrowed by typing, or with /short in the text bar.
Nothing is sent before the agent sends it."""

from playwright.sync_api import Locator, expect

from tests.stories.conftest import AgentPage, Browsers, VisitorPage
from tests.stories.test_keyboard import tab_to

PHONE = {"width": 390, "height": 844}


def talking(browsers: Browsers, an: AgentPage, language: str = "nl", **options: object) -> VisitorPage:
    jef = browsers.visitor(f"/widget/voorbeeld?lang={language}", **options)
    jef.form.locator("[name=name]").fill("Jef Peeters")
    jef.form.locator("[name=question]").fill("Mag ik iets vragen?")
    jef.form.locator("[type=submit]").click()
    an.accept()
    expect(an.text_bar("Jef Peeters")).to_be_focused()
    return jef


def tool(an: AgentPage) -> Locator:
    return an.pane.get_by_role("button", name="Voorinstelling", exact=True)


def options(an: AgentPage) -> Locator:
    return an.pane.get_by_role("option")


def active(an: AgentPage) -> Locator:
    return an.pane.get_by_role("option", selected=True)


def test_from_the_list_to_the_visitor(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    tool(an).click()
    search = an.pane.get_by_role("combobox", name="Voorinstellingen zoeken")
    expect(search).to_be_focused()
    everything = options(an).count()
    assert everything >= 8, "the whole list"
    expect(options(an).filter(has_text="Stand van het dossier")).to_have_count(0)  # another queue's
    titles = options(an).locator(".option-title").all_inner_texts()
    assert titles.index("Openingsuren") < titles.index("Accueil"), "those of the chat's language first"
    browsers.check("list")

    search.press_sequentially("kaart IDENTITEIT")
    expect(options(an)).to_have_count(1)
    expect(active(an)).to_contain_text("Bewonerskaart verlengen")
    browsers.check("narrowed")
    search.fill("bestaat niet")
    expect(options(an)).to_have_count(0)
    expect(an.pane.get_by_text("Geen voorinstelling gevonden.")).to_be_visible()
    browsers.picture(an.page, "none")
    search.fill("begroeting")
    options(an).click()

    bar = an.text_bar("Jef Peeters")
    greeting = "Goeiedag Jef Peeters, u spreekt met An. Waarmee kan ik u helpen?"
    expect(bar).to_be_focused()
    expect(bar).to_have_value(greeting)
    expect(options(an)).to_have_count(0)
    expect(jef.thread).not_to_contain_text("Goeiedag")
    bar.press("Enter")
    jef.sees(greeting)


def test_it_lands_at_the_cursor_and_overwrites_nothing(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    bar = an.text_bar("Jef Peeters")
    bar.fill("Voor. Achter.")
    bar.evaluate("bar => bar.setSelectionRange(0, 6)")  # even what is selected stays
    tool(an).click()
    options(an).filter(has_text="Even opzoeken").click()
    expect(bar).to_have_value("Voor. Een ogenblik, ik zoek dat voor u op.Achter.")
    bar.press_sequentially(" ")  # right behind what was put in
    expect(bar).to_have_value("Voor. Een ogenblik, ik zoek dat voor u op. Achter.")
    an.page.reload()
    expect(bar).to_have_value("Voor. Een ogenblik, ik zoek dat voor u op. Achter.")
    expect(jef.thread).not_to_contain_text("ogenblik")


def test_slash_and_the_beginning_of_a_name(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    bar = an.text_bar("Jef Peeters")
    bar.press_sequentially("Goed. /da")
    expect(options(an)).to_have_count(2)
    expect(active(an)).to_contain_text("Begroeting")
    expect(bar).to_be_focused()
    browsers.check("slash")
    bar.press("ArrowDown")
    expect(active(an)).to_contain_text("Afsluiten")
    bar.press("Enter")
    expect(bar).to_have_value("Goed. Graag gedaan. Nog een prettige dag, Jef Peeters!")
    expect(options(an)).to_have_count(0)
    expect(jef.thread).not_to_contain_text("Graag gedaan")

    bar.fill("")
    bar.press_sequentially("/nog")
    expect(options(an)).to_have_count(1)
    bar.press("Escape")
    expect(options(an)).to_have_count(0)
    expect(bar).to_have_value("/nog")
    bar.fill("")
    bar.press_sequentially("24/7 en/of")  # no command
    expect(options(an)).to_have_count(0)
    bar.press("Enter")
    jef.sees("24/7 en/of")


def test_those_of_the_visitors_language_come_first(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    talking(browsers, an, "fr")
    tool(an).click()
    expect(active(an)).to_contain_text("Accueil")
    expect(options(an).first).to_have_attribute("lang", "fr")
    browsers.picture(an.page, "french")
    an.page.keyboard.press("Enter")
    expect(an.text_bar("Jef Peeters")).to_have_value(
        "Bonjour Jef Peeters, je suis An. En quoi puis-je vous aider\xa0?"
    )


def test_with_the_keyboard_alone(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    keys = an.page.keyboard
    keys.type("Dag. ")
    tab_to(an.page, tool(an), "Shift+Tab")
    keys.press("Enter")
    expect(an.pane.get_by_role("combobox")).to_be_focused()
    expect(tool(an)).to_have_attribute("aria-expanded", "true")
    expect(active(an)).to_contain_text("Begroeting")
    keys.press("ArrowUp")  # from the first to the last
    expect(active(an)).to_have_text(options(an).last.inner_text())
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    expect(active(an)).to_contain_text("Even opzoeken")
    keys.press("Escape")
    expect(an.text_bar("Jef Peeters")).to_be_focused()
    expect(an.text_bar("Jef Peeters")).to_have_value("Dag. ")
    expect(tool(an)).to_have_attribute("aria-expanded", "false")

    tab_to(an.page, tool(an), "Shift+Tab")
    keys.press("Space")
    expect(an.pane.get_by_role("combobox")).to_be_focused()
    keys.type("opzoek")
    expect(active(an)).to_contain_text("Even opzoeken")
    keys.press("Enter")
    expect(an.text_bar("Jef Peeters")).to_be_focused()
    expect(jef.thread).not_to_contain_text("ogenblik")
    keys.press("Enter")
    jef.sees("Dag. Een ogenblik, ik zoek dat voor u op.")
