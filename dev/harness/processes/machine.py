"""What `dev/setup` found on this machine."""

import os
import pwd
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv" / "bin" / "python"

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where the real parts are.

    `engines` are in the order of preference. `db_user` is who the database runs as when we are
    root, and empty when we are not.
    """

    bindir: Path
    engines: tuple[str, ...]
    db_user: str

    @classmethod
    def load(cls) -> Self:
        """The machine as `.dev/env` tells it; WALSUP_DEV_* in the environment wins."""
        found = {**_assignments(ROOT / ".dev" / "env"), **os.environ}
        return cls(
            bindir=Path(found["WALSUP_DEV_BINDIR"]),
            engines=tuple(found["WALSUP_DEV_ENGINES"].split()),
            db_user=found["WALSUP_DEV_DB_USER"],
        )

    @property
    def major(self) -> str:
        """PostgreSQL's major version."""
        argv = (self.bindir / "postgres", "--version")
        said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        found: list[str] = re.findall(r"\d+", said)
        return found[0]

    def search_path(self, engine: str) -> str:
        """A PATH that holds `engine`, and the other engine only if the system itself has it."""
        return f"{ROOT / '.dev' / 'engines' / engine}:{_SYSTEM_PATH}"

    def give_to_database(self, path: Path) -> None:
        """Make `path` belong to the user that the database runs as."""
        if self.db_user:
            entry = pwd.getpwnam(self.db_user)
            os.chown(path, entry.pw_uid, entry.pw_gid)


def _assignments(file: Path) -> dict[str, str]:
    if not file.exists():
        problem = f"{file} is missing: run dev/setup first"
        raise FileNotFoundError(problem)
    pairs = (word.partition("=") for word in shlex.split(file.read_text(), comments=True))
    return {name: value for name, _, value in pairs}
