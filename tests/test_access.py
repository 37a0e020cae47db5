"""Sign-in, sessions, and what everybody reads who asks for what is not theirs."""

import asyncio
import contextlib
import re
import statistics
import time

import httpx
import pytest
from argon2 import PasswordHasher
from litestar import _parsers, data_extractors
from litestar._kwargs import extractors
from litestar.connection import base
from litestar.connection import request as asked

import db
from db.settings import settings
from db.tables import Agent, OneTimeLink, Role, Session
from features import access, console, first_admin, hashes, tries
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import PASSWORD, AgentClient, Person
from tests.screen import Screen

WRONG = "De gebruikersnaam of het wachtwoord klopt niet."
BY_HTMX = {"HX-Request": "true"}


async def sign_in(person: Person, username: str, password: str = PASSWORD, **form: str) -> httpx.Response:
    return await person.post("/session", {"username": username, "password": password, **form})


def words(answer: httpx.Response) -> str:
    return Screen(answer.text).text()


# ---- the name and the password ---------------------------------------------------------------------------


async def test_whoever_knows_the_password_gets_in_with_any_case_of_the_name(desk: Desk) -> None:
    person = desk.nobody()
    answer = await sign_in(person, " An ")
    assert answer.status_code == 200
    assert answer.headers["hx-redirect"] == "/console"
    assert "Dag An" in words(await person.get("/console"))


async def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(desk: Desk) -> None:
    await Agent.update({Agent.active: False}).where(Agent.username == "bram")
    person = desk.nobody()
    tries = [("an", "fout"), ("onbekend", PASSWORD), ("bram", PASSWORD), ("", ""), ("an\0", PASSWORD)]
    answers = [await sign_in(person, username, password) for username, password in tries]
    assert {answer.status_code for answer in answers} == {422}
    assert not any("set-cookie" in answer.headers for answer in answers)
    assert WRONG in answers[0].text
    assert len({re.sub(r' (value="[^"]*"|autofocus)', "", answer.text) for answer in answers}) == 1
    assert (await sign_in(person, "an")).status_code == 200, "and the right one gets in"


async def test_no_password_and_no_session_token_stays_in_the_memory_of_the_parsers(desk: Desk) -> None:
    person = desk.nobody()
    parsers = [_parsers.parse_url_encoded_form_data, _parsers.parse_cookie_string]
    kept = [parser for parser in parsers if hasattr(parser, "cache_info")]
    before = [parser.cache_info() for parser in kept]
    assert (await sign_in(person, "an", "fout")).status_code == 422
    assert (await sign_in(person, "an")).status_code == 200
    assert "Dag An" in words(await person.get("/console")), "forms and cookies are understood"
    assert [parser.cache_info() for parser in kept] == before
    assert not any(
        hasattr(module.parse_url_encoded_form_data, "cache_info") for module in (extractors, asked)
    )
    assert not any(hasattr(module.parse_cookie_string, "cache_info") for module in (base, data_extractors))


async def test_it_takes_as_long_whether_or_not_the_name_exists(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With passwords as slow as they are meant to be, so that the hashing is what takes the time."""
    monkeypatch.setattr(hashes, "hasher", PasswordHasher(time_cost=6, memory_cost=16_384, parallelism=1))
    slow = await hashes.hashed("iets anders")
    await Agent.update({Agent.password_hash: slow}).where(Agent.username == "an")
    person = desk.nobody()
    took: dict[str, list[float]] = {"an": [], "onbekend": []}
    await sign_in(person, "onbekend", "fout")
    for _try in range(5):
        for username, times in took.items():
            began = time.process_time()
            await sign_in(person, username, "fout")
            times.append(time.process_time() - began)
    known, unknown = (statistics.median(times) for times in took.values())
    began = time.process_time()
    await hashes.verified(slow, "fout")
    assert min(known, unknown) > (time.process_time() - began) / 3, "both hash"
    assert 0.4 < known / unknown < 2.5


async def test_the_form_keeps_the_name_and_never_the_password(desk: Desk) -> None:
    answer = await sign_in(desk.nobody(), "jan<b>", "mijn-geheim")
    assert 'value="jan&lt;b&gt;"' in answer.text
    assert "mijn-geheim" not in answer.text


# ---- ten tries -------------------------------------------------------------------------------------------


async def test_after_ten_tries_one_waits_even_with_the_right_password(desk: Desk) -> None:
    person = desk.nobody()
    for _try in range(10):
        assert (await sign_in(person, "an", "fout")).status_code == 422
    for password in ("fout", PASSWORD):
        answer = await sign_in(person, "an", password)
        assert answer.status_code == 429
        assert re.search(r"Te veel pogingen\. .* 1[56] minuten", words(answer)), answer.text
        assert "set-cookie" not in answer.headers


async def test_nobody_else_waits_and_when_the_wait_is_over_it_works_again(desk: Desk, clock: Clock) -> None:
    person = desk.nobody()
    for _try in range(10):
        await sign_in(person, "an", "fout")
    assert (await sign_in(person, "bram")).status_code == 200, "another name"
    assert await tries.minutes_to_wait("an", "192.0.2.7") == 0, "another address"
    assert (await sign_in(person, "an")).status_code == 429
    clock.shift(tries.MINUTES * 60)
    assert (await sign_in(person, "an")).status_code == 200


async def test_a_hundred_tries_at_once_are_not_one_try(desk: Desk) -> None:
    person = desk.nobody()
    answers = await asyncio.gather(*(sign_in(person, "an", f"fout {n}") for n in range(30)))
    assert sorted(answer.status_code for answer in answers) == [422] * 10 + [429] * 20


async def test_signing_in_well_is_not_a_try(desk: Desk) -> None:
    person = desk.nobody()
    for _time in range(12):
        assert (await sign_in(person, "an")).status_code == 200


async def test_one_address_cannot_try_many_names(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "MOST_ANYWHERE", 5)
    person = desk.nobody()
    for n in range(5):
        assert (await sign_in(person, f"naam{n}", "fout")).status_code == 422
    assert (await sign_in(person, "naam6", "fout")).status_code == 429


# ---- the session -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://127.0.0.1", "https://chat.voorbeeld.be"])
async def test_the_cookie_is_for_us_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    settings.load({}, demo=True, url=url, database_url=settings.database_url, data=settings.data)
    cookie = (await sign_in(desk.nobody(), "an")).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert ("Secure" in cookie) == url.startswith("https")


async def test_no_token_is_stored_as_it_is(desk: Desk) -> None:
    an = await desk.agent("an")
    row = await Session.select(Session.token_hash).first()
    assert row
    assert an.client.cookies[access.COOKIE] not in row["token_hash"]


@pytest.mark.parametrize("token", [None, "", "fout"], ids=["missing", "empty", "wrong"])
async def test_nothing_changes_without_the_csrf_token(desk: Desk, token: str | None) -> None:
    an = await desk.agent("an", "Loket")
    right = an.client.headers.pop("X-CSRF-Token")
    if token is not None:
        an.client.headers["X-CSRF-Token"] = token
    for method, path in (("PUT", "/readiness"), ("DELETE", "/session"), ("POST", "/session/profile")):
        answer = await an.send(method, path)
        assert answer.status_code == 403
        assert "Laad de pagina opnieuw" in words(answer)
    assert (await an.get("/session/profile")).status_code == 200, "looking needs none"
    an.client.headers["X-CSRF-Token"] = right
    assert (await an.ready()).status_code == 200


async def test_nobody_is_signed_in_from_another_site(desk: Desk) -> None:
    person = desk.nobody()
    for site in ("cross-site", "same-site"):
        person.client.headers["Sec-Fetch-Site"] = site
        answer = await sign_in(person, "an")
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    person.client.headers["Sec-Fetch-Site"] = "same-origin"
    assert (await sign_in(person, "an")).status_code == 200


# ---- a session that ends under an open page --------------------------------------------------------------


async def expire(username: str) -> None:
    await Session.delete().where(Session.agent.username == username)


async def test_a_request_of_an_expired_session_opens_the_sign_in_dialog(desk: Desk, clock: Clock) -> None:
    talk = await scenes.connected(desk)
    clock.shift(settings.session_hours * 3600)
    talk.an.client.headers.update(BY_HTMX)
    answer = await talk.an.post(f"/chats/{talk.chat}/messages", {"key": "sleutel-1", "body": "Dag"})
    assert answer.status_code == 401
    assert talk.an.screen.has("#sign-in-again[data-needed]")
    assert talk.an.screen.first("#sign-in [name=username]").attributes["value"] == "an"
    assert talk.an.screen.has(f"#thread-{talk.chat}"), "the page stays as it is"


async def test_so_does_one_of_the_pages_before_the_work(desk: Desk) -> None:
    for username in ("an", "admin"):
        person = desk.nobody()
        await sign_in(person, username)
        person.screen.show((await person.get("/console")).text)
        await expire(username)
        answer = await person.send("DELETE", "/session", headers=BY_HTMX)
        assert answer.status_code == 401
        assert person.screen.has("#sign-in-dialog")
        assert person.screen.has("#sign-in-again[data-needed]")


async def test_the_same_person_signs_in_in_place_and_the_page_goes_on(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await expire("an")
    old = talk.an.client.headers["X-CSRF-Token"]
    answer = await sign_in(talk.an, "an", again_as="an")
    assert "hx-redirect" not in answer.headers
    assert talk.an.screen.has("#sign-in-again[data-done]")
    new = str(talk.an.screen.first("#csrf").attributes["content"])
    assert new != old
    talk.an.client.headers["X-CSRF-Token"] = new
    assert (await talk.an.say(talk.chat, "Daar ben ik weer.")).status_code == 200


async def test_a_wrong_password_in_the_dialog_stays_in_the_dialog(desk: Desk) -> None:
    an = await desk.agent("an", "Loket")
    await expire("an")
    answer = await sign_in(an, "an", "fout", again_as="an")
    assert answer.status_code == 422
    assert '<input type="hidden" name="again_as" value="an">' in answer.text
    assert WRONG in answer.text


async def test_another_person_gets_a_page_of_their_own(desk: Desk) -> None:
    an = await desk.agent("an", "Loket")
    await expire("an")
    answer = await sign_in(an, "bram", again_as="an")
    assert answer.headers["hx-redirect"] == "/console"
    assert "hx-partial" not in answer.text


async def test_a_page_never_becomes_another_persons(desk: Desk) -> None:
    """Somebody else signs in in the same browser, in another window; this one's stream comes back."""
    an = await desk.agent("an", "Loket")
    address = str(an.screen.first("#stream").attributes["hx-sse:connect"])
    bram = await desk.agent("bram", "Loket")
    async with bram.client.stream("GET", address) as answer:
        assert answer.status_code == 401
    async with an.client.stream("GET", address) as answer:
        assert answer.status_code == 200


async def test_two_windows_need_one_sign_in(desk: Desk) -> None:
    """The second one goes on with the session of the first."""
    first = await desk.agent("an", "Loket")
    second = AgentClient(desk.url, "an")
    desk.people.append(second)
    second.client.cookies = first.client.cookies
    await second.open()
    await expire("an")
    await sign_in(first, "an", again_as="an")
    await sign_in(second, "an", again_as="an")
    for window in (first, second):
        window.client.headers["X-CSRF-Token"] = str(window.screen.first("#csrf").attributes["content"])
        assert (await window.ready()).status_code == 200


async def test_an_old_token_asks_to_sign_in_instead_of_failing_for_ever(desk: Desk) -> None:
    an = await desk.agent("an", "Loket")
    an.client.headers.update({"X-CSRF-Token": "van-de-vorige-sessie", **BY_HTMX})
    answer = await an.send("PUT", "/readiness", {"state": "ready"})
    assert answer.status_code == 403
    assert an.screen.has("#sign-in-again[data-needed]")


@pytest.mark.usefixtures("impatient")
async def test_an_open_stream_ends_when_its_person_may_no_longer(desk: Desk) -> None:
    people = [await desk.agent(username, "Loket") for username in ("an", "bram", "eva", "chloe")]
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(person.stream()) for person in people]
        for stream in streams:
            await stream.wait_for('id="tabs"')
        await expire("an")
        await Agent.update({Agent.active: False}).where(Agent.username == "bram")
        await Role.update({Role.permissions: '["supervise"]'}).where(Role.name == "supervisor")
        for stream in streams[:3]:
            await stream.wait_for_end()
            assert (stream.events[-1].name, stream.events[-1].data) == ("stopped", "signed_out")
        assert not streams[3].ended, "but not of who may"


def test_that_is_noticed_within_five_seconds() -> None:
    assert console.RECHECK_S < 5


@pytest.mark.usefixtures("impatient")
async def test_the_look_at_sessions_survives_a_database_that_fails(desk: Desk) -> None:
    an = await desk.agent("an", "Loket")
    async with an.stream() as stream:
        await stream.wait_for('id="tabs"')
        await db.sql("ALTER TABLE session RENAME TO elsewhere")
        await asyncio.sleep(0.3)
        assert not stream.ended
        await db.sql("ALTER TABLE elsewhere RENAME TO session")
        await expire("an")
        await stream.wait_for_end()


# ---- signing out -----------------------------------------------------------------------------------------


async def test_signing_out_without_a_chat_is_done_at_once(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    answer = await an.sign_out()
    assert answer.headers["hx-redirect"] == "/console"
    assert not an.client.cookies.get(access.COOKIE)
    assert (await an.get("/session/profile")).status_code == 401


async def test_signing_out_with_a_chat_lists_it_and_does_nothing_yet(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    answer = await talk.an.sign_out()
    assert answer.status_code == 409
    assert "Jef Peeters" in talk.an.screen.first("#ask-body").text()
    assert talk.an.screen.has("#ask-body [data-ask][hx-delete='/session?anyway=true']")
    assert (await talk.an.say(talk.chat, "Ik blijf nog even.")).status_code == 200


async def test_signed_out_anyway_the_chat_is_at_the_head_of_its_queue(desk: Desk) -> None:
    talk = await scenes.connected(desk)
    await desk.visitor().begin("Ik was later.")
    assert (await talk.an.sign_out(anyway="true")).is_success
    bram = await desk.agent("bram", "Loket", ready=True)
    assert await scenes.taken(bram) == talk.chat


# ---- the first admin -------------------------------------------------------------------------------------

ADMIN = {"username": "Beheer", "name": "De beheerder", "password": "lang genoeg!"}


async def test_an_empty_desk_offers_a_link_that_makes_one_admin(empty_desk: Desk) -> None:
    link = await first_admin.first_admin_link()
    assert link
    person = empty_desk.nobody()
    assert "Eerste beheerder" in words(await person.get(link))
    answer = await person.post(link, ADMIN)
    assert answer.headers["hx-redirect"] == "/settings"
    assert "Dag De beheerder" in words(await person.get("/console"))
    assert (await person.get(link)).status_code == 404
    assert (await person.post(link, ADMIN)).status_code == 404
    assert await first_admin.first_admin_link() is None
    assert (await sign_in(empty_desk.nobody(), "beheer", ADMIN["password"])).is_success


async def test_of_two_who_use_the_link_at_once_one_becomes_admin(empty_desk: Desk) -> None:
    link = await first_admin.first_admin_link()
    assert link
    person = empty_desk.nobody()
    answers = await asyncio.gather(
        *(person.post(link, {**ADMIN, "username": f"beheer{n}"}) for n in range(4)),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    assert await Agent.count() == 1


async def test_the_link_works_for_a_day_and_a_new_one_replaces_it(empty_desk: Desk, clock: Clock) -> None:
    old, new = await first_admin.first_admin_link(), await first_admin.first_admin_link()
    assert old
    assert new
    person = empty_desk.nobody()
    assert (await person.get(old)).status_code == 404
    assert (await person.get(new)).status_code == 200
    clock.shift(24 * 3600)
    assert (await person.get(new)).status_code == 404
    assert (await person.post(new, ADMIN)).status_code == 404
    assert await OneTimeLink.count() == 1


async def test_a_desk_with_people_offers_no_link(desk: Desk) -> None:
    assert await first_admin.first_admin_link() is None


async def test_the_first_admins_mistakes_are_named_and_the_link_stays(empty_desk: Desk) -> None:
    link = await first_admin.first_admin_link()
    assert link
    person = empty_desk.nobody()
    mistakes = [
        ("username", "a"),
        ("username", "met spatie"),
        ("username", "<b>"),
        ("name", " "),
        ("password", "kort"),
    ]
    for field, value in mistakes:
        answer = await person.post(link, {**ADMIN, field: value})
        assert answer.status_code == 422
        shown = Screen(answer.text)
        assert [node.attributes["id"] for node in shown.css("[aria-invalid]")] == [field]
        assert shown.text(f"#{field}-error")
        assert shown.first("#name").attributes["value"] == (value if field == "name" else ADMIN["name"])
        assert ADMIN["password"] not in answer.text
    assert (await person.get(link)).status_code == 200
    assert not await Agent.exists()


# ---- errors ----------------------------------------------------------------------------------------------

NO_TRACE = re.compile(r"Traceback|Exception|litestar|File \"")


ERRORS = [
    ("GET", "/nergens", 404, "Cette page n’existe pas"),
    ("GET", "/static/nergens.css", 404, "Cette page n’existe pas"),
    ("GET", "/static/%00", 404, "Cette page n’existe pas"),
    ("GET", "/widget/onbekend", 404, "Cette page n’existe pas"),
    ("GET", "/widget/%00", 404, "Cette page n’existe pas"),
    ("GET", "/widget/%ff", 404, "Cette page n’existe pas"),
    ("DELETE", "/chat", 405, "Cette page n’existe pas"),
    ("GET", "/console/stream", 401, "Se connecter"),
]


async def test_errors_are_pages_in_the_readers_language(desk: Desk) -> None:
    person = desk.nobody()
    person.client.headers["Accept-Language"] = "fr-BE,fr;q=0.9,nl;q=0.8"
    for method, path, status, said in ERRORS:
        answer = await person.send(method, path)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert '<html lang="fr"' in answer.text
        assert said in words(answer)
        assert not NO_TRACE.search(answer.text)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_is_too_large_is_refused_with_words(desk: Desk) -> None:
    answer = await desk.nobody().post("/session", {"username": "x" * 1_100_000})
    assert answer.status_code == 413
    assert "te groot" in words(answer)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_page_that_is_open_gets_errors_as_a_notice_in_it(desk: Desk) -> None:
    an = await desk.agent("an", "Loket")
    an.client.headers.update(BY_HTMX)
    for method, path, status in (("GET", "/nergens", 404), ("POST", "/chats/1/messages", 404)):
        answer = await an.send(method, path)
        assert answer.status_code == status
        assert answer.text.startswith('<hx-partial hx-target="#notices"')
        assert "<html" not in answer.text
    assert "Deze pagina bestaat niet" in an.screen.text("#notices")


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_every_page_that_sends_something_has_a_place_for_notices(desk: Desk) -> None:
    an, admin = await desk.agent("an"), await scenes.sign_in_admin(desk)
    jef, nobody = desk.visitor(), desk.nobody()
    pages = [(nobody, "/console"), (an, "/console"), (admin, "/console"), (jef, "/widget/direct")]
    for person, path in pages:
        assert Screen((await person.get(path)).text).has("#notices[aria-live]"), path
    await an.choose_profile("Loket")
    assert an.screen.has("#console")
    assert an.screen.has("#notices[aria-live]")


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_fault_of_ours_says_so_and_shows_nothing_of_itself(desk: Desk) -> None:
    an = await desk.agent("an", "Loket")
    await Agent.alter().rename_table("elsewhere")
    answer = await an.get("/console")
    assert answer.status_code == 500
    assert "Dat ligt aan ons" in words(answer)
    assert not NO_TRACE.search(answer.text)


# ---- headers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_every_answer_carries_the_policy_and_only_static_files_are_kept(desk: Desk) -> None:
    an = await desk.agent("an", "Loket", ready=True)
    jef = await desk.visitor().begin()
    asked = [
        (an, "/console"),
        (an, "/session/profile"),
        (an, "/nergens"),
        (jef, "/chat"),
        (desk.nobody(), "/chat"),
        (desk.nobody(), "/first-admin/x"),
        (desk.nobody(), "/health"),
        (desk.nobody(), "/demo"),
    ]
    for person, path in asked:
        headers = (await person.get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store", path
        assert headers["x-content-type-options"] == "nosniff"
    kept = (await desk.nobody().get("/static/app.css")).headers
    assert "immutable" in kept["cache-control"]
    assert "content-security-policy" in kept
