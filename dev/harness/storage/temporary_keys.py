"""Temporary keys in front of an S3 server: each has a session token, and an end at any time."""

import contextlib
import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from dev.harness.faults.refusals import error_document
from dev.harness.storage.s3 import S3Server

_PATIENCE_S = 120.0
_PASSED = ("if-match", "if-none-match", "content-md5", "content-type")


class TemporaryKeys:
    """An endpoint that takes requests with known session tokens, and signs them for the server.

    SeaweedFS gives out no temporary keys without a whole STS. `asked`: method with path, and
    token, of each request that was taken, in order. `hold` keeps the answers to some paths back.
    """

    def __init__(self, s3: S3Server) -> None:
        self.tokens: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self._held = ""
        self._free = threading.Event()
        self._free.set()
        signer = S3SigV4Auth(Credentials(s3.access_key, s3.secret_key), "s3", "us-east-1")
        keys = self

        class Handler(BaseHTTPRequestHandler):
            _tag = ""

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_PUT(self) -> None:
                self.do_GET()

            def do_POST(self) -> None:
                self.do_GET()

            def do_DELETE(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                token = self.headers.get("x-amz-security-token", "")
                if token not in keys.tokens:
                    self._say(403, error_document("ExpiredToken"))
                    return
                keys.asked.append((f"{self.command} {urlsplit(self.path).path}", token))
                keys.pass_gate(self.path)
                url = f"http://127.0.0.1:{s3.port}{self.path}"
                passed = {n: v for n, v in self.headers.items() if n.lower() in _PASSED}
                request = AWSRequest(self.command, url, headers=passed, data=body)
                signer.add_auth(request)
                upstream = http.client.HTTPConnection("127.0.0.1", s3.port, timeout=30)
                with contextlib.closing(upstream) as line:
                    line.request(self.command, self.path, body, dict(request.headers))
                    answer = line.getresponse()
                    self._tag = answer.headers.get("etag", "")
                    self._say(answer.status, answer.read(), answer.headers["content-length"])

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _say(self, status: int, body: bytes, length: str | None = None) -> None:
                self.send_response(status)
                self.send_header("Content-Length", length or str(len(body)))
                if self._tag:
                    self.send_header("ETag", self._tag)
                self.end_headers()
                self.wfile.write(body if self.command != "HEAD" else b"")

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._free.set()
        self._server.shutdown()
        self._server.server_close()

    def hold(self, part: str) -> None:
        """Keep the answers to paths with `part` in them back until `release`."""
        self._held = part
        self._free.clear()

    def release(self) -> None:
        """Give the answers that were kept back."""
        self._free.set()

    def pass_gate(self, path: str) -> None:
        """Wait while the answer to this path is kept back."""
        if self._held and self._held in path:
            self._free.wait(_PATIENCE_S)

    def times(self, part: str) -> int:
        """How often a path with `part` in it was asked for."""
        return sum(part in path for path, _ in self.asked)
