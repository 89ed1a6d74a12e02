"""Servers that no real one here is like: no DeleteObjects, failures of single objects."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from walsup import settings
from walsup.archive.wipe.deletion import Deletion
from walsup.archive.wipe.s3_server import WipeServer
from walsup.archive.wipe.s3_target import Objects
from walsup.archive.wipe.target import Entry
from walsup.errors import ArchiveError
from walsup.settings import ArchiveUrl


class Odd:
    """An S3 server with a few keys, which says it cannot delete many, or fails some of them."""

    def __init__(self, keys: list[str], *, bulk: bool, codes: list[str]) -> None:
        """`codes`: what DeleteObjects says about its first key, call by call; "" is success."""
        self.keys = set(keys)
        self.asked: list[str] = []
        odd = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
                if "uploads" in query:
                    return self._say(501, "<Error><Code>NotImplemented</Code></Error>")
                if "retention" in query or "legal-hold" in query:
                    return self._say(404, "<Error><Code>NoSuchKey</Code></Error>")
                # It knows no versions, and answers with a plain listing.
                rows = "".join(f"<Contents><Key>{k}</Key></Contents>" for k in sorted(odd.keys))
                return self._say(200, f"<ListBucketResult>{rows}</ListBucketResult>")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                odd.asked.append("POST")
                if not bulk:
                    return self._say(501, "<Error><Code>NotImplemented</Code></Error>")
                asked = [key for key in sorted(odd.keys) if f"<Key>{key}</Key>" in body]
                code, error = codes.pop(0) if codes else "", ""
                if code:
                    error = f"<Error><Key>{asked[0]}</Key><Code>{code}</Code></Error>"
                odd.keys -= set(asked[1:] if code else asked)
                return self._say(200, f"<DeleteResult>{error}</DeleteResult>")

            def do_DELETE(self) -> None:
                odd.asked.append("DELETE")
                odd.keys.discard(unquote(urlsplit(self.path).path).removeprefix("/bucket/"))
                self._say(204, "")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _say(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def place(self) -> Objects:
        """The archive db of its bucket."""
        known = settings.load(
            {
                "WALSUP_ARCHIVE": "s3://bucket/db",
                "AWS_ENDPOINT": f"http://127.0.0.1:{self.server.server_address[1]}",
                "AWS_ACCESS_KEY_ID": "a",
                "AWS_SECRET_ACCESS_KEY": "b",
            }
        )
        archive = ArchiveUrl("bucket", "db")
        return Objects(WipeServer(known, archive, 10.0), archive)


KEYS = [f"db/wal_005/{n}" for n in range(5)]


@pytest.fixture
def made() -> Iterator[list[Odd]]:
    """Servers to be ended."""
    servers: list[Odd] = []
    yield servers
    for one in servers:
        one.server.shutdown()
        one.server.server_close()


def _odd(made: list[Odd], *, bulk: bool = True, codes: tuple[str, ...] = ()) -> Odd:
    made.append(Odd(KEYS, bulk=bulk, codes=list(codes)))
    return made[-1]


async def _clear(odd: Odd) -> Deletion:
    place = odd.place()
    sweep = Deletion(place, None, lambda _: None)
    try:
        await sweep.clear()
    finally:
        place.close()
    return sweep


@pytest.mark.rule("wipe")
async def test_a_server_that_cannot_delete_many(made: list[Odd]) -> None:
    """It is asked once; then each object is deleted by itself."""
    odd = _odd(made, bulk=False)
    sweep = await _clear(odd)
    assert (odd.keys, sweep.deleted) == (set(), 5)
    assert odd.asked == ["POST", *["DELETE"] * 5]


@pytest.mark.parametrize("code", ["InternalError", "SlowDown"])
@pytest.mark.rule("wipe")
async def test_an_objects_own_failure_is_read_and_passes(made: list[Odd], code: str) -> None:
    """The answer's status is 200 all the same."""
    odd = _odd(made, codes=(code, ""))
    sweep = await _clear(odd)
    assert (odd.keys, sweep.deleted) == (set(), 5)


@pytest.mark.rule("wipe")
async def test_what_is_gone_already_is_as_good(made: list[Odd]) -> None:
    """Another may have deleted it between listing and request."""
    odd = _odd(made, codes=("NoSuchKey",))
    assert (await _clear(odd)).deleted >= 5


@pytest.mark.parametrize(
    ("code", "says"), [("AccessDenied", "no rights: s3:DeleteObject on "), ("Strange", "Strange")]
)
@pytest.mark.rule("wipe")
async def test_an_objects_own_refusal_is_no_success(made: list[Odd], code: str, says: str) -> None:
    """Named, with the right; nothing is taken for a lock that is none."""
    odd = _odd(made, codes=(code,))
    with pytest.raises(ArchiveError, match=says):
        await _clear(odd)
    assert odd.keys == {KEYS[0]}


@pytest.mark.rule("wipe")
def test_a_refusal_of_an_unknown_key_is_not_dropped(made: list[Odd]) -> None:
    """It is told of the first of the batch."""
    odd = _odd(made, codes=("AccessDenied",))
    place = odd.place()
    refused = place.delete([Entry("wal_005/4", 1, 0.0), Entry("wal_005/3", 1, 0.0)])
    assert [one.code for one in refused] == ["AccessDenied"]
    place.close()
