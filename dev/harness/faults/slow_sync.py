"""A disk on which the sync of one WAL segment does not end, until the test says so."""

import subprocess
import tempfile
from pathlib import Path
from typing import Self

_SOURCE = Path(__file__).with_suffix(".c")


class HeldSync:
    """A library that holds fdatasync() of a named segment; `environment` is what postgres needs."""

    def __init__(self) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="walsup-heldsync-")
        self._library = Path(self._place.name) / "heldsync.so"
        self._hold = Path(self._place.name) / "hold"

    def __enter__(self) -> Self:
        Path(self._place.name).chmod(0o755)  # the database's user loads it
        argv = ["cc", "-shared", "-fPIC", "-O2", f'-DHOLD_FILE="{self._hold}"']
        subprocess.run([*argv, "-o", str(self._library), str(_SOURCE)], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._place.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that load it."""
        return {"LD_PRELOAD": str(self._library)}

    def hold(self, segment: str) -> None:
        """Let no sync of this segment's file end from now on."""
        self._hold.write_text(segment)

    def release(self) -> None:
        """Let every sync end."""
        self._hold.unlink(missing_ok=True)
