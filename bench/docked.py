"""One side in a container of the image: walsup, or docker-library's sequence in its place.

On the host's network, so that the first answer is seen from the first moment on.
"""

import datetime as dt
import json
import secrets
import subprocess
from pathlib import Path
from typing import Self

from bench import probe
from bench.ground import Ground
from dev.containers.client import DOCKER, docker, environment
from dev.containers.client import run as run_docker
from dev.harness import free_ports
from dev.harness.processes.layout import archive_environment, new_prefix

_SEQUENCE = Path(__file__).with_name("docker_sequence.sh")
_KIB, _MB = 1024, 1e6
# Docker's own control group, version 1 or 2, and the most that it may weigh.
_WEIGHTS = (
    (Path("/sys/fs/cgroup/cpu/docker/cpu.shares"), 262144),
    (Path("/sys/fs/cgroup/docker/cpu.weight"), 10000),
)


def outweigh() -> None:
    """Measure containers as if nothing else ran: all together weigh as much as one process here.

    On a busy machine a start would else wait for its turn, and that would be the whole figure.
    """
    for file, most in _WEIGHTS:
        if file.exists():
            file.write_text(str(most))


class Docked:
    """A container that may be started again and again. A context manager."""

    def __init__(self, ground: Ground, image: str, *, side: str, archive: bool = False) -> None:
        self.name = f"walsup-bench-{secrets.token_hex(4)}"
        self.port, http_port = free_ports(2)
        given = {
            "POSTGRES_PASSWORD": "bench",
            "POSTGRES_DB": "app",
            "PGPORT": str(self.port),
            "WALSUP_HTTP": f"127.0.0.1:{http_port}",
        }
        if archive:
            given |= archive_environment(ground.s3, new_prefix(), None)
        words = ["create", "--name", self.name, "--network=host", "--no-healthcheck"]
        command: list[str] = []
        if side == "docker":
            given |= {
                "PG_BINDIR": "/usr/lib/postgresql/17/bin",
                "BENCH_SOCKET_DIR": "/var/run/postgresql",
                "BENCH_DB_USER": "postgres",
            }
            words += ["--volume", f"{_SEQUENCE}:/sequence.sh:ro", "--entrypoint", "bash"]
            command = ["/sequence.sh"]
        words += [word for pair in given.items() for word in ("--env", "=".join(pair))]
        docker(*words, "--volume", "/var/lib/postgresql/data", image, *command)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        run_docker("rm", "--force", "--volumes", self.name)

    def accepts_after_s(self) -> float:
        """Start it: from the start that docker notes until it takes a login over TCP."""
        argv = [str(DOCKER), "start", self.name]
        outweigh()
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, env=environment()) as starting:
            probe.wait_for_reply(self.port)
            now = dt.datetime.now(dt.UTC)
            if starting.wait() != 0:
                raise AssertionError(f"docker start failed\n{self._log()}")
        began = dt.datetime.fromisoformat(str(self._state()["StartedAt"]))
        return (now - began).total_seconds()

    def stop(self) -> None:
        """Stop it as docker does."""
        docker("stop", "--time", "30", self.name)
        if self._state()["ExitCode"] != 0:
            raise AssertionError(f"a stop that fails is no round\n{self._log()}")

    def is_protected(self) -> bool:
        """`walsup status` inside says so."""
        return run_docker("exec", self.name, "walsup", "status").returncode == 0

    def pss_mb(self) -> float:
        """The PSS of all its processes, in units of 10⁶ bytes."""
        pids = docker("top", self.name, "-o", "pid").split()[1:]
        return sum(_pss_kib(int(pid)) for pid in pids) * _KIB / _MB

    def _state(self) -> dict[str, str | int]:
        found: dict[str, str | int] = json.loads(docker("inspect", self.name))[0]["State"]
        return found

    def _log(self) -> str:
        done = run_docker("logs", "--tail", "30", self.name)
        return done.stdout + done.stderr


def _pss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError(f"/proc/{pid}/smaps_rollup has no Pss")
