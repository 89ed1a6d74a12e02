"""What prepare passes on: launches for PID 1, and a 0600 file with the agent's settings.

No secret is in a launch: children read them from files in the run directory (rule secrets).
"""

import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from walsup import log, settings
from walsup.boot.command_line import CommandLine
from walsup.boot.current_settings import Current
from walsup.datadir import restore_state
from walsup.pid1_messages import Launch, Send, StartAgent, StartPostgres
from walsup.system.private_files import write_private

AGENT_FILE = "agent.json"
PROBE_FILE = "probe"
_AGENT_SEES = ("PATH", "HOME", "TZ", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Handover:
    """Writes the agent's file for prepare, and sends launches to PID 1."""

    def __init__(
        self,
        current: Current,
        run_dir: Path,
        boot: str,
        send: Send,
    ) -> None:
        """`boot`: a random name of this start of the container (rule one-owner)."""
        self.run_dir = run_dir
        self.current = current
        self._archive = current.known.archive  # the value that the agent has received
        self.boot = boot
        self.continues = False  # whether the data directory existed before this start
        self.deadline_s = math.inf  # of this start's claim, when silence ends a primary
        self.send = send

    def write_agent_file(self) -> None:
        """Write the file that the agent reads when it starts."""
        content = {
            "boot": self.boot,
            "pgdata": str(self.current.known.pgdata),
            "environment": settings.relevant(os.environ),
        }
        write_private(self.run_dir / AGENT_FILE, json.dumps(content))

    def _write_probe_file(self) -> None:
        """Write what the exec probes need to know of this start, for a shell to read.

        A restore ends as a primary. Until then the database is not ready.
        """
        known, path = self.current.known, self.run_dir / PROBE_FILE
        restores = restore_state.is_under_way(known.pgdata)
        fields = {
            "role": "primary" if restores else known.role,
            "pgdata": known.pgdata,
            "bindir": known.pg_bindir or "",
            "user": known.database_role,
        }
        lines = "".join(f"{name}={value}\n" for name, value in fields.items())
        try:
            write_private(path, lines)
        except OSError as full:  # a full run directory must not keep the database from running
            log.warning("probe.not_written", path=str(path), problem=str(full.strerror))
            path.unlink(missing_ok=True)

    def move(self) -> None:
        """Start the agent again when the archive continues in another place."""
        archive = self.current.known.archive
        if archive != self._archive:
            self._archive = archive
            self.launch_agent(generation=2)

    def launch_agent(self, after_s: float = 0.0, generation: int = 1) -> None:
        """Launch the agent after a delay in seconds. An agent of another generation is ended."""
        # -I: no PYTHON* variables, no user site, no current directory.
        argv = [sys.executable, "-I", "-m", "walsup", "agent", str(self.run_dir)]
        environment = {name: os.environ[name] for name in _AGENT_SEES if name in os.environ}
        self.send(StartAgent(Launch(argv, environment | self._trust()), generation, after_s))

    def _trust(self) -> dict[str, str]:
        """Return the variables with which the agent's engines trust the S3 server's CA.

        Source: rustls-native-certs 0.8 (WAL-RUS) and Go's crypto/x509 (WAL-G) read it.
        """
        ca = self.current.known.ca_file
        return {"SSL_CERT_FILE": str(ca)} if ca else {}

    def launch_postgres(
        self, program: str, line: CommandLine, environment: Mapping[str, str]
    ) -> None:
        """Launch postgres."""
        known = self.current.known
        self._write_probe_file()
        pgdata = str(known.pgdata)
        launch = Launch([program, *line.arguments], {**environment, "PGDATA": pgdata}, pgdata)
        archives = known.archive is not None
        self.send(StartPostgres(launch, self.boot if archives else "", awaits_verdict=archives))
