"""Python's own parser, left alone by the garbage collector: what that ends may be told of with a traceback,
which is parsed, too, and then Python 3.11 loses count and says that the first of the two is broken."""

import ast
import functools
import gc


@functools.cache
def parsed(source: str) -> ast.Module:
    was_on = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if was_on:
            gc.enable()
