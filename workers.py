"""Several processes that serve one desk: they share its address, and whichever is free answers.

One process, which itself serves nobody, opens the address, makes the workers and keeps them: one that dies is
replaced, after a while that grows if it dies again at once. SIGTERM and SIGINT end them all, each when it has
answered what it was asked. SIGHUP begins anew with the program as it is on the disk by then, once that has
shown that it can, while the address stays open: the workers go when their successors serve, and no request is
lost. A desk of one process begins anew in the same way; whoever comes meanwhile waits at its address.

Workers are forked: they share the memory of what was loaded, and the clock.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog

from db import clock

BACKLOG = 2048  # who may wait to be let in
AGAIN_S, AGAIN_MOST_S = 0.5, 30.0
NOBODY_S = 2.0  # … and while nobody serves
STEADY_S = 10  # who has lived so long has not died of its start
HANDED_OVER = "BALIE_HANDED_OVER"  # by the program before this one: what it had opened and begun
ENDINGS = {signal.SIGTERM, signal.SIGINT}
ORDERLY = (0, *(-each for each in ENDINGS))
FROM_TERMINAL = os.isatty(0)

log = structlog.get_logger("balie")


class CannotServe(Exception):
    """With the reason."""


@dataclass(frozen=True)
class Place:
    """What a worker is given."""

    sockets: list[socket.socket]
    parent: int
    orderly: bool  # nobody has died in it
    beside: bool  # others serve at this moment
    ready: Callable[[], object]  # to be called when it serves


Serve = Callable[[Place], int]


@dataclass
class Worker:
    pid: int
    began_s: float
    pipe: int  # has something to read when it serves, or is no more
    serves: bool = False


class Rehearsal:
    """The program that is on the disk by now shows that it could take over, in a process of its own: it reads
    the settings and brings the database up to date. Whoever serves goes on meanwhile, and if it fails."""

    def __init__(self) -> None:
        self.pid = 0

    def begin(self) -> None:
        """Also if one goes on already: there may be another program on the disk since."""
        self.end()
        told = {HANDED_OVER: json.dumps({"clock": clock.reading(), "rehearsal": os.getpid()})}
        silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        try:
            self.pid = os.posix_spawn(
                sys.executable, itself(), os.environ | told, file_actions=silent, setsigmask=()
            )
        except OSError as problem:
            log.error(CANNOT, problem=problem.strerror)

    def end(self) -> None:
        if self.pid:
            send(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def has_succeeded(self) -> bool:
        if not self.pid:
            return False
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return bool(pid) and self.is_success(os.waitstatus_to_exitcode(status))

    def is_success(self, status: int) -> bool:
        """It is over; what was wrong it has said itself."""
        self.pid = 0
        if status != 0:
            log.error(CANNOT, status=status)
        return status == 0


CANNOT = "the program on the disk cannot take over: the one that runs goes on"


class Supervisor:
    def __init__(self, count: int, sockets: list[socket.socket], serve: Serve) -> None:
        self.count = count
        self.sockets = sockets
        self.serve = serve
        self.elders: list[int] = handed_over().get("workers", [])  # of before SIGHUP; serve until ours do
        self.workers: list[Worker] = []
        self.heard: list[int] = []  # signals
        self.has_served = bool(self.elders)  # somebody; before that, what is wrong is wrong with the start
        self.somebody_died = False  # and nobody has been told that news may be missing
        self.rehearsal = Rehearsal()
        self.deaths = 0  # in a row, soon after the start
        self.not_before_s = 0.0

    def run(self) -> int:
        with self.listening() as woken:
            while not ENDINGS & set(heard := self.take_heard()):
                if signal.SIGHUP in heard:
                    if terminal_has_gone():
                        break
                    self.rehearsal.begin()
                self.fill_places()
                self.wait(woken)
                self.bury()
                self.tell()
                if self.deaths and not self.has_served:
                    return self.end(1)
        return self.end(0)

    def take_heard(self) -> list[int]:
        """What comes from now on is heard the next time."""
        heard, self.heard = self.heard, []
        return heard

    @contextlib.contextmanager
    def listening(self) -> Iterator[int]:
        """Signals are noted, and wake whoever reads here."""
        woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for each in (*ENDINGS, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(each, lambda number, _frame: self.heard.append(number))
        yield woken

    def wait(self, woken: int) -> None:
        """Until something happens, or it is time for another worker."""
        missing = len(self.workers) < self.count
        patience_s = max(0.0, self.not_before_s - time.monotonic()) if missing else None
        late = {each.pipe: each for each in self.workers if not each.serves}
        readable, _, _ = select.select([woken, *late], [], [], patience_s)
        for pipe in readable:
            if pipe in late:
                late[pipe].serves = bool(os.read(pipe, 1))
            else:
                os.read(pipe, 1024)
        self.has_served = self.has_served or self.somebody_serves
        if len(self.workers) == self.count and all(each.serves for each in self.workers):
            self.dismiss_elders()

    # -- one more, one less ----------------------------------------------------------------------------------

    def fill_places(self) -> None:
        while len(self.workers) < self.count and time.monotonic() >= self.not_before_s:
            self.workers.append(self.begin())

    def begin(self) -> Worker:
        reading, writing = os.pipe()
        orderly, self.somebody_died = not self.somebody_died, False
        place = Place(self.sockets, os.getpid(), orderly, self.somebody_serves, lambda: say(writing))
        with held_back():
            pid = os.fork()
            if pid == 0:
                self.work(place)
        os.close(writing)
        return Worker(pid, time.monotonic(), reading)

    def work(self, place: Place) -> None:
        """In the new process, to its end."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for each in (*ENDINGS, signal.SIGCHLD):
                signal.signal(each, signal.SIG_DFL)
            for each in (signal.SIGHUP, signal.SIGUSR1):  # the supervisor's, and not to be heard yet
                signal.signal(each, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            status = self.serve(place)
        except BaseException:
            log.exception("a worker failed")
        finally:
            os._exit(status)

    @property
    def somebody_serves(self) -> bool:
        return bool(self.elders) or any(each.serves for each in self.workers)

    def bury(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                self.has_gone(found[0], os.waitstatus_to_exitcode(found[1]))

    def has_gone(self, pid: int, status: int) -> None:
        if pid == self.rehearsal.pid:
            if self.rehearsal.is_success(status):
                self.begin_anew()
            return
        if mine := [each for each in self.workers if each.pid == pid]:
            return self.lose(mine[0], status)
        self.elders = [each for each in self.elders if each != pid]
        self.note(pid, status)

    def note(self, pid: int, status: int, **more: int) -> None:
        if status not in ORDERLY:
            self.somebody_died = True
            log.error("a worker has died", pid=pid, status=status, **more)

    def tell(self) -> None:
        """Whoever takes the place of one that died tells the others. Elders have no such successors."""
        serving = [each for each in self.workers if each.serves]
        if self.somebody_died and serving and len(self.workers) == self.count:
            send(serving[0].pid, signal.SIGUSR1)
            self.somebody_died = False

    def lose(self, worker: Worker, status: int) -> None:
        self.workers.remove(worker)
        os.close(worker.pipe)
        lived_s = time.monotonic() - worker.began_s
        self.note(worker.pid, status, lived_s=round(lived_s))
        self.deaths = 1 if worker.serves and lived_s > STEADY_S else self.deaths + 1
        delay_s = AGAIN_S * 2 ** min(self.deaths - 2, 9) if self.deaths > 1 else 0
        most_s = AGAIN_MOST_S if self.somebody_serves else NOBODY_S
        self.not_before_s = time.monotonic() + min(delay_s, most_s)

    # -- the end, or a new beginning -------------------------------------------------------------------------

    def end(self, status: int) -> int:
        """Nobody is let in any more: who comes now is refused, and does not wait for somebody who leaves."""
        self.rehearsal.end()
        self.dismiss_elders()
        for worker in self.workers:
            send(worker.pid, signal.SIGTERM)
        for each in self.sockets:
            each.close()
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
        return status

    def dismiss_elders(self) -> None:
        for pid in self.elders:
            send(pid, signal.SIGTERM)
        self.elders = []

    def begin_anew(self) -> None:
        """This process becomes the new program; the old one's workers are its elders."""
        with held_back():  # until the new one can obey them
            if not ENDINGS & set(self.heard):
                become_new(self.sockets, [*self.elders, *(each.pid for each in self.workers)])


def become_new(sockets: list[socket.socket], elders: list[int]) -> None:
    """This process becomes the program that is on the disk."""
    for each in sockets:
        each.set_inheritable(True)
    told = {"sockets": [each.fileno() for each in sockets], "workers": elders, "clock": clock.reading()}
    os.environ[HANDED_OVER] = json.dumps(told)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the new one can hear it
    os.execv(sys.executable, itself())  # noqa: S606 – ourselves


def itself() -> list[str]:
    """As it was called."""
    return [sys.executable, *sys.orig_argv[1:]]


def terminal_has_gone() -> bool:
    """The system says that with SIGHUP, too: then it means the end."""
    return FROM_TERMINAL and not os.isatty(0)


def handed_over() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(os.environ.get(HANDED_OVER, "{}"))
    return found


def address(host: str, port: int) -> list[socket.socket]:
    """Of the program before this one, or opened here. From here on nobody is refused, only kept waiting."""
    if os.name == "posix":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
    if given := handed_over().get("sockets"):
        return [socket.socket(fileno=number) for number in given]
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return [listening_on(family, address) for family, _kind, _way, _name, address in dict.fromkeys(found)]
    except OSError as problem:
        raise CannotServe(f"cannot listen on {host}:{port}: {problem.strerror}") from None


def listening_on(family: int, address: Any) -> socket.socket:
    # Named as TCP: asyncio does not know it otherwise, and what comes after a first packet waits 40 ms.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":  # elsewhere that would share it with whoever wants it
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind(address)
    made.listen(BACKLOG)
    return made


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Signals wait: a worker that is being made would miss them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def say(pipe: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # the program that wanted to know has made room for another
        os.write(pipe, b".")


def send(pid: int, what: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)
