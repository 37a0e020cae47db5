"""Small reads that happen all the time: put together by Piccolo once, and afterwards only asked.

    @prepared
    def caller(token_hash: Any) -> Any:
        return Visitor.select(Visitor.id, …).where(Visitor.token_hash == token_hash)

    rows = await caller(hashed)

For a few rows found by an index, no more: on SQLite they are read on the spot, and everybody waits meanwhile.
"""

import inspect
from collections.abc import Callable
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
        self.names = list(inspect.signature(build).parameters)
        self.compiled: dict[str, tuple[str, list[Any]]] = {}

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[dict[str, Any]]:
        """The rows. Arguments are given in their order, not by name."""
        engine = db.engine()
        sql, places = self.compiled.get(engine.dialect) or self._compile(engine)
        values = [args[place.index] if isinstance(place, Slot) else place for place in places]
        return engine.transform_response_to_dicts(await engine.glance(sql, values))

    async def first(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any] | None:
        return next(iter(await self(*args, **kwargs)), None)

    def _compile(self, engine: Any) -> tuple[str, list[Any]]:
        query = self.build(**{name: Slot(index) for index, name in enumerate(self.names)})  # type: ignore[arg-type,call-arg]
        (querystring,) = query.querystrings
        self.compiled[engine.dialect] = querystring.compile_string(engine_type=engine.engine_type)
        return self.compiled[engine.dialect]


prepared = Prepared
