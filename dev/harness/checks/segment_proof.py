"""Whether what is archived is its owner's: every WAL file compared with the owner's pg_wal."""

import json
import shutil
import subprocess

from dev.harness.checks.archive_watch import ArchiveWatch
from dev.harness.scenarios.fleet import Fleet

_FETCH_TIMEOUT_S = 60


def foreign_segments(fleet: Fleet, watch: ArchiveWatch) -> tuple[int, list[str]]:
    """How many were compared, and those that no owner of their time has had, in words."""
    one = fleet.nodes[0].walsup
    program = shutil.which(one.engine, path=one.machine.search_path(one.engine))
    rendered = next(
        json.loads(path.read_text())
        for node in fleet.nodes
        if (path := node.walsup.run_dir / "engine.json").exists()
    )
    place = {"WALG_S3_PREFIX": f"s3://{fleet.s3.bucket}/{fleet.prefix}"}
    scratch = fleet.scratch / "fetched"
    scratch.mkdir()
    config = scratch / "engine.json"
    config.write_text(json.dumps(rendered | place | {"PGDATA": str(scratch)}))
    foreign = []
    for key, boots in watch.arrived.items():
        name = key.rpartition("/")[2].rpartition(".")[0]
        if len(name.split(".")[-1]) not in (24, 7) or "backup" in name:
            continue
        target = scratch / name
        argv = [str(program), "--config", str(config), "wal-fetch", name, str(target)]
        subprocess.run(argv, check=True, capture_output=True, timeout=_FETCH_TIMEOUT_S)
        content = target.read_bytes()
        disks = [watch.boots[boot] for boot in boots if boot in watch.boots]
        held = [disk.path / "pg_wal" / name for _, disk in disks]
        if not any(path.exists() and path.read_bytes() == content for path in held):
            foreign.append(
                f"{name} is not of {boots} ({[node for node, _ in disks]}, there:"
                f" {[path.exists() for path in held]})"
            )
    return len(watch.arrived), foreign
