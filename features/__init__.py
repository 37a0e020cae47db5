"""The features, each one module, lowest first: a feature imports only from those before it.

A module may offer `routes`; `starts`, awaited before the first request; `tasks`, which run until they are
told to stop; and `stops`, called when the server is asked to end.
"""

from types import ModuleType
from typing import Any

from db.settings import settings
from features import (
    access,
    arrival,
    assets,
    chat,
    console,
    conversations,
    demo,
    desk,
    duty,
    health,
    hours,
    live,
    matching,
    messages,
    presence,
    profiles,
    queues,
    requests,
    routing,
    visit,
    widget,
)

ALL: tuple[ModuleType, ...] = (
    live,
    desk,
    access,
    assets,
    hours,
    queues,
    profiles,
    presence,
    matching,
    routing,
    widget,
    messages,
    visit,
    arrival,
    chat,
    duty,
    requests,
    conversations,
    console,
    demo,
    health,
)


def each(name: str) -> list[Any]:
    wanted = [module for module in ALL if settings.demo or module is not demo]
    return [thing for module in wanted for thing in getattr(module, name, ())]
