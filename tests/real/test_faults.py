"""Each class of fault, made for real with the client that the agent uses."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import FaultProxy, Machine, S3Server
from walsup import settings
from walsup.archive.engine.adapter import Engine, choose, render
from walsup.archive.engine.output import classify_output
from walsup.archive.storage.bucket import Bucket, open_bucket
from walsup.archive.storage.fault_mapping import classify, is_absent, is_conflict

SECRET = "not-the-secret-key-of-anyone"


def _bucket(s3: S3Server, endpoint: str | None = None, **more: str) -> Bucket:
    given = {
        "WALSUP_ARCHIVE": f"s3://{s3.bucket}/faults",
        "AWS_ENDPOINT": endpoint or s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
    }
    return open_bucket(settings.load(given | more))


async def _raised(bucket: Bucket) -> list[Exception]:
    found: list[Exception] = []
    try:
        _ = [key async for key in bucket.keys("wal_005")]
    except Exception as raised:  # noqa: BLE001 (what it is, is the question)
        found.append(raised)
    try:
        await bucket.get("walsup/owner.json")
    except Exception as raised:  # noqa: BLE001 (what it is, is the question)
        found.append(raised)
    return found


@pytest.mark.parametrize(
    ("break_it", "kind"),
    [
        (lambda proxy: proxy.refuse(), "refused"),
        (lambda proxy: proxy.hang(), "timeout"),
        (lambda proxy: proxy.reset(), "refused"),
        (lambda proxy: proxy.cut(request_bytes=64), "refused"),
        (lambda proxy: proxy.answer(403), "auth"),
        (lambda proxy: proxy.answer(500), "server error"),
        (lambda proxy: proxy.answer(503), "throttled"),
        (lambda proxy: proxy.answer(404), "no bucket"),
        (lambda proxy: proxy.answer(400, "ExpiredToken"), "auth"),
        (lambda proxy: proxy.answer(403, "AccessDenied"), "no rights"),
        (lambda proxy: proxy.answer(403, "RequestTimeTooSkewed"), "clock skew"),
        (lambda proxy: proxy.answer(400, "AuthorizationHeaderMalformed"), "wrong region"),
        (lambda proxy: proxy.answer(301, "PermanentRedirect"), "wrong region"),
        (lambda proxy: proxy.answer(429, "TooManyRequests"), "throttled"),
        (lambda proxy: proxy.answer(503, "ServiceUnavailable"), "server error"),
    ],
)
async def test_faults_of_network_and_server(
    s3: S3Server, break_it: Callable[[FaultProxy], None], kind: str
) -> None:
    """A listing and a read are told alike."""
    with FaultProxy(s3.port) as proxy:
        break_it(proxy)
        found = await _raised(_bucket(s3, proxy.endpoint))
        assert len(found) == 2
        for raised in found:
            assert classify(raised).kind == kind, raised
            assert not is_absent(raised)


async def test_a_wrong_secret_is_auth_and_not_in_the_problem(s3: S3Server) -> None:
    """Neither the key nor the secret gets into a fault."""
    for raised in await _raised(_bucket(s3, AWS_SECRET_ACCESS_KEY=SECRET)):
        fault = classify(raised)
        assert fault.kind == "auth"
        assert SECRET not in fault.problem
        assert s3.access_key not in fault.problem


async def test_names_that_do_not_resolve_and_a_port_that_speaks_no_tls(s3: S3Server) -> None:
    """Dns and tls."""
    for endpoint, kind in (
        ("http://no-such-host.invalid", "dns"),
        (f"https://127.0.0.1:{s3.port}", "tls"),
    ):
        found = await _raised(_bucket(s3, endpoint))
        assert [classify(raised).kind for raised in found] == [kind, kind]


async def test_absent_and_conflicts_are_no_faults_of_the_server(s3: S3Server) -> None:
    """An object that is not there, one that is there already, one that has changed."""
    bucket = _bucket(s3)
    with pytest.raises(FileNotFoundError) as absent:
        await bucket.get("nothing/here")
    assert is_absent(absent.value)
    etag = await bucket.create("walsup/conflict", b"1")
    with pytest.raises(Exception, match="PreconditionFailed") as exists:
        await bucket.create("walsup/conflict", b"2")
    assert is_conflict(exists.value)
    assert await bucket.replace("walsup/conflict", b"3", etag) != etag
    with pytest.raises(Exception, match="PreconditionFailed") as stale:
        await bucket.replace("walsup/conflict", b"4", etag)
    assert is_conflict(stale.value)
    assert classify(stale.value).kind == "overwrite conflict"


async def test_a_bucket_that_is_not_there_is_never_an_absent_object(s3: S3Server) -> None:
    """NoSuchBucket to an authorised listing."""
    found = await _raised(_bucket(s3, WALSUP_ARCHIVE="s3://no-such-bucket-anywhere/x"))
    assert classify(found[0]).kind == "no bucket"
    assert not any(is_absent(raised) for raised in found)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "InvalidAccessKeyId", "auth"),
        (403, "AccessDenied", "no rights"),
        (403, "InvalidObjectState", "engine disagrees"),  # in a storage class such as GLACIER
        (403, "RequestTimeTooSkewed", "clock skew"),
        (404, "NoSuchBucket", "no bucket"),
    ],
)
def test_an_engines_own_words(  # noqa: PLR0913, PLR0917 (fixtures, and a row)
    machine: Machine, engine: str, s3: S3Server, tmp_path: Path, status: int, code: str, kind: str
) -> None:
    """A wal-push that meets the fault, with the engine's own client."""
    segment = tmp_path / "pg_wal" / "000000010000000000000001"
    segment.parent.mkdir()
    segment.write_bytes(bytes(1 << 20))
    with FaultProxy(s3.port) as proxy:
        proxy.answer(status, code)
        given = {
            "WALSUP_ARCHIVE": f"s3://{s3.bucket}/words",
            "AWS_ENDPOINT": proxy.endpoint,
            "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key,
            "WALSUP_ENGINE": engine,
            "PGDATA": str(tmp_path),
        }
        known = settings.load(given)
        chosen = choose(known, machine.search_path(engine))
        assert isinstance(chosen, Engine)
        config = tmp_path / "engine.json"
        config.write_text(
            render(
                known,
                engine=engine,
                compression="lz4",
                socket_dir=str(tmp_path),
                port=1,
                segment_bytes=1 << 24,
            )
        )
        done = subprocess.run(
            chosen.push_argv(config, segment), capture_output=True, text=True, check=False
        )
    assert done.returncode
    fault = classify_output(done.stdout + done.stderr, ())
    assert fault.kind == kind, done.stderr
    assert code in fault.problem
    assert ("s3:" in fault.problem) == (kind == "no rights")
