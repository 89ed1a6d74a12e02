"""An S3 server that ignores conditions (rclone): who writes last has written."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dev.harness.processes.machine import ROOT
from dev.harness.processes.ports import free_ports
from dev.harness.processes.waiting import wait_until
from dev.harness.storage.s3 import Boto


class LooseS3:
    """One `rclone serve s3` with one bucket; its objects are plain files below `directory`."""

    def __init__(self, *, bucket: str = "walsup-loose") -> None:
        self.bucket = bucket
        self.access_key = "loose-access"
        self.secret_key = "loose-secret"  # noqa: S105 - of a server on loopback
        self.base = Path(tempfile.mkdtemp(prefix="walsup-loose-"))
        self.directory = self.base / "data" / bucket
        self.port = free_ports(1)[0]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self.client: Boto = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(
                connect_timeout=2,
                read_timeout=5,
                retries={"max_attempts": 0},
                s3={"addressing_style": "path"},
            ),
        )

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True)
        with (self.base / "rclone.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(ROOT / ".venv" / "bin" / "rclone"), "serve", "s3"),
                    *("--addr", f"127.0.0.1:{self.port}", "--config", os.devnull),
                    *("--auth-key", f"{self.access_key},{self.secret_key}"),
                    # Else a key that was just written may not be listed yet; with 0 rclone 1.75
                    # spins: 3 s of CPU for a small PUT [M].
                    *("--vfs-cache-mode", "off", "--dir-cache-time", "1ms"),
                    str(self.directory.parent),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        atexit.register(self.close)
        wait_until(self._is_usable, f"rclone at {self.endpoint}", evidence=self._log)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def environment(self) -> dict[str, str]:
        """What makes it an archive's server, for the last word of a Walsup's `env`."""
        return {
            "AWS_ENDPOINT": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    def close(self) -> None:
        """Kill it and remove its data."""
        atexit.unregister(self.close)
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
        self.client.close()
        shutil.rmtree(self.base, ignore_errors=True)

    def _is_usable(self) -> bool:
        try:
            self.client.head_bucket(Bucket=self.bucket)
        except (BotoCoreError, ClientError):
            return False
        return True

    def _log(self) -> str:
        return (self.base / "rclone.log").read_text(errors="replace")[-2000:]
