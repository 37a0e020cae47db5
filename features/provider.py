"""Provider: what is said between this desk and the provider of the organisation's sign-in (OpenID Connect).

The authorization code flow with PKCE (RFC 7636), as OpenID Connect Core 1.0 has it. authlib speaks it and
checks what a token claims, joserfc its signature. Nothing is asked of anybody unless BALIE_OIDC_ISSUER is
set. What the provider publishes of itself is kept for an hour; a key that is not among its keys makes us look
again, once a minute at most. The libraries are loaded when somebody signs in so: most desks have no provider.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import structlog

from db.clock import now
from db.settings import settings

if TYPE_CHECKING:
    from joserfc import jwk, jwt

TIMEOUT_S = 8  # for each step of a request
WHOLE_S = 15
KNOWN_S = 3_600
KEYS_AGAIN_S = 60
LEEWAY_S = 60  # that two clocks may differ
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
PUBLIC = ("RSA", "EC", "OKP")  # a shared secret among its keys would let everybody sign
NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
SUBJECT_LENGTH = 255

log = structlog.get_logger(__name__)


class Fault(Exception):
    """`code`: away, late, unaccepted, clock, untrusted."""

    def __init__(self, code: str, why: object = "") -> None:
        super().__init__(code)
        self.code = code
        log.warning("signing in through the provider failed", code=code, why=str(why)[:200])


@dataclass
class Known:
    """What the provider has published of itself."""

    issuer: str
    facts: dict[str, Any]
    keys: "jwk.KeySet"
    read_s: float
    keys_read_s: float


known: Known | None = None
reading = asyncio.Lock()


def return_address() -> str:
    """Where the provider sends people back to; it has to be told beforehand."""
    return f"{settings.url}/session/oidc/return"


async def address(state: str, nonce: str, verifier: str) -> str:
    """Where somebody goes to sign in."""
    facts = (await read()).facts
    async with client() as speaker:
        url, _state = speaker.create_authorization_url(
            facts["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
        )
    return str(url)


async def farewell() -> str:
    """Where somebody is signed out there too; "" if it has no such place or does not answer."""
    try:
        place = (await read()).facts.get("end_session_endpoint", "")
    except Fault:
        return ""
    if not is_safe(place):
        return ""
    back = {"client_id": settings.oidc_client_id, "post_logout_redirect_uri": f"{settings.url}/console"}
    return f"{place}{'&' if '?' in place else '?'}{urlencode(back)}"


async def person_of(code: str, verifier: str, nonce: str) -> dict[str, Any]:
    """What the provider says of whoever came back with this code. A code works once: the provider sees to
    that."""
    from authlib.integrations.base_client import OAuthError
    from httpx2 import HTTPError, InvalidURL

    facts = (await read()).facts
    async with client() as speaker:
        try:
            async with asyncio.timeout(WHOLE_S):
                token = await speaker.fetch_token(
                    facts["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=verifier,
                )
        except OAuthError as fault:
            raise Fault("late" if fault.error == "invalid_grant" else "unaccepted", fault.error) from None
        except (HTTPError, InvalidURL, TimeoutError, ValueError) as fault:
            raise Fault("away", type(fault).__name__) from None
        if not isinstance(token.get("id_token"), str):
            raise Fault("untrusted", "no id_token")
        claims = await verified(token["id_token"], nonce, token.get("access_token"))
        return {**await more_of(speaker, facts, claims), **claims}


async def more_of(speaker: Any, facts: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any]:
    """Some providers tell the e-mail address or the groups only to who asks for them."""
    from authlib.integrations.base_client import OAuthError
    from httpx2 import HTTPError

    place = facts.get("userinfo_endpoint", "")
    if {"email", settings.oidc_groups_claim} <= claims.keys() or not is_safe(place):
        return {}
    try:
        async with asyncio.timeout(WHOLE_S):
            told = (await speaker.get(place)).raise_for_status().json()
    except (HTTPError, OAuthError, TimeoutError, ValueError) as fault:
        raise Fault("away", type(fault).__name__) from None
    if not isinstance(told, dict) or told.get("sub") != claims["sub"]:
        raise Fault("untrusted", "userinfo is about somebody else")
    if "email" in claims:  # the two belong together
        told.pop("email_verified", None)
    return told


# ---- the token ---------------------------------------------------------------------------------------------


async def verified(token: str, nonce: str, access_token: object) -> dict[str, Any]:
    """Its claims, if it is signed by this provider, for this desk, for this visit, and now."""
    from authlib.oidc.core import CodeIDToken
    from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError

    decoded = await signed(token)
    said = {
        "iss": {"essential": True, "value": settings.oidc_issuer},
        "aud": {"essential": True, "value": settings.oidc_client_id},
    }
    asked = {"nonce": nonce, "client_id": settings.oidc_client_id, "access_token": access_token}
    try:
        claims = CodeIDToken(decoded.claims, decoded.header, said, asked)
        claims.validate(now=int(now().timestamp()), leeway=LEEWAY_S)
    except ExpiredTokenError:
        raise Fault("clock", "expired") from None
    except InvalidClaimError as fault:
        raise Fault("clock" if fault.claim in ("iat", "nbf") else "untrusted", fault) from None
    except (JoseError, ValueError, TypeError) as fault:
        raise Fault("untrusted", fault) from None
    if not 0 < len(claims["sub"]) <= SUBJECT_LENGTH:
        raise Fault("untrusted", "sub")
    return dict(claims)


async def signed(token: str) -> "jwt.Token":
    from joserfc import jwt
    from joserfc.errors import InvalidKeyIdError, JoseError

    found = await read()
    try:
        try:
            return jwt.decode(token, found.keys, algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            await read_keys_again(found)
            return jwt.decode(token, found.keys, algorithms=ALGORITHMS)
    except (JoseError, ValueError, TypeError) as fault:
        raise Fault("untrusted", fault) from None


# ---- what it publishes -------------------------------------------------------------------------------------


async def read() -> Known:
    global known
    async with reading:
        fresh = known and known.issuer == settings.oidc_issuer and age(known.read_s) < KNOWN_S
        if known is None or not fresh:
            facts = await fetch(f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration")
            if facts.get("issuer") != settings.oidc_issuer:
                raise Fault("untrusted", "it calls itself otherwise")
            if not all(is_safe(facts.get(each, "")) for each in NEEDED):
                raise Fault("untrusted", "endpoints")
            known = Known(settings.oidc_issuer, facts, await keys_at(facts), monotonic(), monotonic())
        return known


async def read_keys_again(found: Known) -> None:
    async with reading:
        if age(found.keys_read_s) >= KEYS_AGAIN_S:
            found.keys_read_s = monotonic()
            found.keys = await keys_at(found.facts)


async def keys_at(facts: dict[str, Any]) -> "jwk.KeySet":
    """Those that one can check a signature with; what we cannot read is none."""
    from joserfc import jwk
    from joserfc.errors import JoseError

    told = (await fetch(facts["jwks_uri"])).get("keys", [])
    keys = []
    for each in told if isinstance(told, list) else []:
        if isinstance(each, dict) and each.get("kty") in PUBLIC and each.get("use", "sig") == "sig":
            try:
                keys.append(jwk.import_key(each))
            except (JoseError, ValueError, TypeError, KeyError):
                log.warning("a key of the provider cannot be read", kid=str(each.get("kid"))[:100])
    return jwk.KeySet(keys)


async def fetch(url: str) -> dict[str, Any]:
    from httpx2 import HTTPError, InvalidURL

    async with client() as speaker:
        try:
            async with asyncio.timeout(WHOLE_S):
                told = (await speaker.request("GET", url, withhold_token=True)).raise_for_status().json()
        except (HTTPError, InvalidURL, TimeoutError, ValueError) as fault:
            raise Fault("away", type(fault).__name__) from None
    if not isinstance(told, dict):
        raise Fault("untrusted", "no object")
    return told


def client() -> Any:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

    return AsyncOAuth2Client(
        settings.oidc_client_id,
        settings.oidc_client_secret or None,
        scope=settings.oidc_scopes,
        redirect_uri=return_address(),
        code_challenge_method="S256",
        timeout=TIMEOUT_S,
        follow_redirects=False,
    )


def is_safe(url: object) -> bool:
    """https, as the issuer is; or plain on this very machine, as the issuer is."""
    return isinstance(url, str) and urlsplit(url).scheme in ("https", urlsplit(settings.oidc_issuer).scheme)


def monotonic() -> float:
    """Seconds that a test may shift along with the desk's clock."""
    return now().timestamp()


def age(since_s: float) -> float:
    return monotonic() - since_s


routes: list[Any] = []
