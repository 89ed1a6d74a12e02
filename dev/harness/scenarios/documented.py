"""Runs what a page tells a person to run, where a walsup of the harness runs."""

import subprocess
import tempfile
from collections.abc import Mapping

from dev.harness.processes.machine import PYTHON
from dev.harness.processes.walsup import Walsup

_TIMEOUT_S = 120.0


def run(
    one: Walsup, text: str, *, instead: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a block in the environment of `one`; `instead`: what its own ports and paths replace.

    Raises:
        ValueError: the block does not contain what is to be replaced.
    """
    for documented, own in (instead or {}).items():
        if documented not in text:
            problem = f"{documented!r} is not in the block: {text}"
            raise ValueError(problem)
        text = text.replace(documented, own)
    path = f"{PYTHON.parent}:{one.machine.bindir}:{one.environment['PATH']}"
    # Files, not pipes: a server that the block starts keeps them open.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(
            ["bash", "-euc", text],
            env=one.environment | {"PATH": path},
            input=stdin,
            stdout=out,
            stderr=errors,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
            cwd="/",
        )
        out.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(text, done.returncode, out.read(), errors.read())
