"""How a fork of PID 1 ends: a refusal is logged and sent, never raised."""

import errno
import os
from collections.abc import Callable

from walsup import log
from walsup.errors import DiskFullError, InternalError, PermissionsError, WalsupError
from walsup.pid1_messages import FromPrepare, Progress, Refusal, Send
from walsup.redaction import redact_known


def guarded(work: Callable[[Send], None], send: Send) -> int:
    """Do the work; return the exit code, and send the refusal to PID 1 without secrets."""
    log.configure(os.environ.get("WALSUP_LOG_FORMAT", "auto").strip(), "prepare")
    log.redact_with(redact_known)
    send = _without_secrets(send)
    try:
        work(send)
    except WalsupError as refusal:
        error = refusal
    except OSError as fault:
        error = _os_error(fault)
    except Exception as bug:  # noqa: BLE001 (the last resort of a process)
        log.unexpected("prepare.failed", bug)
        error = InternalError(
            f"{type(bug).__name__}: {bug}", hint="this is a bug in walsup: report the line above"
        )
    else:
        return 0
    log.error("start.refused", problem=error.problem, hint=error.hint)
    send(Refusal(str(error), error.exit_code))
    return error.exit_code


def _os_error(fault: OSError) -> WalsupError:
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(str(fault), hint="free space on that volume, then start again")
    return PermissionsError(
        str(fault), hint=f"give uid {os.geteuid()} the missing permissions there"
    )


def _without_secrets(send: Send) -> Send:
    """Return a `send` that removes secrets from what PID 1 shows. Launches are sent unchanged."""

    def shown(message: FromPrepare) -> None:
        match message:
            case Refusal():
                message = Refusal(redact_known(message.text), message.exit_code)
            case Progress():
                fault = [redact_known(part) for part in message.fault]
                message = Progress(redact_known(message.detail), fault)
        send(message)

    return shown
