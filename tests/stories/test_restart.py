"""Nothing is lost: the server is killed in mid-conversation, the line drops, a session runs out."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.stories.conftest import AgentPage, Browsers, Server, VisitorPage

BACK_MS = 30_000  # of which the page's own share is 4 s at most


@pytest.fixture
def an(browsers: Browsers) -> AgentPage:
    return browsers.agent("an", "Loket")


@pytest.fixture
def jef(browsers: Browsers, an: AgentPage) -> VisitorPage:
    """Talking with An."""
    jef = browsers.visitor("/demo")
    jef.press()
    jef.fill_in(name="Jef Peeters", question="Mag ik vandaag parkeren?")
    an.accept()
    jef.sees_green()
    expect(an.text_bar()).to_be_visible()
    return jef


def said(server: Server) -> list[str]:
    return [body for (body,) in server.sql("SELECT body FROM message WHERE kind = 'text' ORDER BY id")]


def unsent(thread: Locator) -> Locator:
    return thread.locator(".pending.failed")


def returned(server: Server, an: AgentPage, jef: VisitorPage) -> None:
    server.start()
    expect(jef.status).to_have_text("Verbonden met An", timeout=BACK_MS)
    expect(jef.window.locator("#status-lost")).to_be_hidden(timeout=BACK_MS)
    expect(an.page.locator("#line-state .when-down")).to_be_hidden(timeout=BACK_MS)


def test_killed_then_stopped_and_started_again_each_time(
    browsers: Browsers, server: Server, an: AgentPage, jef: VisitorPage
) -> None:
    expected = ["Mag ik vandaag parkeren?"]
    for time, stop in enumerate((server.kill, server.stop), 1):
        from_jef, from_an = f"Hallo, {time}?", f"Ik ben er, {time}"
        stop()
        jef.sees_red()
        an.sees_red()
        jef.say(from_jef)
        an.say(from_an)
        expect(unsent(jef.thread)).to_have_count(1)
        expect(unsent(an.thread)).to_have_count(1)
        expect(unsent(jef.thread)).to_contain_text("Niet verzonden. Opnieuw proberen")
        browsers.photograph_all(f"down-{time}")
        jef.text_bar.fill("nog niet")
        returned(server, an, jef)
        for person in (jef, an):
            person.sees(from_jef)
            person.sees(from_an)
            expect(unsent(person.thread)).to_have_count(0)
            expect(person.thread.locator(".pending")).to_have_count(0)
        expect(jef.text_bar).to_have_value("nog niet")
        expect(an.page.locator("#me")).to_contain_text("Beschikbaar")
        expected += sorted([from_jef, from_an], key=said(server).index)
        assert said(server) == expected
    jef.say("Dank u")
    an.sees("Dank u")


@pytest.mark.twice
def test_an_unsent_message_survives_a_reload(
    browsers: Browsers, server: Server, an: AgentPage, jef: VisitorPage
) -> None:
    server.kill()
    jef.say("Dit moet aankomen.")
    an.say("Dit ook.")
    expect(unsent(jef.thread)).to_have_count(1)
    expect(unsent(an.thread)).to_have_count(1)
    kept = jef.page.evaluate("({...localStorage})")
    assert "Dit moet aankomen." in str(kept)
    for page in (jef.page, an.page):
        leave(page)
    server.start()
    for page in (jef.page, an.page):
        page.goto("/demo" if page is jef.page else "/console")
    for person in (jef, an):
        person.sees("Dit moet aankomen.")
        person.sees("Dit ook.")
        expect(person.thread.locator(".pending")).to_have_count(0)
    assert sorted(said(server)) == ["Dit moet aankomen.", "Dit ook.", "Mag ik vandaag parkeren?"]


def leave(page: Page) -> None:
    """A reload with nobody there to answer; the console warns first."""
    page.once("dialog", lambda dialog: dialog.accept())
    page.goto("about:blank")


def test_an_answer_that_is_lost_on_its_way_is_no_second_message(
    browsers: Browsers, server: Server, an: AgentPage, jef: VisitorPage
) -> None:
    """The server has it, the page does not know."""
    browsers.forgiven += ["ERR_FAILED", "Failed to fetch"]
    for page, url in ((jef.page, "**/chat/messages"), (an.page, "**/chats/*/messages")):
        once(page, url)
    jef.say("Eén keer")
    an.say("Ook één keer")
    for person in (jef, an):
        person.sees("Eén keer")
        person.sees("Ook één keer")
        expect(person.thread.locator(".pending")).to_have_count(0)
    assert sorted(said(server)) == ["Eén keer", "Mag ik vandaag parkeren?", "Ook één keer"]


def once(page: Page, url: str) -> None:
    """The first request arrives; its answer does not."""
    page.route(url, lambda route: (route.fetch(), route.abort())[1], times=1)


def test_a_dropped_line_comes_back(
    browsers: Browsers, server: Server, an: AgentPage, jef: VisitorPage
) -> None:
    browsers.forgiven += ["ERR_INTERNET_DISCONNECTED", "Failed to fetch", "network error"]
    jef.page.context.set_offline(True)
    jef.sees_red()
    jef.say("In de tunnel")
    expect(unsent(jef.thread)).to_have_count(1)
    an.say("Bent u daar?")
    jef.page.context.set_offline(False)
    expect(jef.window.locator("#status-lost")).to_be_hidden(timeout=BACK_MS)
    jef.sees("Bent u daar?")
    an.sees("In de tunnel")
    assert sorted(said(server)) == ["Bent u daar?", "In de tunnel", "Mag ik vandaag parkeren?"]


@pytest.mark.twice
def test_a_session_that_ran_out_asks_to_sign_in_on_the_spot(
    browsers: Browsers, server: Server, an: AgentPage, jef: VisitorPage
) -> None:
    for time in (1, 2):
        server.sql("DELETE FROM session")
        an.say(f"Een lang antwoord, {time}")
        an.page.evaluate("window.thesame = true")
        expect(an.dialog).to_be_visible()
        expect(an.dialog.get_by_label("Wachtwoord")).to_be_focused()
        browsers.check(f"session-{time}")
        an.dialog.get_by_label("Wachtwoord").fill("niet dit")
        an.dialog.get_by_role("button", name="Aanmelden").click()
        expect(an.dialog.locator(".field-error")).to_be_visible()
        an.dialog.get_by_label("Wachtwoord").fill("geheim-1234")
        an.page.keyboard.press("Enter")
        expect(an.dialog).to_be_hidden()
        jef.sees(f"Een lang antwoord, {time}")
        expect(an.thread.locator(".pending")).to_have_count(0)
        assert an.page.evaluate("window.thesame"), "the page was not loaded anew"
        an.say(f"En nog iets, {time}")
        jef.sees(f"En nog iets, {time}")
        jef.say(f"Goed, {time}")
        an.sees(f"Goed, {time}")
    assert said(server).count("Een lang antwoord, 1") == 1
    assert said(server).count("Een lang antwoord, 2") == 1


def test_a_draft_outlives_a_session(
    browsers: Browsers, server: Server, an: AgentPage, jef: VisitorPage
) -> None:
    """Nothing is sent: the console hears of it by itself, and waits until the sentence pauses."""
    server.sql("DELETE FROM session")
    typed = "Half een zin die langer duurt dan het duurt tot de console het merkt: een zi"
    an.text_bar().press_sequentially(typed, delay=80)
    expect(an.dialog).to_be_visible()
    expect(an.dialog.get_by_label("Wachtwoord")).to_have_value("")
    expect(an.text_bar()).to_have_value(typed)
    an.dialog.get_by_label("Wachtwoord").fill("geheim-1234")
    an.page.keyboard.press("Enter")
    expect(an.dialog).to_be_hidden()
    expect(an.text_bar()).to_have_value(typed)
    expect(an.text_bar()).to_be_focused()
    an.sees_green()
    jef.say("Nog daar?")
    an.sees("Nog daar?")
    an.say("Half een zin")
    jef.sees("Half een zin")


def test_signed_in_again_in_one_window_goes_on_in_the_other(
    browsers: Browsers, server: Server, an: AgentPage, jef: VisitorPage
) -> None:
    browsers.forgiven.append(
        "403"
    )  # the other's first beat is a moment older than what it hears of the session
    other = AgentPage(an.page.context.new_page(), "an")
    other.page.goto("/console")
    server.sql("DELETE FROM session")
    for window in (an, other):
        expect(window.dialog).to_be_visible()
    an.dialog.get_by_label("Wachtwoord").fill("geheim-1234")
    an.page.keyboard.press("Enter")
    for window in (an, other):
        expect(window.dialog).to_be_hidden()
    other.say("Uit het tweede venster")
    an.say("Uit het eerste")
    jef.sees("Uit het tweede venster")
    jef.sees("Uit het eerste")
