"""What Amazon has around a container, for programs whose credentials are no static keys."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dev.harness.storage.s3 import S3Server

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
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._say(cloud.assumed(form))

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

    def assumed(self, _form: str) -> str:
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


def kinds(cloud: Cloud, token_file: Path) -> dict[str, dict[str, str]]:
    """The variables of each kind of credentials that are asked for."""
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
