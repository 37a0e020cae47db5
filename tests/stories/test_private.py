"""An agent writes for colleagues only: unmistakable, apart from what is public, and never the visitor's."""

import re

from playwright.sync_api import Locator, expect

from tests.stories.conftest import AgentPage, Browsers
from tests.stories.test_attachments import choose, talking
from tests.stories.test_keyboard import tab_to

WARNING = "Privé: alleen collega’s lezen dit"


def bar(an: AgentPage) -> Locator:
    return an.pane.locator("form.textbar")


def area(an: AgentPage) -> Locator:
    return bar(an).locator("textarea")


def switch(an: AgentPage) -> Locator:
    return an.pane.get_by_role("button", name="Privé", exact=True)


def eye(an: AgentPage) -> Locator:
    """The one in the text bar."""
    return an.pane.get_by_role("button", name="Privémodus uitschakelen")


def invited(browsers: Browsers, an: AgentPage) -> AgentPage:
    bram = browsers.agent("bram", "Loket")
    an.page.get_by_role("button", name="Uitnodigen").click()
    an.pane.locator(".tool-panel").get_by_role("radio", name="Bram").check()
    an.pane.locator(".tool-panel").get_by_role("button", name="Uitnodigen").click()
    bram.accept()
    expect(area(bram)).to_be_visible()
    return bram


def test_colleagues_confer_and_the_visitor_sees_nothing(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an, "/demo")
    bram = invited(browsers, an)
    jef.sees("Bram neemt deel")
    before = jef.thread.inner_text()

    expect(eye(an)).to_be_hidden()
    expect(switch(an)).to_have_attribute("aria-pressed", "false")
    switch(an).click()
    expect(switch(an)).to_have_attribute("aria-pressed", "true")
    expect(area(an)).to_be_focused()
    expect(area(an)).to_have_accessible_name(WARNING)
    expect(bar(an).get_by_text(WARNING)).to_be_visible()
    expect(eye(an)).to_be_visible()
    expect(an.pane.get_by_role("button", name="Aanbod", exact=True)).to_be_disabled()
    browsers.check("mode")
    area(an).press_sequentially("Kent u dit dossier?")
    expect(bram.pane.locator(".typing")).to_have_text("")
    area(an).press("Enter")

    for side in (an, bram):  # the colleague sees it live
        note = side.pane.locator(".message.private")
        expect(note).to_have_count(1)
        expect(note).to_contain_text("Kent u dit dossier?")
        expect(note.locator(".byline")).to_have_text(re.compile(r"An\s+privé"))
        expect(note.locator(".byline svg")).to_be_visible()
        tone = "element => getComputedStyle(element).backgroundColor"
        public = side.pane.locator(".message.from-agent:not(.private) .bubble")
        if public.count():
            assert note.locator(".bubble").evaluate(tone) != public.first.evaluate(tone)
    switch(bram).click()
    area(bram).fill("Ja, 4471.")
    area(bram).press("Enter")
    expect(an.pane.locator(".message.private")).to_have_count(2)
    eye(bram).click()
    bram.say("Dag Jef, ik kijk het na.")
    jef.sees("Dag Jef, ik kijk het na.")
    expect(an.pane.get_by_text("Dag Jef, ik kijk het na.", exact=True)).to_be_visible()
    expect(an.pane.locator(".typing")).to_have_text("")
    browsers.check("conferred")

    now = jef.thread.inner_text()
    assert now.startswith(before.rstrip()[:40])
    for canary in ("Kent u dit dossier", "4471", "privé"):
        assert canary not in now
        assert canary not in jef.page.content()
    expect(jef.window.locator(".typing")).to_have_text("")
    jef.page.reload()
    jef.sees("Dag Jef, ik kijk het na.")
    expect(jef.thread).not_to_contain_text("4471")


def test_two_drafts_with_their_files_that_never_meet(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    area(an).fill("Dit is openbaar")
    choose(bar(an), ("openbaar.txt", b"openbaar"))
    expect(bar(an).locator(".public-files .ready")).to_be_visible()
    switch(an).click()
    expect(area(an)).to_have_value("")
    expect(bar(an).locator(".file-row:visible")).to_have_count(0)
    area(an).fill("Dit is geheim")
    choose(bar(an), ("geheim.txt", b"kanarie"))
    expect(bar(an).locator(".private-files .ready")).to_contain_text("geheim.txt")
    browsers.check("private")
    eye(an).click()
    expect(area(an)).to_be_focused()
    expect(eye(an)).to_be_hidden()
    expect(area(an)).to_have_value("Dit is openbaar")
    expect(bar(an).locator(".file-row:visible")).to_contain_text("openbaar.txt")

    an.page.reload()  # both survive
    expect(area(an)).to_have_value("Dit is openbaar")
    expect(bar(an).locator(".public-files .ready")).to_contain_text("openbaar.txt")
    expect(bar(an).locator(".file-row:visible")).to_have_count(1)
    browsers.check("reloaded")
    switch(an).click()
    expect(area(an)).to_have_value("Dit is geheim")
    expect(bar(an).locator(".file-row:visible")).to_contain_text("geheim.txt")
    area(an).press("Enter")
    expect(an.pane.locator(".message.private")).to_contain_text("Dit is geheim")
    expect(an.pane.locator(".message.private a.attachment")).to_contain_text("geheim.txt")
    expect(bar(an).locator(".file-row:visible")).to_have_count(0)
    expect(area(an)).to_have_value("")

    switch(an).click()  # the button switches it off, too
    expect(area(an)).to_have_value("Dit is openbaar")
    area(an).press("Enter")
    jef.sees("Dit is openbaar")
    expect(jef.thread.get_by_role("button", name="openbaar.txt")).to_be_visible()
    expect(an.pane.locator(".message.private")).to_have_count(1)
    assert "geheim" not in jef.page.content()
    an.page.reload()
    expect(an.pane.locator(".message.private")).to_have_count(1)
    expect(area(an)).to_have_value("")
    expect(bar(an).locator(".file-row")).to_have_count(0)


def test_with_the_keyboard_alone(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    # Heard of from now on: the browser would be told too late for the key.
    an.page.on("filechooser", lambda _chooser: None)
    jef = talking(browsers, an)
    keys = an.page.keyboard
    expect(area(an)).to_be_focused()
    keys.type("Openbaar")
    tab_to(an.page, switch(an), "Shift+Tab")
    keys.press("Enter")
    expect(area(an)).to_be_focused()
    expect(area(an)).to_have_accessible_name(WARNING)
    keys.type("Met een bijlage")
    attach = an.pane.get_by_role("button", name="Bijlage", exact=True)
    tab_to(an.page, attach, "Shift+Tab")
    with an.page.expect_file_chooser() as chooser:
        keys.press("Enter")
    chooser.value.set_files({"name": "nota.txt", "mimeType": "text/plain", "buffer": b"kanarie"})
    expect(bar(an).locator(".private-files .ready")).to_contain_text("nota.txt")
    expect(area(an)).to_be_focused()
    browsers.check("keyboard")
    keys.press("Enter")
    expect(an.pane.locator(".message.private a.attachment")).to_contain_text("nota.txt")
    tab_to(an.page, eye(an), "Shift+Tab")
    keys.press("Space")
    expect(area(an)).to_be_focused()
    expect(area(an)).to_have_value("Openbaar")
    keys.press("Enter")
    jef.sees("Openbaar")
    assert "nota.txt" not in jef.page.content()


def test_a_note_after_the_visitor_left(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    area(an).fill("Nooit verstuurd")
    jef.end()
    note = an.pane.get_by_role("button", name="Privénotitie toevoegen")
    expect(note).to_be_visible()
    expect(area(an)).to_be_hidden()
    browsers.check("ended")
    note.click()
    expect(area(an)).to_be_focused()
    expect(area(an)).to_have_value("")
    expect(area(an)).to_have_accessible_name(WARNING)
    expect(an.pane.get_by_role("button", name="Uitnodigen")).to_be_hidden()  # nobody is there any more
    choose(bar(an), ("verslag.txt", b"kanarie"))
    expect(bar(an).locator(".private-files .ready")).to_be_visible()
    area(an).fill("Teruggebeld, in orde.")
    browsers.check("note")
    area(an).press("Enter")
    expect(an.pane.locator(".message.private")).to_contain_text("Teruggebeld, in orde.")
    expect(an.pane.locator(".message.private a.attachment")).to_contain_text("verslag.txt")
    browsers.check("noted")
    expect(jef.thread).not_to_contain_text("Teruggebeld")
    assert "verslag" not in jef.page.content()
