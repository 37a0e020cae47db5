"""The features, each one module, lowest first: a feature imports only from those before it.

A module may offer `routes`; `starts`, awaited before the first request; `tasks`, which run until they are
told to stop; `stops`, called when the server is asked to end; `ends`, awaited when it has; and `welcome`,
lines for the terminal.
"""

from types import ModuleType
from typing import Any

from db.settings import settings
from features import (
    access,
    alerts,
    arrival,
    assets,
    attachments,
    chat,
    console,
    conversations,
    copies,
    demo,
    desk,
    details,
    duty,
    files,
    health,
    hours,
    identity,
    idle,
    invitations,
    invites,
    ledger,
    live,
    mail,
    matching,
    messages,
    offers,
    participations,
    presence,
    presets,
    private,
    profiles,
    queues,
    ratings,
    requests,
    routing,
    transcripts,
    visit,
    widget,
)

ALL: tuple[ModuleType, ...] = (
    live,
    desk,
    mail,
    access,
    assets,
    hours,
    queues,
    profiles,
    presence,
    matching,
    invitations,
    ledger,
    routing,
    participations,
    widget,
    identity,
    messages,
    idle,
    transcripts,
    ratings,
    copies,
    visit,
    files,
    attachments,
    private,
    presets,
    offers,
    arrival,
    chat,
    duty,
    invites,
    alerts,
    details,
    requests,
    conversations,
    console,
    demo,
    health,
)


def each(name: str) -> list[Any]:
    wanted = [module for module in ALL if settings.demo or module is not demo]
    return [thing for module in wanted for thing in getattr(module, name, ())]
