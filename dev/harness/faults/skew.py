"""A container whose clock is wrong: the time of day alone, in PID 1 and prepare."""

import subprocess
import tempfile
from pathlib import Path
from typing import Self

_SOURCE = Path(__file__).with_suffix(".c")


class Skew:
    """A library that sets a process's clock wrong; `environment` is what the process needs."""

    def __init__(self, seconds: int) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="walsup-skew-")
        self._library = Path(self._place.name) / "skew.so"
        self._seconds = seconds

    def __enter__(self) -> Self:
        Path(self._place.name).chmod(0o755)  # the database's user loads it
        argv = ["cc", "-shared", "-fPIC", "-O2", "-o", str(self._library), str(_SOURCE)]
        subprocess.run(argv, check=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._place.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make it so."""
        return {"LD_PRELOAD": str(self._library), "SKEW_S": str(self._seconds)}
