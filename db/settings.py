"""Settings of this installation, from the environment: BALIE_URL, BALIE_PORT and so on.

`from db.settings import settings` anywhere; `settings.load(os.environ, port=9000)` puts new values into that
same object. Each field below is a setting: its name in capitals after BALIE_, its default, and its line in
the README and `--help`. What an admin can change while the desk is open is not here but in the database.
"""

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from db import clock

HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d*)?")


class BadSetting(ValueError):
    """A setting that cannot be used; the message says which one and why."""


def _setting(about: str, read: Callable[[str], Any], default: str = "", shown: str = "") -> Any:
    shown = shown or default
    return field(init=False, metadata={"about": about, "read": read, "default": default, "shown": shown})


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 65536):
        raise ValueError("not a port number")
    return int(text)


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise ValueError("not a whole number from 1 up")
    return int(text)


def _url(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise ValueError("does not begin with http:// or https://")
    parts = urlsplit(text)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("there is something behind the host: Balie is served at the root of one")
    return text.rstrip("/")


def _database_url(text: str) -> str:
    if text and not text.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise ValueError("does not begin with sqlite:/// or postgresql://")
    if not text.startswith("sqlite:"):
        _parts(text)
    return text


def _parts(text: str) -> SplitResult:
    """Of an address with a password in it, no part of which is to be taken for something else, and shown."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(text)
        hosts = parts.netloc.rpartition("@")[2].split(",")
        if all(map(HOST.fullmatch, hosts)) and not parts.fragment and "@" not in parts.path + parts.query:
            return parts
    raise ValueError("write # / ? @ : in a user name or a password as %23 %2F %3F %40 %3A")


def _smtp_url(text: str) -> str:
    if not text:
        return ""
    parts = _parts(text)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("does not look like smtp://host:25 or smtps://user:password@host")
    if parts.query not in ("", "starttls=0", "starttls=1") or parts.path.strip("/"):
        raise ValueError("after the host there can only be ?starttls=1")
    if parts.port == 0:
        raise ValueError("not a port number")
    return text


def _provider_url(text: str) -> str:
    """Kept as it is: what the provider calls itself has to be the same, to the last stroke."""
    parts = urlsplit(text)
    here = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if text and not (parts.hostname and (parts.scheme == "https" or here)):
        raise ValueError("does not begin with https://")
    return text


def _mail_address(text: str) -> str:
    if text and not re.fullmatch(r"[^@\s<>\"(),:;]+@[A-Za-z0-9.-]+", text):
        raise ValueError("not an e-mail address")
    return text


def _language(text: str) -> str:
    if text not in ("nl", "fr", "de", "en"):
        raise ValueError("not nl, fr, de or en")
    return text


def _token(text: str) -> str:
    if text and not re.fullmatch(r"[!-~]{16,}", text):
        raise ValueError("not 16 characters or more, without spaces")
    return text


def _level(text: str) -> str:
    if text.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("not debug, info, warning or error")
    return text.lower()


def _form(text: str) -> str:
    if text not in ("text", "json"):
        raise ValueError("not text or json")
    return text


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _networks(text: str) -> list[str]:
    return [str(ip_network(part)) for part in text.replace(",", " ").split()]


# May hold a password: not to be repeated, not even where it is wrong.
SECRET = ("database_url", "smtp_url", "oidc_client_secret", "metrics_token", "demo_password")


# Of bin/ and deploy/, and of the program before this one.
BESIDE = {"BALIE_VENV", "BALIE_TEST_VENV", "BALIE_DOMAIN", "BALIE_UPSTREAM", "BALIE_HANDED_OVER"}


@dataclass(frozen=True)
class Settings:
    url: str = _setting(
        "the address people use, for the snippet, links and mails; https:// makes cookies secure",
        _url,
        shown="http://localhost:{port}",
    )
    host: str = _setting("the address to listen on", str, "127.0.0.1")
    port: int = _setting("the port to listen on", _port, "8000")
    workers: int = _setting("how many processes serve the desk; more than one needs PostgreSQL", _count, "1")
    data: Path = _setting("the directory of the embedded database and of attachments", Path, "data")  # noqa: RUF009
    database_url: str = _setting(
        "sqlite:///path or postgresql://user:password@host/name",
        _database_url,
        shown="sqlite:///{data}/balie.sqlite3",
    )
    language: str = _setting(
        "the language of a new desk (nl, fr, de or en); later its settings page says", _language, "nl"
    )
    starts_per_address: int = _setting(
        "how many chats may be started in ten minutes from one address, such as a library's",
        _count,
        "20",
    )
    session_hours: int = _setting("how long a sign-in lasts", _count, "12")
    trusted_proxies: list[str] = _setting(  # noqa: RUF009
        "addresses or networks of proxies whose X-Forwarded-For is believed", _networks, shown="none"
    )
    desk_name: str = _setting("what a new desk is called at its first start", str, "Balie")
    smtp_url: str = _setting(
        "the mail server, such as smtp://user:password@host:587?starttls=1 or smtps://host; without it no mail is offered",  # noqa: E501
        _smtp_url,
        shown="none",
    )
    mail_from: str = _setting(
        "the address that mail comes from", _mail_address, shown="balie@ and the host of BALIE_URL"
    )
    oidc_issuer: str = _setting(
        "the OpenID Connect provider that people may sign in with, such as https://login.example.org/realms/town",
        _provider_url,
        shown="none",
    )
    oidc_client_id: str = _setting("what that provider calls this desk", str, shown="none")
    oidc_client_secret: str = _setting(
        "the secret that it shares with this desk; a client without one uses PKCE alone", str, shown="none"
    )
    oidc_name: str = _setting(
        "what people call that provider, on the button to sign in with", str, shown="the host of the issuer"
    )
    oidc_scopes: str = _setting("what that provider is asked for", str, "openid email profile")
    oidc_groups_claim: str = _setting("where it says which groups somebody is in", str, "groups")
    metrics_token: str = _setting(
        "what a monitor has to know to read /metrics, 16 characters or more; without it there are none",
        _token,
        shown="none",
    )
    log_level: str = _setting(
        "the least that is logged: debug (a line for each request, too), info, warning or error",
        _level,
        "info",
    )
    log_format: str = _setting("how it is written: text, or json for a collector of logs", _form, "text")
    demo_password: str = _setting(
        "the password of everybody at the example desk", str, shown="made at the first start, and printed"
    )
    now: datetime | None = _setting(  # noqa: RUF009
        "an ISO moment at which the desk's clock starts, for trying things out",
        _moment,
        shown="the real time",
    )

    # The example desk: said by the command, not by the environment.
    demo: bool = field(init=False, default=False)

    def load(self, environ: Mapping[str, str], **overrides: Any) -> None:
        """Every field afresh: an override that is not None, else the environment, else the default."""
        if unknown := overrides.keys() - {each.name for each in fields(self)}:
            raise TypeError(f"no such setting: {', '.join(sorted(unknown))}")
        values = {each.name: _value(each, environ, overrides.get(each.name)) for each in _settable()}
        values["url"] = values["url"] or f"http://localhost:{values['port']}"
        values["database_url"] = values["database_url"] or f"sqlite:///{values['data']}/balie.sqlite3"
        if values["workers"] > 1 and values["database_url"].startswith("sqlite:"):
            raise BadSetting(
                f"BALIE_WORKERS = {str(values['workers'])!r}: an SQLite file serves one process;"
                " for more, name a PostgreSQL database in BALIE_DATABASE_URL"
            )
        if values["oidc_issuer"] and not values["oidc_client_id"]:
            raise BadSetting("BALIE_OIDC_CLIENT_ID is missing beside BALIE_OIDC_ISSUER")
        for name, value in {**values, "demo": overrides.get("demo", False)}.items():
            object.__setattr__(self, name, value)
        if self.now:
            clock.start_at(self.now)

    @property
    def database(self) -> str:
        """Which one it is, without its password."""
        if self.database_url.startswith("sqlite:"):
            return self.database_url.removeprefix("sqlite:///")
        parts = urlsplit(self.database_url)
        return f"{parts.path.strip('/')} at {parts.netloc.rpartition('@')[2] or 'this machine'}"

    @property
    def secure(self) -> bool:
        """People reach us through https."""
        return self.url.startswith("https://")

    def doubts(self, environ: Mapping[str, str]) -> list[str]:
        """What nobody would see otherwise, of a desk that is to be served."""
        known = BESIDE | {name for name, _default, _about in self.documented()}
        strange = sorted(name for name in environ if name.startswith("BALIE_") and name not in known)
        found = [f"{name} is no setting of Balie" for name in strange]
        if self.now and not self.demo:
            found.append("the desk goes by another time than the real one: BALIE_NOW says so")
        return found

    def documented(self) -> list[tuple[str, str, str]]:
        """(variable, default, what it is) of each."""
        return [(f"BALIE_{f.name.upper()}", f.metadata["shown"], f.metadata["about"]) for f in _settable()]


def _settable() -> list[Field[Any]]:
    return [each for each in fields(Settings) if each.metadata]


def _value(setting: Field[Any], environ: Mapping[str, str], override: Any) -> Any:
    variable = f"BALIE_{setting.name.upper()}"
    given = environ.get(variable, "").strip() or setting.metadata["default"] if override is None else override
    if not isinstance(given, str):
        return given
    try:
        return setting.metadata["read"](given.strip())
    except ValueError as error:
        shown = variable if setting.name in SECRET else f"{variable} = {given!r}"
        raise BadSetting(f"{shown}: {error}") from None


settings = Settings()
settings.load({})
