"""An admin makes a widget, puts its line into a site that is not ours, and sets its look."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.stories.conftest import AgentPage, Browsers, VisitorPage

GREEN = "Chat met een medewerker"
BLUE = "Chat niet beschikbaar, bekijk de infofiche"
FOLLOWS_MS = 2_000
SITE = """<!doctype html><html lang="nl"><head><meta charset="utf-8"><title>Sportdienst</title>
<link rel="icon" href="data:,">%s</head><body><main><h1>Sportdienst</h1></main></body></html>"""


@contextmanager
def site() -> Iterator[tuple[str, list[str]]]:
    """A site of somebody else's: its origin, and what its pages contain."""
    contents = [""]

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((SITE % contents[0]).encode())

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as served:
        Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}", contents
        served.shutdown()


def admin_at(browsers: Browsers, path: str, **options: Any) -> Page:
    page = browsers.context(**options).new_page()
    page.goto(path)
    AgentPage(page, "admin").sign_in()
    page.locator(".settings-nav").wait_for()
    return page


def room(page: Page, name: str) -> None:
    page.locator(".rooms").get_by_role("link", name=name).click()
    page.locator(".rooms [aria-current]", has_text=name).wait_for()
    page.locator("form[data-htmx-powered]").first.wait_for()


def save(page: Page) -> None:
    page.get_by_role("button", name="Opslaan").click()
    expect(page.locator("#notices")).to_contain_text("Opgeslagen")


def test_from_nothing_to_a_button_of_ones_own(browsers: Browsers) -> None:
    with site() as (origin, contents):
        admin = admin_at(browsers, "/settings/widgets")
        admin.get_by_role("link", name="Widget toevoegen").click()
        admin.locator("#widget[data-htmx-powered]").wait_for()
        admin.locator("#name").fill("Sportdienst")
        admin.get_by_label("Site", exact=True).fill("www.example.be")
        admin.get_by_label("Frans").fill("Piscine")
        admin.locator("#widget [type=submit]").click()
        expect(admin.locator("#origin-0-error")).to_contain_text("Alleen het begin van een adres")
        browsers.picture(admin, "wrong")
        admin.get_by_label("Site", exact=True).fill(origin)
        admin.locator("#widget [type=submit]").click()

        contents[0] = admin.locator("#snippet").inner_text()
        page = browsers.context().new_page()
        page.goto(origin)
        visitor = VisitorPage(page)
        expect(visitor.button(BLUE)).to_be_visible()
        browsers.agent("an", "Loket")
        expect(visitor.button(GREEN)).to_be_visible()

        room(admin, "Teksten")
        card = admin.locator("#card_nl")
        card.fill("Bel ons")
        admin.get_by_role("button", name="Kop").first.click()
        expect(card).to_have_value("## Bel ons")
        expect(admin.locator("#card_nl-preview h2")).to_have_text("Bel ons")
        card.press("End")
        card.press_sequentially("\n\nElke dag <b>altijd</b>")
        expect(admin.locator("#card_nl-preview p")).to_have_text("Elke dag <b>altijd</b>")
        admin.locator("#green_nl").fill("Vraag het de sportdienst")
        save(admin)
        expect(visitor.button("Vraag het de sportdienst")).to_be_visible(timeout=FOLLOWS_MS)
        browsers.picture(admin, "texts")

        room(admin, "Kleuren en voorbeeld")
        admin.locator("#green_light").fill("#4cc26f")
        expect(admin.locator("#green_light-ratio")).to_have_text("2 : 1, te zwak")
        admin.get_by_role("button", name="Opslaan").click()
        expect(admin.locator("#green_light-error")).to_contain_text("Minstens 4,5 : 1")
        admin.locator("#green_light").fill("#00695c")
        drawn = admin.locator("ul:not([hidden]) > li > .drawn-button.green")
        expect(drawn).to_have_css("background-color", "rgb(0, 105, 92)")
        expect(drawn).to_have_text("Vraag het de sportdienst")
        save(admin)
        button = visitor.button("Vraag het de sportdienst")
        expect(button).to_have_css("background-color", "rgb(0, 105, 92)", timeout=FOLLOWS_MS)
        browsers.picture(page, "own-colours")
        expect(admin.frame_locator("iframe >> nth=3").get_by_role("heading", name="Bel ons")).to_be_visible()

        room(admin, "Ondertekende gegevens")
        admin.get_by_role("button", name="Sleutel toevoegen").click()
        expect(admin.locator("#secret")).to_be_visible()
        expect(admin.locator("#snippets summary")).to_have_count(5)
        admin.locator("#snippets summary", has_text="Python").click()
        browsers.picture(admin, "secret")
        admin.get_by_role("button", name="intrekken").click()
        admin.get_by_role("dialog").get_by_role("button", name="Intrekken").click()
        expect(admin.locator("#keys")).to_contain_text("Ingetrokken op")
        expect(admin.locator("#secret")).to_have_count(0)

        page.close()
        room(admin, "Inrichting")
        admin.get_by_role("button", name="Widget verwijderen").click()
        admin.get_by_role("dialog").get_by_role("button", name="Verwijderen").click()
        admin.wait_for_url("**/settings/widgets")
        expect(admin.get_by_text("Sportdienst")).to_have_count(0)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_every_page_can_be_read(browsers: Browsers, scheme: str, width: int) -> None:
    height = 720 if width > 500 else 844
    viewport = {"width": width, "height": height}
    admin = admin_at(browsers, "/settings/widgets", viewport=viewport, color_scheme=scheme)
    for path in ("", "/new", "/1", "/1/texts", "/1/looks", "/1/keys"):
        admin.goto(f"/settings/widgets{path}")
        assert admin.evaluate("document.documentElement.scrollWidth") <= width
        browsers.check(f"{scheme}{path.replace('/', '-')}")
