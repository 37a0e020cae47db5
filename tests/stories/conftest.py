"""What every story stands on: a Balie as people start it, with nobody there yet, and real browsers.

A story ends with axe on each open page, and fails on whatever a browser complained about: an error in the
console, or something that the content security policy had to stop. BALIE_SCREENSHOTS names a folder for
pictures of how it ended. BALIE_STORIES=postgresql: on PostgreSQL instead of SQLite, with two workers; a few
are told on both in any case.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from piccolo.table import Table
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Frame,
    FrameLocator,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from db.tables import OpeningHours, Profile, Queue
from tests.conftest import Databases
from tests.people import PASSWORD, AgentClient
from tests.processes import free_port, wait_until_up
from tests.stories.databases import Database, Postgresql, Rows, Sqlite, Statement, in_a_thread

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
WEDNESDAY_MORNING = "2026-03-11T10:00:00+01:00"  # every queue of the example desk is open
SUNDAY_EVENING = "2026-03-15T20:00:00+01:00"
STORY_S = 300
STOP_S = 20
PATIENCE_MS = 20_000  # somebody else may be using the machine
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NO_TRACES_OF_AXE = "document.querySelectorAll('[style=\"\"]').forEach(each => each.removeAttribute('style'))"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]

# What a browser calls an error although it is our answer: refused, gone, too late, wrong, too often.
ANSWERS = re.compile(
    r"Failed to load resource: the server responded with a status of (401|403|404|409|422|429)"
)
ANSWERED = re.compile(r"^htmx: htmx:sse:error: SSE reconnect failed with status 401")
LINE_DOWN = re.compile(r"net::ERR_(?!BLOCKED|UNSAFE|INSECURE)")  # in one of its many ways
NO_ANSWER = re.compile(r"^htmx: htmx:(sse:)?error: (Failed to fetch|network error)")

# What one story leaves behind and the next must not find.
TRACES: tuple[str, ...] = (
    "log_words",
    "block",
    "emergency",
    "legal_hold",
    "presence",
    "refusal",
    "reservation",
    "participation",
    "message",
    "step",
    "rating",
)
TRACES += (
    "attachment",
    "private_attachment",
    "mail",
    "offer",
    "private_message",
    "private_thread",
    "invite",
    "start",
    "device",
    "chat",
)
TRACES += ("shown_token", "identity", "token_check")
TRACES += ("visitor", "readiness", "session", "sign_in_failure", "special_day", "opening_hours")

story_failed = pytest.StashKey[bool]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("twice") and not os.environ.get("BALIE_STORIES"):
        metafunc.parametrize("engine", ["sqlite", "postgresql"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(STORY_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    report = yield
    if report.failed:
        item.stash[story_failed] = True
        found = getattr(item, "funcargs", {})
        for name in ("browsers", "browsers_at_nothing"):
            if name in found:
                words = "\n".join(found[name].complaints)
                report.sections.append(("what the browsers complained about", words))
        for name in ("server", "empty_server"):
            if name in found:
                report.sections.append(("the server's output", found[name].log))
    return report


# ---- the server ------------------------------------------------------------------------------------------


class Server:
    """`balie demo`, or `balie serve`, in a process of its own, which can be killed and started again."""

    postgresql: Databases | None = None  # where to make one, if the stories are told there

    def __init__(
        self,
        data: Path,
        now: str = WEDNESDAY_MORNING,
        how: str = "demo",
        postgresql: Databases | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.how = how
        self.environment = dict(environment or {})
        self.now = datetime.fromisoformat(now)
        self.since = time.monotonic()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = data.parent / f"{data.name}.log"
        self.database: Database = Sqlite(data / "balie.sqlite3")
        if where := postgresql or self.postgresql:
            url = in_a_thread(where.make("postgresql", "empty"))
            self.database = Postgresql(url)
            self.environment |= {"BALIE_DATABASE_URL": url, "BALIE_WORKERS": "2"}
        self.process: subprocess.Popen[bytes] | None = None
        self.was_killed = False
        self.told = 0  # how much of the log is of earlier stories
        self.first: list[Statement] = []

    def start(self) -> None:
        """For the first time or again, which is no travel back in time."""
        now = self.now + timedelta(seconds=time.monotonic() - self.since)
        own = {"BALIE_DEMO_PASSWORD": PASSWORD, "BALIE_NOW": now.isoformat(), "BALIE_URL": self.url}
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("BALIE_")}
        command = [sys.executable, "app.py", self.how, "--port", str(self.port), "--data", str(self.data)]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**foreign, **own, **self.environment},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_until_up(self.port, self.process, self.output)

    def kill(self) -> None:
        """As a power cut would."""
        assert self.process is not None
        self.was_killed = True
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """As a service manager would. It has to end by itself, whatever streams are open."""
        self.was_killed = True
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(STOP_S)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def log(self) -> str:
        """Of this story."""
        return self.output.read_text(errors="replace")[self.told :]

    # -- its database --

    def sql(self, query: str, *values: Any) -> Rows:
        return self.database.do([(query, values)])

    def set(self, table: str, name: str, **columns: Any) -> None:
        """Columns of the queue or profile of this name."""
        changes = ", ".join(f"{column} = ?" for column in columns)
        self.sql(f"UPDATE {table} SET {changes} WHERE name = ?", *columns.values(), name)

    def remember(self) -> None:
        self.first = [put for table in (Queue, Profile, OpeningHours) for put in self.rows_of(table)]

    def rows_of(self, table: type[Table]) -> list[Statement]:
        names = [column._meta.name for column in table._meta.columns]
        columns = ", ".join(f'"{name}"' for name in names)
        again = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
        put = f"({columns}) VALUES ({', '.join('?' * len(names))}) ON CONFLICT (id) DO UPDATE SET {again}"
        rows = self.sql(f"SELECT {columns} FROM {table._meta.tablename}")
        return [(f"INSERT INTO {table._meta.tablename} {put}", row) for row in rows]

    def forget(self) -> None:
        """Everything as it was before the first story."""
        self.database.do([*((f"DELETE FROM {table}", ()) for table in TRACES), *self.first])
        self.was_killed = False
        self.told = len(self.output.read_text(errors="replace"))


@pytest.fixture(scope="session", autouse=True)
def another_database(databases: Databases) -> None:
    if os.environ.get("BALIE_STORIES") == "postgresql":
        Server.postgresql = databases


@pytest.fixture
def empty_server(tmp_path: Path, time_of_day: str) -> Iterator[Server]:
    """A desk of one's own at its first start: nobody, and nothing."""
    running = Server(tmp_path / "data", time_of_day, "serve")
    running.start()
    try:
        yield running
        assert "Traceback" not in running.log, running.log
        running.stop()
    finally:
        running.close()


@pytest.fixture
def time_of_day() -> str:
    """When a story begins; parametrize it for another moment."""
    return WEDNESDAY_MORNING


@pytest.fixture
def engine() -> str:
    return ""


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[tuple[str, str], Server]]:
    """By the engine, and by the moment at which each began."""
    running: dict[tuple[str, str], Server] = {}
    try:
        yield running
        for each in running.values():
            each.stop()
            assert "Traceback" not in each.log, each.log
    finally:
        for each in running.values():
            each.close()


@pytest.fixture
def server(
    servers: dict[tuple[str, str], Server],
    time_of_day: str,
    engine: str,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """The example desk, with nobody there."""
    if (engine, time_of_day) not in servers:
        data, where = tmp_path_factory.mktemp("desk") / "data", databases if engine == "postgresql" else None
        made = servers[engine, time_of_day] = Server(data, time_of_day, postgresql=where)
        made.start()
        made.remember()
    running = servers[engine, time_of_day]
    yield running
    assert "Traceback" not in running.log, running.log
    if running.process is None or running.process.poll() is not None:
        running.start()
    running.forget()


# ---- the browsers ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("BALIE_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


class Browsers:
    """Everybody in a story has a browser of their own; nothing that one of them complains about is missed."""

    def __init__(self, browser: Browser, server: Server, story: str) -> None:
        self.browser = browser
        self.server = server
        self.story = story
        self.contexts: list[BrowserContext] = []
        self.pages: list[Page] = []
        self.complaints: list[str] = []
        self.forgiven: list[str] = []  # a story's own, as regular expressions

    def context(self, language: str = "nl-BE", **options: Any) -> BrowserContext:
        viewport = options.pop("viewport", {"width": 1280, "height": 720})
        context = self.browser.new_context(
            locale=language,
            timezone_id="Europe/Brussels",
            viewport=viewport,
            base_url=self.server.url,
            **options,
        )
        context.set_default_timeout(PATIENCE_MS)
        if pictures():
            context.tracing.start(screenshots=True, snapshots=True)
        self.contexts.append(context)
        context.on("page", self.watch)
        return context

    def watch(self, page: Page) -> None:
        self.pages.append(page)
        page.on("console", self.hear)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))

    def hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not self.is_forgiven(message.text):
            self.complaints.append(f"{message.location.get('url')}: {message.text[:500]}")

    def is_forgiven(self, text: str) -> bool:
        known = [ANSWERS, ANSWERED, *map(re.compile, self.forgiven)]
        if self.server.was_killed:
            known += [LINE_DOWN, NO_ANSWER]
        return any(pattern.search(text) for pattern in known)

    # -- who comes --

    def visitor(self, path: str = "/demo", **options: Any) -> "VisitorPage":
        page = self.context(**options).new_page()
        page.goto(path)
        return VisitorPage(page)

    def agent(self, username: str, profile: str = "", ready: bool = True, **options: Any) -> "AgentPage":
        """Already signed in: what leads there is in stories of its own."""
        context = self.context(**options)
        cookies = in_a_thread(signed_in(self.server.url, username, profile))
        context.add_cookies(
            [
                {"name": name, "value": value, "url": self.server.url, "httpOnly": True}
                for name, value in cookies.items()
            ]
        )
        agent = AgentPage(context.new_page(), username)
        agent.page.goto("/console")
        if ready:
            agent.become_ready()
        return agent

    # -- how it ends --

    def picture(self, page: Page, name: str) -> None:
        if folder := pictures():
            page.screenshot(path=folder / f"{self.story}-{name}.png")

    def check(self, name: str) -> None:
        """In the middle of a story: everybody's page, looked at by axe, and kept as a picture."""
        self.photograph_all(name)
        for page in self.open_pages():
            check_accessibility(page, [frame for frame in page.frames if "/demo" not in frame.url])

    def photograph_all(self, name: str) -> None:
        for number, page in enumerate(self.open_pages(), 1):
            self.picture(page, f"{name}-{number}")

    def open_pages(self) -> list[Page]:
        return [page for page in self.pages if not page.is_closed()]

    def close(self, failed: bool) -> None:
        for number, context in enumerate(self.contexts, 1):
            if not context.pages:
                continue
            folder = pictures()
            if folder and failed:
                context.tracing.stop(path=folder / f"{self.story}-{number}.zip")
            elif folder:
                context.tracing.stop()
            context.close()


def pictures() -> Path | None:
    named = os.environ.get("BALIE_SCREENSHOTS")
    if not named:
        return None
    Path(named).mkdir(parents=True, exist_ok=True)
    return Path(named)


@pytest.fixture
def browsers(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Browsers]:
    yield from watched(browser, server, request)


@pytest.fixture
def browsers_at_nothing(
    browser: Browser, empty_server: Server, request: pytest.FixtureRequest
) -> Iterator[Browsers]:
    """Of people who come to a desk of their own, which is empty."""
    yield from watched(browser, empty_server, request)


def watched(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Browsers]:
    story = re.sub(r"\W+", "-", request.node.name).strip("-")
    everybody = Browsers(browser, server, story)
    failed = True
    try:
        yield everybody
        failed = request.node.stash.get(story_failed, False)
        everybody.photograph_all("failed" if failed else "end")
        if not failed:
            for page in everybody.open_pages():
                check_accessibility(page)
            assert not everybody.complaints, "\n".join(everybody.complaints)
    finally:
        everybody.close(failed)


async def signed_in(url: str, username: str, profile: str) -> dict[str, str]:
    """The cookies of an agent at work, with the profile of this name or the first."""
    agent = AgentClient(url, username)
    (await agent.sign_in()).raise_for_status()
    await agent.choose_profile(profile or next(iter(agent.profiles)))
    await agent.close()
    return dict(agent.client.cookies)


# Colours on their way from one to another are nobody's choice.
AT_REST = """() => Promise.allSettled(
    document.getAnimations().filter((each) => each instanceof CSSTransition).map(({ finished }) => finished)
)"""


# What axe judges: the page with its shadow roots, in these colours and of this size.
LOOK = """() => [
    document.documentElement.outerHTML,
    ...[...document.querySelectorAll("*")].map((each) => each.shadowRoot?.innerHTML ?? ""),
    matchMedia("(prefers-color-scheme: dark)").matches, innerWidth, innerHeight,
].join("\\n")"""
KEYS_AND_NUMBERS = re.compile(r"[\w-]{16,}|\d+")
judged: set[str] = set()  # and found well


def check_accessibility(page: Page, frames: Sequence[Frame] = (), without: str = "") -> None:
    """Axe on the page and in each of its frames, or in those, but for what has been judged elsewhere; nothing
    may be found. What looks like something that has been looked at is not looked at again."""
    found = []
    for frame in frames or page.frames:
        look = KEYS_AND_NUMBERS.sub("", frame.evaluate(LOOK)) + without
        if look in judged:
            continue
        if not frame.evaluate("'axe' in window"):
            frame.evaluate(AXE_SCRIPT)
        frame.evaluate(AT_REST)
        result = frame.evaluate(
            "([out, tags]) => axe.run({exclude: [...document.querySelectorAll(out || 'html > html')]},"
            " {runOnly: tags, iframes: false, resultTypes: ['violations']})",
            [without, AXE_TAGS],
        )
        frame.evaluate(NO_TRACES_OF_AXE)
        if not result["violations"]:
            judged.add(look)
        for violation in result["violations"]:
            nodes = "\n".join(
                f"    {node['html']}\n    {node['failureSummary']}" for node in violation["nodes"]
            )
            found.append(f"{frame.url}: {violation['id']}: {violation['help']}\n{nodes}")
    assert not found, "axe found:\n" + "\n".join(found)


def box(locator: Locator) -> dict[str, float]:
    """Its measures and place on the page, in CSS pixels. Of what is not shown there are none."""
    found = locator.bounding_box()
    if found is None:
        return {}
    return {"x": found["x"], "y": found["y"], "width": found["width"], "height": found["height"]}


def soon(page: Page, read: Callable[[], T], wanted: T) -> None:
    """What is read of the page becomes what is wanted: `expect`, for what Playwright has no word for.

    Measures and events follow what a robot does a frame later, and on a busy machine many frames.
    """
    until = time.monotonic() + PATIENCE_MS / 1000
    while (found := read()) != wanted and time.monotonic() < until:
        page.wait_for_timeout(50)
    assert found == wanted


# ---- who is in a story -----------------------------------------------------------------------------------


class VisitorPage:
    """A page of the host site with the button on it, or the window on a page of its own."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def window(self) -> FrameLocator | Page:
        """Where the chat is."""
        return self.page if "/widget/" in self.page.url else self.page.frame_locator("iframe")

    def button(self, name: str = "Chat met een medewerker") -> Locator:
        return self.page.get_by_role("button", name=name)

    def press(self) -> None:
        self.button().click()

    @property
    def frame(self) -> Locator:
        return self.page.locator("iframe")

    def takes(self, **wanted: float) -> None:
        """Of the page, for the window, in CSS pixels: x, y, width, height, or some of them."""
        soon(self.page, lambda: {name: box(self.frame).get(name, -1) for name in wanted}, wanted)

    @property
    def form(self) -> Locator:
        return self.window.locator("#form")

    def fill_in(self, name: str = "", email: str = "", subject: str = "", question: str = "") -> None:
        """The form before the chat."""
        if subject:
            self.form.get_by_label("Onderwerp").select_option(label=subject)
        for label, text in (("Naam", name), ("E-mail", email), ("Uw vraag", question)):
            if text:
                self.form.get_by_label(label).fill(text)
        self.form.locator("[type=submit]").click()

    @property
    def status(self) -> Locator:
        return self.window.locator("#status")

    @property
    def thread(self) -> Locator:
        return self.window.get_by_role("log")

    @property
    def text_bar(self) -> Locator:
        return self.window.get_by_label("Uw bericht")

    @property
    def dialog(self) -> Locator:
        return self.window.get_by_role("dialog")

    def say(self, text: str) -> None:
        self.text_bar.fill(text)
        self.text_bar.press("Enter")

    def half_writes(self, text: str) -> None:
        """The window tells the host page, which keeps it: a moment later than a robot can leave the page."""
        self.text_bar.fill(text)
        self.page.wait_for_function(f"JSON.stringify(localStorage).includes({json.dumps(text)})")

    def sees(self, text: str) -> None:
        expect(self.thread.get_by_text(text, exact=True)).to_have_count(1)

    def sees_green(self, name: str = "An") -> None:
        expect(self.status).to_be_visible()
        expect(self.status).to_have_text(f"Verbonden met {name}")

    def sees_red(self) -> None:
        expect(self.window.locator("#status-lost")).to_be_visible()
        expect(self.window.locator("#status-lost")).to_have_text("Niet verbonden")

    def end(self) -> None:
        self.window.get_by_role("button", name="Gesprek beëindigen").first.click()
        self.dialog.get_by_role("button", name="Gesprek beëindigen").click()


class AgentPage:
    """The console."""

    def __init__(self, page: Page, username: str) -> None:
        self.page = page
        self.username = username

    def sign_in(self, password: str = PASSWORD) -> None:
        self.page.locator("#sign-in[data-htmx-powered]").wait_for()
        self.page.get_by_label("Gebruikersnaam").fill(self.username)
        self.page.get_by_label("Wachtwoord").fill(password)
        self.page.get_by_role("button", name="Aanmelden").click()

    def choose_profile(self, profile: str = "") -> None:
        """By its name, or the first."""
        self.page.locator("#profile-form[data-htmx-powered]").wait_for()
        choices = self.page.get_by_role("radio", name=profile) if profile else self.page.get_by_role("radio")
        choices.first.check()
        self.page.locator("#profile-form [type=submit]").click()

    def become_ready(self) -> None:
        self.page.locator("#me [data-htmx-powered]").first.wait_for(state="attached")
        self.page.get_by_role("button", name="Beschikbaar").first.click()
        self.page.locator("#me:not(.paused)").wait_for(state="attached")

    def request(self) -> Locator:
        return self.page.get_by_role("button", name="Accepteren")

    @property
    def request_tab(self) -> Locator:
        return self.page.locator("[role=tab].request")

    def accept(self) -> None:
        self.request().click()

    def reject(self) -> None:
        self.page.get_by_role("button", name="Afwijzen").click()

    def tab(self, name: str) -> Locator:
        return self.page.get_by_role("tab", name=name)

    @property
    def pane(self) -> Locator:
        """The one in sight."""
        return self.page.get_by_role("tabpanel")

    @property
    def thread(self) -> Locator:
        return self.page.get_by_role("log")

    def text_bar(self, to: str = "") -> Locator:
        return self.page.get_by_label(re.compile(f"Bericht aan {re.escape(to)}"))

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def say(self, text: str, to: str = "") -> None:
        self.text_bar(to).fill(text)
        self.text_bar(to).press("Enter")

    def sees(self, text: str) -> None:
        expect(self.thread.get_by_text(text, exact=True)).to_have_count(1)

    def sees_green(self) -> None:
        expect(self.page.locator("#line-state .when-down")).to_be_hidden()

    def sees_red(self) -> None:
        expect(self.page.locator("#line-state .when-down")).to_be_visible()

    def close(self) -> None:
        """The x at the top right of the chat."""
        self.pane.locator(".chat-head .close-chat").click()

    def confirm_end(self) -> None:
        self.dialog.get_by_role("button", name="Gesprek beëindigen").click()
