"""PID 1: one thread, one loop, no SQL, no S3, no third-party import.

Everything that can hang, leak or crash lives in other processes; this one only waits for
signals, starts and reaps children, and keeps the state file.
"""

import gc
import os
import signal
import sys

from walsup import log
from walsup.init.early_settings import EarlySettings
from walsup.init.log_pipe import hold_standard_descriptors
from walsup.init.supervisor import Supervisor
from walsup.system import setting_text
from walsup.system.prctl import adopt_orphans, hide_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from walsup.init.children.prepare_process import Prepare

AGENT_SILENCE_S = 30.0


def main(
    arguments: "list[str]",
    prepare: "Prepare",
    *,
    examine: "Prepare | None" = None,
    agent_silence_s: float = AGENT_SILENCE_S,
) -> "NoReturn":
    """Run `walsup run [postgres] [arguments of postgres]` until there is an exit code.

    `prepare` is called in a fork, so what it imports never gets into PID 1. So is `examine`, by
    root, before a directory of another user is given away.
    """
    hide_memory()
    hold_standard_descriptors()
    # Ignored (some runtimes leave it so), the kernel would reap children and drop their exit codes.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Python's handler would make a fork look like a postgres that is ready for INT.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if arguments[:1] == ["postgres"]:
        arguments = arguments[1:]
    early = EarlySettings(os.environ, os.geteuid())
    log.configure(early.log_format, "init")
    log.redact_unexpected_with(_without_secrets)
    sys.excepthook = log.uncaught
    if os.getpid() != 1:
        adopt_orphans()
    os.environ["WALSUP_RUN_DIR"] = early.run_dir  # decided once, for prepare too
    gc.enable()
    supervisor = Supervisor(early, arguments, prepare, agent_silence_s, examine=examine)
    os._exit(supervisor.run())


def _without_secrets(text: str) -> str:
    from walsup.redaction import redact  # noqa: PLC0415 (only for a bug)

    return redact(text, setting_text.secrets(os.environ))
