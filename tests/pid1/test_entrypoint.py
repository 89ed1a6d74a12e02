"""docker-library's contract of a container's command: what is run, as whom, with which output."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import Machine, Walsup
from dev.harness.processes.machine import PYTHON, ROOT

Container = Callable[..., Walsup]
ENTRYPOINT = ROOT / "entrypoint.sh"


def run(
    machine: Machine, *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What a container with these arguments does; PGDATA would be a place that cannot be made."""
    environment = {
        "PATH": f"{machine.bindir}:/usr/bin:/bin",
        "PGDATA": "/proc/nowhere",
        "WALSUP_PYTHON": str(PYTHON),
        **(env or {}),
    }
    return subprocess.run(
        [str(ENTRYPOINT), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd="/",
    )


def test_another_command_is_run_as_it_is(machine: Machine) -> None:
    """Its output, its exit code, the user, the signals that are blocked: all its own."""
    said = run(machine, "echo", "hi", "-c", "x=y")
    assert (said.returncode, said.stdout, said.stderr) == (0, "hi -c x=y\n", "")
    code = run(machine, "sh", "-c", "id -u; grep SigBlk /proc/self/status; exit 7")
    assert code.returncode == 7
    assert code.stdout.split() == [str(os.geteuid()), "SigBlk:", "0" * 16]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("-?",),
        ("--version",),
        ("-V",),
        ("--describe-config",),
        ("postgres", "--help"),
        ("postgres", "--version"),
    ],
)
def test_what_postgres_says_about_itself_sets_nothing_up(
    machine: Machine, arguments: tuple[str, ...]
) -> None:
    """postgres's own output, without a data directory or a password."""
    bare = [word for word in arguments if word != "postgres"]
    wanted = subprocess.run(
        [machine.bindir / "postgres", *bare], check=True, capture_output=True, text=True
    )
    said = run(machine, *arguments)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == wanted.stdout
    directly = run(machine, str(PYTHON), "-I", "-m", "walsup", "run", *arguments)
    assert directly.stdout == wanted.stdout


def test_postgres_that_is_missing_is_said(tmp_path: Path) -> None:
    """127, as a shell has it."""
    env = {"PATH": str(tmp_path)}
    argv = [str(PYTHON), "-I", "-m", "walsup", "run", "--version"]
    said = subprocess.run(argv, check=False, capture_output=True, text=True, env=env)
    assert said.returncode == 127
    assert "PG_BINDIR" in said.stderr


def test_everything_else_is_postgres_s(machine: Machine, tmp_path: Path) -> None:
    """No argument, `postgres`, a flag: PID 1 with blocked signals and postgres's arguments.

    KubeDB's manifests name their own program, with flags that postgres does not know.
    """
    python = tmp_path / "python"
    # No shell, which would unblock them.
    python.write_text(
        f"#!{PYTHON}\nimport os, signal, sys\n"
        "blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())\n"
        "print(signal.SIGTERM in blocked, os.environ['WALSUP_REQUIRE_MOUNT'], *sys.argv[1:])\n"
    )
    python.chmod(0o755)
    given: dict[tuple[str, ...], list[str]] = {
        (): [],
        ("postgres",): [],
        ("postgres", "-c", "a=b"): ["-c", "a=b"],
        ("-c", "a=b"): ["-c", "a=b"],
        ("leader_election", "--enable-analytics=false", "--logtostderr=true"): [],
    }
    for arguments, wanted in given.items():
        said = run(machine, *arguments, env={"WALSUP_PYTHON": str(python)}).stdout.split()
        assert said == ["True", "on", "-I", "-m", "walsup", "run", *wanted]
    off = {"WALSUP_PYTHON": str(python), "WALSUP_REQUIRE_MOUNT": "off"}
    assert run(machine, env=off).stdout.split()[1] == "off"


def test_asked_for_a_setting_postgres_says_it_and_ends(container: Container) -> None:
    """`-C` needs the data directory: it passes through the whole start, and ends with 0."""
    walsup = container(None, cluster="clean")
    walsup.args = ["-C", "data_directory"]
    assert walsup.start().wait() == 0
    assert str(walsup.pgdata) in walsup.log().splitlines()
