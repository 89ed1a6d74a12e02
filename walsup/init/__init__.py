"""PID 1: one thread, one loop, no SQL, no S3, no third-party import.

Everything that can hang, leak or crash lives in other processes; this one only waits for
signals, starts and reaps children, and keeps the state file.
"""

import os
import sys

from walsup import log
from walsup.init.basics import Basics
from walsup.init.kernel import adopt_orphans, hide_memory
from walsup.init.loop import Init

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main(arguments: "list[str]") -> "NoReturn":
    """Run `walsup run [postgres] [arguments of postgres]` until there is an exit code."""
    if arguments[:1] == ["postgres"]:
        del arguments[0]
    basics = Basics(os.environ, os.geteuid())
    log.configure(basics.log_format, "init")
    if os.getpid() != 1:
        adopt_orphans()
    code = Init(basics, arguments).run()
    hide_memory()
    sys.stderr.flush()
    os._exit(code)
