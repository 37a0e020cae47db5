"""The second step of signing in, and one's own account."""

import re
from typing import Any

import pyotp
import pytest

from db.clock import now
from db.tables import Agent, Audit, RecoveryCode, Role, Session
from tests import scenes
from tests.conftest import Desk
from tests.people import PASSWORD, AgentClient, Person

pytestmark = pytest.mark.either

NEW_PASSWORD = "een-ander-wachtwoord"


# ---- setting it up, signing in with it -------------------------------------------------------------------


async def test_it_is_set_up_with_a_first_code_and_then_asked_for(desk: Desk, clock: Any) -> None:
    an = await desk.agent("an")
    key, codes = await set_up(an)
    assert len(set(codes)) == 10
    clock.shift(30)
    asked = await password(desk, "an")
    assert "balie_session" not in asked.client.cookies, "the password alone opens nothing"
    assert (await asked.get("/settings/me")).status_code == 401
    wrong = await code(asked, "000000" if at(key) != "000000" else "111111")
    assert wrong.status_code == 422
    assert "niet juist" in wrong.text
    assert (await code(asked, at(key))).headers["hx-redirect"] == "/console"
    assert (await asked.get("/settings/me")).status_code == 200


async def test_a_wrong_first_code_sets_up_nothing(desk: Desk) -> None:
    an = await desk.agent("an")
    key = key_in((await an.get("/settings/me/second-factor")).text)
    wrong = "123456" if at(key) != "123456" else "654321"
    answer = await an.send("PUT", "/settings/me/second-factor", {"code": wrong})
    assert answer.status_code == 422
    assert key_in(answer.text) == key, "the same key, to try again"
    assert (await an.sign_in()).headers["hx-redirect"] == "/console"


async def test_a_code_works_once_and_only_about_its_time(desk: Desk, clock: Any) -> None:
    key, _codes = await set_up(await desk.agent("an"))
    assert (await code(await password(desk, "an"), at(key))).status_code == 422, "it has confirmed the set-up"
    clock.shift(120)
    for steps, works in ((-2, False), (2, False), (1, True), (0, False), (1, False)):
        answer = await code(await password(desk, "an"), at(key, steps))
        assert answer.is_success == works, f"{steps} steps away"
    clock.shift(60)
    assert (await code(await password(desk, "an"), at(key, -1))).status_code == 422, "used before"
    assert (await code(await password(desk, "an"), at(key, 0))).is_success


async def test_each_recovery_code_works_once_and_none_is_kept_as_it_is(desk: Desk) -> None:
    _key, codes = await set_up(await desk.agent("an"))
    first = codes[0]
    assert (await code(await password(desk, "an"), f" {first.upper()} ")).is_success
    assert (await code(await password(desk, "an"), first)).status_code == 422
    assert (await code(await password(desk, "an"), codes[1])).is_success
    kept = await RecoveryCode.select(RecoveryCode.code_hash)
    assert len(kept) == 8
    assert not any(each.replace("-", "") in str(kept) for each in codes)
    assert await Audit.count().where(Audit.what == "recovery_code_used") == 2


async def test_codes_cannot_be_guessed_for_ever(desk: Desk) -> None:
    key, _codes = await set_up(await desk.agent("an"))
    somebody = await password(desk, "an")
    for _try in range(10):
        assert (await code(somebody, "12345")).status_code == 422
    answer = await code(somebody, at(key, 1))
    assert answer.status_code == 429
    assert "Te veel pogingen" in answer.text


async def test_the_code_has_to_come_soon_after_the_password_and_once(desk: Desk, clock: Any) -> None:
    key, _codes = await set_up(await desk.agent("an"))
    clock.shift(60)
    somebody = await password(desk, "an")
    pending = somebody.screen.first("[name=pending]").attributes["value"]
    clock.shift(601)
    late = await code(somebody, at(key))
    assert late.status_code == 422
    assert "Dat duurde te lang" in late.text
    somebody = await password(desk, "an")
    pending = somebody.screen.first("[name=pending]").attributes["value"]
    assert (await code(somebody, at(key))).is_success
    again = await desk.nobody().post("/session/code", {"pending": pending, "code": at(key, 1)})
    assert again.status_code == 422


async def test_a_role_may_ask_for_it_at_the_next_sign_in(desk: Desk) -> None:
    await Role.update({Role.second_factor: True}).where(Role.name == "agent")
    somebody = await password(desk, "an")
    assert "balie_session" not in somebody.client.cookies
    key = key_in(somebody.screen.tree.html or "")
    pending = somebody.screen.first("[name=pending]").attributes["value"]
    answer = await somebody.post("/session/second-factor", {"pending": pending, "code": at(key)})
    assert len(codes_in(answer.text)) == 10
    assert (await somebody.get("/settings/me")).status_code == 200
    stop = await with_csrf(somebody)
    refused = await stop.send(
        "DELETE", "/settings/me/second-factor", params={"code": codes_in(answer.text)[0]}
    )
    assert refused.status_code == 422
    assert "Uw rol vraagt een tweede stap" in refused.text


async def test_who_has_one_cannot_get_another_by_the_password_alone(desk: Desk, clock: Any) -> None:
    await Role.update({Role.second_factor: True}).where(Role.name == "agent")
    an = await password(desk, "an")
    key = key_in(an.screen.tree.html or "")
    pending = an.screen.first("[name=pending]").attributes["value"]
    await an.post("/session/second-factor", {"pending": pending, "code": at(key)})
    clock.shift(60)
    thief = await password(desk, "an")
    pending = thief.screen.first("[name=pending]").attributes["value"]
    answer = await thief.post("/session/second-factor", {"pending": pending, "code": at(key)})
    assert answer.status_code == 422
    assert "balie_session" not in thief.client.cookies


async def test_new_recovery_codes_end_the_old_ones(desk: Desk) -> None:
    an = await desk.agent("an")
    _key, codes = await set_up(an)
    wrong = await an.post("/settings/me/recovery-codes", {"code": "x"})
    assert (wrong.status_code, codes_in(wrong.text)) == (422, [])
    answer = await an.post("/settings/me/recovery-codes", {"code": codes[0]})
    new = codes_in(answer.text)
    assert len(new) == 10
    assert (await code(await password(desk, "an"), codes[1])).status_code == 422
    assert (await code(await password(desk, "an"), new[0])).is_success


async def test_under_an_open_page_one_signs_in_again_with_both(desk: Desk, clock: Any) -> None:
    an = await desk.agent("an")
    key, _codes = await set_up(an)
    await Session.delete(force=True)
    clock.shift(60)
    answer = await an.post("/session", {"username": "an", "password": PASSWORD, "again_as": "an"})
    assert "sign-in-again" not in answer.text, "not yet"
    an.screen.show(answer.text)
    pending = an.screen.first("[name=pending]").attributes["value"]
    sent = {"pending": pending, "code": at(key), "again_as": "an"}
    answer = await an.post("/session/code", sent)
    assert 'id="sign-in-again" hidden data-done' in answer.text
    assert "hx-redirect" not in answer.headers


async def test_it_goes_off_with_a_code_or_by_an_admin(desk: Desk, clock: Any) -> None:
    an = await desk.agent("an")
    _key, codes = await set_up(an)
    assert (await an.send("DELETE", "/settings/me/second-factor", params={"code": "x"})).status_code == 422
    assert (await an.send("DELETE", "/settings/me/second-factor", params={"code": codes[0]})).is_success
    assert (await an.sign_in()).headers["hx-redirect"] == "/console"
    await set_up(an)
    admin = await scenes.sign_in_admin(desk)
    row = await Agent.select(Agent.id).where(Agent.username == "an").first()
    assert row
    assert (await admin.send("DELETE", f"/settings/people/{row['id']}/second-factor")).is_success
    assert (await an.sign_in()).headers["hx-redirect"] == "/console"
    whats = [each["what"] for each in await Audit.select(Audit.what).order_by(Audit.id)]
    on, used, off, reset = (
        "second_factor_on",
        "recovery_code_used",
        "second_factor_off",
        "second_factor_reset",
    )
    assert whats == [on, used, off, on, reset]
    assert await RecoveryCode.count() == 0


# ---- one's own account -----------------------------------------------------------------------------------


async def test_ones_own_language_counts_at_once(desk: Desk) -> None:
    an = await desk.agent("an")
    an.screen.show((await an.get("/settings/me")).text)
    version = an.screen.first("#screens [name=version]").attributes["value"]
    assert (await an.send("PUT", "/settings/me", {"language": "de", "version": version})).is_success
    assert "Mein Konto" in (await an.get("/settings/me")).text
    assert (await an.send("PUT", "/settings/me", {"language": "xx", "version": "2"})).status_code == 422


async def test_a_password_changes_with_the_old_one_and_ends_other_sessions(desk: Desk) -> None:
    an, elsewhere = await desk.agent("an"), await desk.agent("an")
    wrong = await an.send("PUT", "/settings/me/password", {"old": "mis", "new": NEW_PASSWORD})
    assert wrong.status_code == 422
    assert "Dit is niet uw wachtwoord." in wrong.text
    short = await an.send("PUT", "/settings/me/password", {"old": PASSWORD, "new": "kort"})
    assert short.status_code == 422
    assert (await elsewhere.get("/settings/me")).status_code == 200
    answer = await an.send("PUT", "/settings/me/password", {"old": PASSWORD, "new": NEW_PASSWORD})
    assert answer.is_success
    assert (await an.get("/settings/me")).status_code == 200
    assert (await elsewhere.get("/settings/me")).status_code == 401
    assert not (await elsewhere.sign_in()).is_success
    assert (await elsewhere.sign_in(NEW_PASSWORD)).is_success


async def test_the_old_password_cannot_be_guessed_here_either(desk: Desk) -> None:
    an = await desk.agent("an")
    for _try in range(10):
        await an.send("PUT", "/settings/me/password", {"old": "mis", "new": NEW_PASSWORD})
    answer = await an.send("PUT", "/settings/me/password", {"old": PASSWORD, "new": NEW_PASSWORD})
    assert answer.status_code == 429


async def test_sessions_are_listed_and_closed_one_by_one_or_all(desk: Desk) -> None:
    an = await desk.agent("an")
    others = [await desk.agent("an") for _other in range(3)]
    bram = await desk.agent("bram")
    an.screen.show((await an.get("/settings/me")).text)
    assert len(an.screen.css("#sessions li")) == 4
    (mine,) = await Session.select(Session.id).where(Session.agent.username == "bram")
    assert (await an.send("DELETE", f"/settings/me/sessions/{mine['id']}")).status_code == 404
    first = an.screen.first("#sessions [hx-delete^='/settings/me/sessions/']").attributes["hx-delete"]
    assert (await an.send("DELETE", str(first))).is_success
    assert sorted([(await each.get("/settings/me")).status_code for each in others]) == [200, 200, 401]
    assert (await an.send("DELETE", "/settings/me/sessions")).is_success
    assert [(await each.get("/settings/me")).status_code for each in others] == [401] * 3
    assert (await an.get("/settings/me")).status_code == 200
    assert (await bram.get("/settings/me")).status_code == 200


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox, Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36",
            "Chrome, Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1",
            "Safari, iPhone",
        ),
        ("curl/8", ""),
    ],
)
def test_a_browser_is_named_so_that_its_owner_knows_it(sent: str, shown: str) -> None:
    from features import signing_in

    assert signing_in.browser_of(sent) == shown


# ---- what the tests do -----------------------------------------------------------------------------------


async def set_up(an: AgentClient) -> tuple[str, list[str]]:
    key = key_in((await an.get("/settings/me/second-factor")).text)
    answer = await an.send("PUT", "/settings/me/second-factor", {"code": at(key)})
    assert answer.is_success, answer.text
    return key, codes_in(answer.text)


async def password(desk: Desk, username: str) -> Person:
    """Somebody gives the password, and sees what is asked next."""
    somebody = desk.nobody()
    answer = await somebody.post("/session", {"username": username, "password": PASSWORD})
    assert answer.is_success, answer.text
    somebody.screen.show(answer.text)
    return somebody


async def code(somebody: Person, digits: str) -> Any:
    pending = somebody.screen.first("[name=pending]").attributes["value"]
    return await somebody.post("/session/code", {"pending": pending, "code": digits})


async def with_csrf(somebody: Person) -> Person:
    somebody.screen.show((await somebody.get("/settings/me")).text)
    somebody.client.headers["X-CSRF-Token"] = str(somebody.screen.first("#csrf").attributes["content"])
    return somebody


def key_in(text: str) -> str:
    found = re.search(r'id="totp-key"[^>]*>([A-Z2-7 ]+)<', text)
    assert found, text
    return found[1].replace(" ", "")


def codes_in(text: str) -> list[str]:
    return re.findall(r"<code>([a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4})</code>", text)


def at(key: str, steps: int = 0) -> str:
    """The code, so many steps from now."""
    return pyotp.TOTP(key).at(int(now().timestamp()) + 30 * steps)
