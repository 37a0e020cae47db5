"""An agent sees that what it wrote was read; and takes back what it wrote in the wrong tab."""

from playwright.sync_api import Locator, expect

from tests.stories.conftest import AgentPage, Browsers, Server, VisitorPage
from tests.stories.test_whole_chat import in_line, talking

BACK = "Terug naar uw gesprek"
PHONE = {"width": 390, "height": 844}

# What a screen reader hears of a thread: what is added to it, unless it stands where nothing is announced.
LISTEN = """thread => {
  window.heard = [];
  window.items = [...thread.children];
  const words = node => node.textContent.replace(/\\s+/g, " ").trim();
  const quiet = node => (node.closest ? node : node.parentElement)?.closest("[aria-live=off]");
  new MutationObserver(changes => {
    for (const { target, addedNodes, type } of changes)
      for (const node of type === "characterData" ? [target] : addedNodes)
        if (words(node) && !quiet(node) && !quiet(target)) window.heard.push(words(node));
  }).observe(thread, { subtree: true, childList: true, characterData: true });
}"""


def message(an: AgentPage, text: str) -> Locator:
    return an.thread.get_by_role("listitem").filter(has_text=text)


def mark(an: AgentPage, text: str) -> Locator:
    """The one in sight."""
    return message(an, text).locator(".mark").filter(visible=True)


def withdraw(an: AgentPage, text: str) -> Locator:
    return message(an, text).get_by_role("button", name="Intrekken")


def thread_of(jef: VisitorPage) -> Locator:
    return jef.window.locator("#thread")


def test_sent_delivered_read(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    an.say("Goeiemorgen, welk kenteken?")
    expect(mark(an, "welk kenteken?")).to_have_text("Gelezen")
    jef.text_bar.press("Escape")
    expect(jef.button(BACK)).to_be_visible()
    an.thread.locator("ol").evaluate(LISTEN)
    an.say("En welke straat?")
    expect(mark(an, "En welke straat?")).to_have_text("Afgeleverd")
    browsers.check("delivered")
    jef.button(BACK).click()
    expect(mark(an, "En welke straat?")).to_have_text("Gelezen")
    heard = an.page.evaluate("heard")
    assert not [words for words in heard if words in ("Verzonden", "Afgeleverd", "Gelezen")], heard

    an.say("Bram")
    expect(mark(an, "Bram")).to_have_text("Gelezen")
    states = message(an, "welk kenteken?").locator(".delivery")
    assert "Gelezen" in states.inner_text(), "can be heard at each message"
    browsers.check("read")
    jef.page.close()
    an.say("Bent u er nog?")
    expect(mark(an, "Bent u er nog?")).to_have_text("Verzonden")
    browsers.picture(an.page, "sent")


def test_what_is_read_in_one_tab_is_not_unread_in_another(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    second = VisitorPage(jef.page.context.new_page())
    second.page.goto("/demo")
    second.sees("Een vraag van Jef Peeters")
    for each in (jef, second):
        each.text_bar.press("Escape")
        expect(each.button(BACK)).to_be_visible()
    an.say("Goeiemorgen.")
    for each in (jef, second):
        expect(each.button(f"{BACK}, 1 nieuw bericht")).to_be_visible()
    expect(mark(an, "Goeiemorgen.")).to_have_text("Afgeleverd")
    second.button(BACK).click()
    expect(jef.page.get_by_role("button", name=BACK, exact=True)).to_be_visible()
    expect(mark(an, "Goeiemorgen.")).to_have_text("Gelezen")


def test_the_wrong_tab(browsers: Browsers, server: Server) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    marie = in_line(browsers, "Marie Claes", "Is mijn kaart klaar?")
    an.request_tab.click()
    an.accept()
    marie.sees_green()
    an.tab("Jef Peeters").click()
    an.say("Uw kaart ligt klaar, mevrouw Claes.", to="Jef Peeters")
    jef.sees("Uw kaart ligt klaar, mevrouw Claes.")
    thread_of(jef).evaluate(LISTEN)
    an.thread.locator("ol").filter(visible=True).evaluate(LISTEN)
    message(an, "mevrouw Claes").hover()
    browsers.check("before")
    withdraw(an, "mevrouw Claes").click()

    jef.sees("Bericht ingetrokken")
    expect(jef.thread).not_to_contain_text("mevrouw Claes")
    expect(message(an, "mevrouw Claes")).to_contain_text("Ingetrokken om")
    expect(withdraw(an, "mevrouw Claes")).to_have_count(0)
    expect(an.text_bar("Jef Peeters")).to_be_focused()
    assert thread_of(jef).evaluate("() => heard") == ["Bericht ingetrokken"], "said once, and nothing else"
    assert thread_of(jef).evaluate("thread => items.every((item, n) => item === thread.children[n])")
    (heard,) = an.page.evaluate("heard.filter(words => words.includes('Ingetrokken'))")
    assert "mevrouw Claes" not in heard, "and what it was is not said again"
    browsers.check("withdrawn")
    for page in (an.page, jef.page):
        page.emulate_media(color_scheme="dark")
    browsers.check("dark")

    an.tab("Marie Claes").click()
    an.say("Uw kaart ligt klaar, mevrouw Claes.", to="Marie Claes")
    marie.sees("Uw kaart ligt klaar, mevrouw Claes.")
    assert server.sql("SELECT count(*) FROM message WHERE body LIKE '%mevrouw Claes%'") == [(2,)]


def test_with_the_keyboard_and_while_the_visitor_reads_elsewhere(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an)
    jef.text_bar.press("Escape")
    an.say("Verkeerd")
    expect(jef.button(f"{BACK}, 1 nieuw bericht")).to_be_visible()
    expect(mark(an, "Verkeerd")).to_have_text("Afgeleverd")
    for _press in range(12):
        an.page.keyboard.press("Shift+Tab")
        if withdraw(an, "Verkeerd").evaluate("button => button === document.activeElement"):
            break
    expect(withdraw(an, "Verkeerd")).to_be_focused()
    expect(withdraw(an, "Verkeerd")).to_have_css("opacity", "1")
    browsers.picture(an.page, "focused")
    an.page.keyboard.press("Enter")
    expect(message(an, "Verkeerd")).to_contain_text("Ingetrokken om")
    expect(an.text_bar()).to_be_focused()
    expect(jef.page.get_by_role("button", name=BACK, exact=True)).to_be_visible()  # nothing to be read
    jef.button(BACK).click()
    jef.sees("Bericht ingetrokken")


def test_two_minutes_later_it_stays(browsers: Browsers, server: Server) -> None:
    an = browsers.agent("an", "Loket", viewport=PHONE, has_touch=True)
    jef = in_line(browsers, "Jef Peeters", "Mag ik parkeren?")
    an.accept()
    jef.sees_green()
    an.say("Dat mag, in alle straten van de zone, van maandag tot en met zaterdag, tot 19 uur.")
    expect(withdraw(an, "Dat mag")).to_be_visible()
    assert an.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    browsers.check("phone")
    server.sql("UPDATE message SET sent_at = '2026-03-11 08:00:00+00:00' WHERE author = 'agent'")
    withdraw(an, "Dat mag").click()
    expect(an.pane).to_contain_text("Een bericht kan binnen twee minuten worden ingetrokken.")
    expect(withdraw(an, "Dat mag")).to_have_count(0)
    jef.sees("Dat mag, in alle straten van de zone, van maandag tot en met zaterdag, tot 19 uur.")
    an.page.reload()
    expect(message(an, "Dat mag")).to_be_visible()
    expect(withdraw(an, "Dat mag")).to_have_count(0)
