"""What takes long is computed beside the event loop."""

import asyncio
import sys

from tests.processes import ROOT

FORKED = """
import asyncio, os
from features import aside

threads = aside.Threads(1, "work")

async def twice(number):
    return await asyncio.wait_for(aside.done(threads, int.__mul__, number, 2), 10)

assert asyncio.run(twice(2)) == 4
if child := os.fork():
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
assert asyncio.run(twice(3)) == 6
"""


async def test_a_process_that_was_made_of_another_has_threads_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", FORKED, cwd=ROOT)
    assert await asyncio.wait_for(process.wait(), 60) == 0
