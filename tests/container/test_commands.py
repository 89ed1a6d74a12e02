"""`docker run IMAGE …`: another command is run as it is, flags are postgres's."""

import pytest

from dev.containers import client


@pytest.mark.parametrize(
    ("command", "code", "output"),
    [
        (("echo", "hi"), 0, "hi\n"),
        (("sh", "-c", "exit 7"), 7, ""),
        (("id", "-un"), 0, "root\n"),
        (("no-such-program",), 127, None),
    ],
)
def test_another_command_is_run_as_it_is(
    default_image: str, command: tuple[str, ...], code: int, output: str | None
) -> None:
    """Nothing on stdout but its own, and its exit code."""
    done = client.run("run", "--rm", default_image, *command)
    assert done.returncode == code
    if output is not None:
        assert (done.stdout, done.stderr) == (output, "")


@pytest.mark.parametrize("command", [("postgres", "--version"), ("--version",), ("-V",)])
def test_what_only_tells_about_postgres_makes_nothing(
    default_image: str, command: tuple[str, ...]
) -> None:
    """No password is asked for, no data directory is made."""
    done = client.run("run", "--rm", default_image, *command)
    assert done.returncode == 0
    assert done.stdout.startswith("postgres (PostgreSQL) 17")


def test_the_programs_are_there(default_image: str) -> None:
    """walsup's, the engine's, PostgreSQL's own psql and what unpacks initdb.d's scripts."""
    script = "walsup --version && walrus --version && psql --version && xz -V && zstd -V"
    done = client.run("run", "--rm", default_image, "bash", "-c", script)
    assert done.returncode == 0, done.stderr
    assert "walsup" in done.stdout.partition("\n")[0]


def test_without_a_password_it_says_what_is_missing(default_image: str) -> None:
    """The very first thing that everybody meets."""
    done = client.run("run", "--rm", default_image)
    assert done.returncode != 0
    assert "POSTGRES_PASSWORD" in done.stdout + done.stderr
