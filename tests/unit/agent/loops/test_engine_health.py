"""How often the engine's programs are tried, and when a failure is a fault."""

import json
from pathlib import Path

import pytest

from walsup.agent.context import AgentContext
from walsup.agent.loops.engine_health import Programs
from walsup.archive.engine.adapter import Engine


def _programs(folder: Path, script: str) -> tuple[Programs, Path]:
    content = {"boot": "b", "pgdata": str(folder), "environment": {"PGDATA": str(folder)}}
    (folder / "agent.json").write_text(json.dumps(content))
    program = folder / "walrus"
    program.write_text(script)
    program.chmod(0o755)
    return Programs(AgentContext(folder, None), Engine("walrus", program, None)), program


def _counting(folder: Path, last: str) -> str:
    return f"#!/bin/sh\necho >> {folder}/tries\n{last}\n"


def _tries(folder: Path) -> int:
    return len((folder / "tries").read_text().splitlines())


@pytest.mark.parametrize("end", ["kill -KILL $$", "exit 127"])
async def test_one_failure_alone_is_no_fault_and_is_tried_again_soon(
    tmp_path: Path, end: str
) -> None:
    """A moment without memory passes: the next try decides, 5 s later and not 300 s."""
    once = f"[ -e {tmp_path}/failed ] || {{ touch {tmp_path}/failed; {end}; }}"
    programs, _ = _programs(tmp_path, _counting(tmp_path, once))
    assert await programs.look(0.0) is None
    assert await programs.look(4.0) is None
    assert _tries(tmp_path) == 1
    assert await programs.look(6.0) is None
    assert _tries(tmp_path) == 2
    assert await programs.look(299.0) is None
    assert _tries(tmp_path) == 2
    assert await programs.look(307.0) is None
    assert _tries(tmp_path) == 3


async def test_the_second_failure_in_a_row_is_a_fault_until_a_try_succeeds(tmp_path: Path) -> None:
    """While it lasts the program is tried every 5 s."""
    ends = f"[ -e {tmp_path}/well ] || exit 127"
    programs, _ = _programs(tmp_path, _counting(tmp_path, ends))
    assert await programs.look(0.0) is None
    fault = await programs.look(6.0)
    assert fault is not None
    assert (fault.kind, "exit code 127" in fault.problem) == ("engine broken", True)
    assert await programs.look(7.0) == fault
    (tmp_path / "well").touch()
    assert await programs.look(12.0) is None


async def test_a_program_that_is_missing_or_none_is_a_fault_at_once(tmp_path: Path) -> None:
    """Another try would end in the same way."""
    programs, program = _programs(tmp_path, "#!/bin/sh\n")
    assert await programs.look(0.0) is None
    program.write_bytes(b"\x7fELF nothing that the kernel executes")
    program.chmod(0o755)
    fault = await programs.look(1.0)
    assert fault is not None
    assert fault.kind == "engine broken"
    program.unlink()
    fault = await programs.look(2.0)
    assert fault is not None
    assert fault.kind == "engine missing"
