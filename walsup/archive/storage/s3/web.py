"""Unsigned requests: for a bucket's region, and for valid keys."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from walsup.archive.storage.s3.connections import ConnectionPool
from walsup.archive.storage.s3.exchange import PreparedRequest, Reply
from walsup.archive.storage.s3.steps import Peer, Steps
from walsup.archive.storage.s3.trust import trust

PORTS = {"http": 80, "https": 443}


def peer_of(url: SplitResult, ca_file: Path | None) -> Peer:
    """Return where to connect for an address that begins with http: or https:.

    Raises:
        FaultError: the CAs cannot be read.
        ValueError: this is not such an address.
    """
    if url.scheme not in PORTS or not url.hostname:
        raise ValueError(f"no address: {url.scheme}://{url.hostname}")
    whom = trust(ca_file) if url.scheme == "https" else None
    return Peer(url.hostname, url.port or PORTS[url.scheme], whom)


def ask(
    method: str,
    address: str,
    headers: Mapping[str, str] | None = None,
    *,
    body: bytes = b"",
    ca_file: Path | None = None,
) -> Steps[Reply]:
    """Return the answer; raises as `Connections.ask` and `peer_of` do."""
    url = urlsplit(address)
    target = f"{url.path or '/'}?{url.query}".rstrip("?")
    asked = PreparedRequest(method, target, {"host": url.netloc, **(headers or {})}, body)
    connections = ConnectionPool(peer_of(url, ca_file))
    try:
        return (yield from connections.ask(asked))
    finally:
        connections.close()
