"""`python -m dev.containers COMMAND …`: run a command with docker's daemon up and all images made.

Everything that takes time is told here; the tests that the command runs then find it done. For a
person: `python -m dev.containers bash`, and docker is there.
"""

import subprocess
import sys
from collections.abc import Sequence

from dev.containers import image, s3
from dev.containers.client import environment
from dev.containers.daemon import Daemon
from dev.containers.steps import step
from dev.harness import Machine


def main(command: Sequence[str]) -> int:
    """Give the command's exit code."""
    machine = Machine.load()
    with Daemon():
        for engine in {"walrus", *machine.engines}:
            image.make(machine, engine)
        image.make_newest()
        s3.make_image()
        with step(f"running {' '.join(command)}\n"):
            done = subprocess.run(command, check=False, env=environment())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
