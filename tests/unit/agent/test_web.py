"""What the five paths answer, over a real connection."""

import asyncio
import http.client
import json
import time

import pytest

from dev.harness import free_ports
from walsup.agent.board import Board
from walsup.agent.web import serve
from walsup.settings import HttpAddress


def asked(*requests: tuple[str, str]) -> list[tuple[int, dict[str, str], bytes]]:
    """The answers of a server over an empty board: status code, headers, body."""

    async def ask() -> list[tuple[int, dict[str, str], bytes]]:
        (port,) = free_ports(1)
        server = asyncio.create_task(serve(Board("s3://bucket/x"), HttpAddress("127.0.0.1", port)))
        try:
            return await asyncio.to_thread(lambda: [one(port, *request) for request in requests])
        finally:
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)

    def one(port: int, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        for _ in range(100):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request(method, path)
                got = connection.getresponse()
                return got.status, {k.lower(): v for k, v in got.getheaders()}, got.read()
            except ConnectionRefusedError:
                time.sleep(0.05)
            finally:
                connection.close()
        raise AssertionError("it does not listen")

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz"])
def test_a_probe_says_why(path: str) -> None:
    """JSON with a verdict, and its reasons when it is no."""
    ((code, headers, body),) = asked(("GET", path))
    told = json.loads(body)
    assert code == (200 if told["ok"] else 503)
    assert bool(told["reasons"]) is not told["ok"]
    assert headers["content-type"] == "application/json"


def test_metrics_and_status() -> None:
    """Each in its own form."""
    metrics, status = asked(("GET", "/metrics"), ("GET", "/status"))
    assert metrics[0] == status[0] == 200
    assert metrics[1]["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# TYPE walsup_" in metrics[2]
    assert json.loads(status[2])["archive"] == "s3://bucket/x"


def test_other_requests() -> None:
    """A query is no part of the path; HEAD has no body; the rest is refused with the way out."""
    query, slash, head, missing, posted = asked(
        ("GET", "/livez?verbose=1"),
        ("GET", "/livez/"),
        ("HEAD", "/status"),
        ("GET", "/nowhere"),
        ("POST", "/livez"),
    )
    assert query[0] == slash[0] == 200
    assert head[0] == 200
    assert int(head[1]["content-length"]) > 0
    assert head[2] == b""
    assert missing[0] == 404
    assert "/readyz" in json.loads(missing[2])["paths"]
    assert posted[0] == 405
    assert posted[1]["allow"] == "GET, HEAD"
