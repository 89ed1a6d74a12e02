"""An S3 server with a certificate of a private CA: agent and engine trust it, or say why not."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import segments, wait_fault, wait_protected
from walsup import settings
from walsup.archive.faults import FaultError
from walsup.archive.storage.fault_mapping import classify
from walsup.archive.storage.s3.bucket import S3Bucket
from walsup.archive.storage.s3.trust import trust

Make = Callable[..., Walsup]


def test_a_private_ca_reaches_agent_and_engine(walsup: Make, s3: S3Server) -> None:
    """From the secrets directory, as KubeDB has it: listing, segments and base backup over TLS."""
    one = walsup()
    secrets = one.layout.base / "secrets"
    secrets.mkdir(mode=0o755)
    (secrets / "CA_CERT_DATA").write_bytes(s3.ca_file.read_bytes())
    one.environment |= {"AWS_ENDPOINT": s3.https_endpoint, "WALSUP_SECRETS_DIR": str(secrets)}
    one.start()
    wait_protected(one)
    assert one.stop() == 0
    assert len(segments(s3, one.prefix)) >= 2


def test_without_it_the_fault_is_tls_and_the_database_runs(walsup: Make, s3: S3Server) -> None:
    """An existing database whose server's certificate has been changed."""
    one = walsup().start()
    wait_protected(one)
    assert one.stop() == 0
    one.environment["AWS_ENDPOINT"] = s3.https_endpoint
    one.start()
    one.wait_accepts()
    fault = wait_fault(one, "gate")
    assert fault["kind"] == "tls"
    assert "WALSUP_CA_FILE" in fault["remedy"]


def test_a_private_ca_needs_no_more_than_the_engines_ask_for() -> None:
    """Python 3.13 and newer would refuse one without a key identifier."""
    assert not trust(None).verify_flags & ssl.VERIFY_X509_STRICT


@pytest.mark.parametrize(
    "content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\n"]
)
async def test_a_bad_ca_file_is_a_fault_and_no_crash(
    s3: S3Server, tmp_path: Path, content: bytes | None
) -> None:
    """Missing, empty, or something else: told at the first request, not at the start."""
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)
    bucket = S3Bucket(
        settings.load(
            {
                "WALSUP_ARCHIVE": f"s3://{s3.bucket}/x",
                "AWS_ENDPOINT": s3.https_endpoint,
                "WALSUP_CA_FILE": str(tmp_path / "ca.pem"),
            }
        )
    )
    with pytest.raises(FaultError) as raised:
        await bucket.get("walsup/owner.json")
    fault = classify(raised.value)
    assert fault.kind == "tls", fault
