"""What a server may do over TLS, with a real one: OpenSSL's other side."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from dev.harness import S3Server
from walsup.archive.storage.s3.blocking import carry
from walsup.archive.storage.s3.connections import ConnectionPool
from walsup.archive.storage.s3.exchange import PreparedRequest
from walsup.archive.storage.s3.lines import CutOffError
from walsup.archive.storage.s3.steps import Peer
from walsup.archive.storage.s3.trust import trust

GET = PreparedRequest("GET", "/b/k", {"host": "h"})
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def answer(body: bytes) -> bytes:
    """A whole answer."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@contextlib.contextmanager
def serving(
    s3: S3Server, version: ssl.TLSVersion, *script: list[bytes], host: str = "127.0.0.1"
) -> Iterator[ConnectionPool]:
    """A server with the S3 server's certificate; a request is answered with some records at once.

    It never says good-bye.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(s3.directory / "s3.cert", s3.directory / "s3.key")
    context.minimum_version = context.maximum_version = version
    listener = socket.create_server(("", 0))

    def serve() -> None:
        for answers in script:
            with contextlib.suppress(OSError):
                plain, _ = listener.accept()
                with plain:
                    _talk(plain, context, answers)

    thread = threading.Thread(target=serve)
    thread.start()
    connections = ConnectionPool(Peer(host, listener.getsockname()[1], trust(s3.ca_file)))
    try:
        yield connections
    finally:
        connections.close()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        listener.close()


def _talk(plain: socket.socket, context: ssl.SSLContext, answers: list[bytes]) -> None:
    received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(received, to_send, server_side=True)

    def until_done(work: str) -> object:
        while True:
            try:
                done: object = getattr(tls, work)()
            except ssl.SSLWantReadError:
                plain.sendall(to_send.read())
                received.write(plain.recv(1 << 16))
            else:
                plain.sendall(to_send.read())
                return done

    until_done("do_handshake")
    until_done("read")
    for one in answers:
        tls.write(one)
    plain.sendall(to_send.read())  # all records with one segment
    if b"Connection: close" in answers[0]:
        plain.shutdown(socket.SHUT_WR)
    plain.recv(1)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_comes_behind_an_answer_answers_nothing(s3: S3Server, version: ssl.TLSVersion) -> None:
    """A second answer in a record of its own, received with the first."""
    with serving(s3, version, [answer(b"first"), answer(b"stale")], [answer(b"own")]) as asked:
        assert carry(asked.ask(GET), 10).body == b"first"
        assert carry(asked.ask(GET), 10).body == b"own"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_end_that_tls_does_not_tell_of_is_a_cut(s3: S3Server, version: ssl.TLSVersion) -> None:
    """Where only the connection's end says how long the answer is, anybody could shorten it."""
    with (
        serving(s3, version, [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhal"]) as asked,
        pytest.raises(CutOffError),
    ):
        carry(asked.ask(GET), 10)
    with serving(s3, version, [answer(b"whole")]) as asked:
        assert carry(asked.ask(GET), 10).body == b"whole"


@pytest.mark.parametrize("version", VERSIONS)
def test_anothers_certificate_is_refused(s3: S3Server, version: ssl.TLSVersion) -> None:
    """The name must be in it, whoever signed it."""
    with (
        serving(s3, version, [answer(b"theirs")], host="127.0.0.2") as asked,
        pytest.raises(ssl.SSLCertVerificationError) as raised,
    ):
        carry(asked.ask(GET), 10)
    assert "IP address mismatch" in str(raised.value)
