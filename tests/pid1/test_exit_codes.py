"""Rule 6: the container's exit code has the meaning of postgres's end."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from dev.harness import Walsup
from tests.pid1.programs import put

Container = Callable[..., Walsup]

# Those that end a shell by themselves and leave no choice to it.
DEADLY = ("HUP", "INT", "QUIT", "ABRT", "KILL", "SEGV", "PIPE", "TERM", "USR1", "SYS", "RTMIN")


def codes_of(walsup: Walsup, wanted: range) -> dict[int, int]:
    """What walsup made of each code."""
    found = {}
    for code in wanted:
        put(walsup, f"#!/bin/sh\nexit {code}\n")
        found[code] = walsup.start().wait()
    return found


def test_gives_every_exit_code(container: Container) -> None:
    """0 to 255 pass through unchanged, though 128 and above look like signals."""
    lanes = 3
    walsups = [container() for _ in range(lanes)]
    with ThreadPoolExecutor(lanes) as pool:
        parts = pool.map(codes_of, walsups, [range(lane, 256, lanes) for lane in range(lanes)])
        found = {code: given for part in parts for code, given in part.items()}
    assert found == {code: code for code in range(256)}


@pytest.mark.parametrize("name", DEADLY)
def test_gives_128_and_the_signal(container: Container, name: str) -> None:
    """A postgres killed by signal n makes 128+n."""
    number = getattr(signal, f"SIG{name}")
    walsup = container(f"#!/bin/sh\nkill -{number:d} $$\nsleep 1000\n")
    assert walsup.start().wait() == 128 + number


def test_gives_127_for_a_missing_program(container: Container) -> None:
    """PG_BINDIR without postgres."""
    walsup = container(env={"PG_BINDIR": "/nowhere"})
    walsup.environment["PG_BINDIR"] = "/nowhere"
    assert walsup.start().wait() == 127


@pytest.mark.parametrize(
    ("script", "mode"), [("#!/bin/sh\nexit 0\n", 0o644), ("no program\n", 0o755)]
)
def test_gives_126_for_what_cannot_run(container: Container, script: str, mode: int) -> None:
    """A postgres without x, or of no known format."""
    walsup = container()
    put(walsup, script, mode=mode)
    assert walsup.start().wait() == 126


def test_gives_0_after_an_asked_for_stop(container: Container) -> None:
    """A real postgres is stopped cleanly."""
    walsup = container(None)
    walsup.start().wait_accepts()
    assert walsup.stop() == 0
    assert walsup.tools.control(walsup.pgdata)["Database cluster state"] == "shut down"


def test_gives_137_for_a_killed_postgres(container: Container) -> None:
    """A real postmaster killed from outside, as by the kernel without memory."""
    walsup = container(None)
    walsup.start().wait_accepts()
    walsup.kill("postgres")
    assert walsup.wait() == 137
