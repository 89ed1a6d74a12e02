"""A real S3 server (SeaweedFS) on loopback."""

import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self, TypeAlias

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dev.harness.processes.machine import ROOT
from dev.harness.processes.ports import free_ports
from dev.harness.processes.waiting import wait_until
from dev.harness.storage.certificates import make_certificates
from dev.harness.storage.rights import limited_identities

Boto: TypeAlias = Any  # boto3 makes its clients' classes at run time

_START_TIMEOUT_S = 60.0
_TMP = Path("/tmp")  # noqa: S108 - weed's own choice
_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
    "s3.port.https",
)


class S3Server:
    """One `weed server` with one bucket and a directory of its own; speaks HTTP and HTTPS.

    It may be stopped and started again on the same ports and data. Several run side by side.
    """

    def __init__(self, *, bucket: str = "walsup-test") -> None:
        self.bucket = bucket
        self.access_key = "walsup-access"
        # Odd characters, because a secret has them and every quoting must survive them.
        self.secret_key = "s3cret/+$'\"-of-walsup-tests"  # noqa: S105 - of a server on loopback
        self.directory = Path(tempfile.mkdtemp(prefix="walsup-s3-"))
        self._ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[Boto] = []
        self._client = self.boto()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The port that speaks S3."""
        return self._ports["s3.port"]

    @property
    def endpoint(self) -> str:
        """The address that clients take."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def https_endpoint(self) -> str:
        """The same over TLS, with a certificate signed by `ca_file`."""
        return f"https://127.0.0.1:{self._ports['s3.port.https']}"

    @property
    def ca_file(self) -> Path:
        """The CA of it, which nobody else knows."""
        return self.directory / "ca.pem"

    @property
    def pid(self) -> int:
        """The server's process."""
        if self._process is None:
            problem = "the S3 server is not running"
            raise RuntimeError(problem)
        return self._process.pid

    def start(self) -> None:
        """Start it and return when the bucket can be written and read."""
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        if not self.ca_file.exists():
            make_certificates(self.directory)
        config = self.directory / "s3.json"
        config.write_text(json.dumps(self._identities()))
        with (self.directory / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._argv(data, config),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                start_new_session=True,
            )
        atexit.register(self.stop)
        wait_until(
            self._is_usable,
            f"bucket {self.bucket} usable at {self.endpoint}",
            timeout_s=_START_TIMEOUT_S,
            evidence=self._log_tail,
        )

    def stop(self) -> None:
        """Kill it, keeping its data; TERM would take it several seconds."""
        atexit.unregister(self.stop)
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for socket in self.sockets():
            socket.unlink(missing_ok=True)  # a killed server leaves them

    def close(self) -> None:
        """Kill it, remove its data and close every client that was given out."""
        self.stop()
        for client in self._clients:
            client.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def sockets(self) -> list[Path]:
        """The sockets that exist outside `directory`: weed puts them there, whatever it is told."""
        found: list[Path] = []
        for port in self._ports.values():
            for path in _TMP.glob(f"seaweedfs-*-{port}.sock"):
                with contextlib.suppress(FileNotFoundError):
                    # Another user's is older than ours, and not ours to remove.
                    found += [path] if path.stat().st_uid == os.geteuid() else []
        return found

    def pause(self) -> None:
        """Freeze it: connections are accepted by the kernel and never answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        os.kill(self.pid, signal.SIGCONT)

    def boto(self, *, endpoint: str | None = None, secret_key: str | None = None) -> Boto:
        """An S3 client of boto3, the reader that shares no code with walsup. It never retries."""
        client = boto3.client(
            "s3",
            endpoint_url=endpoint or self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            config=Config(
                connect_timeout=2,
                read_timeout=5,
                retries={"max_attempts": 0},
                s3={"addressing_style": "path"},
            ),
        )
        self._clients.append(client)
        return client

    def keys(self, prefix: str = "") -> list[str]:
        """All keys of the bucket under `prefix`, in order."""
        return list(self.objects(prefix))

    def objects(self, prefix: str = "") -> dict[str, int]:
        """The size in bytes of every object under `prefix`, by key, in order."""
        pages = self._client.get_paginator("list_objects_v2")
        return {
            entry["Key"]: entry["Size"]
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix)
            for entry in page.get("Contents", [])
        }

    def get(self, key: str) -> bytes:
        """The object's bytes."""
        body: bytes = self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def put(self, key: str, body: bytes) -> None:
        """Write an object."""
        self._client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._client.delete_object(Bucket=self.bucket, Key=key)

    def _is_usable(self) -> bool:
        if self._has_ended():
            problem = f"weed ended by itself\n{self._log_tail()}"
            raise RuntimeError(problem)
        client = self._client
        try:
            try:
                client.head_bucket(Bucket=self.bucket)
            except ClientError:
                client.create_bucket(Bucket=self.bucket)
            # The gateway answers before a volume server has joined: only a write proves it.
            client.put_object(Bucket=self.bucket, Key="probe", Body=b"probe")
            client.get_object(Bucket=self.bucket, Key="probe")["Body"].read()
            client.delete_object(Bucket=self.bucket, Key="probe")
        except (BotoCoreError, ClientError):
            return False
        return True

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _identities(self) -> dict[str, object]:
        credentials = [{"accessKey": self.access_key, "secretKey": self.secret_key}]
        all_ = {"name": "walsup", "credentials": credentials, "actions": ["Admin"]}
        policies, limited = limited_identities(self.bucket)
        return {"identities": [all_, *limited], "policies": policies}

    def _argv(self, data: Path, config: Path) -> list[str]:
        return [
            str(ROOT / ".venv" / "bin" / "weed"),
            "server",
            f"-dir={data}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3",
            f"-s3.config={config}",
            "-s3.autoCreateBucket=false",  # real S3 does not
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.localSocket={self.directory / 's3.sock'}",
            f"-filer.localSocket={self.directory / 'filer.sock'}",
            *(f"-s3.{kind}.file={self.directory}/s3.{kind}" for kind in ("cert", "key")),
            "-volume.max=200",
            "-master.volumeSizeLimitMB=256",
            "-master.telemetry=false",
            "-master.electionTimeout=500ms",  # the default of 10 s makes a second start take 18 s
            "-volume.preStopSeconds=0",
            *(f"-{flag}={port}" for flag, port in self._ports.items()),
        ]

    def _log_tail(self) -> str:
        lines = (self.directory / "weed.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-20:])
