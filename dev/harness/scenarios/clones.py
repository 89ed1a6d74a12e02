"""Clones out of an archive, without one of their own, and what they are asked."""

from collections.abc import Callable, Mapping

from dev.harness.processes.walsup import Walsup
from dev.harness.storage.s3 import S3Server


def source_of(s3: S3Server, prefix: str, *, endpoint: str | None = None) -> dict[str, str]:
    """The variables that make `prefix` the source of a restore, with keys of its own."""
    return {
        "WALSUP_RESTORE_FROM": f"s3://{s3.bucket}/{prefix}",
        "RESTORE_AWS_ENDPOINT": endpoint or s3.endpoint,
        "RESTORE_AWS_ACCESS_KEY_ID": s3.access_key,
        "RESTORE_AWS_SECRET_ACCESS_KEY": s3.secret_key,
    }


def answer_of_clone(
    make: Callable[..., Walsup],
    s3: S3Server,
    prefix: str,
    query: str,
    wanted: Mapping[str, str] | None = None,
) -> str:
    """What a clone answers, restored with these settings besides; it is gone afterwards."""
    clone = make(s3=None, env={**source_of(s3, prefix), **(wanted or {})}).start()
    clone.wait_accepts(timeout_s=90)
    clone.wait_for(
        lambda: clone.psql("select pg_is_in_recovery()") == "f", "it is promoted", timeout_s=60
    )
    found = clone.psql(query)
    clone.close()
    return found
