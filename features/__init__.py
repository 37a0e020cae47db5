"""The features, each one module, lowest first: a feature imports only from those before it.

A module may offer `routes`; `starts`, awaited before the first request; `tasks`, which run until they are
told to stop; `stops`, called when the server is asked to end; `ends`, awaited when it has; and `welcome`,
lines for the terminal.
"""

from types import ModuleType
from typing import Any

import db.settings
from features import (
    access,
    alerts,
    arrival,
    assets,
    attachments,
    audit,
    chat,
    console,
    conversations,
    copies,
    demo,
    desk,
    duty,
    files,
    health,
    hours,
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
    preset_settings,
    presets,
    private,
    profiles,
    queues,
    ratings,
    requests,
    routing,
    settings,
    spreadsheets,
    transcripts,
    visit,
    widget,
)

ALL: tuple[ModuleType, ...] = (
    live,
    desk,
    mail,
    access,
    audit,
    settings,
    spreadsheets,
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
    preset_settings,
    offers,
    arrival,
    chat,
    duty,
    invites,
    alerts,
    requests,
    conversations,
    console,
    demo,
    health,
)


def each(name: str) -> list[Any]:
    wanted = [module for module in ALL if db.settings.settings.demo or module is not demo]
    return [thing for module in wanted for thing in getattr(module, name, ())]
