"""postgres in walsup's place, for what it only says about itself and then ends."""

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_NOT_EXECUTABLE, _NOT_FOUND = 126, 127


def become_postgres(arguments: "Sequence[str]") -> "NoReturn":
    """Become postgres with its own output, and as an ordinary process: nothing is set up."""
    path = (os.environ.get("PG_BINDIR"), os.environ.get("PATH"))
    os.environ["PATH"] = os.pathsep.join(filter(None, path))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execvp("postgres", ["postgres", *arguments])  # noqa: S606 (no shell wanted)
    except OSError as fault:
        sys.stderr.write(f"cannot run postgres: {fault.strerror}\nHINT: set PG_BINDIR\n")
        os._exit(_NOT_FOUND if isinstance(fault, FileNotFoundError) else _NOT_EXECUTABLE)
