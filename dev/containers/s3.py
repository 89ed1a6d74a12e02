"""The same real S3 server in a container of its own, on docker's network."""

import json
import secrets
import shutil
import tempfile
from pathlib import Path

from dev.containers import base
from dev.containers.client import docker, run
from dev.containers.steps import step
from dev.harness import S3Server, wait_until
from dev.harness.processes.machine import ROOT

_WEED = ROOT / ".venv" / "bin" / "weed"
_IMAGE = "walsup-test:seaweedfs"
_RECIPE = f"FROM {base.DEBIAN}\nCOPY weed /usr/local/bin/weed\n"
_PORT = 8333
_START_TIMEOUT_S = 90.0


class S3Box(S3Server):
    """One `weed server`; a context manager, nothing of it outlives the block."""

    def __init__(self) -> None:
        """Lay it out; its address is known when it has started."""
        self._name = f"walsup-s3-{secrets.token_hex(5)}"
        self._address = "127.0.0.1"
        super().__init__()

    @property
    def port(self) -> int:
        """The port that speaks S3, inside."""
        return _PORT

    @property
    def endpoint(self) -> str:
        """The address for containers and for this machine alike."""
        return f"http://{self._address}:{_PORT}"

    def start(self) -> None:
        """Start it and return when the bucket can be written and read."""
        make_image()
        (self.directory / "s3.json").write_text(json.dumps(self._identities()))
        self.directory.chmod(0o755)
        docker(
            *("run", "--detach", "--name", self._name),
            *("--volume", f"{self.directory}:/conf:ro", _IMAGE),
            *("weed", "server", "-dir=/tmp", "-ip=127.0.0.1", "-ip.bind=0.0.0.0", "-s3"),
            *(f"-s3.port={_PORT}", "-s3.config=/conf/s3.json", "-s3.autoCreateBucket=false"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=200"),
            *("-master.volumeSizeLimitMB=256", "-master.telemetry=false"),
            *("-master.electionTimeout=500ms", "-volume.preStopSeconds=0"),
        )
        shown = "{{.NetworkSettings.IPAddress}}"
        self._address = docker("inspect", "--format", shown, self._name)
        self._client = self.boto()
        wait_until(
            self._is_usable,
            f"bucket {self.bucket} usable at {self.endpoint}",
            timeout_s=_START_TIMEOUT_S,
            evidence=self._log_tail,
        )

    def stop(self) -> None:
        """Remove it with its data."""
        run("rm", "--force", "--volumes", self._name)

    def pause(self) -> None:
        """Freeze it: connections are accepted by the kernel and never answered."""
        docker("pause", self._name)

    def resume(self) -> None:
        """End a pause."""
        docker("unpause", self._name)

    def _has_ended(self) -> bool:
        return docker("inspect", "--format", "{{.State.Running}}", self._name) != "true"

    def _log_tail(self) -> str:
        done = run("logs", "--tail", "20", self._name)
        return done.stdout + done.stderr


def make_image() -> None:
    """Make the server's image, when anything in it changed."""
    size = str(_WEED.stat().st_size)
    made_from = base.digest(_RECIPE, size, base.image_id(base.make_debian()))
    if base.is_made(_IMAGE, made_from):
        return
    with step("building the image of SeaweedFS"), tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        (folder / "Dockerfile").write_text(_RECIPE)
        shutil.copy(_WEED, folder / "weed")
        docker("build", "--tag", _IMAGE, base.label(made_from), work)
