"""What a start pays for: modules that PID 1 and prepare must not load."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def loaded(module: str) -> set[str]:
    """The modules that an interpreter has more of once it has imported this one."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import walsup; before = set(sys.modules); "
        f"import {module}; print(*set(sys.modules) - before)"
    )
    argv = [sys.executable, "-I", "-c", program, str(ROOT)]
    shown = subprocess.run(argv, check=True, capture_output=True, text=True)
    return set(shown.stdout.split())


@pytest.mark.parametrize("module", ["walsup.errors", "walsup.units"])
def test_nothing_is_imported(module: str) -> None:
    """PID 1 pays for these modules with no import beside themselves."""
    assert loaded(module) == {module}


@pytest.mark.parametrize("module", ["walsup.init", "walsup.boot.prepare"])
def test_a_start_loads_nothing_slow(module: str) -> None:
    """Each of these takes 2 to 20 ms of every start of a database."""
    slow = {"argparse", "asyncio", "click", "dataclasses", "datetime", "decimal", "inspect"}
    slow |= {"asyncpg", "h11", "psycopg", "socket", "subprocess", "tempfile", "unittest"}
    assert not loaded(module) & slow


def test_pid_1_stays_small() -> None:
    """Nothing of what only its children need (init: no typing, no paths as objects)."""
    assert not loaded("walsup.init") & {
        "traceback",
        "typing",
        "pathlib",
        "walsup.settings",
        "walsup.boot",
    }
