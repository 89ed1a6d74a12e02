"""What Prometheus' own tool says about a live scrape."""

import subprocess
from collections.abc import Callable

from dev.containers import Box, S3Box
from dev.harness.checks.witness import wait_protected
from dev.harness.processes.machine import ROOT

Make = Callable[..., Box]

_PROMTOOL = ROOT / ".dev" / "tools" / "promtool"


def test_promtool_has_nothing_to_say_about_a_scrape(box: Make, s3: S3Box) -> None:
    """Names, units, help and types, of a container that archives and of one that does not."""
    one, bare = box(archive=s3).run(), box().run()
    for each in (one, bare):
        each.wait_accepts()
    wait_protected(one, timeout_s=150)
    for each in (one, bare):
        code, metrics = each.http("/metrics")
        assert code == 200
        assert "walsup_protected" in metrics
        done = subprocess.run(
            [str(_PROMTOOL), "check", "metrics"],
            input=metrics,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
