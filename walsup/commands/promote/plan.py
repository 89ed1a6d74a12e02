"""The request of a promotion, and the report to the operator."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ASK_EVERY_S = 0.5
FORCE_HINT = (
    "; or promote it anyway, and lose the WAL that is not on this standby: walsup promote --force"
)
Say = Callable[[str], None]


class Plan(NamedTuple):
    """The operator's request.

    `boot`: the start of the container that is promoted, and `run_dir` its run directory; None when
    they are not known. `ask` returns `/status`, `say` shows a line.
    """

    force: bool
    wait_s: float
    boot: str | None
    run_dir: Path | None
    ask: Callable[[], dict[str, Any]]
    say: Say
