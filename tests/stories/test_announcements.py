"""What a screen reader gets to hear: each message once, politely, by its author and its text."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Frame, Locator, Page, expect

from tests.stories.conftest import AgentPage, Browsers, VisitorPage

LISTEN = Path(__file__).with_name("listen.js").read_text()


def listen(page: Page | Frame) -> None:
    page.evaluate(LISTEN)


def heard(page: Page | Frame) -> Any:
    """All that was said happened at ten: how far a story has got by then is the machine's affair."""
    found = page.evaluate("heard")
    for each in found["said"]:
        each["words"] = re.sub(r"\b10:0\d\b", "10:00", each["words"])
    return found


def lines(found: Any, where: str) -> list[str]:
    return [each["words"] for each in found["said"] if each["where"] == where]


def test_each_message_is_announced_once_by_its_author_and_its_text(browsers: Browsers) -> None:
    browsers.forgiven += ["net::ERR_INTERNET_DISCONNECTED", "Failed to fetch", "network error"]
    an = browsers.agent("an", "Loket")
    lien, jef = in_chat(browsers, an, "Lien"), in_chat(browsers, an, "Jef", "/demo")
    window = jef.page.frames[1]
    listen(window)
    listen(an.page)
    an.say("Goeiemorgen", "Jef")
    jef.sees("Goeiemorgen")
    jef.say("Dank u")
    jef.say("En morgen?")
    an.sees("En morgen?")
    expect(message(an.thread, "Goeiemorgen")).to_contain_text("Gelezen")
    an.say("Verkeerd", "Jef")
    jef.sees("Verkeerd")
    message(an.thread, "Verkeerd").get_by_role("button", name="Intrekken").click()
    expect(jef.thread).to_contain_text("Bericht ingetrokken")
    jef.page.context.set_offline(True)
    window.evaluate("document.getElementById('stream')._htmx.sse.reader.cancel()")
    jef.sees_red()
    an.say("Bent u er?", "Jef")
    jef.say("Ik schrijf zonder lijn")
    expect(message(jef.thread, "Ik schrijf zonder lijn")).to_contain_text("Niet verzonden")
    jef.page.context.set_offline(False)
    jef.sees_green()
    jef.sees("Bent u er?")
    an.sees("Ik schrijf zonder lijn")
    expect(message(jef.thread, "Ik schrijf zonder lijn")).not_to_have_class(re.compile("pending"))
    lien.say("Ik wacht")
    expect(an.tab("Lien")).to_contain_text("1")
    jef.page.locator("#zone").focus()
    an.close()
    an.confirm_end()
    over = re.compile(r"^\s*Gesprek beëindigd door An om 10:0\d\s*$")
    expect(window.locator("#after-title")).to_have_text(over)
    expect(jef.page.locator("#zone")).to_be_focused()

    for found in (heard(window), heard(an.page)):
        assert len(set(found["added"])) == len(found["added"]), "an element came into the log twice"
        assert not found["removed"]
        assert {each["how"] for each in found["said"] if each["where"] == "log"} == {"polite"}
    assert lines(heard(window), "log") == [
        "An 10:00 Goeiemorgen",
        "U Dank u wordt verzonden…",
        "U En morgen? wordt verzonden…",
        "An 10:00 Verkeerd",
        "Bericht ingetrokken",
        "U Ik schrijf zonder lijn wordt verzonden…",
        "An 10:00 Bent u er?",
    ]
    assert lines(heard(an.page), "log") == [
        "An Goeiemorgen wordt verzonden…",
        "Jef 10:00 Dank u",
        "Jef 10:00 En morgen?",
        "An Verkeerd wordt verzonden…",
        "Ingetrokken om 10:00 · An",
        "An Bent u er? wordt verzonden…",
        "Jef 10:00 Ik schrijf zonder lijn",
        "Gesprek beëindigd door An om 10:00",
    ]
    elsewhere = [each["words"] for each in heard(window)["said"] if each["where"] != "log"]
    assert elsewhere == [
        "Geen verbinding. We proberen het opnieuw; uw tekst blijft bewaard.",
        "Niet verzonden. Opnieuw proberen",
        "Niet verbonden",
        "Gesprek beëindigd door An om 10:00",
    ]
    assert lines(heard(an.page), "announce-unread") == ["Lien: 1 ongelezen bericht"]

    lien.page.add_init_script(f"addEventListener('DOMContentLoaded', {LISTEN.partition(chr(10))[2]})")
    lien.page.reload()
    lien.sees_green()
    lien.sees("Ik wacht")
    assert lines(heard(lien.page), "log") == [], "the log arrives filled"
    an.say("Nu u", "Lien")
    lien.sees("Nu u")
    assert lines(heard(lien.page), "log") == ["An 10:00 Nu u"]


def message(thread: Locator, text: str) -> Locator:
    return thread.get_by_role("listitem").filter(has_text=text)


def in_chat(browsers: Browsers, an: AgentPage, name: str, path: str = "/widget/voorbeeld") -> VisitorPage:
    visitor = browsers.visitor(path)
    if path == "/demo":
        visitor.press()
    visitor.fill_in(name=name, question=f"Een vraag van {name}")
    an.request_tab.click()
    an.accept()
    visitor.sees_green()
    expect(an.text_bar(name)).to_be_visible()
    return visitor
