"""A server of the stage: on a socket in the run directory, without TCP, while scripts run."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from walsup.boot import inspect
from walsup.boot.new_cluster.temporary_settings import stage_settings
from walsup.boot.run_program import OneShot, end
from walsup.errors import BootstrapError
from walsup.postgres import config
from walsup.postgres.sql import startup_settings
from walsup.system.output_tail import last_lines

_USUAL_PORT = 5432
_READY_WITHIN_S = 300.0
_LOOK_EVERY_S = 0.01
_STATUS_LINE = 7  # of postmaster.pid, from 10 on; Source: PostgreSQL, pidfile.h
_GONE_WITHIN_S = 5.0


class StageServer:
    """A context manager: inside, the server accepts connections; after it, it has shut down.

    When the block fails, the server is only ended: the next start wipes the stage.
    """

    def __init__(self, one_shot: OneShot, data: Path, port: int | None) -> None:
        self.socket_dir = one_shot.run_dir
        self.port = port or _USUAL_PORT
        self._one_shot = one_shot
        self._data = data
        self._output = self.log_of(one_shot.run_dir)
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def log_of(run_dir: Path) -> Path:
        """Return where its output goes (rule logs)."""
        return run_dir / "initdb.d-server.log"

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Self:
        """Start it with the operator's arguments, followed by those that they must not override.

        Raises:
            BootstrapError: it ended, or is not ready in time.
        """
        path = environment.get("PATH", "")
        program = inspect.program("postgres", self._one_shot.bindir, path)
        major = startup_settings.major_of(self._data)
        effective = config.effective(self._data, arguments).values
        ours = stage_settings(self._data, self.socket_dir, effective, major)
        settings = config.as_arguments(ours)
        # -D again: the operator's -D may name the place that the stage is moved to. -F: one sync of
        # the whole stage follows.
        last = ["-D", str(self._data), "-p", str(self.port), "-F", *settings]
        argv = [program, "-D", str(self._data), *arguments, *last]
        self._process = self._one_shot.begin(argv, self._output, environment)
        deadline_s = time.monotonic() + _READY_WITHIN_S
        while not self._is_ready():
            code = self._process.poll()
            if code is not None or time.monotonic() > deadline_s:
                how = end(code) if code is not None else "did not become ready in time"
                text = last_lines(self._output, self._one_shot.secrets)
                raise BootstrapError(
                    f"the temporary server for the scripts of initdb.d {how}:\n{text}",
                    hint="correct what its last lines name, then start again: the cluster"
                    " is created from the beginning",
                )
            time.sleep(_LOOK_EVERY_S)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        stop = ["-D", str(self._data), "-w", "-t", "3600", "stop", "-m"]
        # By its pid file: a script may have restarted it.
        if kind is None:
            self._one_shot.run("pg_ctl", [*stop, "fast"])
        else:
            path = self._one_shot.environment.get("PATH", "")
            program = inspect.program("pg_ctl", self._one_shot.bindir, path)
            output = self._one_shot.run_dir / "pg_ctl.log"
            self._one_shot.end_of([program, *stop, "immediate"], output, {})
        if self._process:
            try:
                self._process.wait(_GONE_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _is_ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"
