"""A base backup's list of very many files is read by a process that stays small."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.harness import S3Server
from dev.harness.processes.layout import archive_environment

_NAME = "base_000000010000000000000002"
_FOLDER = f"basebackups_005/{_NAME}"
_FILES = 400_000
# Python with this client alone takes 40 MB; the list read whole takes 600 MB.
_MOST_BYTES = 80 << 20
_PART_FILES = 20_000


def _content() -> Iterator[str]:
    """The list as WAL-G writes it."""
    fields = '{"IsIncremented":false,"IsSkipped":false,"MTime":"2026-01-01T00:00:00.0Z"}'
    yield '{"Files":{'
    yield ",".join(f'"/base/5/{number}":{fields}' for number in range(_FILES))
    yield '},"TarFileSets":{'
    for first in range(0, _FILES, _PART_FILES):
        names = ",".join(f'"/base/5/{number}"' for number in range(first, first + _PART_FILES))
        yield f'{"," if first else ""}"part_{first}.tar.zst":[{names}]'
    yield "}}"


_PROGRAM = """
import sys
from walsup.archive.listing_check import worker
worker.main(sys.argv[1])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def _asked(run_dir: Path, question: dict[str, object]) -> tuple[dict[str, object], int]:
    """The answer of the audit's process, and the most memory that it took."""
    argv = [sys.executable, "-c", _PROGRAM, str(run_dir)]
    text = json.dumps(question | {"region": None}).encode()
    done = subprocess.run(argv, input=text, stdout=subprocess.PIPE, check=True)
    *_, answer, took_kib = done.stdout.splitlines()
    return json.loads(answer), int(took_kib) << 10


@pytest.mark.parametrize("kind", ["s3", pytest.param("file", marks=pytest.mark.soak)])
def test_a_list_of_400000_files_is_compared_within_80_mib(
    s3: S3Server, tmp_path: Path, kind: str
) -> None:
    """Whole: the file that it lacks is found, and so are the parts that are missing."""
    pgdata, run_dir, archive = tmp_path / "data", tmp_path / "run", tmp_path / "archive"
    (pgdata / "base/5").mkdir(parents=True)
    for name in ("1", str(_FILES - 1), str(_FILES)):
        (pgdata / "base/5" / name).touch()
    run_dir.mkdir()
    environment = {"PGDATA": str(pgdata), "POSTGRES_PASSWORD": "x"}
    content = "".join(_content()).encode()
    if kind == "s3":
        prefix = f"lists-{tmp_path.name}"
        environment |= archive_environment(s3, prefix, None)
        s3.put(f"{prefix}/{_FOLDER}/files_metadata.json", content)
        s3.put(f"{prefix}/{_FOLDER}/tar_partitions/part_0.tar.zst", b"x")
    else:
        environment["WALSUP_ARCHIVE"] = f"file://{archive}"
        (archive / _FOLDER / "tar_partitions").mkdir(parents=True)
        (archive / _FOLDER / "files_metadata.json").write_bytes(content)
        (archive / _FOLDER / "tar_partitions/part_0.tar.zst").write_bytes(b"x")
    (run_dir / "agent.json").write_text(json.dumps({"environment": environment}))
    before = time.time() + 60
    answer, took_bytes = _asked(run_dir, {"compared": {"name": _NAME, "before": before}})
    assert answer == {"unlisted": [f"base/5/{_FILES}"]}
    assert took_bytes < _MOST_BYTES
    answer, took_bytes = _asked(run_dir, {"backup": {"name": _NAME}})
    missing = answer["missing"]
    assert isinstance(missing, list)
    assert f"{_FOLDER}/tar_partitions/part_{_PART_FILES}.tar" in missing
    assert len(missing) == _FILES // _PART_FILES
    assert took_bytes < _MOST_BYTES
