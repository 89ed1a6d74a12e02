"""Runs the steps, cleans up, and says whether every step was seen."""

import os
import signal
import sys
from collections.abc import Callable
from typing import TypeAlias

from dev.demo import arrive, leave, leftovers, loss, stay, weather
from dev.demo.narrator import Narrator
from dev.demo.stage import Stage
from dev.harness import Machine

Step: TypeAlias = Callable[[Stage], None]

# A step's docstring is what was not seen when the demo ends before it. Each may use what the
# earlier ones left: the restores that of a stop, with the bucket still there.
RISE: tuple[Step, ...] = (
    arrive.start_s3,
    arrive.start_walsup,
    arrive.wait_database,
    arrive.wait_backup,
    weather.fill,
    weather.write,
    weather.kill_engine,
    weather.kill_agent,
    weather.finish_load,
)
END: tuple[Step, ...] = (
    leave.stop,
    leave.check_verdict,
    loss.lose,
    loss.come_back,
    loss.before_the_drop,
)

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_INTERRUPTED = 130


def main() -> int:
    """The exit code: 0 when every step was seen and nothing is left."""
    leftovers.keep_orphans()
    for number in _STOPS:
        # INT too: a shell starts what it puts in the background with INT ignored.
        signal.signal(number, signal.default_int_handler)
    # Held back while directories are made that nobody would remove yet.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    stage = Stage(Machine.load())
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        code = _play(stage, keep=os.environ.get("KEEP", "") not in {"", "0"})
    except KeyboardInterrupt:
        stage.narrator.missed("interrupted")
        code = _INTERRUPTED
    finally:
        for number in _STOPS:
            signal.signal(number, signal.SIG_IGN)
        paths = stage.directories
        stage.close()
    left = [*leftovers.survivors(), *leftovers.remains(paths)]
    return _conclude(stage.narrator, code, left)


def _play(stage: Stage, *, keep: bool) -> int:
    stage.narrator.title(f"walsup demo: {arrive.describe(stage)}")
    waits: tuple[Step, ...] = (stay.stay,) if keep else ()
    steps = (*RISE, *waits, *END)
    for done, step in enumerate(steps):
        try:
            step(stage)
        except Exception as failure:  # noqa: BLE001 - whatever it was, it is told and cleaned up
            _tell(stage, failure, steps[done:])
            return 1
    return 0


def _tell(stage: Stage, failure: Exception, unseen: tuple[Step, ...]) -> None:
    reason, tail = str(failure), stage.walsup.tail()
    stage.narrator.missed(f"not seen: {_name(unseen[0])}")
    stage.narrator.plain(f"{type(failure).__name__}: {reason}")
    if tail and tail not in reason:
        stage.narrator.plain(f"\nthe last lines of walsup, postgres and the engine:\n{tail}")
    for step in unseen[1:]:
        stage.narrator.missed(f"not reached: {_name(step)}")


def _conclude(narrator: Narrator, code: int, left: list[str]) -> int:
    if left:
        narrator.missed("left over: " + "; ".join(left))
    else:
        narrator.saw("nothing is left: no process, no directory")
    if code == 0 and not left:
        narrator.saw(f"every step was seen, in {narrator.elapsed_s:.0f} s")
        return 0
    return code or 1


def _name(step: Step) -> str:
    return (step.__doc__ or step.__name__).partition("\n")[0].rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
