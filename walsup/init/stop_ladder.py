"""The stop ladder (S23): which signal postgres gets, and when. Pure."""

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CLEAN_WAIT_S = 2.0
KILL_AFTER_QUIT_S = 2.0
VERDICT_MARGIN_S = 0.5
_SWEEP_RESERVE_S = 8.0
_CHECKPOINT_S = 6.0
_ABANDON_AFTER_KILL_S = 1.0


class Ladder:
    """The moments of one stop, in seconds after its beginning, for a grace in seconds.

    What comes after QUIT belongs to the sweep of pg_wal and the verdict. Who still lives at
    `abandon_s` hangs in the kernel (a dead disk), and nothing more can be done.
    """

    __slots__ = ("abandon_s", "kill_s", "quit_s", "verdict_s")

    def __init__(self, grace_s: float) -> None:
        # Of a short one postgres has most: its shutdown checkpoint is worth more than a sweep.
        shortly_s = min(grace_s - KILL_AFTER_QUIT_S - VERDICT_MARGIN_S, _CHECKPOINT_S)
        self.quit_s = max(grace_s - _SWEEP_RESERVE_S, grace_s / 2, shortly_s)
        self.kill_s = self.quit_s + KILL_AFTER_QUIT_S
        self.abandon_s = self.kill_s + _ABANDON_AFTER_KILL_S
        self.verdict_s = grace_s - VERDICT_MARGIN_S

    def due(
        self, elapsed_s: float, clean_for_s: "float | None", walsenders: "Callable[[], bool]"
    ) -> int:
        """Give the signal that is due now (0: none yet); it repeats until it is sent once.

        `clean_for_s`: since when pg_control says "shut down", None while it does not. From
        then on QUIT harms nothing: exit 0 and no recovery at the next start.
        """
        if elapsed_s >= self.kill_s:
            return signal.SIGKILL
        if elapsed_s >= self.quit_s:
            return signal.SIGQUIT
        if clean_for_s is not None and clean_for_s >= CLEAN_WAIT_S and not walsenders():
            return signal.SIGQUIT
        return 0


def exit_code(own: int, sent: int, *, clean: bool) -> int:
    """Give PID 1's exit code after an asked-for stop.

    `own`: postgres's code; `sent`: the last signal it was sent; `clean`: whether pg_control said
    "shut down" before that.
    """
    if sent == signal.SIGKILL or (sent == signal.SIGQUIT and not clean):
        return 128 + sent
    return 0 if sent == signal.SIGQUIT else own
