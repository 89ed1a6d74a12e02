"""A base backup that becomes unreadable after it was verified is found when it is read again."""

import secrets
from collections.abc import Callable

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import sentinels, status, verdict, wait_fault, wait_protected
from dev.harness.faults.http_fault_proxy import PickyProxy
from dev.harness.storage.rights import LEAST_PREFIX

Make = Callable[..., Walsup]
_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def _reads_a_part(request: str) -> bool:
    return request.startswith("GET") and ".tar" in request


def test_parts_that_the_next_key_cannot_read_are_found_after_the_rotation(
    walsup: Make, s3: S3Server
) -> None:
    """Neither green nor a verdict of yes; no other base backup is taken."""
    with PickyProxy(s3.port) as proxy:
        one = walsup(
            endpoint=proxy.endpoint,
            prefix=f"{LEAST_PREFIX}/{secrets.token_hex(4)}",
            env={"WALSUP_ARCHIVE_TIMEOUT": "2s"},
        )
        folder = one.pgdata.parent / "secrets"
        folder.mkdir()
        first = {name: one.environment.pop(name) for name in _NAMES}
        second = dict(zip(_NAMES, ("least", "secret-least"), strict=True))
        one.environment["WALSUP_SECRETS_DIR"] = str(folder)

        def use(key: dict[str, str]) -> None:
            for name, text in key.items():
                (folder / name).write_text(text)

        use(first)
        one.start()
        wait_protected(one)
        proxy.spoil("403", times=10**9, only=_reads_a_part)
        use(second)
        assert wait_fault(one, "backup", timeout_s=60)["problem"]
        assert not status(one)["protected"]
        proxy.spoil()
        wait_protected(one, timeout_s=90)
        proxy.spoil("403", times=10**9, only=_reads_a_part)
        use(first)
        wait_fault(one, "backup", timeout_s=60)
        assert one.stop() == 0
        assert ": no: " in verdict(one)
        assert len(sentinels(s3, one.prefix)) == 1
