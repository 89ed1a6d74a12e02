"""`make demo` is what a newcomer sees first."""

import os
import subprocess

import pytest

from dev.harness.processes.machine import PYTHON


@pytest.mark.timeout(330)
def test_the_demo_sees_every_step() -> None:
    """It checks each step by itself and exits 0 only when all were seen; nothing is left."""
    environment = {name: value for name, value in os.environ.items() if name != "KEEP"}
    done = subprocess.run(
        [str(PYTHON), "-m", "dev.demo"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    print(done.stdout, done.stderr)  # noqa: T201 (pytest keeps it for a failure's report)
    assert done.returncode == 0
