"""Real parts for the tests. A part that is missing fails the run; nothing is skipped."""

import functools
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest

from dev.harness import Machine, S3Server, Walsup

# A duration proves nothing on a machine that does other things too.
hypothesis.settings.register_profile("walsup", deadline=None)
hypothesis.settings.load_profile("walsup")


@functools.cache
def _machine() -> Machine:
    return Machine.load()


def pytest_report_header() -> list[str]:
    """Say which engines are tested, and with which PostgreSQL."""
    try:
        machine = _machine()
    except FileNotFoundError as missing:
        return [f"engines: none ({missing})"]
    server = _first_line(str(machine.bindir / "postgres"), "--version")
    engines = [
        _first_line("env", f"PATH={machine.search_path(engine)}", engine, "--version")
        for engine in machine.engines
    ]
    return [f"engines: {', '.join(machine.engines)} ({'; '.join(engines)})", server]


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name functions among the parameters alike in every worker: their repr holds an address."""
    return getattr(val, "__name__", None) if callable(val) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what takes an engine once with each that this machine has."""
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", _machine().engines, indirect=True, scope="session")


@pytest.fixture(scope="session")
def machine() -> Machine:
    """What dev/setup found."""
    return _machine()


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> str:
    """The engine's name: `wal-g` or `walrus`."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A real S3 server for the whole run; who stops it must start it again."""
    with S3Server() as server:
        yield server


@pytest.fixture
def walsup(
    machine: Machine, engine: str, s3: S3Server, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Walsup]]:
    """Makes a Walsup that archives to `s3` under a prefix of its own; takes what Walsup takes.

    `s3=None` makes one without an archive. The log's tail is shown with a failure.
    """
    made: list[Walsup] = []

    def make(**chosen: Any) -> Walsup:  # noqa: ANN401 - Walsup's own arguments
        words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
        prefix = f"{words}-{secrets.token_hex(3)}"
        arguments = {"engine": engine, "s3": s3, "prefix": prefix, **chosen}
        made.append(Walsup(machine, **arguments))
        return made[-1]

    yield make
    for one in made:
        if one.layout.log_file.exists():
            print(one.tail())  # noqa: T201 - pytest keeps it for a failure's report
        one.close()


def _first_line(*argv: str) -> str:
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    return (done.stdout + done.stderr).partition("\n")[0]
