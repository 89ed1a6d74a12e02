"""A container from nothing, both sides alike: walsup, or docker-library's sequence."""

from pathlib import Path
from typing import Self

from bench.ground import Ground
from bench.process import Container
from dev.harness.processes.layout import Layout, archive_environment, new_prefix
from dev.harness.processes.machine import PYTHON

_SEQUENCE = Path(__file__).with_name("docker_sequence.sh")


class Boot:
    """A place to start one side in, again and again. A context manager."""

    def __init__(self, ground: Ground, *, side: str, archive: bool = False) -> None:
        self.layout = Layout(ground.machine)
        self.port = self.layout.pg_port
        self._environment = self.layout.environment(ground.machine, ground.engine)
        self._environment["POSTGRES_DB"] = "app"
        if archive:
            self._environment |= archive_environment(ground.s3, new_prefix(), None)
        if side == "walsup":
            self._argv = ["env", "--block-signal", str(PYTHON), "-I", "-m", "walsup", "run"]
        else:
            self._argv = [str(_SEQUENCE)]
            self._environment |= {
                "BENCH_SOCKET_DIR": str(self.layout.run_dir),
                "BENCH_DB_USER": ground.machine.db_user,
            }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.layout.remove()

    def start(self, *arguments: str) -> Container:
        """Start it."""
        return Container([*self._argv, *arguments], self._environment, self.layout.log_file)
