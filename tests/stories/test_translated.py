"""A page that the browser translates, as Chrome does: its words are taken out and others put in, in elements
of the browser's own, also in what comes later. Nothing breaks, everything arrives, and names stay names."""

import re
from pathlib import Path

from playwright.sync_api import Frame, Page, expect

from tests.stories.conftest import AgentPage, Browsers
from tests.stories.test_announcements import heard, in_chat, listen

TRANSLATE = Path(__file__).with_name("translate.js").read_text()


def translate(page: Page | Frame) -> None:
    page.evaluate(TRANSLATE)


def say(an: AgentPage, text: str) -> None:
    an.pane.locator("textarea").fill(text)
    an.page.keyboard.press("Enter")


def test_a_translated_conversation_goes_on(browsers: Browsers) -> None:
    browsers.forgiven += ["net::ERR_INTERNET_DISCONNECTED", "Failed to fetch", "network error"]
    bram = browsers.agent("bram", "Loket", ready=False)
    an = browsers.agent("an", "Loket")
    jef = in_chat(browsers, an, "Jef")
    for page in (jef.page, an.page):
        translate(page)
        listen(page)
    expect(jef.status).to_have_text("VERBONDEN MET An")
    expect(an.pane.get_by_role("textbox", name="BERICHT AAN Jef")).to_be_visible()
    with an.page.expect_request("**/messages") as sent:
        say(an, "Goeiemorgen")
    assert sent.value.headers["x-language"] == "nl", "what is asked for is the page's own language"
    jef.sees("GOEIEMORGEN")
    jef.say("Dank u wel")
    jef.sees("DANK U WEL")
    an.sees("DANK U WEL")
    say(an, "Verkeerd")
    jef.sees("VERKEERD")
    an.thread.get_by_role("listitem").filter(has_text="VERKEERD").get_by_role("button").click()
    expect(jef.thread).to_contain_text("BERICHT INGETROKKEN")
    expect(jef.thread).not_to_contain_text(re.compile("verkeerd", re.I))
    an.pane.locator("textarea").press_sequentially("Ik")
    expect(jef.page.locator("#typing")).to_have_text("An TYPT…")

    before = len(heard(jef.page)["said"])
    jef.page.context.set_offline(True)
    jef.page.evaluate("document.getElementById('stream')._htmx.sse.reader.cancel()")
    expect(jef.page.locator("#status-lost")).to_be_visible()
    jef.page.context.set_offline(False)
    expect(jef.status).to_be_visible()
    say(an, "We zijn er weer")
    jef.sees("WE ZIJN ER WEER")
    again = [each["words"] for each in heard(jef.page)["said"][before:] if each["where"] == "log"]
    assert not re.search("GOEIEMORGEN|DANK|INGETROKKEN", str(again)), "what had been said is not said again"
    assert any(re.fullmatch(r"An \d\d:\d\d WE ZIJN ER WEER", words) for words in again), again

    bram.become_ready()
    lien = browsers.visitor("/widget/voorbeeld")
    lien.fill_in(name="Lien", question="En ik?")
    expect(bram.request()).to_be_visible()
    an.close()
    an.dialog.get_by_role("button", name=re.compile("^gesprek beëindigen$", re.I)).click()
    expect(jef.page.locator("#after-title")).to_have_text(re.compile("GESPREK BEËINDIGD DOOR An OM 10:"))
    expect(an.page.get_by_role("tab")).to_have_count(0)
