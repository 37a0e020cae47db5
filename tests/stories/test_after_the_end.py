"""A citizen keeps the conversation, says what it thought of it, and leaves nothing behind."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Locator, Page, expect
from pypdf import PdfReader

from tests.stories.conftest import AgentPage, Browsers, Server, VisitorPage

QUESTION = "Mag ik vandaag parkeren?"
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True}


def talking(browsers: Browsers, an: AgentPage, visitor: VisitorPage) -> VisitorPage:
    visitor.press()
    visitor.fill_in(name="Jef Peeters", question=QUESTION)
    an.accept()
    visitor.sees_green()
    an.say("Dag Jef, in welke straat?", to="Jef Peeters")
    visitor.sees("Dag Jef, in welke straat?")
    return visitor


def saved(page: Page, button: Locator) -> Path:
    with page.expect_download() as waiting:
        button.click()
    download = waiting.value
    assert re.fullmatch(r"gesprek-2026-03-11\.(pdf|txt)", download.suggested_filename)
    return Path(download.path())


def test_the_conversation_is_kept(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an, browsers.visitor("/demo"))

    jef.window.get_by_role("button", name="Gesprek downloaden").click()
    browsers.photograph_all("menu")
    text = saved(jef.page, jef.window.locator("#download-menu").get_by_text("Als gewone tekst"))
    assert "Dag Jef, in welke straat?" in text.read_text()
    expect(jef.window.locator("#download-menu")).to_be_hidden()
    expect(jef.window.locator("#download-lost")).to_be_hidden()

    jef.end()
    expect(jef.window.locator("#after-title")).to_be_focused()
    expect(jef.window.get_by_role("button", name="Nieuw gesprek")).to_be_in_viewport()
    browsers.photograph_all("after")
    pdf = saved(jef.page, jef.window.locator("#after").get_by_role("button", name="Als pdf"))
    assert QUESTION in PdfReader(pdf).pages[0].extract_text()


def test_it_is_rated_and_wiped(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an, browsers.visitor("/demo"))
    an.page.close()
    jef.end()
    rating = jef.window.get_by_role("group", name="Hoe tevreden bent u over dit gesprek?")
    send = jef.window.get_by_role("button", name="Mening versturen")
    send.click()
    expect(jef.window.locator("#rating")).to_contain_text("Kies een van de vijf antwoorden")
    expect(rating.get_by_label("Heel ontevreden")).to_be_focused()
    rating.get_by_label("Heel tevreden", exact=True).check()
    jef.window.get_by_label("Opmerking").fill("Vlot geholpen")
    browsers.check("rated")
    send.click()
    expect(jef.window.locator("#rating")).to_contain_text("Bedankt voor uw mening")
    expect(jef.window.locator("#rating")).to_be_focused()

    key = "localStorage.getItem('balie.voorbeeld')"
    assert jef.page.evaluate(key), "the premise: the token is there for a week"
    jef.window.get_by_role("button", name="Wissen op dit toestel").click()
    expect(jef.frame).to_have_count(0)
    assert jef.page.evaluate(key) is None
    expect(jef.button()).to_be_focused()


def test_on_a_phone_and_on_a_page_of_its_own(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    jef = browsers.visitor("/widget/voorbeeld", **PHONE)
    jef.fill_in(name="Jef Peeters", question=QUESTION)
    an.accept()
    jef.sees_green()
    jef.end()
    browsers.check("phone")
    saved(jef.page, jef.window.locator("#after").get_by_role("button", name="Als gewone tekst"))
    jef.window.get_by_role("button", name="Wissen op dit toestel").click()
    expect(jef.form.or_(jef.window.locator("#panel")).first).to_be_visible()
    assert jef.page.evaluate("localStorage.length") == 0


@contextmanager
def another_site(server: Server) -> Iterator[str]:
    """Its address; each of its pages has the button."""
    script = f'<script async src="{server.url}/embed.js" data-widget="voorbeeld"></script>'
    page = f'<!doctype html><html lang="nl"><title>Aanvraag</title><main><h1>Aanvraag</h1></main>{script}'

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_words: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as site:
        origin = f"http://127.0.0.1:{site.server_port}"
        before = server.sql("SELECT origins FROM widget WHERE key = 'voorbeeld'")[0][0]
        server.sql("UPDATE widget SET origins = ? WHERE key = 'voorbeeld'", f'["{origin}"]')
        Thread(target=site.serve_forever).start()
        try:
            yield origin
        finally:
            site.shutdown()
            server.sql("UPDATE widget SET origins = ? WHERE key = 'voorbeeld'", before)


def test_in_a_frame_of_another_site(browsers: Browsers, server: Server) -> None:
    """Where a link would send no token."""
    an = browsers.agent("an", "Loket")
    with another_site(server) as origin:
        jef = talking(browsers, an, browsers.visitor(f"{origin}/aanvraag"))
        assert jef.page.frames[-1].url.startswith(server.url), "the premise: two origins"
        jef.end()
        pdf = saved(jef.page, jef.window.locator("#after").get_by_role("button", name="Als pdf"))
        assert pdf.read_bytes().startswith(b"%PDF-")
        jef.page.close()


def test_a_download_that_does_not_come_is_said(browsers: Browsers) -> None:
    browsers.forgiven.append("net::ERR_FAILED|status of 503|Failed to fetch")
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an, browsers.visitor("/demo"))
    for fail in (lambda route: route.fulfill(status=503, body="x"), lambda route: route.abort()):
        jef.page.context.route("**/chat/transcript.*", fail)
        jef.window.get_by_role("button", name="Gesprek downloaden").click()
        jef.window.locator("#download-menu").get_by_text("Als pdf").click()
        expect(jef.window.locator("#download-lost")).to_contain_text("Het downloaden is niet gelukt")
        jef.page.context.unroute("**/chat/transcript.*")
        jef.window.get_by_role("button", name="Gesprek downloaden").click()
        saved(jef.page, jef.window.locator("#download-menu").get_by_text("Als pdf"))
        expect(jef.window.locator("#download-lost")).to_be_hidden()


@pytest.mark.parametrize("away", [False, True])
def test_are_you_still_there(browsers: Browsers, server: Server, away: bool) -> None:
    an = browsers.agent("an", "Loket")
    jef = talking(browsers, an, browsers.visitor("/demo"))
    jef.text_bar.focus()
    if away:
        jef.window.get_by_role("button", name="Minimaliseren").click()
    server.sql("UPDATE chat SET silent_since_at = '2026-03-11 08:00:00+00:00'")
    if away:
        expect(jef.page.get_by_role("button", name="Terug naar uw gesprek")).to_contain_text("1")
        jef.page.get_by_role("button", name="Terug naar uw gesprek").click()
    question = jef.window.get_by_role("alert").filter(has_text="Bent u er nog?")
    expect(question).to_be_visible()
    expect(jef.text_bar).to_be_focused()
    browsers.check("asked")
    jef.window.get_by_role("button", name="Ja, ik ben er nog").click()
    expect(question).to_have_count(0)
    expect(jef.text_bar).to_be_focused()
    assert server.sql("SELECT state, idle_asked_at FROM chat") == [("active", None)]
