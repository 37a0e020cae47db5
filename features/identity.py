"""Identity: who a visitor is, when the host page knows: it hands over a signed token (`tokens`).

The window sends it with the press (`arrival`). A token that cannot be believed is explained to the page's
developer, in English, and the chat goes on without it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from litestar.exceptions import NotFoundException

import db
from db.clock import now
from db.tables import Chat, Identity, ShownToken, SigningKey
from features import audit, live, rounds
from features.access import Person
from features.participations import taking_part
from features.routing import ChatChanged
from features.tokens import BadToken, Claims, Reading
from features.widget import WidgetFacts

SECRET_BYTES, RSA_BITS = 32, 2048
CLEAN_EVERY_S = 300
USED_MINUTES = 60
ALGORITHMS = ("HS256", "ES256", "RS256")
USED = (
    "Another visitor has shown this token before. Make one at each press, with a jti of its own; and let no"
    " cache keep the answer of your server (Cache-Control: no-store)."
)

log = structlog.get_logger(__name__)


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


# ---- a token is shown ------------------------------------------------------------------------------------


async def read(found: WidgetFacts, token: str) -> Claims:
    """What it says; nothing is kept. Or why it is not to be believed, as an exception."""
    try:
        return Reading(await keys_of(found.id), token, found.key).claims()
    except BadToken as bad:
        log.info("a signed token was refused", widget=found.key, code=bad.code)
        raise


async def show(found: WidgetFacts, visitor: int, claims: Claims) -> BadToken | None:
    """Believe it from now on, or say why not. Nothing else changes either way."""
    try:
        async with db.transaction():
            await bind(found.id, visitor, claims)
            await keep(found, visitor, claims)
            await mark_used(claims.key)
    except BadToken as bad:
        log.info("a signed token was refused", widget=found.key, code=bad.code)
        return bad
    return None


async def keys_of(widget: int) -> list[dict[str, Any]]:
    return await SigningKey.select().where(SigningKey.widget == widget).order_by(SigningKey.id)


async def mark_used(key: int) -> None:
    """Once an hour is enough to know whether anybody still signs with it."""
    lately = SigningKey.used_at > now() - timedelta(minutes=USED_MINUTES)
    if not await SigningKey.exists().where(SigningKey.id == key).where(lately):
        await SigningKey.update({SigningKey.used_at: now()}).where(SigningKey.id == key)


async def bind(widget: int, visitor: int, claims: Claims) -> None:
    await is_first_shown(widget, visitor, claims)
    row = await shown(widget, claims.jti).first()
    if row is None or row["visitor"] != visitor:
        raise BadToken("used", USED)


async def is_first_shown(widget: int, visitor: int, claims: Claims) -> bool:
    """Whether nobody has shown it before; from now on it counts for this visitor alone."""
    return bool(
        await db.sql(
            "INSERT INTO shown_token (widget, jti, visitor, expires_at) VALUES ({}, {}, {}, {})"
            " ON CONFLICT (widget, jti) DO NOTHING RETURNING id",
            *(widget, claims.jti, visitor, claims.expires_at),
        )
    )


def shown(widget: int, jti: str) -> Any:
    return ShownToken.select(ShownToken.visitor).where(ShownToken.widget == widget, ShownToken.jti == jti)


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
            "This window belongs to another person (sub) already. The next conversation takes the new token.",
        )
    await name_chat(visitor, claims)


async def name_chat(visitor: int, claims: Claims) -> None:
    known: dict[Any, str] = {Chat.visitor_name: claims.name, Chat.visitor_email: claims.email}
    if not (changes := {column: value for column, value in known.items() if value}):
        return
    open_one = Chat.update(changes).where(Chat.visitor == visitor).where(Chat.state != "ended")
    for row in await open_one.returning(Chat.id):
        db.after_commit(partial(live.publish, f"chat:{row['id']}", ChatChanged(row["id"])))


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
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

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


async def forget_expired() -> None:
    await ShownToken.delete().where(ShownToken.expires_at < now())


tasks = [rounds.every(CLEAN_EVERY_S, forget_expired)]
