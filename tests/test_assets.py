"""The static files and the window's shell: small over the line, kept for ever, fresh when they change."""

import gzip

import httpx

from layouts import asset
from tests.conftest import Desk
from tests.scenes import connected


async def fetched(desk: Desk, path: str, encoding: str = "gzip, br", **headers: str) -> httpx.Response:
    return await desk.nobody().client.get(path, headers={"Accept-Encoding": encoding, **headers})


async def over_the_line(desk: Desk, path: str, encoding: str = "gzip") -> tuple[httpx.Response, bytes]:
    """As it came, not yet unpacked."""
    client = desk.nobody().client
    async with client.stream("GET", path, headers={"Accept-Encoding": encoding}) as answer:
        return answer, b"".join([part async for part in answer.aiter_raw()])


async def test_text_goes_out_compressed_to_whoever_takes_that(desk: Desk) -> None:
    for path in (asset("htmx.min.js"), asset("app.css"), asset("icons.svg"), "/widget/voorbeeld"):
        small, packed = await over_the_line(desk, path)
        whole, plain = await over_the_line(desk, path, "identity")
        assert small.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in whole.headers
        assert gzip.decompress(packed) == plain
        assert len(packed) < len(plain) / 2
        assert small.headers["vary"] == whole.headers["vary"] == "Accept-Encoding"
        assert small.headers["content-type"] == whole.headers["content-type"]
        assert int(small.headers["content-length"]) == len(packed)


async def test_what_has_not_changed_is_not_sent_again(desk: Desk) -> None:
    for path, kept in ((asset("app.css"), "immutable"), ("/widget/voorbeeld", "max-age=300")):
        first = await fetched(desk, path)
        again = await fetched(desk, path, **{"If-None-Match": first.headers["etag"]})
        other = await fetched(desk, path, **{"If-None-Match": 'W/"x"'})
        assert (first.status_code, again.status_code, other.status_code) == (200, 304, 200)
        assert again.content == b""
        assert kept in again.headers["cache-control"]
        assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    french = await fetched(desk, "/widget/voorbeeld?lang=fr")
    assert french.headers["etag"] != first.headers["etag"]


async def test_only_what_lies_in_the_folder_is_served(desk: Desk) -> None:
    for path in (
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/",
        "/static/fonts",
        "/static//etc/passwd",
    ):
        assert (await fetched(desk, path)).status_code == 404, path
    assert "no-store" in (await fetched(desk, "/static/nergens.js")).headers["cache-control"]
    font = await fetched(desk, "/static/fonts/LICENSE.txt")
    assert font.headers["content-type"].startswith("text/plain")


async def test_a_head_says_what_a_get_would(desk: Desk) -> None:
    path = asset("window.js")
    got, head = await fetched(desk, path), await desk.nobody().client.head(path)
    assert head.content == b""
    for name in ("etag", "content-type", "content-length", "cache-control"):
        assert head.headers[name] == got.headers[name], name


async def test_what_is_somebodys_own_is_not_compressed(desk: Desk) -> None:
    """Its length would tell what is in it."""
    talk = await connected(desk)
    answer = await talk.jef.client.get("/chat", headers={"Accept-Encoding": "gzip"})
    assert len(answer.content) > 1000
    assert "content-encoding" not in answer.headers
