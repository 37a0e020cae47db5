"""The environments of `balie` and `test`: made from a lock file at the first run, and again when it changes.

Needs nothing but Python with venv and pip. An old Python can still read this, and is refused in words.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
BUSY_RETRY_S = 0.2


def python_of(directory, lock_file, why):
    """The Python of the environment in `directory`, which is made or renewed from `lock_file` if needed."""
    be_new_enough()
    directory = Path(os.path.abspath(directory))
    python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = fingerprint(lock_file)
    if not is_ready(directory, python, wanted):
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            with only_one(directory):
                if not is_ready(directory, python, wanted):  # the other one may have made it while we waited
                    make(directory, python, lock_file, why)
                    stamp_of(directory).write_text(wanted)
        except OSError as problem:
            stop("Cannot make the environment in %s: %s" % (directory, problem))
    return str(python)


def run(command):
    """Become `command`; on Windows, where that does not exist, wait for it."""
    sys.stdout.flush()
    if os.name == "nt":
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)


def be_new_enough():
    if sys.version_info >= OLDEST:
        return
    for minor in range(20, OLDEST[1] - 1, -1):
        newer = shutil.which("python3.%d" % minor)
        if newer:
            run([newer] + sys.argv)
    stop(
        "Balie needs Python %d.%d or newer; this is Python %d.%d (%s).\n"
        "Install a newer one, for instance with `apt install python3.11-venv`, and start this again."
        % (OLDEST + sys.version_info[:2] + (sys.executable,))
    )


def fingerprint(lock_file):
    python = "%s %d.%d" % (sys.implementation.name, sys.version_info[0], sys.version_info[1])
    return hashlib.sha256(python.encode() + Path(lock_file).read_bytes()).hexdigest()


def is_ready(directory, python, wanted):
    try:
        return stamp_of(directory).read_text() == wanted and python.exists()
    except OSError:
        return False


def stamp_of(directory):
    return directory / "made-from"


def make(directory, python, lock_file, why):
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        stop(
            "This Python (%s) lacks venv and pip. On Debian and Ubuntu: `apt install python3-venv`."
            % sys.executable
        )
    say("Installing what %s into %s. This happens once and takes a minute or two." % (why, directory))
    started = time.monotonic()
    check([sys.executable, "-m", "venv", "--clear", str(directory)], "The environment could not be made.")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    install += [
        "--require-hashes",
        "--no-deps",
        "--no-compile",
        "--prefer-binary",
        "--requirement",
        str(lock_file),
    ]
    check(install, "The packages could not be installed. Is there a connection to the package index?")
    # pip would compile with one processor; what cannot be compiled is for another Python, and never imported.
    subprocess.call([str(python), "-m", "compileall", "-qq", "-j", "0", str(directory)])
    say("Done in %d s." % (time.monotonic() - started))


def check(command, otherwise):
    if subprocess.call(command, stdin=subprocess.DEVNULL) != 0:
        stop(otherwise)


@contextlib.contextmanager
def only_one(directory):
    """Two that start at once: the second waits until the first has made the environment."""
    with open(str(directory) + ".lock", "a") as held:
        told = False
        while not taken(held):
            if not told:
                say("Waiting: the environment is being made by another start.")
                told = True
            time.sleep(BUSY_RETRY_S)
        yield  # the lock goes with the file, even if we are killed


def taken(file):
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def say(text):
    print(text, file=sys.stderr, flush=True)


def stop(text):
    say(text)
    sys.exit(1)
