"""The script for host pages as it is served, and who may frame which page."""

import json
import re

import httpx
import pytest

from db.tables import Widget
from tests import scenes
from tests.conftest import Desk
from tests.test_conventions import routes

pytestmark = pytest.mark.either

ELSEWHERE = "https://www.voorbeeld.be"
FRAMED = {"/widget/{key:str}", "/widget/{key:str}/info"}  # by the widget's sites
PREVIEWED = {"/settings/widgets/{id:int}/window"}  # by a page of our own


async def test_the_script_is_for_any_site_and_asked_for_once(desk: Desk) -> None:
    client = desk.nobody().client
    answer = await client.get("/embed.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["content-encoding"] == "gzip"
    plain = await client.get("/embed.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == answer.text
    again = await client.get("/embed.js", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert not again.content


async def test_the_script_goes_out_without_what_is_written_for_its_makers(desk: Desk) -> None:
    lines = (await desk.nobody().client.get("/embed.js")).text.splitlines()
    assert lines[0] == "(() => {"
    assert lines[-1] == "})();"
    assert not [line for line in lines if line != line.strip() or not line or line.startswith("//")]


async def test_no_page_can_be_framed_but_the_window_and_the_card(desk: Desk) -> None:
    await Widget.update({Widget.origins: json.dumps([ELSEWHERE])}).where(Widget.key == "voorbeeld")
    widget = await Widget.select(Widget.id).where(Widget.key == "voorbeeld").first()
    assert widget
    asking = [desk.nobody(), await scenes.sign_in_admin(desk)]
    asking.append(await desk.agent("eva", "Loket"))
    for who in asking:
        found: dict[str, set[str]] = {"'none'": set(), "'self'": set(), f"'self' {ELSEWHERE}": set()}
        for method, path, _guards in routes():
            if method == "GET":
                url = path.replace("{id:int}", str(widget["id"])).replace("{key:str}", "voorbeeld")
                url = url.replace("{file_path:path}", "app.css")
                found[await framers(who.client, re.sub(r"{\w+:\w+}", "1", url))].add(path)
        assert found[f"'self' {ELSEWHERE}"] == FRAMED
        assert found["'self'"] <= PREVIEWED
        assert len(found["'none'"]) > 50


async def framers(client: httpx.AsyncClient, url: str) -> str:
    """Of the answer, whatever it is, for its head alone: some never end."""
    async with client.stream("GET", url) as answer:
        said = re.search(r"frame-ancestors ([^;]*)", answer.headers["content-security-policy"])
    assert said, url
    return said[1].strip()


async def test_the_preview_is_framed_by_our_own_page(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    widget = await Widget.select(Widget.id).where(Widget.key == "voorbeeld").first()
    assert widget
    assert await framers(admin.client, f"/settings/widgets/{widget['id']}/window") == "'self'"
