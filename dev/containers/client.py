"""Docker's own command line, as a person types it, on the daemon of these tests.

Not testcontainers: what is promised is promised of `docker run`, `docker stop` and `docker kill`
with their flags and exit codes, which it wraps or lacks; its reaper is an image that cannot be
pulled here, and its waiting is what dev.harness has already.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Debian's, of the daemon's own version; others may come first on PATH.
DOCKER = Path("/usr/bin/docker")
RUN_DIR = Path("/run/walsup-docker")
SOCKET = RUN_DIR / "docker.sock"
_TIMEOUT_S = 120.0


class DockerError(AssertionError):
    """A command of docker failed: its arguments, exit code and output."""


def run(
    *arguments: str, timeout_s: float = _TIMEOUT_S, stdin: bytes | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `docker ARGUMENTS`, whatever it exits with."""
    done = subprocess.run(
        [str(DOCKER), *arguments],
        check=False,
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=timeout_s,
        env=environment(),
    )
    return subprocess.CompletedProcess(
        done.args,
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )


def docker(*arguments: str, timeout_s: float = _TIMEOUT_S, stdin: bytes | None = None) -> str:
    """What `docker ARGUMENTS` prints, the last newline cut.

    Raises:
        DockerError: it failed.
    """
    done = run(*arguments, timeout_s=timeout_s, stdin=stdin)
    if done.returncode != 0:
        problem = f"docker {arguments} exited with {done.returncode}\n{done.stdout}{done.stderr}"
        raise DockerError(problem)
    return done.stdout.rstrip("\n")


def docker_bytes(*arguments: str, stdin: bytes, timeout_s: float = _TIMEOUT_S) -> bytes:
    """What `docker ARGUMENTS` makes of `stdin`, byte for byte."""
    done = subprocess.run(
        [str(DOCKER), *arguments],
        check=True,
        input=stdin,
        capture_output=True,
        timeout=timeout_s,
        env=environment(),
    )
    return done.stdout


def environment() -> Mapping[str, str]:
    """What a docker command needs to reach the daemon."""
    return os.environ | {"DOCKER_HOST": f"unix://{SOCKET}", "DOCKER_BUILDKIT": "1"}
