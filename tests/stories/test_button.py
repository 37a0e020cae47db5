"""The button on a host page, in a real browser: before, during and after a chat."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.stories.conftest import Browsers, Server, VisitorPage

GREEN = "Chat met een medewerker"
BLUE = "Chat niet beschikbaar, bekijk de infofiche"
BACK = "Terug naar uw gesprek"
FOLLOWS_MS = 2_000  # a button may be no later than that


def storage(page: Page) -> dict[str, str]:
    kept: dict[str, str] = page.evaluate("({...localStorage})")
    return kept


def in_chat(visitor: VisitorPage, question: str = "Hoe vraag ik een kaart aan?") -> VisitorPage:
    """From green to waiting in line, through the form."""
    visitor.press()
    visitor.window.locator("#form [name=name]").fill("Jef Peeters")
    visitor.window.locator("#form [name=question]").fill(question)
    visitor.window.locator("#form [type=submit]").click()
    expect(visitor.text_bar).to_be_visible()
    return visitor


def form(visitor: VisitorPage) -> Locator:
    return visitor.window.locator("#form")


def tab_to(page: Page, wanted: Locator) -> None:
    for _ in range(20):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError("the Tab key does not lead there")


def focused(locator: Locator) -> None:
    expect(locator).to_be_focused()


def test_the_button_follows_the_desk_without_a_reload(browsers: Browsers, server: Server) -> None:
    visitor = VisitorPage(browsers.context().new_page())
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.page.goto("/demo")
    expect(visitor.button(BLUE)).to_be_visible()
    ours = [url.removeprefix(server.url) for url in asked if "/demo" not in url and "/static/" not in url]
    assert ours == ["/embed.js", "/widget/voorbeeld/status"], "no other request until it is pressed"
    an = browsers.agent("an", "Loket")
    expect(visitor.button(GREEN)).to_be_visible(timeout=FOLLOWS_MS)
    an.page.locator("[popovertarget=readiness]").first.click()
    an.page.locator("#readiness [hx-vals*=lunch]").click()
    expect(visitor.button(BLUE)).to_be_visible(timeout=FOLLOWS_MS)
    assert storage(visitor.page) == {}


def test_blue_leads_to_the_info_card_and_green_is_offered_there(browsers: Browsers) -> None:
    visitor = browsers.visitor()
    visitor.button(BLUE).click()
    expect(visitor.window.get_by_text("02 123 45 67")).to_be_visible()
    focused(visitor.window.get_by_role("heading", name="Gemeente Voorbeeld"))
    browsers.picture(visitor.page, "card")
    browsers.agent("an", "Loket")
    visitor.window.get_by_role("link", name=GREEN).click()
    expect(form(visitor)).to_be_visible()


def test_escape_minimises_and_the_focus_comes_back(browsers: Browsers) -> None:
    browsers.agent("an", "Loket")
    visitor = browsers.visitor()
    expect(visitor.button()).to_be_visible()
    visitor.press()
    expect(visitor.window.get_by_role("heading").first).to_be_visible()
    visitor.page.keyboard.press("Escape")
    focused(visitor.button(BACK))
    expect(visitor.frame).to_be_hidden()
    visitor.page.keyboard.press("Enter")
    expect(visitor.frame).to_be_visible()
    assert storage(visitor.page) == {}, "nothing is kept before a chat has started"


def test_the_chat_goes_on_on_the_next_page_and_in_a_second_tab(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    visitor = in_chat(browsers.visitor())
    an.accept()
    an.say("Goeiemorgen.")
    visitor.sees("Goeiemorgen.")
    visitor.page.goto("/demo/2")
    visitor.sees("Goeiemorgen.")  # the window was open: it opens again
    second = VisitorPage(visitor.page.context.new_page())
    second.page.goto("/demo")
    second.sees("Goeiemorgen.")
    second.say("Dag, ik ben er.")
    visitor.sees("Dag, ik ben er.")
    an.sees("Dag, ik ben er.")


def test_what_comes_while_minimised_is_counted(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    visitor = in_chat(browsers.visitor())
    an.accept()
    expect(visitor.window.get_by_text("Verbonden met An")).to_be_visible()
    visitor.text_bar.press("Escape")
    an.say("Bent u daar?")
    an.say("Ik kijk het na.")
    expect(visitor.button(f"{BACK}, 2 nieuwe berichten")).to_be_visible()
    browsers.picture(visitor.page, "unread")
    visitor.button(BACK).click()
    focused(visitor.text_bar)
    visitor.text_bar.press("Escape")
    expect(visitor.page.get_by_role("button", name=re.compile(f"^{BACK}$"))).to_be_visible()


def test_by_keyboard_alone(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    visitor = browsers.visitor()
    expect(visitor.button()).to_be_visible()
    visitor.button().focus()
    visitor.page.keyboard.press("Enter")
    expect(form(visitor)).to_be_visible()
    visitor.page.keyboard.type("Jef Peeters")
    tab_to(visitor.page, form(visitor).locator("[name=question]"))
    visitor.page.keyboard.type("Mag dat?")
    tab_to(visitor.page, form(visitor).locator("[type=submit]"))
    visitor.page.keyboard.press("Enter")
    an.accept()
    expect(visitor.window.get_by_text("Verbonden met An")).to_be_visible()
    focused(visitor.text_bar)
    visitor.page.keyboard.type("Dag")
    visitor.page.keyboard.press("Enter")
    an.sees("Dag")


def test_an_ended_chat_is_not_there_for_the_next_person(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    visitor = in_chat(browsers.visitor())
    an.accept()
    an.say("Een geheim.")
    visitor.sees("Een geheim.")
    visitor.window.get_by_role("button", name="Gesprek beëindigen").click()
    visitor.window.get_by_role("dialog").get_by_role("button", name="beëindigen").click()
    expect(visitor.window.locator("[data-state=ended]")).to_be_attached()
    visitor.page.reload()
    expect(visitor.button(GREEN)).to_be_visible()
    expect(visitor.frame).to_have_count(0)
    visitor.press()
    expect(form(visitor)).to_be_visible()
    expect(visitor.window.get_by_text("Een geheim.")).to_have_count(0)


@pytest.mark.parametrize(("scheme", "width"), [("dark", 360), ("light", 360), ("dark", 1280)])
def test_it_fits(browsers: Browsers, scheme: str, width: int) -> None:
    browsers.agent("an", "Loket")
    visitor = browsers.visitor(viewport={"width": width, "height": 700}, color_scheme=scheme)
    expect(visitor.button()).to_be_visible()
    browsers.picture(visitor.page, f"{scheme}-{width}")
    visitor.press()
    expect(form(visitor)).to_be_visible()
    wide, high = (360, 700) if width == 360 else (400, 640)
    visitor.takes(width=wide, height=high)
