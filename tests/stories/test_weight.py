"""What the window weighs, and that it is there before its line is. How long it takes over a slow line is
measured by tests/bench/bench_window.py; here is what does not depend on the machine."""

import re
from typing import Any

from playwright.sync_api import Frame, Request, Route, expect

from tests.stories.conftest import Browsers, VisitorPage

KILOBYTES, REQUESTS = 60, 11  # from the press to a form that can be filled in
LATER = ("/chat/stream", "/chat/beat", "/chat/read")  # no form waits for these
EMULATED = {"offline": False, "latency": 100, "downloadThroughput": 100_000, "uploadThroughput": 100_000}

# What has moved by itself in this frame, since it is shown; and that it would have been noticed.
MOVED = """(shaken) => new Promise((done) => {
    const found = [];
    const at = ({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(" ");
    const name = ({ node, previousRect, currentRect }) =>
        `${node?.id || node?.className || node?.nodeName} from ${at(previousRect)} to ${at(currentRect)}`;
    // Before all of its scripts have run the host page does not show it.
    const shown = performance.getEntriesByType("navigation")[0].domInteractive;
    new PerformanceObserver((list) => {
        for (const each of list.getEntries())
            if (each.value && !each.hadRecentInput && each.startTime > shown)
                found.push(`${each.value}: ${each.sources.map(name)}`);
    }).observe({ type: "layout-shift", buffered: true });
    if (shaken) document.querySelector(".window-body").style.marginBlockStart = "80px";
    setTimeout(() => done(found), 600);
})"""


def window_of(visitor: VisitorPage) -> Frame:
    (frame,) = (frame for frame in visitor.page.frames if "/widget/" in frame.url)
    return frame


def test_one_request_before_the_press_few_after_it_and_nothing_moves(browsers: Browsers) -> None:
    an = browsers.agent("an", "Loket")
    context = browsers.context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(path_of(request)))
    page.goto("/demo")
    jef = VisitorPage(page)
    expect(jef.button()).to_be_visible()
    ours = [path for path in asked if not re.match(r"/(demo|static/demo\.|static/icon\.svg)", path)]
    assert ours == ["/embed.js", "/widget/voorbeeld/status"]
    assert page.evaluate("Object.keys(localStorage).concat(document.cookie).join('')") == ""

    # Slow enough for what comes late to come late.
    devtools = context.new_cdp_session(page)
    arrived: dict[str, float] = {}
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", EMULATED)
    devtools.on(
        "Network.loadingFinished",
        lambda event: arrived.update({event["requestId"]: event["encodedDataLength"]}),
    )
    asked.clear()
    jef.press()
    expect(jef.form.get_by_label("Naam")).to_be_focused()
    needed = [path for path in asked if path not in LATER]
    assert len(needed) <= REQUESTS, needed
    assert sum(arrived.values()) < KILOBYTES * 1000, arrived
    assert not [path for path in asked if path.startswith("http")], "all from us"
    jef.fill_in("Jef Peeters", question="Mag ik vandaag parkeren?")
    jef.sees("Mag ik vandaag parkeren?")
    jef.say("Het is dringend")
    jef.sees("Het is dringend")
    an.accept()
    jef.sees_green()
    an.say("Ja, dat mag.", to="Jef Peeters")
    jef.sees("Ja, dat mag.")
    assert window_of(jef).evaluate(MOVED, False) == []
    assert len(window_of(jef).evaluate(MOVED, True)) == 1, "else it would have been seen"
    window_of(jef).evaluate("document.querySelector('.window-body').removeAttribute('style')")


def path_of(request: Request) -> str:
    return re.sub(r"^http://127\.0\.0\.1:\d+|\?.*$", "", request.url)


def test_the_window_is_painted_before_the_server_has_said_anything_but_its_shell(browsers: Browsers) -> None:
    browsers.agent("an", "Loket")
    jef = browsers.visitor()
    held: list[Route] = []
    for what in ("**/chat/hold", "**/chat/stream**"):
        jef.page.route(what, lambda route: held.append(route))  # no answer, for now
    expect(jef.button()).to_be_visible()
    jef.press()
    expect(jef.page.locator("iframe.shown")).to_be_visible()
    expect(jef.window.get_by_role("heading", name="Gemeente Voorbeeld")).to_be_visible()
    expect(jef.window.get_by_role("button", name="Minimaliseren")).to_be_visible()
    assert len(held) == 1, "it has asked"
    assert first_paint(window_of(jef)) > 0
    before = head_of(jef)
    jef.page.unroute("**/chat/hold")
    held.pop().continue_()
    expect(jef.form.get_by_label("Naam")).to_be_focused()
    jef.fill_in("Jef Peeters", question="Mag ik vandaag parkeren?")
    jef.sees("Mag ik vandaag parkeren?")
    expect(jef.text_bar).to_be_editable()
    assert held, "the line is not there yet"
    assert head_of(jef) == before, "in its final measures from the beginning"


def first_paint(frame: Frame) -> float:
    return float(frame.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"))


def head_of(visitor: VisitorPage) -> Any:
    return visitor.window.locator(".window-head").evaluate("(head) => head.getBoundingClientRect().height")
