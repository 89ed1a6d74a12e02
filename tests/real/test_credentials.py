"""Credentials that are no static keys: agent and engine take the same ones."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.witness import segments, status, wait_fault, wait_protected
from walsup import settings
from walsup.archive.fault import FaultError
from walsup.archive.region import look_up
from walsup.archive.store import S3Bucket

Make = Callable[..., Walsup]
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
EXPIRES = "2099-01-01T00:00:00Z"


class Cloud:
    """What Amazon has around a container: instance metadata, credentials, STS, the bucket's region.

    No real part of it can be had here; what it gives out is the key of the real S3 server.
    """

    def __init__(self, s3: S3Server) -> None:
        self.asked: list[str] = []
        self._document = {
            "Code": "Success",
            "AccessKeyId": s3.access_key,
            "SecretAccessKey": s3.secret_key,
            "Token": "",
            "Expiration": EXPIRES,
        }
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(cloud.credentials(self.path))

            def do_PUT(self) -> None:
                self._say("the-token-of-imds")

            def do_POST(self) -> None:
                self._say(cloud.assumed(self.path))

            def do_HEAD(self) -> None:
                cloud.asked.append(self.path)
                self.send_response(404 if "absent" in self.path else 403)
                if "silent" not in self.path and "absent" not in self.path:
                    self.send_header("x-amz-bucket-region", "eu-north-1")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _say(self, text: str) -> None:
                cloud.asked.append(self.path)
                body = text.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
                self.end_headers()
                self.wfile.write(body)

        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
        plain, tls = self._servers
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(s3.directory / "s3.cert", s3.directory / "s3.key")
        tls.socket = context.wrap_socket(tls.socket, server_side=True)
        self.endpoint = f"http://127.0.0.1:{plain.server_address[1]}"
        self.sts_endpoint = f"https://127.0.0.1:{tls.server_address[1]}"
        self.ca_file = s3.ca_file
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def credentials(self, path: str) -> str:
        """The name of the instance's role, or a document of credentials."""
        if path.rstrip("/").endswith("security-credentials"):
            return "the-role"
        return json.dumps(self._document)

    def assumed(self, _path: str) -> str:
        """STS's answer to AssumeRoleWithWebIdentity."""
        document = self._document
        inner = "".join(f"<{n}>{document[k]}</{n}>" for n, k in _STS)
        return (
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
            f"{inner}</Credentials></AssumeRoleWithWebIdentityResult>"
            "</AssumeRoleWithWebIdentityResponse>"
        )

    def close(self) -> None:
        """End it."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


_STS = (
    ("AccessKeyId", "AccessKeyId"),
    ("SecretAccessKey", "SecretAccessKey"),
    ("SessionToken", "Token"),
    ("Expiration", "Expiration"),
)


@pytest.fixture
def cloud(s3: S3Server) -> Iterator[Cloud]:
    """A cloud that gives out the server's key."""
    made = Cloud(s3)
    yield made
    made.close()


def _kinds(cloud: Cloud, token_file: Path) -> dict[str, dict[str, str]]:
    return {
        "instance": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": cloud.endpoint},
        "container": {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{cloud.endpoint}/creds",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
        },
        "web identity": {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/the-role",
            "AWS_ENDPOINT_URL_STS": cloud.sts_endpoint,
            "WALSUP_CA_FILE": str(cloud.ca_file),
        },
    }


@pytest.mark.parametrize("kind", ["instance", "container", "web identity"])
async def test_the_agents_client(s3: S3Server, cloud: Cloud, tmp_path: Path, kind: str) -> None:
    """A write and a listing with credentials that are asked for."""
    (tmp_path / "token").write_text("a-token")
    where = {"WALSUP_ARCHIVE": f"s3://{s3.bucket}/roles", "AWS_ENDPOINT": s3.endpoint}
    bucket = S3Bucket(settings.load(where | _kinds(cloud, tmp_path / "token")[kind]))
    await bucket.create(f"walsup/{kind}", b"1")
    assert f"walsup/{kind}" in [key async for key in bucket.keys("walsup")]
    assert cloud.asked


def test_the_region_is_looked_up(cloud: Cloud) -> None:
    """From the header of any answer, a refusal too; else the fault says what is missing."""
    assert look_up("somebodys", cloud.endpoint) == "eu-north-1"
    assert cloud.asked == ["/somebodys"]
    for bucket, kind in (("absent", "no bucket"), ("silent", "wrong region")):
        with pytest.raises(FaultError) as raised:
            look_up(bucket, cloud.endpoint)
        assert raised.value.fault.kind == kind
    for endpoint, kind in (("http://127.0.0.1:9", "refused"), ("http://x.invalid", "dns")):
        with pytest.raises(FaultError) as raised:
            look_up("b", endpoint)
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
    one.environment |= _kinds(cloud, token)["container"] | {"WALSUP_ENGINE": "auto"}
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
