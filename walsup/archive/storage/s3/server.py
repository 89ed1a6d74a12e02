"""Signed requests to the server of one bucket."""

from collections.abc import Mapping
from time import gmtime, monotonic, strftime
from typing import NamedTuple
from urllib.parse import urlsplit

from walsup import __version__
from walsup.archive.faults import FaultKind
from walsup.archive.storage.s3 import blocking, web
from walsup.archive.storage.s3.connections import ConnectionPool
from walsup.archive.storage.s3.document import clock
from walsup.archive.storage.s3.exchange import MOST_BYTES, PreparedRequest, Reply
from walsup.archive.storage.s3.failures import not_s3, refused, unanswered
from walsup.archive.storage.s3.keys import KeyRing
from walsup.archive.storage.s3.lines import CutOffError
from walsup.archive.storage.s3.region import look_up
from walsup.archive.storage.s3.signature import Keys, SigningRequest
from walsup.archive.storage.s3.steps import Steps
from walsup.settings import ArchiveUrl, Settings, amazon_hosts

_DEFAULT_REGION = "us-east-1"
_FIRST_NO_SUCCESS = 300


class Call(NamedTuple):
    """A request to the bucket; `right`: the permission that it needs. `key`: the complete key.

    `most_bytes`: of the answer's body.
    """

    method: str
    right: str
    query: Mapping[str, str] = {}
    key: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = {}
    most_bytes: int = MOST_BYTES


class S3Server:
    """Sends requests for one bucket; several threads, or tasks of any loop, may use it at a time.

    Raises:
        RefusedError, from each request: the server rejects it.
        FaultError: the server does not answer, or a header cannot be sent.
    """

    def __init__(self, settings: Settings, archive: ArchiveUrl) -> None:
        """Keep the settings; no request is made."""
        self._settings = settings
        self._bucket = archive.bucket
        self._region = settings.region
        self._made: tuple[ConnectionPool, KeyRing] | None = None
        self._date = (0.0, 0.0)  # the server's last time, and when it was received

    @property
    def region(self) -> str | None:
        """Return the bucket's region: as set, or found with a first request; None elsewhere."""
        return self._region

    @property
    def host(self) -> str:
        """Return the Host header of requests: with the port, unless it is the default."""
        url = urlsplit(self._address)
        return url.netloc.removesuffix(f":{web.PORTS[url.scheme]}")

    async def ask(self, call: Call, timeout_s: float) -> Reply:
        """Return the answer, within a timeout."""
        from walsup.archive.storage.s3 import looping  # noqa: PLC0415 (asyncio: 54 ms of a first start)

        return await looping.carry(self._steps(call), timeout_s)

    def ask_now(self, call: Call, timeout_s: float) -> Reply:
        """Return the answer as `ask` does; blocks."""
        return blocking.carry(self._steps(call), timeout_s)

    def now(self) -> float:
        """Return the server's time, from its last answer (Unix seconds); 0: not known."""
        at, seen_s = self._date
        return at + (monotonic() - seen_s) if at else 0.0

    def close(self) -> None:
        """Close the connections."""
        if self._made:
            self._made[0].close()

    def _steps(self, call: Call) -> Steps[Reply]:
        known = self._settings
        try:
            if self._region is None and known.endpoint is None:
                self._region = yield from look_up(self._bucket, ca_file=known.ca_file)
            if self._made is None:
                peer = web.peer_of(urlsplit(self._address), known.ca_file)
                self._made = ConnectionPool(peer), KeyRing(known, self._signed_for)
            connections, ring = self._made
            keys = yield from ring.now()
            answer = yield from connections.ask(self._signed(call, keys))
        except (OSError, CutOffError, ValueError) as raised:
            raise unanswered(raised, self._where(call), self._address) from raised
        if told := clock(answer.headers.get("date", "")):
            self._date = (told, monotonic())
        if answer.status >= _FIRST_NO_SUCCESS:
            refusal = refused(
                answer,
                self._where(call),
                bucket=self._bucket,
                host=self.host,
                conditional=any(name.startswith("if-") for name in call.headers),
            )
            if refusal.fault.kind == FaultKind.AUTH:
                ring.doubt()
            raise refusal
        if page := not_s3(answer, self._where(call)):
            raise page
        return answer

    @property
    def _signed_for(self) -> str:
        return self._region or _DEFAULT_REGION

    @property
    def _is_virtual(self) -> bool:
        # A certificate for *.s3.… does not cover a bucket with dots in its name.
        return not self._settings.endpoint and "." not in self._bucket

    @property
    def _address(self) -> str:
        regions = f"s3.{self._signed_for}.{amazon_hosts.suffix(self._signed_for)}"
        host = f"{self._bucket}.{regions}" if self._is_virtual else regions
        return self._settings.endpoint or f"https://{host}"

    def _signed(self, call: Call, keys: Keys) -> PreparedRequest:
        root = "/" if self._is_virtual else f"/{self._bucket}"
        path = f"{root.rstrip('/')}/{call.key}" if call.key else root
        request = SigningRequest(call.method, self.host, path, call.query, call.body, call.headers)
        stamp = strftime("%Y%m%dT%H%M%SZ", gmtime())
        headers = request.signed(keys, self._signed_for, stamp)
        headers["user-agent"] = f"walsup/{__version__}"  # not signed: some proxies change it
        return PreparedRequest(call.method, request.target, headers, call.body, call.most_bytes)

    def _where(self, call: Call) -> str:
        of = call.key or call.query.get("prefix", "")
        return f"{call.right} on {self._bucket}{f'/{of}' if of else ''}"
