"""PID 1: one thread, one loop, no SQL, no S3, no third-party import.

Everything that can hang, leak or crash lives in other processes; this one only waits for
signals, starts and reaps children, and keeps the state file.
"""

import os

from walsup import log
from walsup.init.basics import Basics
from walsup.kernel import adopt_orphans
from walsup.init.loop import Init

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from walsup.init.loop import Prepare


def main(arguments: "list[str]", prepare: "Prepare") -> "NoReturn":
    """Run `walsup run [postgres] [arguments of postgres]` until there is an exit code.

    `prepare` is called in a fork, so what it imports never gets into PID 1.
    """
    if arguments[:1] == ["postgres"]:
        del arguments[0]
    basics = Basics(os.environ, os.geteuid())
    log.configure(basics.log_format, "init")
    if os.getpid() != 1:
        adopt_orphans()
    os.environ["WALSUP_RUN_DIR"] = basics.run_dir  # decided once, for prepare too
    code = Init(basics, arguments, prepare).run()
    os._exit(code)
