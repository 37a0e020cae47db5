"""The people of the tests: a visitor in a chat window, an agent at a console; each with a screen."""

import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from tests.screen import Screen, words
from tests.streams import Event, Stream, reading

PASSWORD = "geheim-1234"


class Person:
    """Somebody with a browser."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.client = httpx.AsyncClient(
            base_url=url,
            headers={"Accept-Language": "nl", **(headers or {})},
            timeout=10,
            trust_env=False,
            verify=False,  # there is no TLS here, and reading all certificates takes longer than a test
        )
        self.screen = Screen()

    async def send(
        self, method: str, path: str, data: Mapping[str, Any] | None = None, **more: Any
    ) -> httpx.Response:
        """What the page sends; the answer's partials go to their places, the rest is for the test."""
        answer = await self.client.request(method, path, data=data, **more)
        if "text/html" in answer.headers.get("content-type", ""):
            self.screen.apply(answer.text)
        return answer

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.send("GET", path, **more)

    async def post(self, path: str, data: Mapping[str, Any] | None = None, **more: Any) -> httpx.Response:
        return await self.send("POST", path, data or {}, **more)

    async def must(self, method: str, path: str, data: Mapping[str, Any] | None = None) -> httpx.Response:
        answer = await self.send(method, path, data)
        assert answer.is_success, f"{method} {path}: {answer.status_code}\n{answer.text}"
        return answer

    def see(self, event: Event) -> None:
        if event.name == "message":
            self.screen.apply(event.data)

    async def beat(self, path: str, stream: Stream) -> None:
        """The page with this stream answers, as each does all the time."""
        await stream.wait_for(lambda: stream.events)
        answer = await self.post(path, {"beat": stream.events[0].data})
        assert answer.status_code == 204, answer.status_code

    async def close(self) -> None:
        await self.client.aclose()


class Visitor(Person):
    """Holds the window of one widget."""

    def __init__(self, url: str, widget: str, token: str = "", language: str = "nl") -> None:
        self.token = token or secrets.token_urlsafe(32)
        self.widget = widget
        headers = {"Authorization": f"Bearer {self.token}", "X-Widget": widget, "X-Language": language}
        super().__init__(url, headers)

    async def open(self) -> Screen:
        """The window is opened, or opened again: the shell, and what it asks for first."""
        self.screen.show((await self.must("GET", f"/widget/{self.widget}")).text)
        await self.must("GET", "/chat")
        return self.screen

    async def press(self) -> httpx.Response:
        return await self.must("POST", "/chat/hold", {"page": "https://www.voorbeeld.be/aanvraag"})

    async def start(self, question: str = "Mag ik vandaag parkeren?", **form: str) -> httpx.Response:
        """Sends the form, with the first of its subjects unless told otherwise."""
        given = {"name": "Jef Peeters", "email": "", "subject": self.subjects()[:1], "question": question}
        return await self.must("POST", "/chat", {**given, "key": new_key(), **form})

    async def begin(self, question: str = "Mag ik vandaag parkeren?", **form: str) -> "Visitor":
        """From the press on the button to waiting in line."""
        await self.open()
        await self.press()
        await self.start(question, **form)
        return self

    async def say(self, text: str, key: str = "") -> httpx.Response:
        return await self.must("POST", "/chat/messages", {"key": key or new_key(), "body": text})

    async def end(self) -> httpx.Response:
        return await self.must("POST", "/chat/ending")

    def subjects(self) -> list[str]:
        return [str(option.attributes["value"]) for option in self.screen.css("[name=subject] option[value]")]

    @contextlib.asynccontextmanager
    async def stream(self, after: int | str = 0, last_id: str = "") -> AsyncIterator[Stream]:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        async with reading(self.client, f"/chat/stream?after={after}", self.see, headers) as stream:
            yield stream


class AgentClient(Person):
    """Sits at the console."""

    def __init__(self, url: str, username: str) -> None:
        super().__init__(url)
        self.username = username

    async def sign_in(self, password: str = PASSWORD) -> httpx.Response:
        answer = await self.post("/session", {"username": self.username, "password": password})
        if answer.is_success:
            await self.open()
        return answer

    async def open(self) -> Screen:
        """The console's page is loaded, or loaded again."""
        answer = await self.must("GET", "/console")
        self.screen.show(answer.text)
        for node in self.screen.css("#csrf"):
            found = node.attributes.get("content") or node.attributes.get("value")
            if found:
                self.client.headers["X-CSRF-Token"] = found
        return self.screen

    async def choose_profile(self, profile: str | int) -> Screen:
        """By its name, as on the screen, or by its id."""
        if isinstance(profile, str):
            profile = self.profiles[profile]
        await self.must("POST", "/session/profile", {"profile": str(profile)})
        return await self.open()

    @property
    def profiles(self) -> dict[str, int]:
        """What the screen offers to choose from."""
        offered = {}
        for choice in self.screen.css("label:has([name=profile])"):
            (radio,) = choice.css("[name=profile]")
            (name, *_more) = choice.css("span")
            offered[words(name)] = int(radio.attributes["value"] or 0)
        return offered

    async def ready(self) -> httpx.Response:
        return await self.must("PUT", "/readiness", {"state": "ready"})

    async def pause(self, reason: str = "lunch") -> httpx.Response:
        return await self.must("PUT", "/readiness", {"state": reason})

    async def sign_out(self, **form: str) -> httpx.Response:
        return await self.send("DELETE", "/session", params=form)

    async def accept(self, request: int | str = "") -> httpx.Response:
        """The request on the screen, or that one."""
        return await self.send("POST", f"/reservations/{request or self.request}/acceptance")

    async def reject(self, request: int | str = "") -> httpx.Response:
        return await self.send("POST", f"/reservations/{request or self.request}/rejection")

    @property
    def request(self) -> str:
        """The reservation that this agent is asked about, or ""."""
        found = re.search(r"/reservations/(\d+)/acceptance", self.screen.tree.html or "")
        return found[1] if found else ""

    @property
    def chats(self) -> list[str]:
        """The conversations on the screen."""
        return re.findall(r'<ol[^>]* id="thread-(\d+)"', self.screen.tree.html or "")

    async def say(self, chat: int | str, text: str, key: str = "") -> httpx.Response:
        return await self.must("POST", f"/chats/{chat}/messages", {"key": key or new_key(), "body": text})

    async def end(self, chat: int | str) -> httpx.Response:
        return await self.must("POST", f"/chats/{chat}/ending")

    @contextlib.asynccontextmanager
    async def stream(self, last_id: str = "") -> AsyncIterator[Stream]:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        async with reading(self.client, "/console/stream", self.see, headers) as stream:
            yield stream


def new_key() -> str:
    """As the page makes one for each message."""
    return secrets.token_hex(16)
