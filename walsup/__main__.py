"""Makes sure that signals are blocked before anything else happens, then hands over."""

import gc
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from walsup.pid1_messages import Send


_AGENT_NICENESS = 5
_AGENT_OOM_SCORE = 600
# Twice and more of what it maps in an hour of scrapes; each core adds threads with their stacks.
_AGENT_BYTES = 112 << 20
_AGENT_BYTES_A_CORE = 8 << 20
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127
# With one of these postgres says something about itself and ends, so nothing is set up for it.
_POSTGRES_SAYS = frozenset(("-?", "--help", "--describe-config", "-V", "--version"))


def main() -> None:
    """Run the command line; neither PID 1 nor the agent passes through click, which would stay."""
    if sys.argv[1:2] == ["run"]:
        # A TERM that arrives before this line is lost to PID 1, unless the interpreter was
        # started through `env --block-signal`, as entrypoint.sh does.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        if not _POSTGRES_SAYS.isdisjoint(sys.argv[2:]):
            _become_postgres(sys.argv[3:] if sys.argv[2] == "postgres" else sys.argv[2:])
        # Collecting while importing takes 5 ms of every start; init turns it on again.
        gc.disable()
        from walsup.init import main as init  # noqa: PLC0415 (one command, one import)

        init(sys.argv[2:], _prepare, examine=_examine)
    elif sys.argv[1:2] == ["agent"]:
        # Below the database, which starts at the same moment, and so are its base backups.
        os.nice(_AGENT_NICENESS)
        from walsup.system.prctl import take_less  # noqa: PLC0415 (one command, one import)

        take_less(_AGENT_BYTES + _AGENT_BYTES_A_CORE * (os.cpu_count() or 1), _AGENT_OOM_SCORE)
        from walsup.agent.main import main as agent  # noqa: PLC0415 (one command, one import)

        agent(sys.argv[2])
    else:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        from walsup.cli import main as cli  # noqa: PLC0415 (one command, one import)

        cli()


def _become_postgres(arguments: "Sequence[str]") -> "NoReturn":
    """Become postgres as an ordinary process: it says something about itself, and ends."""
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


def _examine(arguments: list[str], lock: int, send: "Send") -> int:
    """Look at the data directory before it is given to the database's user; in a fork too."""
    gc.disable()
    del lock
    from walsup.boot.root_examination import examine  # noqa: PLC0415 (only in the fork)

    return examine(arguments, send)


def _prepare(arguments: list[str], lock: int, send: "Send") -> int:
    """Prepare the data directory; runs in a fork of PID 1, which keeps none of this."""
    gc.disable()
    from walsup.boot.prepare import prepare  # noqa: PLC0415 (only in the fork)

    return prepare(arguments, lock, send)


if __name__ == "__main__":
    main()
