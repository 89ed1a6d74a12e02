"""Steps: the stop, its verdict, and a second opinion on it."""

import re
import time

from dev.demo.stage import Stage
from dev.demo.weather import gapless
from dev.harness import NotSeenError

_YES = re.compile(r": yes \(([0-9A-F]{24}), [0-9A-F]+/[0-9A-F]+; base backup \S+\)$")


def stop(stage: Stage) -> None:
    """SIGTERM ends everything with exit code 0 and the verdict yes."""
    say, walsup = stage.narrator, stage.walsup
    say.does("SIGTERM to PID 1: postgres stops fast, what is left is archived, then the verdict")
    began_s = time.monotonic()
    code = walsup.stop()
    took_s = time.monotonic() - began_s
    ended = walsup.events("container.ended")
    stage.verdict = str(ended[0]["verdict"]) if ended else ""
    if code != 0 or not _YES.search(stage.verdict):
        raise NotSeenError(f"exit code 0 and a yes: {code}, {stage.verdict!r}\n{walsup.tail()}")
    if walsup.layout.termination_log.read_text().strip() != stage.verdict:
        raise NotSeenError(f"the verdict in {walsup.layout.termination_log}\n{walsup.tail()}")
    say.saw(f"{stage.verdict}")
    say.saw(f"exit code {code}, {took_s:.2f} s after SIGTERM")


def check_verdict(stage: Stage) -> None:
    """Boto3 finds the last segment that the verdict names."""
    named = _YES.search(stage.verdict)
    last = named[1] if named else "no segment"
    run = gapless(stage, last)
    key = next(k for k in stage.s3.keys(f"{stage.prefix}/wal_005/{last}."))
    size = stage.s3.objects(key)[key]
    stage.narrator.saw(f"boto3 sees {key} ({size} bytes), the last of {run.length} without a gap")
