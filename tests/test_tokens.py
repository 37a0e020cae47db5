"""What is wrong with a site's token, in words that its developer understands: what it is, and what to do."""

import json
from datetime import timedelta
from typing import Any

import jwt
import pytest

from db.clock import now
from db.settings import settings
from db.tables import Identity, SigningKey
from features import tokens
from tests.conftest import Desk
from tests.test_identity import EC, SECRET, by_hand, claims, fields, pem, press, signed, with_key

# What the page was given, and some of the words: the fact, and the way out.
GIVEN: dict[str, tuple[str, str, str]] = {
    "a page to sign in": (
        "\n<!doctype html><html><title>Aanmelden",
        "a web page (HTML)",
        "nothing for who is",
    ),
    "an answer of fetch()": ("[object Response]", 'an object, "[object Response]"', "answer.text()"),
    "a promise": ("[object Promise]", "was given an object", "answer.text()"),
    "JSON": ('{"token": "a.b.c"}', "This is JSON", "only the token that is in it"),
    "quotation marks": ('"a.b.c"', "between quotation marks", "without them"),
    "a header's value": ("Bearer a.b.c", 'begins with "Bearer"', "without that word"),
    "five parts": ("a.b.c.d.e", "encrypted (a JWE", "Sign it instead"),
    "nothing in words": ("undefined", 'not a JWT: "undefined"', "three parts"),
    "a number": ("7", 'not a JWT: "7"', "three parts"),
    "words": ("Not found", 'not a JWT: "Not found"', "three parts"),
    "rubbish in three parts": ("a.b.c", "cannot be read (", "Is it whole?"),
    "too much": ("x" * 9000, "has 9000 characters", "Say less in vars"),
}

SAID: dict[str, tuple[dict[str, Any], str, str]] = {
    "no iss": ({"iss": None}, "iss is missing", 'the widget\'s key, "voorbeeld"'),
    "another iss": ({"iss": "direct"}, 'iss is "direct"', 'the widget\'s key, "voorbeeld"'),
    "no aud": ({"aud": None}, "aud is missing", "to the letter"),
    "a slash too many": ({"aud": "https://chat.example/"}, 'aud is "https://chat.example/"', "to the letter"),
    "several aud": ({"aud": ["a", "b"]}, "aud is an array", "to the letter"),
    "no exp": ({"exp": None}, "exp is missing", "within ten minutes"),
    "exp in words": ({"exp": "morgen"}, 'exp is "morgen"', "seconds since 1970"),
    "milliseconds": ({"exp": 1_773_219_600_000}, "these are milliseconds", "seconds since 1970"),
    "expired": ({"exp": timedelta(hours=-3)}, "expired 3 hours ago", "a fresh one at each press"),
    "just expired": ({"exp": timedelta(seconds=-44)}, "expired 4", "Ours says 2026-03-11 09:0"),
    "for a day": ({"exp": timedelta(days=1)}, "exp is 24 hours ahead", "five minutes from now"),
    "not yet": ({"nbf": timedelta(seconds=605)}, "nbf is 10 minutes ahead", "Is your server's clock right?"),
    "a clock ahead": ({"iat": timedelta(seconds=90)}, " s ahead: the token", "Is your server's clock right?"),
    "of yesterday": ({"iat": timedelta(days=-1)}, "made 24 hours ago (iat)", "Make one at each press"),
    "iat in words": ({"iat": "nu"}, 'iat is "nu"', "seconds since 1970"),
    "no jti": ({"jti": None}, "jti is missing", "new for each token"),
    "a jti that is a number": ({"jti": 7}, "jti is 7", "has to be a text"),
    "no sub": ({"sub": None}, "sub is missing", "your own id of this person"),
    "a sub that is a number": ({"sub": 1207}, "sub is 1207", "between quotation marks"),
    "a long sub": ({"sub": "x" * 201}, "sub has 201 characters", "at most 200"),
    "a sub with a line end": ({"sub": "a\nb"}, "control character", '"a\\nb"'),
    "a name that is a list": ({"name": ["Lien"]}, "name is an array", "has to be a text"),
    "a long name": ({"name": "Zoë" * 40}, "name has 120 characters", "at most 80"),
    "no address": ({"email": "Zoë"}, 'not an e-mail address: "Zoë"', "Leave it out"),
    "vars as a list": ({"vars": ["a"]}, "vars is an array", "labels and their values"),
    "many vars": ({"vars": {str(n): n for n in range(21)}}, "vars has 21 labels", "at most 20"),
    "a nested value": ({"vars": {"Adres": {"Straat": "x"}}}, 'at "Adres": the value is an object', "a text"),
    "a long value": ({"vars": {"Adres": "x" * 201}}, 'at "Adres": the value has 201', "at most 200"),
    "a long label": ({"vars": {"x" * 41: "x"}}, "the label has 41 characters", "at most 40"),
}


def from_now(said: Any) -> Any:
    return int((now() + said).timestamp()) if isinstance(said, timedelta) else said


async def told(desk: Desk, token: str) -> str:
    """To the developer; the visitor sees the form as it always is, and the chat goes on without."""
    found = await press(desk, token)
    assert fields(found.visitor) == ["name", "email", "subject", "question"]
    assert await Identity.count() == 0
    start, _sep, way_on = found.text.rpartition(" Check a token, or read on: ")
    assert way_on == f"{settings.url}/guide/voorbeeld"
    return start


async def test_what_the_page_was_given_instead_of_a_token(desk: Desk) -> None:
    await with_key()
    for what, (given, fact, way_out) in GIVEN.items():
        text = await told(desk, given)
        assert fact in text, what
        assert way_out in text, what


async def test_what_a_token_says_wrong(desk: Desk) -> None:
    await with_key()
    for what, (changes, fact, way_out) in SAID.items():
        text = await told(desk, signed(claims(**{name: from_now(said) for name, said in changes.items()})))
        assert fact in text, (what, text)
        assert way_out in text, (what, text)


async def test_what_is_wrong_with_how_it_is_signed(desk: Desk) -> None:
    await with_key()
    await with_key(kid="oud")
    await SigningKey.update({SigningKey.revoked_at: now(), SigningKey.material: ""}).where(
        SigningKey.kid == "oud"
    )
    unsigned = by_hand({"alg": "none", "kid": "site"}, claims())
    public = signed(key=EC, algorithm="ES256")
    assert "is not signed (alg); its key takes HS256 only" in await told(desk, unsigned)
    assert 'is signed with "ES256" (alg); its key takes HS256 only' in await told(desk, public)
    assert '"oud" (kid) has been revoked. Sign with one that' in await told(desk, signed(kid="oud"))
    assert '"nieuw" (kid) is not one of this widget\'s.' in await told(desk, signed(kid="nieuw"))
    other = await told(desk, signed(key="x" * 40))
    assert 'does not fit the signing key "site". Is what you sign with' in other
    assert "does not fit a signing key of this widget" in await told(desk, jwt.encode(claims(), "x" * 40))
    assert "Key ID header parameter must be a string" in await told(
        desk, by_hand({"alg": "HS256", "kid": 7}, {})
    )
    await SigningKey.update({SigningKey.revoked_at: now()}).where(SigningKey.revoked_at.is_null())
    assert "no signing key in use. Make one" in await told(desk, jwt.encode(claims(), SECRET))


async def test_one_that_was_shown_before_says_why_that_may_be(desk: Desk) -> None:
    await with_key()
    token = signed()
    assert (await press(desk, token)).text == ""
    again = await press(desk, token)
    assert "Another visitor has shown this token before" in again.text
    assert "Cache-Control: no-store" in again.text


async def test_spaces_around_a_token_do_not_matter(desk: Desk) -> None:
    await with_key()
    assert (await press(desk, f" {signed()}\r\n")).code == ""


async def test_the_words_give_away_neither_a_key_nor_more_of_a_token_than_its_beginning(desk: Desk) -> None:
    await with_key()
    await with_key("ES256", pem(EC), kid="ec")
    long = "geheim" * 100
    for token in (long, signed(key="x" * 40), signed(claims(sub=long)), signed(kid="ec"), f"a.{long}.c"):
        text = await told(desk, token)
        assert SECRET not in text
        assert "PUBLIC KEY" not in text
        assert len(text) < 400


@pytest.mark.parametrize(
    "value", ["\ud800", "\x00", "\u2028", "é" * 100, 10**400, float("nan"), [], {}, True]
)
def test_whatever_came_can_be_quoted(value: Any) -> None:
    said = tokens.quoted(value)
    assert len(said) <= 60
    assert json.dumps({"text": said}).isascii()
    assert said.encode()
