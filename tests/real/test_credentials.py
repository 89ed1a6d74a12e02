"""Credentials that are no static keys: agent and engine take the same ones."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import segments, status, wait_fault, wait_protected
from dev.harness.storage.aws_metadata import Cloud, kinds
from walsup import settings
from walsup.archive.faults import FaultError
from walsup.archive.storage.s3.blocking import carry
from walsup.archive.storage.s3.bucket import S3Bucket
from walsup.archive.storage.s3.region import look_up

Make = Callable[..., Walsup]
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def cloud(s3: S3Server) -> Iterator[Cloud]:
    """A cloud that gives out the server's key."""
    made = Cloud(s3)
    yield made
    made.close()


@pytest.mark.parametrize("kind", ["instance", "container", "web identity"])
async def test_the_agents_client(s3: S3Server, cloud: Cloud, tmp_path: Path, kind: str) -> None:
    """A write and a listing with credentials that are asked for."""
    (tmp_path / "token").write_text("a-token")
    where = {"WALSUP_ARCHIVE": f"s3://{s3.bucket}/roles", "AWS_ENDPOINT": s3.endpoint}
    bucket = S3Bucket(settings.load(where | kinds(cloud, tmp_path / "token")[kind]))
    await bucket.create(f"walsup/{kind}", b"1")
    assert f"walsup/{kind}" in [key async for key in bucket.keys("walsup")]
    assert cloud.asked


def test_the_region_is_looked_up(cloud: Cloud) -> None:
    """From the header of any answer, a refusal too; else the fault says what is missing."""
    assert carry(look_up("somebodys", cloud.endpoint), 5) == "eu-north-1"
    assert cloud.asked == ["/somebodys"]
    for bucket, kind in (("absent", "no bucket"), ("silent", "wrong region")):
        with pytest.raises(FaultError) as raised:
            carry(look_up(bucket, cloud.endpoint), 5)
        assert raised.value.fault.kind == kind
    for endpoint, kind in (("http://127.0.0.1:9", "refused"), ("http://x.invalid", "dns")):
        with pytest.raises(FaultError) as raised:
            carry(look_up("b", endpoint), 5)
        assert raised.value.fault.kind == kind


def _without_keys(walsup: Make) -> Walsup:
    one = walsup()
    for name in KEYS:
        del one.environment[name]
    return one


def test_an_instances_credentials_serve_agent_and_engine(walsup: Make, cloud: Cloud) -> None:
    """IMDS, with both engines: segments, base backup, verdict."""
    one = _without_keys(walsup)
    one.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = cloud.endpoint
    one.start()
    wait_protected(one)
    assert one.stop() == 0
    assert any("security-credentials/the-role" in path for path in cloud.asked)


def test_a_containers_credentials_need_wal_g(
    walsup: Make, s3: S3Server, cloud: Cloud, engine: str
) -> None:
    """As ECS and EKS inject them: WAL-G takes them; with WAL-RUS the database runs unprotected."""
    one = _without_keys(walsup)
    token = one.layout.base / "token"
    token.write_text("a-token")
    one.environment |= kinds(cloud, token)["container"] | {"WALSUP_ENGINE": "auto"}
    one.start()
    if engine == "wal-g":
        wait_protected(one)
        assert len(segments(s3, one.prefix)) >= 2
        return
    one.wait_accepts()
    fault = wait_fault(one, "gate")
    assert fault["kind"] == "engine unable"
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in fault["problem"]
    assert "put wal-g" in fault["remedy"]
    assert one.events("engine.unable")
    one.wait_for(lambda: status(one)["ready"], "it is ready")
    one.psql("create table t (n int)")


def test_an_existing_database_survives_a_setting_that_is_ignored(walsup: Make, engine: str) -> None:
    """It keeps running, not protected, with the remedy; without the setting all is green again."""
    one = walsup().start()
    wait_protected(one)
    assert one.stop() == 0
    one.environment["WALG_S3_SSE_C"] = "a-key-of-the-customers"
    one.start()
    one.wait_accepts()
    fault = wait_fault(one, "gate")
    assert fault["kind"] == "engine unable"
    assert "WALG_S3_SSE_C" in fault["remedy"]
    assert "a-key-of-the-customers" not in one.layout.log_file.read_text()
    assert not status(one)["protected"], engine
    assert one.stop() == 0
    del one.environment["WALG_S3_SSE_C"]
    one.start()
    wait_protected(one)
