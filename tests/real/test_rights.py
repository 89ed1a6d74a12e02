"""The documented policy is enough, and each permission that is missing is named."""

from collections.abc import Callable
from typing import Any

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import segments, sentinels, status, wait_fault, wait_protected
from dev.harness.storage.rights import LEAST_PREFIX
from walsup import settings
from walsup.archive.storage.fault_mapping import classify
from walsup.archive.storage.s3.bucket import S3Bucket

Make = Callable[..., Walsup]


def key(name: str) -> dict[str, str]:
    """A key of the server that may do less."""
    return {"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": f"secret-{name}"}


def test_the_least_rights_are_enough(walsup: Make, s3: S3Server) -> None:
    """Owner, segments, base backup, another start: with a key that has the documented policy."""
    one = walsup()
    one.prefix = f"{LEAST_PREFIX}/{one.prefix}"
    one.environment |= key("least") | {"WALSUP_ARCHIVE": f"s3://{s3.bucket}/{one.prefix}"}
    one.start()
    wait_protected(one)
    assert one.stop() == 0
    one.start()
    wait_protected(one)
    assert one.stop() == 0
    assert sentinels(s3, one.prefix)
    assert len(segments(s3, one.prefix)) >= 2


def test_a_segment_that_may_not_be_written_is_no_rights(walsup: Make, s3: S3Server) -> None:
    """What the engine was told is shown as what it is, with the right, while the database runs."""
    one = walsup()
    one.environment |= key("least-no-wal")
    one.environment["WALSUP_ARCHIVE"] = f"s3://{s3.bucket}/{LEAST_PREFIX}/{one.prefix}"
    one.start()
    fault = wait_fault(one, "segments", timeout_s=60)
    assert fault["kind"] == "no rights"
    assert "s3:PutObject" in fault["problem"]
    assert "wal_005/" in fault["problem"]
    assert status(one)["ready"]


@pytest.mark.parametrize("right", ["ListBucket", "GetObject", "PutObject"])
async def test_a_missing_right_is_named(s3: S3Server, right: str) -> None:
    """By the bucket's client, for each of its requests."""
    where = {"WALSUP_ARCHIVE": f"s3://{s3.bucket}/{LEAST_PREFIX}/x", "AWS_ENDPOINT": s3.endpoint}
    whole, less = (
        S3Bucket(settings.load(where | key(name))) for name in ("least", f"least-no-{right}")
    )
    etag = await whole.create(f"walsup/{right}", b"1")

    async def listed() -> Any:  # noqa: ANN401 (whatever it is)
        return [key async for key in less.keys("wal_005")]

    requests = {
        "ListBucket": (listed, lambda: less.folder("basebackups_005")),
        "GetObject": (lambda: less.get(f"walsup/{right}"),),
        "PutObject": (
            lambda: less.create(f"walsup/{right}-other", b"1"),
            lambda: less.replace(f"walsup/{right}", b"2", etag),
        ),
    }
    for name, makers in requests.items():
        for make in makers:
            if name != right:
                await make()
                continue
            with pytest.raises(Exception, match="AccessDenied") as raised:
                await make()
            fault = classify(raised.value)
            assert fault.kind == "no rights"
            assert fault.problem.startswith(f"s3:{right} on {s3.bucket}/{LEAST_PREFIX}/x/")
