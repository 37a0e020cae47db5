"""Tokens: how a site says who its visitor is (a JWT), judged part by part. No URLs.

    header   alg: HS256, ES256 or RS256, as the key says, and no other; kid: which key, if there are several
    iss      the widget's key
    aud      our own address, BALIE_URL
    exp      at most ten minutes ahead; nbf and iat, if there, not ahead, and iat not longer ago than that
    jti      new for each token: it counts for the visitor who shows it first, and for nobody else
    sub      the host's own id of this person
    name, email, vars    what else it vouches for, if anything; vars is {label: text or number}

What is wrong is said in English, to whoever builds the host page: what it is, and what to do. Nothing is
kept here: `identity` believes a token, `token_check` only explains one.
"""

import contextlib
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from db.clock import now
from db.settings import settings

LIFE_S = 600  # a token is for now
LEEWAY_S = 30  # clocks differ
TOKEN_LENGTH = 8192
ID_LENGTH, NAME_LENGTH, EMAIL_LENGTH = 200, 80, 254
VARIABLES, LABEL_LENGTH, VALUE_LENGTH = 20, 40, 200
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s.]{2,}")
MILLISECONDS = 1e11  # whoever counts in those is here already; seconds take until the year 5138
WHOLE = "Is it whole? It begins with"
READ = ("iss", "aud", "exp", "nbf", "iat", "jti", "sub", "name", "email", "vars")


class BadToken(Exception):
    """Why it is not believed: a code, and a sentence for the developer of the host page."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


@dataclass(frozen=True)
class Claims:
    sub: str
    jti: str
    expires_at: datetime
    name: str
    email: str
    variables: dict[str, str]
    key: int  # that signed it


class Reading:
    """A token, for one widget, by its keys: those that were revoked are among them."""

    def __init__(self, keys: Sequence[dict[str, Any]], token: str, widget: str) -> None:
        self.keys, self.token, self.widget = keys, token.strip(), widget
        self.header: dict[str, Any] = {}
        self.said: dict[str, Any] = {}
        self.signed_by = 0

    def claims(self) -> Claims:
        """What it says, or the first thing that is wrong with it."""
        for _name, bad in self.judged():
            if bad:
                raise bad
        said = self.said
        return Claims(
            exact(said, "sub"),
            exact(said, "jti"),
            ends_at(said),
            line(said, "name", NAME_LENGTH),
            email_in(said),
            variables_in(said),
            self.signed_by,
        )

    def judged(self) -> Iterator[tuple[str, BadToken | None]]:
        """Each part, in order, and what is wrong with it. What cannot be judged without another part is left
        out: anything without the form, the signature without its key."""
        wrong = set()
        for name, check in CHECKS.items():
            if "form" in wrong or (name == "signature" and "key" in wrong):
                continue
            try:
                check(self)
            except BadToken as bad:
                wrong.add(name)
                yield name, bad
            else:
                yield name, None

    @property
    def unread(self) -> list[str]:
        """What it says besides, and nobody looks at: a slip of the pen, perhaps."""
        return [name for name in self.said if name not in READ]


# ---- is it a token? --------------------------------------------------------------------------------------


def check_form(reading: Reading) -> None:
    import jwt  # which few desks need; with what it brings along it weighs nine megabytes

    jws = jwt.PyJWS()
    token = reading.token
    if len(token) > TOKEN_LENGTH:
        raise BadToken(
            "too_long",
            f"The token has {len(token)} characters; at most {TOKEN_LENGTH} are read. Say less in vars.",
        )
    if words := something_else(token):
        raise BadToken("malformed", words)
    try:
        reading.header = dict(jws.get_unverified_header(token))
        payload = jws.decode_complete(token, options={"verify_signature": False})["payload"]
    except jwt.PyJWTError as error:
        raise BadToken("malformed", f"This JWT cannot be read ({error}). {WHOLE} {quoted(token)}") from None
    except (ValueError, TypeError, RecursionError):
        raise BadToken("malformed", f"This JWT cannot be read. {WHOLE} {quoted(token)}") from None
    reading.said = claims_in(payload)


def something_else(token: str) -> str:
    """What identify() is often given instead; "" if it may be a token."""
    if token.startswith("<"):
        return (
            "This is a web page (HTML), not a token. Does the address that identify() fetches from lead to a"
            " page to sign in, or to an error? Let it answer with the token alone; with nothing for who is"
            " not signed in."
        )
    if token.startswith("[object "):
        return (
            f"identify() was given an object, {quoted(token)}, not a token. Give it the text:"
            " fetch(…).then((answer) => answer.text())."
        )
    if token.startswith(("{", "[")):
        return f"This is JSON, not a token: {quoted(token)} Give identify() only the token that is in it."
    if token.startswith(('"', "'")):
        return "The token stands between quotation marks. Give it to identify() without them."
    if token.lower().startswith("bearer"):
        return 'The token begins with "Bearer". Give it to identify() without that word.'
    dots = token.count(".")
    if dots == 4:
        return "The token is encrypted (a JWE, of five parts). Sign it instead: a JWT of three parts."
    if dots != 2:
        return f"This is not a JWT: {quoted(token)} A JWT is one text of three parts, with dots between."
    return ""


def claims_in(payload: bytes) -> dict[str, Any]:
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise BadToken("malformed", "What the token says (its second part) is not a JSON object.")
    return said


# ---- is it what the host signed, for us, now? ------------------------------------------------------------


def check_key(reading: Reading) -> None:
    """The key decides by which algorithm, never the token."""
    algorithm = reading.header.get("alg")
    if not fitting(reading):
        allowed = ", ".join(sorted({key["algorithm"] for key in chosen(reading)}))
        unsigned = isinstance(algorithm, str) and algorithm.lower() in ("", "none")
        how = "not signed" if unsigned or algorithm is None else f"signed with {quoted(algorithm)}"
        raise BadToken(
            "algorithm",
            f"The token is {how} (alg); its key takes {allowed} only. Sign it with that algorithm.",
        )


def fitting(reading: Reading) -> list[dict[str, Any]]:
    return [key for key in chosen(reading) if key["algorithm"] == reading.header.get("alg")]


def chosen(reading: Reading) -> list[dict[str, Any]]:
    """The key that the token names, else all that are in use."""
    kid = reading.header.get("kid")
    named = [key for key in reading.keys if kid is None or key["kid"] == kid]
    in_use = [key for key in named if key["revoked_at"] is None]
    if not in_use and kid is None:
        raise BadToken(
            "no_key", "This widget has no signing key in use. Make one in its settings, under “Signed data”."
        )
    if not in_use:
        state = "has been revoked" if named else "is not one of this widget's"
        raise BadToken(
            "unknown_key",
            f"The signing key {quoted(kid)} (kid) {state}. Sign with one that the widget's settings list,"
            " under “Signed data”.",
        )
    return in_use


def check_signature(reading: Reading) -> None:
    import jwt

    jws = jwt.PyJWS()
    for key in fitting(reading):
        with contextlib.suppress(jwt.PyJWTError, ValueError, TypeError):
            jws.decode(reading.token, key["material"], algorithms=[key["algorithm"]])
            reading.signed_by = key["id"]
            return
    kid = reading.header.get("kid")
    which = "a signing key of this widget" if kid is None else f"the signing key {quoted(kid)}"
    raise BadToken(
        "signature",
        f"The signature does not fit {which}. Is what you sign with the one that belongs to it, whole, and"
        " with no space or line end after it? A secret is used as it stands: it is no base64.",
    )


def check_issuer(reading: Reading) -> None:
    if reading.said.get("iss") != reading.widget:
        is_ = stated(reading.said, "iss")
        raise BadToken("issuer", f"{is_}; it has to be the widget's key, {quoted(reading.widget)}.")


def check_audience(reading: Reading) -> None:
    audience = reading.said.get("aud")
    if settings.url not in (audience if isinstance(audience, list) else [audience]):
        is_ = stated(reading.said, "aud")
        raise BadToken("audience", f'{is_}; it has to be "{settings.url}", to the letter.')


def check_expiry(reading: Reading) -> None:
    ahead = ends_at(reading.said).timestamp() - LEEWAY_S - now().timestamp()
    if ahead < -LEEWAY_S:
        raise BadToken(
            "expired",
            f"The token expired {lasting(-ahead)} ago (exp). Give identify() a function that fetches a fresh"
            f" one at each press. {our_clock()}",
        )
    if ahead > LIFE_S + LEEWAY_S:
        raise BadToken(
            "too_far",
            f"exp is {lasting(ahead)} ahead; at most ten minutes are taken. Let it end five minutes from now."
            f" {our_clock()}",
        )


def check_beginning(reading: Reading) -> None:
    moment = now().timestamp()
    for name in ("nbf", "iat"):
        begins = seconds(reading.said, name)
        if begins is not None and begins > moment + LEEWAY_S:
            raise BadToken(
                "not_yet",
                f"{name} is {lasting(begins - moment)} ahead: the token does not count yet. {our_clock()}",
            )
        if name == "iat" and begins is not None and begins < moment - LIFE_S - LEEWAY_S:
            raise BadToken(
                "too_old",
                f"The token was made {lasting(moment - begins)} ago (iat); it counts for ten minutes. Make"
                f" one at each press. {our_clock()}",
            )


def ends_at(said: dict[str, Any]) -> datetime:
    """When it stops to count, by all clocks."""
    expires = seconds(said, "exp")
    if expires is None:
        raise BadToken("expiry", "exp is missing: the token has to end, within ten minutes.")
    return datetime.fromtimestamp(min(max(expires, 0), MILLISECONDS), UTC) + timedelta(seconds=LEEWAY_S)


def seconds(said: dict[str, Any], name: str) -> float | None:
    value = said.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (isinstance(value, float) and not math.isfinite(value)):
        raise BadToken("expiry", f"{name} is {quoted(value)}; it has to be a number of seconds since 1970.")
    if MILLISECONDS < value < MILLISECONDS * 1000:
        raise BadToken(
            "expiry", f"{name} is {quoted(value)}: these are milliseconds. It counts in seconds since 1970."
        )
    return float(min(max(value, -1e12), 1e15))


def lasting(s: float) -> str:
    """Roughly: 40 s, 12 minutes, 3 hours, 20 days."""
    for unit, each in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if s >= 2 * each:
            return f"{s / each:.0f} {unit}"
    return f"{s:.0f} s"


def our_clock() -> str:
    return f"Is your server's clock right? Ours says {now():%Y-%m-%d %H:%M:%S} UTC."


# ---- what it says of the person --------------------------------------------------------------------------


def exact(said: dict[str, Any], name: str) -> str:
    """An id, as it is."""
    value = said.get(name)
    if value is None or value == "":
        what = "new for each token" if name == "jti" else "your own id of this person"
        raise BadToken(name, f"{name} is missing: {what}, a text of 1 to {ID_LENGTH} characters.")
    if not isinstance(value, str):
        raise BadToken(name, f"{name} is {quoted(value)}; it has to be a text, between quotation marks.")
    if len(value) > ID_LENGTH:
        raise BadToken(name, f"{name} has {len(value)} characters; at most {ID_LENGTH} are taken.")
    if unstorable(value):
        raise BadToken(name, f"{name} has a control character in it: {quoted(value)}.")
    return value


def line(said: dict[str, Any], name: str, most: int) -> str:
    """For people to read; refused rather than cut."""
    value = said.get(name)
    if not isinstance(value, str | None):
        raise BadToken(name, f"{name} is {quoted(value)}; it has to be a text.")
    text = " ".join((value or "").split())
    if len(text) > most:
        raise BadToken(name, f"{name} has {len(text)} characters; at most {most} are taken.")
    if unstorable(text):
        raise BadToken(name, f"{name} has a control character in it: {quoted(text)}.")
    return text


def email_in(said: dict[str, Any]) -> str:
    email = line(said, "email", EMAIL_LENGTH)
    if email and not EMAIL.fullmatch(email):
        raise BadToken(
            "email", f"email is not an e-mail address: {quoted(email)}. Leave it out if you have none."
        )
    return email


def variables_in(said: dict[str, Any]) -> dict[str, str]:
    """By label, in the host's order."""
    given = said.get("vars", {})
    if not isinstance(given, dict):
        raise BadToken("vars", f"vars is {quoted(given)}; it has to be an object of labels and their values.")
    if len(given) > VARIABLES:
        raise BadToken("vars", f"vars has {len(given)} labels; at most {VARIABLES} are taken.")
    found = {}
    for label, value in given.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        try:
            shown = line({"the label": label}, "the label", LABEL_LENGTH)
            found[shown] = line({"the value": value}, "the value", VALUE_LENGTH)
        except BadToken as bad:
            raise BadToken("vars", f"In vars, at {quoted(label)}: {bad.text}") from None
    return {label: value for label, value in found.items() if label and value}


def unstorable(text: str) -> bool:
    """Control characters and halves of characters."""
    return any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def stated(said: dict[str, Any], name: str) -> str:
    return f"{name} is {quoted(said[name])}" if said.get(name) is not None else f"{name} is missing"


def quoted(value: Any) -> str:
    """Of what came, enough to recognise it."""
    plain = value is None or isinstance(value, str | int | float)
    text = plain_json(value) if plain else f"an {'array' if isinstance(value, list) else 'object'}"
    return text if len(text) <= 60 else f"{text[:57]}…"


def plain_json(value: Any, **how: Any) -> str:
    """To be read by people; halves of characters are spelt out."""
    return json.dumps(value, ensure_ascii=False, **how).encode(errors="backslashreplace").decode()


CHECKS: dict[str, Callable[[Reading], object]] = {
    "form": check_form,
    "key": check_key,
    "signature": check_signature,
    "iss": check_issuer,
    "aud": check_audience,
    "exp": check_expiry,
    "iat": check_beginning,
    "jti": lambda reading: exact(reading.said, "jti"),
    "sub": lambda reading: exact(reading.said, "sub"),
    "name": lambda reading: line(reading.said, "name", NAME_LENGTH),
    "email": lambda reading: email_in(reading.said),
    "vars": lambda reading: variables_in(reading.said),
}
