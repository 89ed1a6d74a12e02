"""A database of very many files: its base backup's list of them is larger than the agent may be."""

import os
from collections.abc import Callable
from signal import SIGCONT, SIGSTOP, SIGTERM

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.witness import segments, status, verdict, wait_protected
from walsup.archive.catalog.backup_parts import MOST_WHOLE_BYTES

Make = Callable[..., Walsup]
_FILES = 100_000  # their list takes 150 MB in memory


@pytest.mark.timeout(600)  # two processes read 100,000 files each, on a busy machine
def test_a_list_of_files_that_is_too_large_for_the_agent_is_read_by_another_process(
    walsup: Make, machine: Machine, s3: S3Server
) -> None:
    """The base backup counts, and a part that is missing is found, by the agent and by the stop."""
    one = walsup(env={"WALSUP_INITIAL_BACKUP": "0", "WALSUP_LEASE": "1s"}).start()
    one.wait_for(lambda: status(one)["gate"]["state"] == "open", "the gate is open")
    assert one.stop() == 0
    for number in range(_FILES):
        if number % 10_000 == 0:
            folder = one.pgdata / "base" / f"more{number}"
            folder.mkdir()
            machine.give_to_database(folder)
        os.mknod(folder / f"relation_{number}", 0o644)
    one.environment["WALSUP_INITIAL_BACKUP"] = "1"
    one.start()
    agent = one.outer_pid(one.wait_event("agent.started")["pid"])
    seen = wait_protected(one, timeout_s=400)
    (lists,) = (k for k in s3.keys(one.prefix) if k.endswith("/files_metadata.json"))
    assert s3.objects(lists)[lists] > MOST_WHOLE_BYTES
    assert one.pid_of("agent") == agent
    assert seen["backup"]["state"] == "proven"
    assert segments(s3, one.prefix)
    part = next(k for k in s3.keys(one.prefix) if "/tar_partitions/part_" in k)
    os.kill(agent, SIGSTOP)
    s3.delete(part)
    one.signal(SIGTERM)
    os.kill(agent, SIGCONT)
    assert one.wait(90) == 0
    assert "is in the bucket: no: none of the 1 base backups in the archive counts" in verdict(one)
    assert f"{part.rpartition('/')[2].partition('.')[0]}.tar of it is missing" in verdict(one)
