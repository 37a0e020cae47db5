"""The guide for the developers of a site, and the page that explains a token without using it up."""

import re
from typing import Any

import pytest

from db.clock import now
from db.settings import settings
from db.tables import Identity, ShownToken, SigningKey, TokenCheck, Visitor
from features import token_check
from tests import scenes
from tests.conftest import Clock, Desk
from tests.people import Person
from tests.test_identity import EC, SCRIPT, SECRET, by_hand, claims, jws, pem, press, signed, with_key
from tests.test_retention import rows_with

pytestmark = pytest.mark.either


async def checked(desk: Desk, token: str, key: str = "voorbeeld", who: Person | None = None) -> Person:
    """Somebody without an account has a token explained."""
    developer = who or desk.nobody()
    developer.screen.show((await developer.must("GET", f"/guide/{key}/token")).text)
    answer = await developer.post(f"/guide/{key}/token", {"token": token})
    assert answer.status_code == 200
    return developer


def wrong(developer: Person) -> dict[str, str]:
    """What is said of each part that is not right."""
    parts = [each.text(separator=" ").split() for each in developer.screen.css("#checked li.wrong")]
    return {" ".join(words[: words.index("fout")]).rstrip(" :"): " ".join(words) for words in parts}


# ---- the guide -------------------------------------------------------------------------------------------


async def test_the_guide_fills_in_what_a_developer_needs(desk: Desk) -> None:
    reader = desk.nobody()
    reader.screen.show((await reader.must("GET", "/guide/voorbeeld")).text)
    line = f'<script async src="{settings.url}/embed.js" data-widget="voorbeeld"></script>'
    assert str(reader.screen.first("#code-line").text()) == line
    policy = reader.screen.text("#code-policy")
    assert all(f"{name} {settings.url};" in policy for name in ("script-src", "connect-src", "frame-src"))
    for language in ("php", "java", "csharp", "python", "javascript"):
        text = str(reader.screen.first(f"#code-{language}").text())
        assert "voorbeeld" in text
        assert settings.url in text
        assert "HS256" in text
    es256 = (await reader.must("GET", "/guide/voorbeeld?algorithm=ES256")).text
    assert "ES256" in es256
    assert "hash_hmac" not in es256
    assert "hash_hmac" in (await reader.must("GET", "/guide/voorbeeld?algorithm=none")).text


async def test_it_speaks_the_language_that_its_address_asks_for(desk: Desk) -> None:
    reader = desk.nobody()
    said = {"nl": "Plak een token.", "fr": "Collez un jeton.", "de": "Fügen Sie ein Token ein."}
    for language, words in {**said, "en": "Paste a token."}.items():
        for path in ("/guide/voorbeeld", "/guide/voorbeeld/token"):
            reader.screen.show((await reader.must("GET", f"{path}?lang={language}")).text)
            assert reader.screen.first("html").attributes["lang"] == language
        answer = await reader.post(f"/guide/voorbeeld/token?lang={language}", {"token": " "})
        assert answer.status_code == 422
        assert words in answer.text


async def test_it_holds_nothing_of_the_desk(desk: Desk) -> None:
    await with_key(kid="geheime-naam")
    reader = desk.nobody()
    for path in ("/guide/voorbeeld", "/guide/voorbeeld/token"):
        answer = await reader.must("GET", path)
        for private in ("geheime-naam", SECRET, "Loket", "Algemeen", "Chloé"):
            assert private not in answer.text
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
    for path in ("/guide/elders", "/guide/elders/token"):
        assert (await reader.get(path)).status_code == 404
    assert (await reader.post("/guide/elders/token", {"token": "x"})).status_code == 404


async def test_the_settings_of_a_widget_give_its_address(desk: Desk) -> None:
    admin = await scenes.sign_in_admin(desk)
    assert f"{settings.url}/guide/voorbeeld" in (await admin.must("GET", "/settings/widgets/1")).text
    assert "/guide/voorbeeld/token" in (await admin.must("GET", "/settings/widgets/1/keys")).text


# ---- a token that is good --------------------------------------------------------------------------------


async def test_a_good_token_shows_what_the_agents_would_see(desk: Desk) -> None:
    await with_key()
    token = signed(claims(vars={"Klantnummer": "VB-1207", SCRIPT: 1}, telefoon="0470"))
    developer = await checked(desk, f" {token}\n")
    assert developer.screen.text("#verdict") == "Dit token wordt geloofd"
    assert wrong(developer) == {}
    seen = developer.screen.text("#checked .facts")
    for words in ("Lien Janssens (Geverifieerd door E-loket)", "lien@voorbeeld.be", "VB-1207", SCRIPT):
        assert words in seen
    assert not developer.screen.has("#checked script")
    assert "telefoon" in developer.screen.text("#checked .notice.info")
    assert '"sub": "burger-1207"' in " ".join(developer.screen.texts("#checked pre"))


async def test_checking_uses_nothing_up_and_keeps_nothing(
    desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    await with_key()
    token = signed()
    for _time in range(2):
        await checked(desk, token)
    assert (await ShownToken.count(), await Identity.count(), await Visitor.count()) == (0, 0, 0)
    assert not await SigningKey.exists().where(SigningKey.used_at.is_not_null())
    signature = token.rpartition(".")[2]
    assert await rows_with(signature) == []
    assert await rows_with("burger-1207") == []
    said = "".join(capfd.readouterr())
    assert signature not in said
    assert "burger-1207" not in said
    assert (await press(desk, token)).code == "", "it still counts"


async def test_one_that_was_shown_is_told_so(desk: Desk) -> None:
    await with_key()
    token = signed()
    await press(desk, token)
    developer = await checked(desk, token)
    assert list(wrong(developer)) == ["jti een eigen nummer"]
    assert "shown this token before" in wrong(developer)["jti een eigen nummer"]


# ---- tokens that are not ---------------------------------------------------------------------------------


async def test_everything_that_is_wrong_is_said_at_once_and_in_the_words_of_the_console(desk: Desk) -> None:
    await with_key()
    bad = signed(claims(iss="direct", aud=None, exp=int(now().timestamp()) - 4000, sub=7), key="x" * 40)
    developer = await checked(desk, bad)
    assert developer.screen.text("#verdict") == "Dit token wordt niet geloofd"
    assert [each.split()[0] for each in wrong(developer)] == ["Handtekening", "iss", "aud", "exp", "sub"]
    assert not developer.screen.has("#checked .facts")
    told = (await press(desk, bad)).text
    assert told.partition(" Check a token")[0] in developer.screen.text("#checked")


async def test_a_token_that_is_none_gets_one_sentence(desk: Desk) -> None:
    for junk in ("x", "<!doctype html>", "a.b.c", "x" * 9000, '{"a": 1}', "é.é.é"):
        developer = await checked(desk, junk)
        assert len(wrong(developer)) == 1, junk
        assert not developer.screen.has("#checked .guide-code")


@pytest.mark.parametrize("said", [[], {"a": "[" * 500}, {"x": "\ud800", "name": "\ud800"}, {"exp": 10**400}])
async def test_whatever_is_in_it_can_be_shown(desk: Desk, said: Any) -> None:
    await with_key()
    developer = await checked(desk, signed(said))
    assert developer.screen.text("#verdict") == "Dit token wordt niet geloofd"


async def test_what_is_nested_deep_can_be_shown(desk: Desk) -> None:
    await with_key()
    deep = b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"
    developer = await checked(desk, str(jws.encode(deep, SECRET, headers={"kid": "site"})))
    assert developer.screen.text("#verdict") == "Dit token wordt niet geloofd"


async def test_a_check_says_nothing_of_a_key(desk: Desk) -> None:
    """Not more than a press on the button does: neither what it is, nor which others there are."""
    await with_key()
    await with_key("ES256", pem(EC), kid="verborgen")
    for token in (signed(key="x" * 40), signed(kid="nieuw"), by_hand({"alg": "none"}, claims()), signed()):
        text = (await checked(desk, token)).screen.tree.html or ""
        for private in (SECRET, "verborgen", "voorbeeldsite", "PUBLIC KEY"):
            assert private not in text


async def test_a_key_of_another_widget_does_not_count(desk: Desk) -> None:
    await with_key()
    developer = await checked(desk, signed(claims(iss="direct")), "direct")
    assert "not one of this widget's" in wrong(developer)["Sleutel en algoritme"]


async def test_one_address_can_have_so_many_checked(desk: Desk, clock: Clock, monkeypatch: Any) -> None:
    monkeypatch.setattr(token_check, "MOST", 3)
    developer = desk.nobody()
    for _time in range(3):
        await checked(desk, "x", who=developer)
    answer = await developer.post("/guide/voorbeeld/token", {"token": "x"})
    assert answer.status_code == 429
    assert "Probeer het wat later opnieuw." in developer.screen.text("#token-error")
    rows = await TokenCheck.select()
    assert len(rows) == 3
    assert all(re.fullmatch(r"[0-9a-f]{64}", row["address_hash"]) for row in rows)
    clock.shift(601)
    await checked(desk, "x", who=developer)
    assert await TokenCheck.count() == 1
