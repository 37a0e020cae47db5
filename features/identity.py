"""Identity: who a visitor is, when the host page knows: it hands over a signed token (a JWT).

    header   alg: HS256, ES256 or RS256, as the key says, and no other; kid: which key, if there are several
    iss      the widget's key
    aud      our own address, BALIE_URL
    exp      at most ten minutes ahead; nbf and iat, if there, not ahead
    jti      new for each token: it counts for the visitor who shows it first, and for nobody else
    sub      the host's own id of this person
    name, email, vars    what else it vouches for, if anything; vars is {label: text or number}

The window sends it with the press (`arrival`). A token that cannot be believed is explained to the page's
developer, in English, and the chat goes on without it.
"""

import asyncio
import contextlib
import json
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import jwt
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from litestar.exceptions import NotFoundException

import db
from db.clock import now
from db.settings import settings
from db.tables import Chat, Identity, ShownToken, SigningKey
from features import audit, live
from features.access import Person
from features.participations import taking_part
from features.routing import ChatChanged
from features.widget import WidgetFacts

LIFE_S = 600  # a token is for now
LEEWAY_S = 30  # clocks differ
TOKEN_LENGTH = 8192
ID_LENGTH, NAME_LENGTH, EMAIL_LENGTH = 200, 80, 254
VARIABLES, LABEL_LENGTH, VALUE_LENGTH = 20, 40, 200
SECRET_BYTES, RSA_BITS = 32, 2048
CLEAN_EVERY_S = 300
USED_MINUTES = 60
ALGORITHMS = ("HS256", "ES256", "RS256")
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s.]{2,}")

log = structlog.get_logger(__name__)
jws = jwt.PyJWS()


@dataclass(frozen=True)
class Verified:
    """What a host page has vouched for. Empty is what it did not say."""

    sub: str
    name: str
    email: str
    variables: dict[str, str]
    site: str

    @property
    def given(self) -> set[str]:
        """The fields of the form that need not be asked."""
        return {field for field in ("name", "email") if getattr(self, field)}


class BadToken(Exception):
    """Why it is not believed: a code, and a sentence for the developer of the host page."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


# ---- a token is shown ------------------------------------------------------------------------------------


async def show(found: WidgetFacts, visitor: int, token: str) -> BadToken | None:
    """Believe it from now on, or say why not. Nothing else changes either way."""
    try:
        claims = await verified(found, token)
        async with db.transaction():
            await bind(found.id, visitor, claims)
            await keep(found, visitor, claims)
            await mark_used(claims.key)
    except BadToken as bad:
        log.info("a signed token was refused", widget=found.key, code=bad.code)
        return bad
    return None


@dataclass(frozen=True)
class Claims:
    sub: str
    jti: str
    expires_at: datetime
    name: str
    email: str
    variables: dict[str, str]
    key: int  # that signed it


async def verified(found: WidgetFacts, token: str) -> Claims:
    keys = await SigningKey.select().where(SigningKey.widget == found.id).order_by(SigningKey.id)
    said, key = signed_by_one_of(keys, token)
    check_for_whom(said, found.key)
    expires_at = check_when(said)
    return Claims(
        exact(said, "sub"),
        exact(said, "jti"),
        expires_at,
        line(said, "name", NAME_LENGTH),
        email_in(said),
        variables_in(said),
        key,
    )


async def mark_used(key: int) -> None:
    """Once an hour is enough to know whether anybody still signs with it."""
    lately = SigningKey.used_at > now() - timedelta(minutes=USED_MINUTES)
    if not await SigningKey.exists().where(SigningKey.id == key).where(lately):
        await SigningKey.update({SigningKey.used_at: now()}).where(SigningKey.id == key)


async def bind(widget: int, visitor: int, claims: Claims) -> None:
    await db.sql(
        "INSERT INTO shown_token (widget, jti, visitor, expires_at) VALUES ({}, {}, {}, {})"
        " ON CONFLICT (widget, jti) DO NOTHING",
        *(widget, claims.jti, visitor, claims.expires_at),
    )
    first = ShownToken.select(ShownToken.visitor).where(ShownToken.widget == widget)
    row = await first.where(ShownToken.jti == claims.jti).first()
    if row is None or row["visitor"] != visitor:
        raise BadToken(
            "used", "Another visitor has shown this token before. Make one for each press, with its own jti."
        )


async def keep(found: WidgetFacts, visitor: int, claims: Claims) -> None:
    """One person per visitor's key. A chat that has begun takes the name over at once."""
    variables = json.dumps(claims.variables, ensure_ascii=False)
    kept = await db.sql(
        "INSERT INTO identity (visitor, widget, sub, name, email, variables, site, verified_at)"
        " VALUES ({}, {}, {}, {}, {}, {}, {}, {}) ON CONFLICT (visitor) DO UPDATE SET name = EXCLUDED.name,"
        " email = EXCLUDED.email, variables = EXCLUDED.variables, site = EXCLUDED.site,"
        " verified_at = EXCLUDED.verified_at WHERE identity.sub = EXCLUDED.sub RETURNING id",
        *(visitor, found.id, claims.sub, claims.name, claims.email, variables, found.name, now()),
    )
    if not kept:
        raise BadToken(
            "other_person",
            "This window already belongs to another sub. The next conversation takes the new token.",
        )
    await name_chat(visitor, claims)


async def name_chat(visitor: int, claims: Claims) -> None:
    known: dict[Any, str] = {Chat.visitor_name: claims.name, Chat.visitor_email: claims.email}
    if not (changes := {column: value for column, value in known.items() if value}):
        return
    open_one = Chat.update(changes).where(Chat.visitor == visitor).where(Chat.state != "ended")
    for row in await open_one.returning(Chat.id):
        db.after_commit(partial(live.publish, f"chat:{row['id']}", ChatChanged(row["id"])))


# ---- is it what the host signed, for us, now? ------------------------------------------------------------


def signed_by_one_of(keys: Sequence[dict[str, Any]], token: str) -> tuple[dict[str, Any], int]:
    """What the token says, and the id of the key that it fits. The key decides by which
    algorithm, never the token."""
    header = header_of(token)
    fitting = [key for key in chosen(keys, header.get("kid")) if key["algorithm"] == header.get("alg")]
    if not fitting:
        allowed = ", ".join(sorted({key["algorithm"] for key in chosen(keys, header.get("kid"))}))
        raise BadToken(
            "algorithm",
            f"The token is signed with {quoted(header.get('alg'))}; its key takes {allowed} only.",
        )
    for key in fitting:
        with contextlib.suppress(jwt.PyJWTError, ValueError, TypeError):
            payload = jws.decode(token, key["material"], algorithms=[key["algorithm"]])
            return claims_in(payload), key["id"]
    raise BadToken("signature", "The signature does not fit the signing key of this widget.")


def header_of(token: str) -> dict[str, Any]:
    if len(token) > TOKEN_LENGTH:
        raise BadToken("too_long", f"The token has {len(token)} characters; at most {TOKEN_LENGTH} are read.")
    try:
        return dict(jws.get_unverified_header(token))
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise BadToken("malformed", f"This is not a JWT: {quoted(token)}") from None


def chosen(keys: Sequence[dict[str, Any]], kid: str | None) -> list[dict[str, Any]]:
    """The one that the token names, else all that are in use."""
    named = [key for key in keys if kid is None or key["kid"] == kid]
    in_use = [key for key in named if key["revoked_at"] is None]
    if not in_use and kid is None:
        raise BadToken("no_key", "This widget has no signing key: make one in its settings.")
    if not in_use:
        state = "has been revoked" if named else "is not one of this widget's"
        raise BadToken("unknown_key", f"The signing key {quoted(kid)} (kid) {state}.")
    return in_use


def claims_in(payload: bytes) -> dict[str, Any]:
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise BadToken("malformed", "The token is signed, but what it says is not a JSON object.")
    return said


def check_for_whom(said: dict[str, Any], key: str) -> None:
    if said.get("iss") != key:
        raise BadToken(
            "issuer", f"iss is {quoted(said.get('iss'))}; it has to be the widget's key, {quoted(key)}."
        )
    audience = said.get("aud")
    if settings.url not in (audience if isinstance(audience, list) else [audience]):
        raise BadToken("audience", f"aud is {quoted(audience)}; it has to be {quoted(settings.url)}.")


def check_when(said: dict[str, Any]) -> datetime:
    """When it stops to count, by all clocks."""
    moment = now().timestamp()
    expires = seconds(said, "exp")
    if expires is None:
        raise BadToken("expiry", "exp is missing: the token has to end, within ten minutes.")
    if expires < moment - LEEWAY_S:
        raise BadToken(
            "expired", "The token has expired. Give identify() a function that fetches a fresh one."
        )
    if expires > moment + LIFE_S + LEEWAY_S:
        raise BadToken("too_far", "exp is more than ten minutes ahead.")
    for name in ("nbf", "iat"):
        begins = seconds(said, name)
        if begins is not None and begins > moment + LEEWAY_S:
            raise BadToken("not_yet", f"{name} is ahead: the token does not count yet. Is your clock right?")
    return datetime.fromtimestamp(expires, UTC) + timedelta(seconds=LEEWAY_S)


def seconds(said: dict[str, Any], name: str) -> float | None:
    value = said.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (isinstance(value, float) and not math.isfinite(value)):
        raise BadToken("expiry", f"{name} is {quoted(value)}; it has to be a number of seconds since 1970.")
    return float(min(max(value, -1e12), 1e12))


# ---- what it says of the person --------------------------------------------------------------------------


def exact(said: dict[str, Any], name: str) -> str:
    """An id, as it is."""
    value = said.get(name)
    if not isinstance(value, str) or not value or len(value) > ID_LENGTH or unstorable(value):
        raise BadToken(
            name, f"{name} has to be a text of 1 to {ID_LENGTH} characters; it is {quoted(value)}."
        )
    return value


def line(said: dict[str, Any], name: str, most: int) -> str:
    """For people to read; refused rather than cut."""
    value = said.get(name)
    text = " ".join(value.split()) if isinstance(value, str) else "" if value is None else None
    if text is None or len(text) > most or unstorable(text):
        raise BadToken(name, f"{name} has to be a text of at most {most} characters; it is {quoted(value)}.")
    return text


def email_in(said: dict[str, Any]) -> str:
    email = line(said, "email", EMAIL_LENGTH)
    if email and not EMAIL.fullmatch(email):
        raise BadToken("email", f"email is not an e-mail address: {quoted(email)}.")
    return email


def variables_in(said: dict[str, Any]) -> dict[str, str]:
    """By label, in the host's order."""
    given = said.get("vars", {})
    if not isinstance(given, dict) or len(given) > VARIABLES:
        raise BadToken("vars", f"vars has to be an object of at most {VARIABLES} labels and values.")
    found = {}
    for label, value in given.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        try:
            shown = line({"label": label}, "label", LABEL_LENGTH)
            found[shown] = line({"value": value}, "value", VALUE_LENGTH)
        except BadToken as bad:
            raise BadToken("vars", f"In vars, at {quoted(label)}: {bad.text}") from None
    return {label: value for label, value in found.items() if label and value}


def unstorable(text: str) -> bool:
    """Control characters and halves of characters."""
    return any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def quoted(value: Any) -> str:
    """Of what came, enough to recognise it."""
    plain = value is None or isinstance(value, str | int | float)
    text = json.dumps(value) if plain else f"an {'array' if isinstance(value, list) else 'object'}"
    return text if len(text) <= 60 else f"{text[:57]}…"


# ---- keys ------------------------------------------------------------------------------------------------


class BadKey(ValueError):
    """Why a key cannot be used."""


async def add_key(widget: int, kid: str, algorithm: str, material: str) -> None:
    """HS256: a secret that both sides know; ES256 and RS256: the host's public key, as PEM."""
    if problem := problem_with(algorithm, material):
        raise BadKey(problem)
    await SigningKey.insert(
        SigningKey(widget=widget, kid=kid, algorithm=algorithm, material=material, created_at=now())
    )


def problem_with(algorithm: str, material: str) -> str:
    """ "", or why not, as a code."""
    if algorithm == "HS256":
        return "" if len(material.encode()) >= SECRET_BYTES and "-----BEGIN" not in material else "secret"
    try:
        key = load_pem_public_key(material.encode())
    except (ValueError, UnsupportedAlgorithm):
        return "not_a_public_key"
    if algorithm == "ES256":
        return (
            "" if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else "not_p256"
        )
    if algorithm == "RS256":
        return "" if isinstance(key, RSAPublicKey) and key.key_size >= RSA_BITS else "not_rsa"
    return "algorithm"


# ---- what other features ask -----------------------------------------------------------------------------


async def of_visitor(visitor: int | None) -> Verified | None:
    if visitor is None:
        return None
    row = await Identity.select().where(Identity.visitor == visitor).first()
    return facts(row) if row else None


async def of_chats(chats: Sequence[int]) -> dict[int, Verified]:
    """Of those whose visitor has been vouched for."""
    if not chats:
        return {}
    places = ", ".join("{}" for _chat in chats)
    rows = await db.sql(
        "SELECT chat.id AS chat, identity.sub, identity.name, identity.email, identity.variables,"  # noqa: S608
        " identity.site FROM chat JOIN identity ON identity.visitor = chat.visitor"
        f" WHERE chat.id IN ({places})",
        *chats,
    )
    return {row["chat"]: facts(row) for row in rows}


async def earlier_chats(chat: int, most: int) -> list[dict[str, Any]]:
    """Those that the same person has had at the same widget and that are over, the last one first."""
    return await db.sql(
        "SELECT other.id, other.started_at, queue.name AS queue FROM chat"
        " JOIN identity ON identity.visitor = chat.visitor"
        " JOIN identity AS same ON same.widget = identity.widget AND same.sub = identity.sub"
        " JOIN chat AS other ON other.visitor = same.visitor JOIN queue ON queue.id = other.queue"
        " WHERE chat.id = {} AND other.id <> chat.id AND other.state = 'ended'"
        " AND other.started_at IS NOT NULL ORDER BY other.started_at DESC, other.id DESC LIMIT {}",
        *(chat, most),
    )


async def may_look_back(agent: int, chat: int) -> bool:
    """The agent talks, now, with the verified person whose earlier chat this is."""
    rows = await db.sql(
        "SELECT chat.id FROM chat JOIN identity ON identity.visitor = chat.visitor"
        " JOIN identity AS same ON same.widget = identity.widget AND same.sub = identity.sub"
        " JOIN chat AS running ON running.visitor = same.visitor AND running.state = 'active'"
        " JOIN participation ON participation.chat = running.id AND participation.left_at IS NULL"
        " WHERE chat.id = {} AND chat.state = 'ended' AND chat.started_at IS NOT NULL"
        " AND participation.agent = {}",
        *(chat, agent),
    )
    return bool(rows)


async def reading(person: Person, chat: int, about: str = "") -> None:
    """For whoever may read this chat; who is not in it is written down. Else it is not there."""
    if not await is_readers_own(person, chat):
        async with db.transaction():
            await audit.note(person.id, "looked", about or f"chat:{chat}")


async def is_readers_own(person: Person, chat: int) -> bool:
    """Of whoever is or was in this chat, or talks with the same verified person. It is there, too, for who
    may read the log, or leads the desk while it goes on; for nobody else."""
    try:
        if "chat" not in person.permissions:
            raise NotFoundException
        if not await may_look_back(person.id, chat):
            await taking_part(person, chat, or_did=True)
    except NotFoundException:
        if "read_log" not in person.permissions and not await leads(person, chat):
            raise
        return False
    return True


async def leads(person: Person, chat: int) -> bool:
    goes_on = Chat.exists().where(Chat.id == chat).where(Chat.state.is_in(["waiting", "active"]))
    return "supervise" in person.permissions and await goes_on


def facts(row: dict[str, Any]) -> Verified:
    return Verified(row["sub"], row["name"], row["email"], json.loads(row["variables"]), row["site"])


# ---- tokens that no longer count need not be remembered --------------------------------------------------


async def forget_tokens(stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await forget_expired()
        except Exception:  # the next look may succeed
            log.exception("expired tokens were not forgotten")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), CLEAN_EVERY_S)


async def forget_expired() -> None:
    await ShownToken.delete().where(ShownToken.expires_at < now())


tasks = [forget_tokens]
