"""Settings of this installation, from the environment: BALIE_URL, BALIE_PORT and so on.

`from db.settings import settings` anywhere; `settings.load(os.environ, port=9000)` puts new values into that same object.
Each field below is a setting: its name in capitals after BALIE_, its default, and its line in the README and `--help`.
What an admin can change while the desk is open is not here but in the database.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from db import clock


class BadSetting(ValueError):
    """A setting that cannot be used; the message says which one and why."""


def _setting(about: str, read: Callable[[str], Any], default: str = "", shown: str = "") -> Any:
    return field(init=False, metadata={"about": about, "read": read, "default": default, "shown": shown or default})


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
    return text.rstrip("/")


def _database_url(text: str) -> str:
    if text and not text.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise ValueError("does not begin with sqlite:/// or postgresql://")
    return text


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part) for part in text.replace(",", " ").split())


@dataclass(frozen=True)
class Settings:
    url: str = _setting(
        "the address people use, for the snippet, links and mails; https:// makes cookies secure",
        _url,
        shown="http://localhost:{port}",
    )
    host: str = _setting("the address to listen on", str, "127.0.0.1")
    port: int = _setting("the port to listen on", _port, "8000")
    data: Path = _setting("the directory of the embedded database", Path, "data")
    database_url: str = _setting(
        "sqlite:///path or postgresql://user:password@host/name", _database_url, shown="sqlite:///{data}/balie.sqlite3"
    )
    workers: int = _setting("processes that serve; more than one needs PostgreSQL", _count, "1")
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = _setting(
        "addresses or networks of proxies whose X-Forwarded-For is believed", _networks, shown="none"
    )
    desk_name: str = _setting("what a new desk is called at its first start", str, "Balie")
    demo_password: str = _setting(
        "the password of everybody at the example desk", str, shown="made at the first start, and printed"
    )
    now: datetime | None = _setting(
        "an ISO moment at which the desk's clock starts, for trying things out", _moment, shown="the real time"
    )

    def load(self, environ: Mapping[str, str], **overrides: Any) -> None:
        """Every field afresh: an override that is not None, else the environment, else the default."""
        values = {each.name: _value(each.name, each.metadata, environ, overrides) for each in fields(self)}
        values["url"] = values["url"] or f"http://localhost:{values['port']}"
        values["database_url"] = values["database_url"] or f"sqlite:///{values['data']}/balie.sqlite3"
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if self.now:
            clock.start_at(self.now)

    @property
    def secure(self) -> bool:
        """People reach us through https."""
        return self.url.startswith("https://")

    def documented(self) -> list[tuple[str, str, str]]:
        """(variable, default, what it is) of each."""
        return [(f"BALIE_{f.name.upper()}", f.metadata["shown"], f.metadata["about"]) for f in fields(self)]


def _value(name: str, metadata: Mapping[str, Any], environ: Mapping[str, str], overrides: Mapping[str, Any]) -> Any:
    if overrides.get(name) is not None:
        given = overrides[name]
        if not isinstance(given, str):
            return given
    else:
        given = environ.get(f"BALIE_{name.upper()}") or metadata["default"]
    try:
        return metadata["read"](given.strip())
    except ValueError as error:
        raise BadSetting(f"BALIE_{name.upper()} = {given!r}: {error}") from None


settings = Settings()
settings.load({})
