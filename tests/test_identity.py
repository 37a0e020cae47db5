"""Who a visitor is, by a signed token of the host page: what is believed, and what is not."""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from db.clock import now
from db.settings import settings
from db.tables import Identity, ShownToken, SigningKey, Widget
from features import identity
from tests.conftest import Clock, Desk
from tests.people import AgentClient, Visitor
from tests.scenes import taken

pytestmark = pytest.mark.either

SECRET = "een-geheim-van-meer-dan-tweeendertig-tekens"
SCRIPT = "<script>alert(1)</script>"
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())

jws = jwt.PyJWS()


def pem(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def claims(**other: Any) -> dict[str, Any]:
    """Those of Lien; None leaves one out."""
    said = {
        "iss": "voorbeeld",
        "aud": settings.url,
        "exp": int(now().timestamp()) + 300,
        "jti": secrets.token_urlsafe(8),
        "sub": "burger-1207",
        "name": "Lien Janssens",
        "email": "lien@voorbeeld.be",
        **other,
    }
    return {name: value for name, value in said.items() if value is not None}


def signed(said: Any = None, key: Any = SECRET, algorithm: str = "HS256", **header: Any) -> str:
    given = claims() if said is None else said
    return str(jws.encode(json.dumps(given).encode(), key, algorithm, {"kid": "site", **header}))


def by_hand(header: Any, said: Any, signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(said).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


async def widget_id(key: str = "voorbeeld") -> int:
    row = await Widget.select(Widget.id).where(Widget.key == key).first()
    assert row
    return int(row["id"])


async def with_key(
    algorithm: str = "HS256", material: str = SECRET, kid: str = "site", widget: str = "voorbeeld"
) -> None:
    await identity.add_key(await widget_id(widget), kid, algorithm, material)


@dataclass
class Pressed:
    visitor: Visitor
    code: str  # why the token was not believed
    text: str


async def press(desk: Desk, token: str, visitor: Visitor | None = None) -> Pressed:
    who = visitor or desk.visitor()
    await who.open()
    answer = await who.must("POST", "/chat/hold", {"page": "https://x.be/", "identity": token})
    told = json.loads(answer.headers.get("HX-Trigger", "{}")).get("identity:refused", {})
    assert told.get("text", "x") not in who.screen.text(), "developers read it, visitors never"
    return Pressed(who, told.get("code", ""), told.get("text", ""))


async def at_desk(desk: Desk) -> AgentClient:
    await with_key()
    return await desk.agent("an", "Loket", ready=True)


def fields(visitor: Visitor) -> list[str]:
    return [str(node.attributes["name"]) for node in visitor.screen.css("#form [name]")]


# ---- what is believed ------------------------------------------------------------------------------------


async def test_a_verified_visitor_is_not_asked_again_and_carries_the_lock_everywhere(desk: Desk) -> None:
    an = await at_desk(desk)
    lien = await press(desk, signed(claims(vars={"Klantnummer": "VB-1207", "Leeftijd": 43})))
    assert lien.code == ""
    assert fields(lien.visitor) == ["subject", "question"]
    assert "Doorgegeven door E-loket: Lien Janssens, lien@voorbeeld.be" in lien.visitor.screen.text("#form")
    await lien.visitor.start("Mijn kaart?", name="", email="")
    await an.open()
    assert "Lien Janssens Geverifieerd door E-loket" in an.screen.text(".request-who")
    assert an.screen.has(".request-who use[href$='#lock']")
    chat = await taken(an)
    assert an.screen.text(f"#tab-{chat} .tab-name") == "Lien Janssens"
    assert an.screen.text(f"#thread-{chat} .author") == "Lien Janssens"
    locked = an.screen.texts(f"#details-{chat} dd:has(use[href$='#lock'])")
    by = "(Geverifieerd door E-loket)"
    assert locked == [f"{each} {by}" for each in ("Lien Janssens", "lien@voorbeeld.be", "VB-1207", "43")]


async def test_without_a_token_all_is_as_before_and_nothing_has_a_lock(desk: Desk) -> None:
    an = await at_desk(desk)
    jef = await desk.visitor().begin("Een vraag", email="jef@voorbeeld.be")
    await an.open()
    assert not an.screen.has(".request-pane use[href$='#lock']")
    chat = await taken(an)
    assert not an.screen.has(f"#pane-{chat} use[href$='#lock']")
    assert "Geverifieerd" not in an.screen.text(f"#details-{chat}")
    assert "Eerdere gesprekken" not in an.screen.text(f"#details-{chat}")
    assert "X-Balie" not in str(jef.client.headers)


async def test_a_typed_name_never_wins_from_a_verified_one(desk: Desk) -> None:
    an = await at_desk(desk)
    lien = await press(desk, signed())
    await lien.visitor.start("Een vraag", name="De burgemeester", email="ander@voorbeeld.be")
    chat = await taken(an)
    assert "burgemeester" not in an.screen.text()
    assert "ander@" not in an.screen.text()
    assert an.screen.text(f"#thread-{chat} .author") == "Lien Janssens"


async def test_what_the_host_did_not_say_is_asked_and_gets_no_lock(desk: Desk) -> None:
    an = await at_desk(desk)
    who = await press(desk, signed(claims(name=None, email=None)))
    assert fields(who.visitor) == ["name", "email", "subject", "question"]
    await who.visitor.start("Een vraag", name="Geverifieerde Jef", email="jef@voorbeeld.be")
    chat = await taken(an)
    locked = an.screen.texts(f"#details-{chat} dd:has(use[href$='#lock'])")
    assert locked == ["burger-1207 (Geverifieerd door E-loket)"]


async def test_a_forged_name_with_a_required_one_missing_is_still_asked(desk: Desk) -> None:
    await at_desk(desk)
    who = await press(desk, signed(claims(name=None)))
    answer = await who.visitor.send(
        "POST", "/chat", {"subject": "1", "question": "X", "key": secrets.token_hex()}
    )
    assert answer.status_code == 422
    assert "Vul uw naam in." in answer.text


async def test_it_survives_a_reload_and_another_press(desk: Desk) -> None:
    an = await at_desk(desk)
    lien = (await press(desk, signed())).visitor
    await lien.open()
    assert fields(lien) == ["subject", "question"]
    await lien.press()
    assert fields(lien) == ["subject", "question"]
    await lien.start("Een vraag")
    await lien.press()
    assert await taken(an)
    await an.open()
    assert "Lien Janssens" in an.screen.text("#tabs")


async def test_a_press_without_a_form_starts_the_chat_verified(desk: Desk) -> None:
    await with_key(widget="direct")
    an = await desk.agent("an", "Loket", ready=True)
    lien = await press(desk, signed(claims(iss="direct")), desk.visitor(widget="direct"))
    assert lien.code == ""
    chat = await taken(an)
    assert an.screen.has(f"#details-{chat} dd use[href$='#lock']")


async def test_it_also_counts_when_no_place_is_free(desk: Desk) -> None:
    await with_key()
    lien = (await press(desk, signed())).visitor
    assert await Identity.count() == 1
    assert fields(lien) == ["subject", "question"]


async def test_a_form_of_name_and_email_alone_still_shows_the_privacy_notice(desk: Desk) -> None:
    await at_desk(desk)
    await Widget.update({Widget.form: '["name", "email"]'}).where(Widget.key == "voorbeeld")
    lien = (await press(desk, signed())).visitor
    assert fields(lien) == []
    assert "We gebruiken uw gegevens" in lien.screen.text("#form")
    await lien.must("POST", "/chat", {})
    assert lien.screen.first("#state").attributes["data-state"] == "waiting"


@pytest.mark.parametrize(("algorithm", "private"), [("ES256", EC), ("RS256", RSA)])
async def test_public_keys_work_too(desk: Desk, algorithm: str, private: Any) -> None:
    await with_key(algorithm, pem(private))
    assert (await press(desk, signed(key=private, algorithm=algorithm))).code == ""


async def test_without_kid_any_key_in_use_may_have_signed(desk: Desk) -> None:
    await with_key(kid="oud")
    await with_key("ES256", pem(EC), kid="nieuw")
    for key, algorithm in ((SECRET, "HS256"), (EC, "ES256")):
        token = str(jwt.encode(claims(), key, algorithm=algorithm))
        assert (await press(desk, token)).code == ""


async def test_an_audience_may_be_a_list_and_a_clock_half_a_minute_off(desk: Desk) -> None:
    await with_key()
    moment = int(now().timestamp())
    for said in (
        claims(aud=["https://elders.be", settings.url]),
        claims(exp=moment - 20),
        claims(exp=moment + 620),
        claims(nbf=moment + 20, iat=moment + 20),
    ):
        assert (await press(desk, signed(said))).code == ""


async def test_what_is_said_of_the_person_is_shown_as_text(desk: Desk) -> None:
    an = await at_desk(desk)
    lien = await press(desk, signed(claims(name=f"Lien {SCRIPT}", vars={SCRIPT: SCRIPT})))
    assert lien.code == ""
    await lien.visitor.start("Een vraag")
    chat = await taken(an)
    assert not an.screen.has("#panels script")
    assert SCRIPT in str(an.screen.first(f"#details-{chat}").text())
    assert not lien.visitor.screen.has("#form script")


# ---- what is not -----------------------------------------------------------------------------------------


async def refused(desk: Desk, token: str, code: str) -> str:
    """The chat goes on without; the sentence is in English."""
    found = await press(desk, token)
    assert found.code == code, found.text
    assert await Identity.count() == 0
    await found.visitor.must("GET", "/chat")
    assert fields(found.visitor) == ["name", "email", "subject", "question"]
    return found.text


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another widget": ({"iss": "direct"}, "issuer"),
    "no issuer": ({"iss": None}, "issuer"),
    "an issuer that is a list": ({"iss": ["voorbeeld"]}, "issuer"),
    "another audience": ({"aud": "https://elders.be"}, "audience"),
    "no audience": ({"aud": None}, "audience"),
    "no expiry": ({"exp": None}, "expiry"),
    "an expiry in words": ({"exp": "morgen"}, "expiry"),
    "an expiry that is true": ({"exp": True}, "expiry"),
    "an expiry that is no number": ({"exp": float("nan")}, "expiry"),
    "an endless expiry": ({"exp": float("inf")}, "expiry"),
    "an enormous expiry": ({"exp": 10**400}, "too_far"),
    "no jti": ({"jti": None}, "jti"),
    "an empty jti": ({"jti": ""}, "jti"),
    "a jti that is a number": ({"jti": 7}, "jti"),
    "a long jti": ({"jti": "x" * 201}, "jti"),
    "a jti that no database keeps": ({"jti": "a\0b"}, "jti"),
    "half a character": ({"sub": "\ud800"}, "sub"),
    "no sub": ({"sub": None}, "sub"),
    "an empty sub": ({"sub": ""}, "sub"),
    "a name of 5,000": ({"name": "x" * 5000}, "name"),
    "a name with a NUL": ({"name": "Lien\0"}, "name"),
    "a name that is a list": ({"name": ["Lien"]}, "name"),
    "an address that is none": ({"email": "lien"}, "email"),
    "an address of 5,000": ({"email": "x" * 5000 + "@voorbeeld.be"}, "email"),
    "vars that are a list": ({"vars": ["x"]}, "vars"),
    "too many vars": ({"vars": {str(n): n for n in range(21)}}, "vars"),
    "a value of 5,000": ({"vars": {"a": "x" * 5000}}, "vars"),
    "a label of 5,000": ({"vars": {"x" * 5000: "a"}}, "vars"),
    "a value that is an object": ({"vars": {"a": {}}}, "vars"),
}


async def test_a_signed_token_that_says_something_wrong_is_refused(desk: Desk) -> None:
    await at_desk(desk)
    got = {}
    for what, (changes, _code) in WRONG.items():
        got[what] = (await press(desk, signed(claims(**changes)))).code
    assert got == {what: code for what, (_changes, code) in WRONG.items()}
    assert await Identity.count() == 0
    assert await ShownToken.count() == 0
    assert (await press(desk, signed())).code == "", "the same without them is believed"


async def test_times_are_those_of_the_desk(desk: Desk, clock: Clock) -> None:
    await at_desk(desk)
    moment = int(now().timestamp())
    assert "fresh one" in await refused(desk, signed(claims(exp=moment - 40)), "expired")
    assert "ten minutes" in await refused(desk, signed(claims(exp=moment + 700)), "too_far")
    assert "nbf" in await refused(desk, signed(claims(nbf=moment + 100)), "not_yet")
    assert "iat" in await refused(desk, signed(claims(iat=moment + 100)), "not_yet")
    token = signed()
    clock.shift(400)
    await refused(desk, token, "expired")


async def test_a_token_counts_for_the_visitor_who_showed_it_first(desk: Desk) -> None:
    await at_desk(desk)
    token = signed()
    lien = await press(desk, token)
    assert lien.code == ""
    assert (await press(desk, token, lien.visitor)).code == "", "the same visitor may show it again"
    thief = await press(desk, token)
    assert thief.code == "used"
    assert fields(thief.visitor) == ["name", "email", "subject", "question"]
    await with_key(widget="direct")
    jti = jwt.decode(token, options={"verify_signature": False})["jti"]
    elsewhere = await press(desk, signed(claims(iss="direct", jti=jti)), desk.visitor(widget="direct"))
    assert elsewhere.code == "", "another widget has numbers of its own"


async def test_a_window_belongs_to_one_person(desk: Desk) -> None:
    an = await at_desk(desk)
    lien = await press(desk, signed())
    other = await press(desk, signed(claims(sub="burger-9", name="Piet")), lien.visitor)
    assert other.code == "other_person"
    again = await press(desk, signed(claims(name="Lien Janssens-Maes")), lien.visitor)
    assert again.code == ""
    await lien.visitor.start("Een vraag")
    await taken(an)
    assert "Lien Janssens-Maes" in an.screen.text("#tabs")
    assert "Piet" not in an.screen.text()


async def test_who_is_verified_only_later_is_shown_so_at_once(desk: Desk) -> None:
    an = await at_desk(desk)
    jef = await desk.visitor().begin("Een vraag", name="Jef")
    chat = await taken(an)
    assert (await press(desk, signed(), jef)).code == ""
    await an.open()
    assert an.screen.text(f"#tab-{chat} .tab-name") == "Lien Janssens"
    assert an.screen.has(f"#details-{chat} dd use[href$='#lock']")


async def test_a_signature_is_needed(desk: Desk) -> None:
    await at_desk(desk)
    token = signed()
    head, said, signature = token.split(".")
    await refused(desk, signed(key="x" * 40), "signature")
    await refused(desk, f"{head}.{said}.", "signature")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    await refused(desk, f"{head}.{said}.{flipped}", "signature")
    for alg in ("none", "None", "NONE", "", None, 7, ["HS256"], "HS512"):
        text = await refused(desk, by_hand({"alg": alg, "kid": "site"}, claims()), "algorithm")
        assert "takes HS256 only" in text
    await refused(desk, by_hand({"kid": "site"}, claims()), "algorithm")


async def test_a_public_key_is_no_secret(desk: Desk) -> None:
    """Algorithm confusion: signed by HS256 with what everybody may know."""
    await SigningKey.delete().where(SigningKey.algorithm == "HS256")  # the example site's
    await with_key("RS256", pem(RSA))
    await with_key("ES256", pem(EC), kid="ec")
    for kid, key in (("site", RSA), ("ec", EC)):
        for header in ({"alg": "HS256", "kid": kid}, {"alg": "HS256"}):
            unsigned = by_hand(header, claims()).rstrip(".")
            mac = hmac.new(pem(key).encode(), unsigned.encode(), hashlib.sha256).digest()
            forged = f"{unsigned}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
            await refused(desk, forged, "algorithm")


async def test_a_key_of_another_kind_or_size_is_not_taken(desk: Desk) -> None:
    small = rsa.generate_private_key(65537, 1024)
    other_curve = ec.generate_private_key(ec.SECP384R1())
    for algorithm, material in (
        ("HS256", "te kort"),
        ("HS256", pem(RSA)),
        ("RS256", pem(EC)),
        ("RS256", pem(small)),
        ("ES256", pem(other_curve)),
        ("ES256", "geen sleutel"),
        ("none", SECRET),
        ("HS512", SECRET * 2),
    ):
        with pytest.raises(identity.BadKey):
            await with_key(algorithm, material)


async def test_a_key_that_is_revoked_or_of_another_widget_does_not_count(desk: Desk) -> None:
    await with_key(kid="weg")
    await with_key(kid="elders", widget="direct")
    await SigningKey.update({SigningKey.revoked_at: now()}).where(SigningKey.kid == "weg")
    assert "revoked" in await refused(desk, signed(kid="weg"), "unknown_key")
    assert "not one of" in await refused(desk, signed(kid="elders"), "unknown_key")
    await refused(desk, signed(kid="a\0b"), "unknown_key")
    await refused(desk, signed(kid="\ud800"), "unknown_key")
    await refused(desk, str(jwt.encode(claims(), SECRET)), "signature")  # not by the key of the example site
    await SigningKey.update({SigningKey.revoked_at: now()}).where(SigningKey.revoked_at.is_null())
    await refused(desk, str(jwt.encode(claims(), SECRET)), "no_key")


async def test_what_is_no_token_is_refused(desk: Desk) -> None:
    await at_desk(desk)
    deep = base64.urlsafe_b64encode(b"[" * 3000).decode()
    for junk in ("x", "a.b.c", "..", "é", "{}", "[object Response]", "\x01", f"{deep}.{deep}.x", "undefined"):
        await refused(desk, junk, "malformed")
    await refused(desk, "x" * 8193, "too_long")
    await refused(desk, "x" * 500_000, "too_long")
    no_claims: tuple[object, ...] = ([], "Lien", 7, None)
    for said in no_claims:
        token = jws.encode(json.dumps(said).encode(), SECRET, headers={"kid": "site"})
        await refused(desk, token, "malformed")
    for claims in (b"{", b"[" * 3000, b"\xff", b'{"exp":' + b"9" * 5000 + b"}"):
        await refused(desk, jws.encode(claims, SECRET, headers={"kid": "site"}), "malformed")
    await refused(desk, signed(crit=["x"], x=1), "malformed")


async def test_expired_tokens_are_forgotten_and_others_are_not(desk: Desk, clock: Clock) -> None:
    await with_key()
    await press(desk, signed())
    await identity.forget_expired()
    assert await ShownToken.count() == 1
    clock.shift(400)
    await press(desk, signed())
    await identity.forget_expired()
    assert await ShownToken.count() == 1


# ---- the example site ------------------------------------------------------------------------------------


async def test_the_example_site_vouches_for_its_citizens(desk: Desk) -> None:
    visitor = desk.visitor()
    page = (await visitor.client.get("/demo?citizen=lien")).text
    assert "Aangemeld als <strong>Lien Janssens</strong>" in page
    assert 'data-citizen="lien"' in page
    token = (await visitor.client.get("/demo/token?citizen=lien")).text
    other = (await visitor.client.get("/demo/token?citizen=lien")).text
    assert token != other
    assert (await press(desk, token, visitor)).code == ""
    for nobody in ("", "?citizen=niemand", "?citizen="):
        assert (await visitor.client.get(f"/demo/token{nobody}")).status_code == 404
        page = (await visitor.client.get(f"/demo{nobody}")).text
        assert "Aangemeld als" not in page
        assert "demo.js" not in page


async def test_its_key_is_made_at_the_first_start_and_kept(desk: Desk) -> None:
    from features import demo

    (before,) = await SigningKey.select().where(SigningKey.kid == demo.KID)
    await demo.make_key()
    (after,) = await SigningKey.select().where(SigningKey.kid == demo.KID)
    assert before == after
    assert len(before["material"]) >= 64
