"""The harness itself: a test that runs on a lenient server or a faultless proxy proves nothing."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from dev.harness import FaultProxy, Machine, PgTools, S3Server, free_ports
from dev.harness.processes.layout import Layout


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[FaultProxy]:
    """A proxy before the server, forwarding."""
    with FaultProxy(s3.port) as one:
        yield one


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    """S3's word for what went wrong."""
    return str(error.value.response["Error"]["Code"])


def test_refuses_a_wrong_secret(s3: S3Server) -> None:
    """The server checks signatures."""
    with pytest.raises(ClientError) as error:
        s3.boto(secret_key="wrong").list_objects_v2(Bucket=s3.bucket)
    assert code_of(error) == "SignatureDoesNotMatch"


def test_creates_an_object_only_once(s3: S3Server) -> None:
    """If-None-Match is honoured, which the owner file rests on."""
    s3.boto().put_object(Bucket=s3.bucket, Key="harness/once", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as error:
        s3.boto().put_object(Bucket=s3.bucket, Key="harness/once", Body=b"2", IfNoneMatch="*")
    assert code_of(error) == "PreconditionFailed"
    assert s3.get("harness/once") == b"1"


def test_does_not_make_missing_buckets(s3: S3Server) -> None:
    """A put into an absent bucket fails, as on S3."""
    with pytest.raises(ClientError) as error:
        s3.boto().put_object(Bucket="not-there", Key="key", Body=b"")
    assert code_of(error) == "NoSuchBucket"


def test_server_keeps_data_over_a_stop() -> None:
    """A stopped server refuses, and starts again where it was."""
    with S3Server() as server:
        server.put("kept", b"data")
        server.stop()
        with pytest.raises(EndpointConnectionError):
            server.keys()
        server.start()
        assert server.keys() == ["kept"]


def test_proxy_forwards(s3: S3Server, proxy: FaultProxy) -> None:
    """Without a fault, requests and signatures pass, large bodies too."""
    body = bytes(5_000_000)
    client = s3.boto(endpoint=proxy.endpoint)
    client.put_object(Bucket=s3.bucket, Key="harness/large", Body=body)
    assert s3.get("harness/large") == body
    answer = client.get_object(Bucket=s3.bucket, Key="harness/large")["Body"].read()
    assert answer == body
    assert proxy.connections > 0


def test_proxy_refuses(s3: S3Server, proxy: FaultProxy) -> None:
    """No listener is left, also for a client with an open connection; then it is back."""
    client = s3.boto(endpoint=proxy.endpoint)
    client.head_bucket(Bucket=s3.bucket)
    proxy.refuse()
    with pytest.raises((EndpointConnectionError, ConnectionClosedError)):
        client.head_bucket(Bucket=s3.bucket)
    with pytest.raises(EndpointConnectionError):
        client.head_bucket(Bucket=s3.bucket)
    proxy.pass_through()
    client.head_bucket(Bucket=s3.bucket)


def test_proxy_hangs(s3: S3Server, proxy: FaultProxy) -> None:
    """The client's own timeout ends it."""
    proxy.hang()
    with pytest.raises(ReadTimeoutError):
        s3.boto(endpoint=proxy.endpoint).head_bucket(Bucket=s3.bucket)
    proxy.pass_through()
    s3.boto(endpoint=proxy.endpoint).head_bucket(Bucket=s3.bucket)


def test_proxy_resets(s3: S3Server, proxy: FaultProxy) -> None:
    """The connection breaks in the middle of a request."""
    proxy.reset()
    with pytest.raises(ConnectionClosedError):
        s3.boto(endpoint=proxy.endpoint).head_bucket(Bucket=s3.bucket)


def test_proxy_delays(s3: S3Server, proxy: FaultProxy) -> None:
    """Each direction waits; the answer is right."""
    proxy.delay(0.2)
    began = time.monotonic()
    s3.boto(endpoint=proxy.endpoint).head_bucket(Bucket=s3.bucket)
    assert time.monotonic() - began >= 0.4  # a lower bound, so a slow machine cannot break it


@pytest.mark.parametrize(
    ("status", "code"), [(403, "InvalidAccessKeyId"), (500, "InternalError"), (503, "SlowDown")]
)
def test_proxy_answers(s3: S3Server, proxy: FaultProxy, status: int, code: str) -> None:
    """S3's own error document comes, with a large upload too, and nothing is written."""
    proxy.answer(status)
    with pytest.raises(ClientError) as error:
        s3.boto(endpoint=proxy.endpoint).put_object(
            Bucket=s3.bucket, Key="harness/never", Body=bytes(3_000_000)
        )
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert code_of(error) == code
    assert s3.keys("harness/never") == []


def test_drives_a_bare_cluster(machine: Machine) -> None:
    """initdb, start, psql, pgbench and stop, as the database's user."""
    layout = Layout(machine)
    try:
        tools = PgTools(machine.bindir, db_user=machine.db_user)
        tools.initdb(layout.pgdata)
        address = tools.start(
            layout.pgdata, port=free_ports(1)[0], settings={"cluster_name": "it's odd"}
        )
        try:
            assert tools.psql(address, "show cluster_name") == "it's odd"
            tools.pgbench_init(address)
            result = tools.pgbench(address, duration_s=1).result()
            assert result.is_clean, result.output
            assert result.tps > 0
            assert result.transactions > 0
        finally:
            tools.stop(layout.pgdata)
        assert tools.control(layout.pgdata)["Database cluster state"] == "shut down"
        owner = Path(layout.pgdata).owner()
        assert owner == (machine.db_user or owner)
    finally:
        layout.remove()
