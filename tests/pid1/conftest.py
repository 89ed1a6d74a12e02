"""Real data directories made once, and walsups with other programs in postgres's place."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from dev.harness import Machine, PgTools, Walsup, free_ports
from dev.harness.processes.namespace import launcher
from tests.pid1.programs import OBEDIENT, Pid1, bare_words, put, run_words


class Clusters:
    """Data directories to copy: `clean` was never started, `crashed` was cut off.

    `slim` ones lack what only a real postgres reads, and are copied in a millisecond.
    """

    def __init__(self, machine: Machine) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="walsup-clusters-", dir="/tmp"))
        machine.give_to_database(self.base)
        tools = PgTools(machine.bindir, db_user=machine.db_user)
        tools.initdb(self.base / "clean")
        self._copy("clean", "crashed")
        tools.start(self.base / "crashed", port=free_ports(1)[0])
        tools.stop(self.base / "crashed", mode="immediate")
        for name in ("clean", "crashed"):
            self._copy(name, f"{name}-slim")
            for big in ("base", "pg_wal"):
                shutil.rmtree(self.base / f"{name}-slim" / big)
                (self.base / f"{name}-slim" / big).mkdir(mode=0o700)
                machine.give_to_database(self.base / f"{name}-slim" / big)

    def _copy(self, source: str, target: str) -> None:
        self.copy(source, self.base / target)

    def copy(self, name: str, target: Path) -> None:
        """Copy one with owners and modes."""
        subprocess.run(["cp", "-a", str(self.base / name), str(target)], check=True)


@pytest.fixture(scope="session")
def clusters(machine: Machine) -> Iterator[Clusters]:
    """Made once for all tests."""
    made = Clusters(machine)
    yield made
    shutil.rmtree(made.base)


@pytest.fixture
def container(machine: Machine, clusters: Clusters) -> Iterator[Callable[..., Walsup]]:
    """Makes a walsup with a data directory and `script` as postgres (None: the real one)."""
    made: list[Walsup] = []

    def make(
        script: str | None = OBEDIENT,
        *,
        cluster: str | None = "clean",
        env: Mapping[str, str | None] | None = None,
    ) -> Walsup:
        walsup = Walsup(machine, env=env)
        made.append(walsup)
        if cluster is not None:
            clusters.copy(cluster if script is None else f"{cluster}-slim", walsup.pgdata)
        if script is not None:
            put(walsup, script)
        return walsup

    yield make
    for walsup in made:
        if walsup.layout.log_file.exists():
            print(walsup.tail())  # noqa: T201 - pytest keeps it for a failure's report
        walsup.close()


@pytest.fixture
def directly(container: Callable[..., Walsup]) -> Iterator[Callable[..., Pid1]]:
    """Makes `walsup run` in our own PID namespace: a subreaper."""
    made: list[Pid1] = []

    def make(walsup: Walsup | None = None, *, words: Sequence[str] = ()) -> Pid1:
        made.append(Pid1(walsup or container(), [*words, *run_words()], ()))
        return made[-1]

    yield make
    for one in made:
        one.kill()


@pytest.fixture
def bare(container: Callable[..., Walsup]) -> Iterator[Callable[..., Pid1]]:
    """Makes PID 1 with a prepare that says the given messages."""
    made: list[Pid1] = []

    def make(
        *messages: Mapping[str, object], silence_s: float = 1000.0, words: Sequence[str] = ()
    ) -> Pid1:
        walsup = container()
        argv = [*words, *bare_words(walsup, messages, silence_s)]
        made.append(Pid1(walsup, argv, launcher()))
        return made[-1]

    yield make
    for one in made:
        one.kill()


@pytest.fixture
def as_root(machine: Machine) -> None:
    """Skip where the tests do not run as root: nobody can become another user there."""
    if not machine.db_user:
        pytest.skip("needs root: walsup is to become another user")
