"""What a fork of PID 1 does with its own end: the refusal is logged and sent, never raised."""

import errno
import os
from collections.abc import Callable

from walsup import log
from walsup.boot.pid1_messages import Send, without_secrets
from walsup.errors import DiskFullError, InternalError, PermissionsError, WalsupError
from walsup.redaction import redact_known


def guarded(work: Callable[[Send], None], send: Send) -> int:
    """Do the work; return the exit code, and send PID 1 what it refuses, without secrets."""
    log.configure(os.environ.get("WALSUP_LOG_FORMAT", "auto").strip(), "prepare")
    log.redact_with(redact_known)
    send = without_secrets(send)
    try:
        work(send)
    except WalsupError as refusal:
        error = refusal
    except OSError as fault:
        error = _os_error(fault)
    except Exception as bug:  # noqa: BLE001 (the last resort of a process)
        log.unexpected("prepare.failed", bug)
        error = InternalError(
            f"{type(bug).__name__}: {bug}", hint="this is a bug of walsup: report the line above"
        )
    else:
        return 0
    log.error("start.refused", problem=error.problem, hint=error.hint)
    send({"refused": str(error), "code": error.exit_code})
    return error.exit_code


def _os_error(fault: OSError) -> WalsupError:
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(str(fault), hint="make room on that volume and start again")
    return PermissionsError(
        str(fault), hint=f"give uid {os.geteuid()} the rights that are missing there"
    )
