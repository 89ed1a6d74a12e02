"""Volumes and settings that were made for another image."""

from collections.abc import Callable
from pathlib import Path

from dev.harness import Walsup
from dev.harness.witness import status, verdict, wait_fault, wait_protected

Make = Callable[..., Walsup]


def test_socket_directories_each_work_or_are_named(walsup: Make) -> None:
    """Several, absent, abstract, relative, unusable, none: protected, and walsup's own is first."""
    one = walsup(env={"POSTGRES_USER": "chief"})
    absent, abstract = f"{one.layout.base}/run/pg", f"@walsup-{one.prefix}"
    one.args = ["-c", f"unix_socket_directories={absent}, {abstract}", "-k", f"{absent},{abstract}"]
    one.start()
    wait_protected(one)
    for directory in (absent, abstract):
        elsewhere = one.address._replace(socket_dir=Path(directory))
        assert one.tools.psql(elsewhere, "select 1", user="chief") == "1"
    assert one.stop() == 0

    # A file of the volume: what cannot be used here is left out, by name.
    with (one.pgdata / "postgresql.conf").open("a") as file:
        file.write("unix_socket_directories = 'sock, /controller/none/run, /tmp'\n")
        file.write("unix_socket_permissions = 0070\n")
    one.args = []
    del one.environment["POSTGRES_USER"]
    one.start()
    fault = wait_fault(one, "database")
    assert 'set POSTGRES_USER to the superuser of this cluster, "chief"' in fault["remedy"]
    left_out = {event["directory"] for event in one.events("socket.left_out")}
    assert left_out == {"sock", "/controller/none/run"}
    assert one.psql("show unix_socket_directories", user="chief").endswith('/tmp"')
    assert one.stop() == 0

    # None at all; the name that the fault gives is a remedy.
    one.environment["POSTGRES_USER"] = "chief"
    one.args = ["-c", "unix_socket_directories="]
    one.start()
    wait_protected(one)
    assert "database" not in status(one)["faults"]
    assert one.stop() == 0
    assert ": yes (" in verdict(one)

    for words in ("sock", "/controller/none/run", "/tmp,", '"/tmp'):
        one.args = ["-c", f"unix_socket_directories={words}"]
        one.start()
        assert one.wait() == 64
        assert "unix_socket_directories" in verdict(one)
