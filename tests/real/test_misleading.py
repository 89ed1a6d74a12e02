"""What answers in an S3 server's place, or answers something that misleads: the remedy is right."""

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import cli, status

Make = Callable[..., Walsup]

CONSOLE = (
    "<Error><Code>AccessDenied</Code><Message>S3 API Request made to Console port. S3 Requests"
    " should be sent to API port.</Message></Error>"
)
LOGIN = "<!doctype html><html><body>Log in to the guests' network</body></html>"


class _Says(http.server.BaseHTTPRequestHandler):
    """Answers every request with the status, headers and body of its server."""

    def _answer(self) -> None:
        status, headers, body = self.server.says  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_PUT = do_HEAD = do_POST = _answer  # noqa: N815 (the module's names)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def saying(status: int, body: str, **headers: str) -> Iterator[str]:
    """Give the endpoint of a server that says this."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Says) as server:
        server.says = (status, headers, body)  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def greeting(text: bytes) -> Iterator[str]:
    """Give the endpoint of another protocol's server, which speaks first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                line.sendall(text)
                line.shutdown(socket.SHUT_WR)
                line.recv(1 << 16)
                line.close()

        threading.Thread(target=greet, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def told(one: Walsup, endpoint: str) -> str:
    """What a person reads who looks into the archive."""
    one.environment["AWS_ENDPOINT"] = endpoint
    done = cli(one, "restore", "--list")
    assert done.returncode == 74
    return done.stderr


@pytest.mark.parametrize(
    ("status", "body", "kind", "remedy"),
    [
        (403, CONSOLE, "no S3 server", "MinIO's API"),
        (200, LOGIN, "no S3 server", "check host and port in AWS_ENDPOINT"),
        (403, LOGIN, "no S3 server", "check host and port in AWS_ENDPOINT"),
        (502, "<html><h1>502 Bad Gateway</h1>", "server error", "a proxy or load balancer answers"),
        (400, "Client sent an HTTP request to an HTTPS server.\n", "tls", "write https://"),
    ],
)
def test_what_answers_in_an_s3_servers_place_is_named(
    walsup: Make, status: int, body: str, kind: str, remedy: str
) -> None:
    """A console, a captive portal, a proxy, a TLS port: none is a lack of rights, or of a key."""
    with saying(status, body) as endpoint:
        said = told(walsup(), endpoint)
    assert f"({kind})" in said
    assert remedy in said


def test_a_quota_is_no_fault_of_the_keys(walsup: Make) -> None:
    """Ceph answers 403, as for a key; the database goes on, and the fault says what is full."""
    with saying(403, "<Error><Code>QuotaExceeded</Code></Error>") as endpoint:
        one = walsup(s3=None).start()
        one.wait_accepts()
        assert one.stop() == 0
        one.environment |= {
            "WALSUP_ARCHIVE": "s3://bucket/place",
            "AWS_ENDPOINT": endpoint,
            "AWS_ACCESS_KEY_ID": "key-of-a-test",
            "AWS_SECRET_ACCESS_KEY": "secret-of-a-test",
        }
        one.start()
        fault = one.wait_for(lambda: status(one).get("faults", {}).get("gate"), "the gate's fault")
        assert fault["kind"] == "archive full"
        assert "quota" in fault["remedy"]
        assert 'walsup_fault{kind="archive full",subject="gate"} 1' in one.http("/metrics")[1]


def test_an_assumed_https_is_named(walsup: Make, s3: S3Server) -> None:
    """The plain HTTP port of a real server, without a scheme in AWS_ENDPOINT."""
    said = told(walsup(), f"127.0.0.1:{s3.port}")
    assert "(tls)" in said
    assert f"set AWS_ENDPOINT=http://127.0.0.1:{s3.port}" in said
    assert "https is assumed" in said


@pytest.mark.parametrize(
    ("text", "kind", "remedy"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "no S3 server", "check host and port"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "tls", "set AWS_ENDPOINT=https://127.0.0.1"),
        (b"", "refused", "closes the connection without an answer"),
    ],
)
def test_another_protocols_port_is_named(walsup: Make, text: bytes, kind: str, remedy: str) -> None:
    """Of ssh, of TLS, of something that hangs up."""
    with greeting(text) as endpoint:
        said = told(walsup(), endpoint)
    assert f"({kind})" in said
    assert remedy in said
