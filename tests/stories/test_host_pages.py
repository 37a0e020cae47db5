"""The button on pages that are not ours: another origin, and whatever such a page may be."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests import host_site
from tests.host_site import HostSite
from tests.stories.conftest import Browsers, Server, VisitorPage, box, soon

GREEN = "Chat met een medewerker"
BLUE = "Chat niet beschikbaar, bekijk de infofiche"
BACK = "Terug naar uw gesprek"
WIDE, HIGH = 1280, 720
CUT_OFF = "^htmx: htmx:(sse:)?error: (network error|Failed to fetch)"  # in a frame that is taken away

# A browser that keeps third parties from storing anything.
NO_STORAGE = """
  if (self !== top) for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches"])
    Object.defineProperty(self, name, { get() { throw new DOMException("denied", "SecurityError"); } });
"""
# What a page has: its names, its elements, and those with a shadow root.
SNAPSHOT = """() => {
  const html = (each) => each.outerHTML;
  const ours = [...document.querySelectorAll("*")].filter((each) => each.shadowRoot).map(html);
  const rest = [...ours, ...[...document.scripts].map(html)];
  const page = rest.reduce((page, each) => page.replace(each, ""), html(document.documentElement));
  return { names: Object.getOwnPropertyNames(window).sort(), page, ours };
}"""


@pytest.fixture
def site(server: Server) -> Iterator[HostSite]:
    """One that the widget knows."""
    with host_site.running(server.url) as running:
        kept = server.sql("SELECT origins FROM widget WHERE key = 'voorbeeld'")[0][0]
        allow(server, json.dumps([running.url]))
        yield running
        allow(server, kept)


def allow(server: Server, origins: str) -> None:
    server.sql("UPDATE widget SET origins = ? WHERE key = 'voorbeeld'", origins)


def come(browsers: Browsers, url: str, **options: Any) -> VisitorPage:
    visitor = VisitorPage(browsers.context(**options).new_page())
    visitor.page.goto(url)
    return visitor


def can_send(visitor: VisitorPage, top: int, bottom: int) -> None:
    """The button is between these two heights of the page."""
    send = visitor.window.get_by_role("button", name="Zend")

    def elsewhere() -> dict[str, float] | None:
        at = box(send)
        return None if at and top < at["y"] and at["y"] + at["height"] <= bottom else at

    soon(visitor.page, elsewhere, None)


def in_chat(visitor: VisitorPage) -> None:
    visitor.press()
    visitor.fill_in("Jef Peeters", subject="Algemene vraag", question="Hoe vraag ik een kaart aan?")
    expect(visitor.text_bar).to_be_visible()


def heard(page: Page) -> list[Any]:
    """Which of our events the page has had."""
    found: list[Any] = page.evaluate("window.heard")
    return found


# A keyboard on the screen covers part of the page, and a browser moves what is left to the field.
KEYBOARD = """() => {
  const sizes = { height: 480, offsetTop: 60 };
  for (const [name, value] of Object.entries(sizes))
    Object.defineProperty(visualViewport, name, { value, configurable: true });
  visualViewport.dispatchEvent(new Event("resize"));
}"""
NO_KEYBOARD = """() => {
  for (const name of ["height", "offsetTop"]) delete visualViewport[name];
  visualViewport.dispatchEvent(new Event("scroll"));
}"""
# What a page says to the one that it stands in, and to all frames there.
FORGE = """(names) => {
  const more = { kept: { draft: "vals" }, name: "draft", value: "vals", count: 9, text: "vals" };
  for (const to of [parent, ...[...Array(parent.length).keys()].map((at) => parent[at])])
    for (const balie of names) to.postMessage({ balie, ...more }, "*");
}"""
# The same from the page to itself, and until the last of it has been heard.
FORGE_TO_SELF = f"""async (names) => {{
  const last = new Promise((done) => onmessage = ({{ data }}) => data?.balie === "last" && done());
  ({FORGE.replace("parent", "self")})([...names, "last"]);
  await last;
}}"""
LISTEN = """() => {
  window.heard = [];
  for (const name of ["open", "close", "chat", "end", "unread"])
    addEventListener("balie:" + name, ({ detail }) => heard.push(detail ? [name, detail] : name));
}"""


# ---- pages that make it hard -----------------------------------------------------------------------------


def test_it_works_on_a_page_with(browsers: Browsers, site: HostSite) -> None:
    """A strict policy, a hostile stylesheet, a full screen, the script three times, Arabic, no doctype."""
    browsers.forgiven = [CUT_OFF]
    browsers.agent("an", "Loket")
    context = browsers.context()
    for name in ("strict", "hostile", "crowded", "twice", "rtl", "quirks"):
        visitor = VisitorPage(context.new_page())
        visitor.page.goto(f"{site.url}/{name}")
        button = visitor.button()
        expect(button, name).to_have_count(1)
        expect(button, name).to_be_visible()
        bottom = HIGH - 16 - (72 if name == "crowded" else 0)
        at = box(button)
        assert (at["x"] + at["width"], at["y"] + at["height"]) == (WIDE - 16, bottom), name
        assert 48 <= at["height"] <= 52, f"one line, on a page with {name}"
        assert button.evaluate("each => getComputedStyle(each).backgroundColor") == "rgb(26, 127, 60)", name
        browsers.picture(visitor.page, f"{name}-button")
        button.click()
        expect(visitor.form.get_by_label("Naam"), name).to_be_focused()
        high = min(640, bottom - 16)
        visitor.takes(x=WIDE - 16 - 400, y=bottom - high, width=400, height=high)
        visitor.form.get_by_label("Naam").press_sequentially("Jef")
        browsers.picture(visitor.page, f"{name}-window")
        visitor.window.get_by_role("button", name="Gesprek beëindigen").click()
        expect(button, name).to_be_focused()
        assert visitor.page.evaluate("({...localStorage})") == {}, name
        if name != "quirks":
            visitor.page.close()
    what_the_page_puts_on_top_is_on_top(visitor)


def what_the_page_puts_on_top_is_on_top(visitor: VisitorPage) -> None:
    """A dialog that is modal makes all else wait, the button too; a popover does not."""
    visitor.page.evaluate(
        """() => { document.body.insertAdjacentHTML("beforeend",
            "<dialog aria-label='Vraag'><button>Goed</button></dialog><div popover id=pop>Let op</div>");
            document.querySelector("dialog").showModal(); }"""
    )
    at = box(visitor.page.get_by_role("button", name="Goed"))
    hit = "([x, y]) => document.elementFromPoint(x, y).localName"
    assert visitor.page.evaluate(hit, [at["x"] + 2, at["y"] + 2]) == "button"
    assert visitor.page.evaluate(hit, [WIDE - 60, HIGH - 40]) == "dialog", "its backdrop"
    visitor.page.evaluate(
        "document.querySelector('dialog').close(); document.getElementById('pop').showPopover()"
    )
    visitor.press()
    expect(visitor.form).to_be_visible()
    visitor.page.close()


def test_it_adds_one_element_and_one_name_and_asks_for_its_status_alone(
    browsers: Browsers, site: HostSite
) -> None:
    """After the body, so that the Tab key comes there last, even if it was ready before the body was."""
    bare = come(browsers, f"{site.url}/without")
    before = bare.page.evaluate(SNAPSHOT)
    visitor = VisitorPage(bare.page.context.new_page())
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    visitor.page.goto(f"{site.url}/")
    expect(visitor.button(BLUE)).to_be_visible()
    after = visitor.page.evaluate(SNAPSHOT)
    assert sorted([*before["names"], "Balie"]) == after["names"]
    assert (before["ours"], before["page"]) == ([], after["page"])
    (element,) = after["ours"]
    assert re.fullmatch(r'<div popover="manual" lang="nl" style="[^"<]*"></div>', element)
    assert visitor.page.evaluate("document.documentElement.lastElementChild.shadowRoot.mode") == "open"
    ours = [url.removeprefix(site.ours) for url in asked if url.startswith(site.ours)]
    assert ours == ["/embed.js", "/widget/voorbeeld/status"]
    assert len(asked) == 3, "and the page itself"
    assert visitor.page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == [
        "",
        0,
        0,
    ]
    assert not visitor.page.context.cookies()
    with visitor.page.expect_response("**/status"):
        visitor.page.goto(f"{site.url}/slow", wait_until="commit")
    site.go_on.set()
    expect(visitor.button(BLUE)).to_be_visible()
    assert visitor.page.evaluate("document.documentElement.lastElementChild.shadowRoot.mode") == "open"


# ---- a chat on them --------------------------------------------------------------------------------------


def test_a_chat_where_third_parties_store_nothing(browsers: Browsers, site: HostSite) -> None:
    """On its next page, in a second tab, and away again when it has ended; under the strictest policy."""
    an = browsers.agent("an", "Loket")
    visitor = VisitorPage(browsers.context().new_page())
    visitor.page.context.add_init_script(NO_STORAGE)
    visitor.page.goto(f"{site.url}/strict")
    visitor.page.evaluate(LISTEN)
    in_chat(visitor)
    denied = "() => { try { return localStorage.length } catch ({ name }) { return name } }"
    assert visitor.page.frames[1].evaluate(denied) == "SecurityError"
    an.accept()
    an.say("Goeiemorgen.")
    visitor.sees("Goeiemorgen.")
    visitor.half_writes("Ik heb nog")
    visitor.page.keyboard.press("Escape")
    an.say("Bent u daar?")
    expect(visitor.button(f"{BACK}, 1 nieuw bericht")).to_be_visible()
    soon(visitor.page, lambda: heard(visitor.page), ["open", "chat", "close", ["unread", {"count": 1}]])
    browsers.picture(visitor.page, "unread")
    visitor.page.goto(f"{site.url}/strict/next")
    expect(visitor.button(f"{BACK}, 1 nieuw bericht")).to_be_visible()
    visitor.page.evaluate(LISTEN)
    visitor.button(BACK).click()
    visitor.sees("Bent u daar?")
    expect(visitor.text_bar).to_have_value("Ik heb nog")
    second = VisitorPage(visitor.page.context.new_page())
    second.page.goto(f"{site.url}/strict")
    second.sees("Bent u daar?")
    second.say("Ja.")
    visitor.sees("Ja.")
    second.page.close()
    visitor.end()
    expect(visitor.window.locator("[data-state=ended]")).to_be_attached()
    soon(visitor.page, lambda: heard(visitor.page), ["open", ["unread", {"count": 0}], "end"])
    visitor.window.get_by_role("button", name="Wissen op dit toestel").click()
    expect(visitor.button()).to_be_focused()
    assert visitor.page.evaluate("({...localStorage})") == {}


def test_a_site_that_rebuilds_its_page_keeps_the_chat(browsers: Browsers, site: HostSite) -> None:
    browsers.forgiven = [CUT_OFF]
    an = browsers.agent("an", "Loket")
    visitor = come(browsers, f"{site.url}/")
    expect(visitor.button()).to_be_visible()
    new = "Object.assign(document.createElement('body'), { innerHTML: '<main><h1>Nieuw</h1></main>' })"
    body = f"document.body.replaceWith({new})"
    whole = f"{body}; document.documentElement.replaceChildren(document.head, document.body)"
    root = "document.documentElement.replaceWith(document.documentElement.cloneNode(true))"
    late = """const empty = document.documentElement.cloneNode();
        empty.append(document.head);
        document.documentElement.replaceWith(empty);
        setTimeout(() => document.documentElement.append(document.createElement("body")), 50)"""
    for way in (body, whole, late, root):
        visitor.page.evaluate(way)
        expect(visitor.button()).to_have_count(1)
    visitor.press()
    expect(visitor.form).to_be_visible()
    visitor.page.evaluate(whole)
    visitor.fill_in("Jef Peeters", subject="Algemene vraag", question="Mag dat?")
    an.accept()
    expect(visitor.window.get_by_text("Verbonden met An")).to_be_visible()
    visitor.half_writes("Ik woon in")
    visitor.frame.evaluate("each => { window.first = each.contentWindow }")
    visitor.page.evaluate(body)
    assert visitor.frame.evaluate("each => window.first === each.contentWindow"), (
        "the frame is not even loaded anew"
    )
    visitor.page.evaluate(whole)
    visitor.page.wait_for_function("document.documentElement.lastElementChild.shadowRoot")
    expect(visitor.text_bar).to_have_value("Ik woon in")
    visitor.sees("Mag dat?")
    an.say("Ja hoor.")
    visitor.sees("Ja hoor.")
    comes_back(visitor)


def comes_back(visitor: VisitorPage) -> None:
    """With "back" browsers show a page as it was left; meanwhile the chat may have been wiped elsewhere."""
    back = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"
    visitor.page.evaluate(back)
    visitor.sees("Ja hoor.")
    visitor.page.evaluate(f"localStorage.clear(); {back}")
    expect(visitor.frame).to_have_count(0)
    expect(visitor.button()).to_be_visible()


# ---- our server is away ----------------------------------------------------------------------------------


def test_nothing_breaks_while_our_server_is_away(browsers: Browsers, site: HostSite, server: Server) -> None:
    visitor = come(browsers, f"{site.url}/")  # the script stays in the browser's store
    expect(visitor.button(BLUE)).to_be_visible()
    server.kill()
    away = visitor.button("Chat is even niet bereikbaar. Probeer het opnieuw")
    away.click()
    expect(away).to_be_visible()
    visitor.page.goto(f"{site.url}/next")
    visitor.page.wait_for_function("Boolean(window.Balie?.open)")
    visitor.page.evaluate("Balie.open(); Balie.close(); Balie.set({ name: 'Jef' }); Balie.identify('x')")
    visitor.page.get_by_label("Naam").fill("Jef")
    assert visitor.page.evaluate("document.documentElement.children.length") == 2, (
        "nothing is shown that has no words"
    )
    fresh = come(browsers, f"{site.url}/early")
    expect(fresh.page.get_by_role("heading")).to_be_visible()
    assert fresh.page.evaluate("Array.isArray(Balie) && Balie.length") == 2, "what waits for us harms nobody"
    server.start()
    expect(visitor.button(BLUE)).to_be_visible(timeout=40_000)


# ---- what the host page can do ---------------------------------------------------------------------------


def test_the_page_gives_what_it_knows_and_hears_what_happens(
    browsers: Browsers, site: HostSite, server: Server
) -> None:
    browsers.forgiven.append("htmx:sse:error: network error")  # a frame that goes while its stream speaks
    an = browsers.agent("an", "Loket")
    visitor = VisitorPage(browsers.context().new_page())
    warned: list[str] = []
    visitor.page.on(
        "console", lambda message: warned.append(message.text) if message.type == "warning" else None
    )
    visitor.page.goto(f"{site.url}/early")
    expect(
        visitor.window.get_by_label("Nom")
    ).to_be_focused()  # it had asked to be opened, before the script was there
    assert visitor.page.evaluate("told") == 1
    visitor.page.evaluate(LISTEN)
    visitor.page.get_by_label("Naam").focus()
    visitor.page.evaluate("Balie.close()")
    expect(visitor.page.get_by_label("Naam")).to_be_focused()  # which was not ours to move
    visitor.page.evaluate("Balie.open()")
    visitor.window.get_by_role("button", name="Terminer la conversation").click()
    expect(visitor.frame).to_have_count(0)
    visitor.page.evaluate(
        """() => Balie.set({ language: "nl", name: "Jef <b>", email: "jef@voorbeeld.be", offset: 100,
            subject: "ALGEMENE vraag", phone: "0470", constructor: 1, toString: "x" })"""
    )
    visitor.page.evaluate(
        """() => { Balie.set({ email: "jef", name: { first: "Jef" }, offset: "hoog" });
            Balie.set(); Balie.set(null) }"""
    )
    refused = [
        "phone: 0470",
        "constructor: 1",
        "toString: x",
        "email: jef",
        "name: [object Object]",
        "offset: hoog",
    ]
    soon(visitor.page, lambda: warned, [f"Balie: set() cannot use {each}" for each in refused])
    at = box(visitor.button())
    assert at["y"] + at["height"] == HIGH - 16 - 100
    for offset, free in (("' 40px'", 100), ("'wat'", 100), ("' 40 8'", 40), ("0", 0), ("''", 0)):
        visitor.page.evaluate(f"Balie.set({{ offset: {offset} }})")
        at = box(visitor.button())
        assert at["y"] + at["height"] == HIGH - 16 - free, offset
    visitor.press()
    form = visitor.form
    expect(form.get_by_label("Naam")).to_have_value("Jef <b>")
    expect(form.get_by_label("E-mail")).to_have_value("jef@voorbeeld.be")
    expect(form.get_by_label("Onderwerp").locator("option:checked")).to_have_text("Algemene vraag")
    visitor.fill_in(question="Mag dat?")
    an.accept()
    expect(an.pane.get_by_role("heading", name="Jef <b>")).to_be_visible()
    assert an.pane.locator("[href='#lock'], .icon-lock").count() == 0
    assert not server.sql("SELECT * FROM identity")
    visitor.sees("Mag dat?")
    visitor.end()
    expect(visitor.window.locator("[data-state=ended]")).to_be_attached()
    soon(visitor.page, lambda: heard(visitor.page), ["close", "open", "close", "open", "chat", "end"])


# ---- its place -------------------------------------------------------------------------------------------


def test_on_a_phone_the_text_bar_is_above_the_keyboard(browsers: Browsers, site: HostSite) -> None:
    browsers.agent("an", "Loket")
    visitor = come(
        browsers, f"{site.url}/", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    in_chat(visitor)
    visitor.takes(x=0, y=0, width=390, height=844)
    visitor.page.evaluate(KEYBOARD)
    visitor.takes(x=0, y=60, width=390, height=480)
    can_send(visitor, 60, 540)
    visitor.page.set_viewport_size({"width": 1024, "height": 768})  # on a tablet it stays a window
    visitor.takes(x=1024 - 416, y=76, width=400, height=448)
    visitor.page.evaluate(NO_KEYBOARD)
    visitor.page.set_viewport_size({"width": 390, "height": 420})  # where a keyboard makes the page smaller
    visitor.takes(x=0, y=0, width=390, height=420)
    can_send(visitor, 0, 420)
    browsers.picture(visitor.page, "keyboard")


# ---- who may speak with whom -----------------------------------------------------------------------------


def test_only_a_page_that_the_widget_knows_is_heard(browsers: Browsers, site: HostSite) -> None:
    """Not one of another origin that stands in a frame of it, nor the page itself in the frame's name."""
    browsers.agent("an", "Loket")
    browsers.forgiven = ["frame-ancestors"]
    visitor = come(browsers, f"{site.url}/")
    in_chat(visitor)
    kept = visitor.page.evaluate("({...localStorage})")
    visitor.page.evaluate(
        "src => document.body.append(Object.assign(document.createElement('iframe'), { src, title: 'x' }))",
        f"{site.other}/without",
    )
    visitor.page.frame_locator(f"iframe[src^='{site.other}']").get_by_role("heading").wait_for()
    stranger = next(frame for frame in visitor.page.frames if frame.url.startswith(site.other))
    ours = next(frame for frame in visitor.page.frames if frame.url.startswith(site.ours))
    names = [
        "ended",
        "gone",
        "forget",
        "closed",
        "minimise",
        "unread",
        "keep",
        "again",
        "warn",
        "hello",
        "hide",
    ]
    stranger.evaluate(FORGE, names)
    assert stranger.evaluate("parent.length") == 1, "it cannot even see our frame"
    visitor.page.evaluate(FORGE_TO_SELF, names[:9])
    ours.evaluate(FORGE_TO_SELF, names[9:])
    assert visitor.page.evaluate("({...localStorage})") == kept
    expect(visitor.page.locator("iframe.shown")).to_be_visible()
    window = visitor.page.frame_locator("iframe.shown")
    expect(window.get_by_label("Uw bericht")).to_have_value("")
    stranger_page = come(browsers, f"{site.other}/")
    with stranger_page.page.expect_console_message(lambda said: "frame-ancestors" in said.text):
        stranger_page.press()
    expect(stranger_page.button("Even geduld")).to_be_visible()
    expect(stranger_page.page.locator("iframe.shown")).to_have_count(0)
    stranger_page.page.close()
