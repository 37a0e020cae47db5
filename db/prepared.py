"""Small reads that happen all the time: put together by Piccolo once, and afterwards only asked.

    @prepared
    def caller(token_hash: Any) -> Any:
        return Visitor.select(Visitor.id, …).where(Visitor.token_hash == token_hash)

    rows = await caller(hashed)

A list is an argument too: of each length there is a query of its own.

For a few rows found by an index, no more: on SQLite they are read on the spot, and everybody waits meanwhile.
"""

from collections.abc import Callable, Sequence
from itertools import count, islice
from typing import Any, Generic, ParamSpec

import db

P = ParamSpec("P")


class Slot:
    """Where an argument will be."""

    def __init__(self, index: int) -> None:
        self.index = index


class Prepared(Generic[P]):
    def __init__(self, build: Callable[P, Any]) -> None:
        self.build = build
        self.compiled: dict[tuple[Any, ...], tuple[str, list[Any]]] = {}

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[dict[str, Any]]:
        """The rows. Arguments are given in their order, not by name."""
        engine = db.engine()
        lengths = tuple(len(each) if isinstance(each, list) else -1 for each in args)
        sql, places = self.compiled.get((engine.dialect, *lengths)) or self._compile(engine, lengths)
        given = [each for arg in args for each in (arg if isinstance(arg, list) else (arg,))]
        values = [given[place.index] if isinstance(place, Slot) else place for place in places]
        return engine.transform_response_to_dicts(await engine.glance(sql, values))

    async def first(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any] | None:
        return next(iter(await self(*args, **kwargs)), None)

    def _compile(self, engine: Any, lengths: Sequence[int]) -> tuple[str, list[Any]]:
        slots = map(Slot, count())
        given = [next(slots) if length < 0 else list(islice(slots, length)) for length in lengths]
        (querystring,) = self.build(*given).querystrings  # type: ignore[arg-type,call-arg]
        compiled: tuple[str, list[Any]] = querystring.compile_string(engine_type=engine.engine_type)
        self.compiled[engine.dialect, *lengths] = compiled
        return compiled


prepared = Prepared
