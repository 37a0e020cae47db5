"""Standstills: whether the database answers, as this process sees it, and since when it does not.

Every second a sweep asks for it: one that fails, or that takes long, shows that nobody could do anything
either. Verbs that were kept waiting as well may come before the sweep that found it out.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.clock import now

LEAST_S = 3  # a sweep that takes as long was not merely slow
KNOWN_S = 60  # for so long after it verbs may come that had waited


@dataclass
class Sweep:
    """The one that goes on, or those that failed one after another."""

    begun_at: datetime
    begun_s: float
    has_failed: bool = False

    def is_long(self) -> bool:
        return self.has_failed or time.monotonic() - self.begun_s >= LEAST_S


@dataclass
class Seen:
    sweep: Sweep | None = None
    before: datetime | None = None  # since when nothing was answered, the last time
    over_s: float = 0

    def clear(self) -> None:
        self.sweep = self.before = None


seen = Seen()


@contextmanager
def watched() -> Iterator[None]:
    """A sweep."""
    sweep = seen.sweep = seen.sweep or Sweep(now(), time.monotonic())
    try:
        yield
    except Exception:
        sweep.has_failed = True
        raise
    if sweep.is_long():
        seen.before, seen.over_s = sweep.begun_at, time.monotonic()
    seen.sweep = None


def since() -> datetime | None:
    """None: it answers, and has done so for a while."""
    if seen.sweep and seen.sweep.is_long():
        return seen.sweep.begun_at
    if seen.before and time.monotonic() - seen.over_s < KNOWN_S:
        return seen.before
    return None


routes: list[Any] = []
