"""Archives to be wiped, without a database: made and looked at by boto3."""

import contextlib
import os
import random
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from dev.harness.faults.tcp_proxy import FaultProxy
from dev.harness.processes.machine import PYTHON
from dev.harness.processes.waiting import wait_until
from dev.harness.storage.s3 import Boto, S3Server
from walsup.archive.owner_record import Owner

OWNER = "walsup/owner.json"
# Odd names, which a person may have put there: they go too.
_KEYS = (
    "basebackups_005/base_000000010000000000000002/tar_partitions/part_001.tar.lz4",
    "basebackups_005/base_000000010000000000000002_backup_stop_sentinel.json",
    "wal_005/00000002.history.lz4",
    "wal_005/a b+c%20ü&<\"'>.lz4",
    "notes/by hand.txt",
    "walsup/conditions",
)


class Laid:
    """An archive below a prefix of a bucket, and neighbours that must survive."""

    def __init__(self, s3: S3Server, prefix: str, *, bucket: str = "", boto: Boto = None) -> None:
        self.s3 = s3
        self.bucket = bucket or s3.bucket
        self.prefix = prefix
        self.boto = boto or s3.boto()

    def fill(self, *, segments: int = 3, state: str = "stopped", owned: bool = True) -> None:
        """Write an archive: odd keys, so many segments, and an owner object in this state."""
        names = [f"wal_005/0000000100000000000000{n:02X}.lz4" for n in range(segments % 256)]
        names += [f"wal_005/00000001{n:016X}.lz4" for n in range(256, segments)]
        for name in (*_KEYS, *names):
            self.put(name)
        if owned:
            self.put(OWNER, owner(state=state).to_json())

    def neighbours(self) -> dict[str, bytes]:
        """Write what lies beside it, by key."""
        head, _, last = self.prefix.rpartition("/")
        before = f"{head}/" if head else ""
        names = (f"{last}2", f"{last}-x", f"{last}.d", f"not-{last}", last.upper())
        found = {
            f"{before}{name}/{key}": f"{name} {key}".encode()
            for name in names
            if name != last  # which has no letters at times
            for key in (OWNER, "wal_005/x.lz4")
        }
        for key, content in found.items():
            self.boto.put_object(Bucket=self.bucket, Key=key, Body=content)
        return found

    def are_there(self, neighbours: dict[str, bytes]) -> bool:
        """Every one of them has its content still, and only one version."""
        get = self.boto.get_object
        return all(
            get(Bucket=self.bucket, Key=key)["Body"].read() == content
            for key, content in neighbours.items()
        )

    def put(self, key: str, content: bytes = b"0123456789") -> None:
        """Write one object of it."""
        self.boto.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}", Body=content)

    def begin_upload(self, key: str, parts: Sequence[bytes] = (b"part",)) -> None:
        """Leave a multipart upload behind."""
        name: dict[str, Any] = {"Bucket": self.bucket, "Key": f"{self.prefix}/{key}"}
        name["UploadId"] = self.boto.create_multipart_upload(**name)["UploadId"]
        for number, part in enumerate(parts, 1):
            self.boto.upload_part(**name, PartNumber=number, Body=part)

    def uploads(self) -> list[str]:
        """The keys of unfinished uploads below it."""
        found = self.boto.list_multipart_uploads(Bucket=self.bucket, Prefix=f"{self.prefix}/")
        return [one["Key"] for one in found.get("Uploads", [])]

    def everything(self) -> list[tuple[str, str]]:
        """Key and version of all that is there, delete markers included."""
        pages = self.boto.get_paginator("list_object_versions")
        return [
            (one["Key"].removeprefix(f"{self.prefix}/"), one["VersionId"])
            for page in pages.paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/")
            for kind in ("Versions", "DeleteMarkers")
            for one in page.get(kind, [])
        ]

    def owner(self) -> Owner:
        """The owner object."""
        found = self.boto.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{OWNER}")
        return Owner.from_json(found["Body"].read())

    def environment(self, **more: str) -> dict[str, str]:
        """What `walsup wipe` is run with."""
        return {
            "PATH": os.environ["PATH"],
            "WALSUP_ARCHIVE": f"s3://{self.bucket}/{self.prefix}",
            "AWS_ENDPOINT": self.s3.endpoint,
            "AWS_ACCESS_KEY_ID": self.s3.access_key,
            "AWS_SECRET_ACCESS_KEY": self.s3.secret_key,
            "WALSUP_LEASE": "2s",
            **more,
        }

    def wipe(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `walsup wipe`."""
        return wipe(self.environment(**more), *arguments)

    def wipe_all(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run it with the right name."""
        return self.wipe("--confirm", self.prefix, *arguments, **more)


def owner(*, state: str, boot: str = "a-boot", lease_s: float = 2.0) -> Owner:
    """An owner object that nobody renews."""
    return Owner(
        system_id=7012345678901234567,
        instance=str(uuid.uuid4()),
        boot=boot,
        epoch=3,
        timeline=1,
        lsn=0x3000000,
        state=state,
        compression="lz4",
        lease_s=lease_s,
    ).signed()


def wipe(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `walsup wipe` in an environment."""
    return subprocess.run(
        wipe_argv(*arguments),
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def start(laid: Laid, **more: str) -> subprocess.Popen[str]:
    """Start a wipe of it, and go on."""
    return subprocess.Popen(
        wipe_argv("--confirm", laid.prefix),
        env=laid.environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_and_go_on(laid: Laid, chance: random.Random, *, kills: int, wait: bool = True) -> int:
    """Wipe it with so many kills at random moments in between; gives how many hit.

    `wait`: let each run wait for the lease of the one before; else only the last one does.

    Raises:
        AssertionError: the owner object had gone before the rest, or something is left at the end.
    """
    hit = 0
    short = {"WALSUP_LEASE": "1s"}
    with FaultProxy(laid.s3.port) as slow:
        slow.delay(0.05)
        while hit < kills:
            epoch = laid.owner().epoch
            one = start(laid, AWS_ENDPOINT=slow.endpoint, **short)
            wait_until(partial(_taken, laid, epoch), "it is taken", timeout_s=60)
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(chance.uniform(0, 1))
            one.kill()
            one.communicate()
            left = {key for key, _ in laid.everything()}
            if left and OWNER not in left:
                raise AssertionError(sorted(left))
            if not left:
                return hit
            hit += 1
            if not wait and hit < kills:
                laid.put(OWNER, replace(laid.owner(), boot="").signed().to_json())
    done = laid.wipe_all(**short)
    if done.returncode or laid.everything():
        raise AssertionError(done.stderr + done.stdout)
    return hit


def _taken(laid: Laid, epoch: int) -> bool:
    found = next((key for key, _ in laid.everything() if key == OWNER), None)
    return found is None or laid.owner().epoch > epoch


def wipe_argv(*arguments: str) -> list[str]:
    """The command line of `walsup wipe`."""
    return [str(PYTHON), "-I", "-m", "walsup", "wipe", *arguments]
