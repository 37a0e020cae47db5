"""The one clock of the desk: what every deadline, every timestamp and every time on screen is measured by.

It is the wall clock at the start of the process plus the time that has passed since, so that it never jumps
when somebody sets the machine's clock. `BALIE_NOW` (settings.py) and tests set it to any moment.
"""

import time
from datetime import UTC, datetime, timedelta

_began_at = datetime.now(UTC)
_began_s = time.monotonic()


def now() -> datetime:
    return _began_at + timedelta(seconds=time.monotonic() - _began_s)


def start_at(moment: datetime) -> None:
    """From here on it is `moment`, and time goes on from there. A moment without a zone is UTC."""
    global _began_at, _began_s
    _began_at = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    _began_s = time.monotonic()


def shift(seconds: float) -> None:
    """Time passes, all at once."""
    global _began_at
    _began_at += timedelta(seconds=seconds)


def reading() -> tuple[str, float]:
    """For another process of this machine, which goes by the same clock: see `go_by`."""
    return _began_at.isoformat(), _began_s


def go_by(began_at: str, began_s: float) -> None:
    global _began_at, _began_s
    _began_at, _began_s = datetime.fromisoformat(began_at), began_s
