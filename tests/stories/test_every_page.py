"""Every page, judged by axe and by a ruler, for whoever may see most: the settings of the example desk and of
an empty one, with their questions and their errors; and the focus, wherever one presses."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.stories import ruler
from tests.stories.conftest import Browsers, check_accessibility
from tests.stories.test_from_nothing import first_admin
from tests.stories.test_log import admin_at

DESK: ViewportSize = {"width": 1280, "height": 720}
ZOOMED: ViewportSize = {"width": 320, "height": 256}  # 1280 × 1024 at 400 %
PUBLIC = ["/demo", "/widget/voorbeeld/info", "/nowhere"]
DARK = ["/settings/queues", "/settings/reports", "/settings/people/1", "/settings/widgets/1/looks"]
MENU = ".settings-nav"  # the same on every page: judged once
NO_PAGES = re.compile(r"^/settings$|/(export|table|file|deletion|trial)\b|\.(csv|pdf)$")
DOWNLOADS = "a[href^='/settings']:not([download])"
QUESTIONS = "main button[hx-get]:visible"
ASK = "#ask[open]"


def judge(page: Page) -> None:
    """As it stands: by axe, and by what can be measured."""
    faults = [*ruler.structure(page), *ruler.small(page)]
    assert not faults, f"{page.url}\n" + "\n".join(faults)
    check_accessibility(page, without="" if page.url.endswith("/settings/queues") else MENU)


def judge_by_keyboard_and_size(page: Page) -> None:
    """Where the focus goes it is seen, also at 400 %; nothing is cut there, or with a wider spacing."""
    page.keyboard.press("Tab")  # a keyboard is used
    faults = ruler.unseen_focus(page)
    page.set_viewport_size(ZOOMED)
    faults += ruler.cut(page)
    if not page.url.endswith(
        "/demo"
    ):  # where the button lies over what is below it, which can be scrolled away
        faults += ruler.unseen_focus(page)
    page.set_viewport_size(DESK)
    ruler.space_out(page)
    faults += ruler.cut(page)
    assert not faults, f"{page.url}\n" + "\n".join(faults)


def pages_of(page: Page, first: list[str], each: Callable[[str], None]) -> dict[str, str]:
    """Every page that a link leads to, one of each kind; the titles with their addresses."""
    titles: dict[str, str] = {}
    kinds: set[str] = set()
    coming = list(first)
    while coming:
        path = coming.pop(0)
        kind = re.sub(r"\d+", "N", path)
        if kind in kinds or NO_PAGES.search(path):
            continue
        kinds.add(kind)
        page.goto(path)
        coming += [href.partition("#")[0].partition("?")[0] for href in hrefs(page)]
        title = page.title()
        assert title not in titles, f"{path} is called {title}, as {titles.get(title)} is"
        titles[title] = path
        each(path)
    return titles


def hrefs(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        DOWNLOADS, "all => all.map((each) => each.getAttribute('href'))"
    )
    return found


def test_every_settings_page_with_its_questions_and_its_errors(browsers: Browsers) -> None:
    page = admin_at(browsers, "/settings/queues")

    def look(path: str) -> None:
        judge(page)
        judge_by_keyboard_and_size(page)
        if path in DARK:
            page.emulate_media(color_scheme="dark")
            check_accessibility(page)
            page.emulate_media(color_scheme="light")
        if path.startswith("/settings"):
            page.goto(path)
            press_questions(page)
        if path.endswith("/new"):
            send_nothing(page)

    titles = pages_of(page, ["/settings/queues", *PUBLIC], look)
    assert len(titles) > 40, titles


def press_questions(page: Page) -> None:
    """Each opens a dialog with the focus in it, and gives it back."""
    for number in range(min(2, page.locator(QUESTIONS).count())):
        button = page.locator(QUESTIONS).nth(number)
        button.focus()
        page.keyboard.press("Enter")
        page.locator(f"{ASK}, #second-factor form").wait_for()
        if not page.locator(ASK).count():
            continue
        expect(page.locator("#ask :focus")).to_have_count(1)
        judge(page)
        page.keyboard.press("Escape")
        expect(button).to_be_focused()


def send_nothing(page: Page) -> None:
    """What is wrong is said, at the field that then has the focus."""
    form = page.locator("main form[novalidate]").first
    for field in form.locator("input:is([type=text], [type=number]):visible, textarea:visible").all():
        field.fill("")
    form.locator("[type=submit]").first.click()
    page.locator("main [aria-invalid]").first.wait_for()
    expect(page.locator("main [aria-invalid]:focus")).to_have_count(1)
    said = (page.locator(":focus").get_attribute("aria-describedby") or "").split()[0]
    expect(page.locator(f"#{said}")).to_have_text(re.compile(r"\w"))
    judge(page)


@pytest.mark.long
def test_every_settings_page_of_an_empty_desk(browsers_at_nothing: Browsers) -> None:
    page = first_admin(browsers_at_nothing, "Mia")
    pages_of(page, ["/settings/start"], lambda path: judge(page))


def test_the_focus_is_never_lost_in_the_settings(browsers: Browsers) -> None:
    page = admin_at(browsers, "/settings/queues")

    def act(press: Callable[[], None], where: Locator | None = None) -> None:
        """On this page something is redrawn, or goes away: the focus is on something to see."""
        with page.expect_response(lambda answer: answer.request.method != "GET"):
            press()
        if where:
            expect(where).to_be_focused()
        else:
            expect(page.locator(":focus").first).to_be_visible()

    save = page.locator("main form [type=submit]").first
    for path in ("sign-in", "desk", "days", "hours/1", "widgets/1/texts", "offers/1", "privacy/queues/1"):
        page.goto(f"/settings/{path}")
        act(save.click, save)
    page.goto("/settings/hours")
    page.get_by_role("button", name="Alle chats nu sluiten").click()
    again = page.get_by_role("button", name="Alles heropenen")
    act(page.locator(f"{ASK} [type=submit]").click, again)
    act(again.click, page.get_by_role("button", name="Alle chats nu sluiten"))
    page.goto("/settings/presets")
    down = page.locator("#presets tbody tr").first.get_by_role("button").last
    name = down.get_attribute("aria-label") or ""
    act(down.click, page.get_by_role("button", name=name))
    keys = browsers.server.sql("SELECT material, id FROM signing_key")
    page.goto("/settings/widgets/1/keys")
    page.locator("main [hx-get*=revocation]").first.click()
    act(page.locator(f"{ASK} .danger").click)
    for key in keys:  # other stories need it
        browsers.server.sql("UPDATE signing_key SET material = ?, revoked_at = NULL WHERE id = ?", *key)
