"""Nothing comes any more, and nothing says so: the line is half open, or the page itself has been put to
sleep, as browsers do with a tab that nobody looks at."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.stories.conftest import AgentPage, Browsers, Server, VisitorPage
from tests.stories.test_whole_chat import talking

NOT_YET_MS, SEEN_WITHIN_MS = 30_000, 45_000


@contextmanager
def nothing_comes(server: Server) -> Iterator[None]:
    """What is sent is taken, and never answered."""
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(server.process.pid, signal.SIGCONT)


def by_their_own_clock(context: BrowserContext) -> BrowserContext:
    context.clock.install()
    return context


@pytest.fixture
def timed(browsers: Browsers, monkeypatch: pytest.MonkeyPatch) -> Browsers:
    """Whose pages have a clock that can be put forward."""
    make = browsers.context
    monkeypatch.setattr(browsers, "context", lambda *a, **options: by_their_own_clock(make(*a, **options)))
    return browsers


def test_a_line_on_which_nothing_comes_is_seen_within_45_s(timed: Browsers, server: Server) -> None:
    timed.forgiven += ["ERR_", "Failed to fetch", "htmx:sse", "network error", "timeout", "timed out"]
    an = timed.agent("an", "Loket")
    jef = talking(timed, an)
    an.say("Nog een ogenblik.")
    jef.sees("Nog een ogenblik.")
    with nothing_comes(server):
        for context in timed.contexts:
            context.clock.run_for(NOT_YET_MS)
        jef.sees_green()
        an.sees_green()
        for context in timed.contexts:
            context.clock.run_for(SEEN_WITHIN_MS - NOT_YET_MS)
        jef.sees_red()
        an.sees_red()
        jef.say("Bent u daar?")
        an.say("Bent u er nog?")
    people: tuple[VisitorPage | AgentPage, ...] = (jef, an)
    for context in timed.contexts:
        context.clock.run_for(10_000)
    for person in people:
        person.sees_green()
        person.sees("Bent u daar?")
        person.sees("Bent u er nog?")


# ---- asleep ----------------------------------------------------------------------------------------------


NINE_MINUTES_MS = 540_000


@contextmanager
def asleep(page: Page) -> Iterator[None]:
    """Nothing runs in it; when it goes on, nine minutes have passed."""
    session = page.context.new_cdp_session(page)
    session.send("Debugger.enable")
    session.send("Debugger.pause")
    yield
    session.send("Debugger.disable")
    page.clock.fast_forward(NINE_MINUTES_MS)


def nine_minutes_ago(server: Server) -> str:
    passed = timedelta(seconds=time.monotonic() - server.since, milliseconds=-NINE_MINUTES_MS)
    return f"{(server.now + passed).astimezone(UTC):%Y-%m-%d %H:%M:%S}+00:00"


def given_up(server: Server, who: str) -> None:
    """Its page is silent, and so its stream ends."""
    server.sql(f"UPDATE presence SET alive_until_at = '{nine_minutes_ago(server)}' WHERE {who} IS NOT NULL")


def test_a_tab_that_slept_for_nearly_ten_minutes_goes_on_as_if_it_had_not(
    timed: Browsers, server: Server
) -> None:
    """It answered no beat: its visitor is away. What was said meanwhile comes when it wakes, once."""
    an = timed.agent("an", "Loket")
    jef = talking(timed, an)
    jef.text_bar.fill("Een half")
    with asleep(jef.page):
        given_up(server, "chat")
        server.sql(f"UPDATE chat SET visitor_gone_at = '{nine_minutes_ago(server)}'")
        expect(an.pane.locator(".chat-head")).to_contain_text("Bezoeker weg")
        for text in ("Ik zoek het even op.", "Het mag."):
            an.say(text)
            an.sees(text)
    for text in ("Ik zoek het even op.", "Het mag."):
        jef.sees(text)
    expect(an.pane.locator(".chat-head")).not_to_contain_text("Bezoeker weg")
    jef.sees_green()
    jef.text_bar.press("End")
    jef.page.keyboard.type(" woord")
    jef.page.keyboard.press("Enter")
    an.sees("Een half woord")
    assert server.sql("SELECT count(*) FROM chat WHERE state = 'active'") == [(1,)]


def test_a_console_that_slept_says_what_has_become_of_it(timed: Browsers, server: Server) -> None:
    """Its conversation waits, and nothing is asked of its agent until it says that it is there."""
    an = timed.agent("an", "Loket")
    jef = talking(timed, an)
    with an.page.expect_response("**/console/stream*"), asleep(an.page):
        given_up(server, "agent")
        server.sql(f"UPDATE readiness SET gone_at = '{nine_minutes_ago(server)}'")
        expect(jef.status).to_contain_text("we verbinden u opnieuw")
    expect(an.page.locator("#pane-none")).to_contain_text("de verbinding een tijd verbroken was")
    an.become_ready()
    an.accept()
    jef.sees_green()
    jef.say("Daar bent u weer.")
    an.sees("Daar bent u weer.")
