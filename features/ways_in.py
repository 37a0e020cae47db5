"""Ways in: with a password of ours, or through a provider of the organisation; which of them is open to whom.

The provider comes from the settings of this installation, the rules from a settings page. Each process keeps
the rules for what it draws; whoever decides by them reads them anew.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from db.settings import settings
from db.tables import ProviderIdentity, SignInRules
from features import live
from layouts import env


class SignInRulesChanged(live.Event, frozen=True):
    """Every process reads them anew."""


@dataclass(frozen=True)
class Rules:
    passwords: bool = True  # of everybody who has one
    local: int = 0  # the agent whose password works all the same
    id: int = 0
    version: int = 0


rules = Rules()


async def load() -> Rules:
    global rules
    row = await SignInRules.select().order_by(SignInRules.id).first()
    rules = Rules(row["passwords"], row["local_agent"] or 0, row["id"], row["version"]) if row else Rules()
    return rules


def provider() -> str:
    """What people call it; "" if none has been set."""
    return settings.oidc_name or urlsplit(settings.oidc_issuer).hostname or ""


def only() -> bool:
    """Everybody comes in through the provider, but for one."""
    return bool(settings.oidc_issuer) and not rules.passwords


def password_is_for(agent: int) -> bool:
    return not only() or agent == rules.local


async def password_works(agent: int) -> bool:
    await load()
    return password_is_for(agent)


async def is_linked(agent: int) -> bool:
    """Has come in through this provider."""
    mine = ProviderIdentity.exists().where(ProviderIdentity.agent == agent)
    return await mine.where(ProviderIdentity.issuer == settings.oidc_issuer)


async def keep_current(stop: asyncio.Event) -> None:
    """What another process has changed is read anew here."""
    with live.subscribed("desk") as news:
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _stopping: news.put(live.Connected()))
        while not stop.is_set():
            found = await news.batch()
            if not stop.is_set() and any(
                isinstance(event, SignInRulesChanged | live.Connected) for event in found
            ):
                with contextlib.suppress(Exception):  # the next change may succeed
                    await load()


env.globals["provider"] = provider
env.globals["provider_only"] = only

starts = [load]
tasks = [keep_current]
routes: list[Any] = []
