"""Directories, ports and environment of one walsup under test."""

import secrets
import shutil
import tempfile
from pathlib import Path

from dev.harness.processes.machine import Machine
from dev.harness.processes.ports import free_ports
from dev.harness.storage.s3 import S3Server


class Layout:
    """What one walsup has for itself. Several exist side by side."""

    def __init__(self, machine: Machine) -> None:
        # Not TMPDIR: the path of a unix socket has room for 107 characters.
        self.base = Path(tempfile.mkdtemp(prefix="walsup-", dir="/tmp"))
        self.base.chmod(0o711)  # the database's user passes through
        self.volume = self.base / "volume"
        self.pgdata = self.volume / "data"
        self.run_dir = self.base / "run"
        self.log_file = self.base / "walsup.log"
        self.termination_log = self.base / "termination-log"
        for directory in (self.volume, self.run_dir):
            directory.mkdir(mode=0o700)
            machine.give_to_database(directory)
        self.termination_log.touch()
        self.termination_log.chmod(0o666)  # as kubelet makes it
        self.pg_port, self.http_port = free_ports(2)

    def remove(self) -> None:
        """Remove the directories."""
        shutil.rmtree(self.base, ignore_errors=True)

    def environment(self, machine: Machine, engine: str) -> dict[str, str]:
        """The whole environment of a walsup without an archive."""
        return {
            "PATH": machine.search_path(engine),
            "LANG": "C.UTF-8",
            "PGDATA": str(self.pgdata),
            "PG_BINDIR": str(machine.bindir),
            "PGPORT": str(self.pg_port),
            "POSTGRES_PASSWORD": "pg-secret-of-walsup-tests",
            "WALSUP_ENGINE": engine,
            "WALSUP_RUN_DIR": str(self.run_dir),
            "WALSUP_HTTP": f"127.0.0.1:{self.http_port}",
            "WALSUP_LOG_FORMAT": "json",
            "WALSUP_STOP_GRACE": "25s",  # on a loaded machine the default is too short for a yes
            "WALSUP_TERMINATION_LOG": str(self.termination_log),
        }


def archive_environment(s3: S3Server, prefix: str, endpoint: str | None) -> dict[str, str]:
    """The variables that make `prefix` of the server's bucket the archive."""
    return {
        "WALSUP_ARCHIVE": f"s3://{s3.bucket}/{prefix}",
        "AWS_ENDPOINT": endpoint or s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
    }


def new_prefix() -> str:
    """An archive prefix that nobody has used."""
    return f"walsup-{secrets.token_hex(6)}"
