"""How soon a visitor can ask something, over a slow line: 400 kbit/s and 400 ms, nothing in the cache (V15).

python -m tests.bench.bench_window [--times 5] [--kbit 400] [--ms 400]

From the press on the button to a form that can be filled in, and from Enter to a message that the server has.
The slowest counts. And what the window does to a browser without a slow line: the longest task, and how far
anything moved. A machine that does other things makes it all slower: so it is no test, but a measurement.
"""

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, expect, sync_playwright

from tests.stories.conftest import FLAGS, PATIENCE_MS, Browsers, Server, VisitorPage

USABLE_S, SENT_S = 5.0, 2.0
LONG_MS = 50

# What the browser noted, in the page with the button or in the window.
NOTED = """(type) => new Promise((done) => {
    const found = [];
    const shown = performance.getEntriesByType("navigation")[0].domInteractive; // by the host page
    const moved = (each) => (each.hadRecentInput || each.startTime < shown ? 0 : each.value ?? 0);
    new PerformanceObserver((list) => found.push(...list.getEntries())).observe({ type, buffered: true });
    setTimeout(() => done(found.map((each) => ({ ms: each.duration, moved: moved(each) }))), 300);
})"""


def main() -> int:
    given = argparse.ArgumentParser()
    given.add_argument("--times", type=int, default=5)
    given.add_argument("--kbit", type=int, default=400)
    given.add_argument("--ms", type=int, default=400)
    options = given.parse_args()
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        server = Server(Path(directory) / "data")
        server.start()
        path = os.environ.get("BALIE_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            return report(Browsers(browser, server, "bench"), options)
        finally:
            browser.close()
            server.close()


def report(browsers: Browsers, options: Any) -> int:
    browsers.agent("an", "Loket")
    slow = [visit(browsers, options.kbit, options.ms) for _time in range(options.times)]
    fast = [visit(browsers) for _time in range(options.times)]
    usable, sent = max(each.usable_s for each in slow), max(each.sent_s for each in slow)
    longest, moved = max(each.longest_ms for each in fast), max(each.moved for each in [*slow, *fast])
    print(f"{options.kbit} kbit/s and {options.ms} ms, the slowest of {options.times}")
    print(f"  usable  {usable:5.2f} s of {USABLE_S} s")
    print(f"  sent    {sent:5.2f} s of {SENT_S} s")
    print(f"  to usable, {slow[0].requests} requests and {slow[0].kilobytes:.1f} kB")
    print("without that")
    print(f"  usable  {max(each.usable_s for each in fast):5.2f} s")
    print(f"  sent    {max(each.sent_s for each in fast):5.2f} s")
    print(f"  longest task {longest:.0f} ms of {LONG_MS} ms; moved {moved}")
    return int(usable > USABLE_S or sent > SENT_S or longest > LONG_MS or moved > 0)


@dataclass
class Visit:
    usable_s: float
    sent_s: float
    requests: int
    kilobytes: float
    longest_ms: float
    moved: float


def visit(browsers: Browsers, kbit: int = 0, ms: int = 0) -> Visit:
    jef = browsers.visitor()
    expect(jef.button()).to_be_visible()
    devtools = jef.page.context.new_cdp_session(jef.page)
    got = counted(devtools)
    if kbit:
        bytes_s = kbit * 1000 / 8
        slow = {"latency": ms, "downloadThroughput": bytes_s, "uploadThroughput": bytes_s}
        devtools.send("Network.emulateNetworkConditions", {"offline": False, **slow})
    start = time.perf_counter()
    jef.press()
    expect(jef.form.get_by_label("Naam")).to_be_focused()
    usable_s, requests, kilobytes = time.perf_counter() - start, len(got), sum(got.values()) / 1000
    jef.fill_in("Jef Peeters", question="Mag ik vandaag parkeren?")
    jef.sees("Mag ik vandaag parkeren?")
    start = time.perf_counter()
    jef.say("Het is dringend")
    expect(jef.thread.locator("li[data-seq]", has_text="Het is dringend")).to_have_count(1)
    sent_s = time.perf_counter() - start
    longest_ms = max([each["ms"] for each in noted(jef, "longtask")], default=0)
    moved = sum(each["moved"] for each in noted(jef, "layout-shift"))
    jef.end()
    expect(jef.page.locator("iframe")).to_have_count(0)
    jef.page.context.close()
    return Visit(usable_s, sent_s, requests, kilobytes, longest_ms, moved)


def counted(devtools: CDPSession) -> dict[str, float]:
    """From now on: the bytes of each request, as they come over the line."""
    got: dict[str, float] = {}
    devtools.send("Network.enable")
    devtools.on("Network.requestWillBeSent", lambda event: got.update({event["requestId"]: 0}))
    devtools.on(
        "Network.loadingFinished",
        lambda event: got.update({event["requestId"]: event["encodedDataLength"]}),
    )
    return got


def noted(visitor: VisitorPage, kind: str) -> list[dict[str, float]]:
    """What the window has noted; and the page with the button, but for its own loading."""
    found: list[dict[str, float]] = []
    for frame in [frame for frame in visitor.page.frames if "/widget/" in frame.url]:
        found += frame.evaluate(NOTED, kind)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
