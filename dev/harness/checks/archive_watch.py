"""A watcher of one archive and its fleet: who writes, who owns it, and what is changed there."""

import contextlib
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dev.harness.scenarios.fleet import Disk, Node
from dev.harness.storage.s3 import S3Server

_EVERY_S = 0.1


class ArchiveWatch:
    """Looks every 100 ms, in a thread of its own; `violations` are sentences.

    `boots` has the volume of every start that was seen, `arrived` for each archived object the
    boots of the owners at the time.
    """

    def __init__(self, s3: S3Server, prefix: str, nodes: Sequence[Node]) -> None:
        self.violations: list[str] = []
        self.boots: dict[str, tuple[str, Disk]] = {}
        self.arrived: dict[str, set[str]] = {}
        self.owners: list[tuple[int, str]] = []
        self.samples = 0
        self._s3, self._client = s3, s3.boto()
        self._prefix, self._nodes = prefix, nodes
        self._etags: dict[str, str] = {}
        self._last: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look once more, and no longer."""
        self._stop.set()
        self._thread.join(30)
        self._look()

    def order_of_owners(self) -> str:
        """The nodes by letter, in the order in which they owned the archive."""
        return "".join(self.boots.get(boot, ("?",))[0] for _, boot in self.owners)

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            try:
                self._look()
            except (BotoCoreError, ClientError):
                continue  # the server is slow: what it has is seen next time

    def _look(self) -> None:
        self.samples += 1
        self._learn_boots()
        self._count_writers()
        before = self._owner()
        listed = self._list()
        self._learn_boots()
        seen = self._last | {boot for boot in (before, self._owner()) if boot}
        for key, etag in listed.items():
            if key not in self._etags:
                self.arrived[key] = set(seen)
            elif self._etags[key] != etag:
                self._accuse(f"{key} was changed: {self._etags[key]} to {etag} while {seen} owned")
        for key in self._etags.keys() - listed.keys():
            self._accuse(f"{key} was removed")
        names = [_stem(key) for key in listed]
        for name in {name for name in names if names.count(name) > 1}:
            self._accuse(f"{name} is there under two extensions")
        self._etags = listed
        # A missing owner object does not end the time of the last owner.
        self._last = {boot for boot in (self._owner(),) if boot} or self._last

    def _owner(self) -> str:
        try:
            body = self._client.get_object(
                Bucket=self._s3.bucket, Key=f"{self._prefix}/walsup/owner.json"
            )["Body"].read()
        except ClientError as absent:
            if absent.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                raise
            return ""
        found: dict[str, Any] = json.loads(body)
        boot, epoch = str(found["boot"]), int(found["epoch"])
        if (epoch, boot) not in self.owners:
            self.owners.append((epoch, boot))
        return boot

    def _list(self) -> dict[str, str]:
        pages = self._client.get_paginator("list_objects_v2")
        return {
            entry["Key"]: entry["ETag"]
            for page in pages.paginate(Bucket=self._s3.bucket, Prefix=f"{self._prefix}/wal_005/")
            for entry in page.get("Contents", [])
        }

    def _learn_boots(self) -> None:
        for node in self._nodes:
            with contextlib.suppress(OSError, ValueError):
                boot = str(json.loads((node.walsup.run_dir / "agent.json").read_text())["boot"])
                if node.runs:
                    self.boots.setdefault(boot, (node.name, node.disk))

    def _count_writers(self) -> None:
        """Two at once: the first one must still be a writer after the second was seen as one."""
        first = [node for node in self._nodes if may_write(node)]
        again = [node for node in first if may_write(node)]
        if len(again) > 1:
            evidence = [f"{node.name} ({node.walsup.state()})" for node in again]
            self._accuse(f"two may write: {evidence}")

    def _accuse(self, sentence: str) -> None:
        if sentence not in self.violations:
            self.violations.append(f"{time.strftime('%H:%M:%S')} {sentence}")


def may_write(node: Node) -> bool:
    """Its daemon and its postgres are there, not stopped, and its lease is valid."""
    if node.moved or node.is_paused or not node.runs:
        return False
    try:
        status = Path(f"/proc/{node.walsup.init_pid}/stat").read_text()
        until = int((node.walsup.run_dir / "lease").read_text())
        uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, RuntimeError):
        return False
    state = node.walsup.state()
    stopped = status.rpartition(")")[2].split()[0] in "TZX"
    children = bool(state.get("engine_pid")) and bool(state.get("postgres_pid"))
    return not stopped and children and uptime_s < until


def _stem(key: str) -> str:
    """The name without the compression's extension, which each object has."""
    return key.rpartition("/")[2].rpartition(".")[0]
