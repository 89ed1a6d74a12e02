"""The bucket on an S3 server: small objects, listings, conditional writes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.store import S3Store

from walsup.archive.bucket import Object
from walsup.archive.fault import Fault, FaultError
from walsup.settings import ArchiveUrl, Settings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config  # names of its stubs only

# The largest that is read is a page of a listing (1,000 keys, 0.3 MB) or a sentinel.
REQUEST_TIMEOUT_S = 5.0
_CONNECT_TIMEOUT_S = 4.0
# Where object_store takes credentials from that are no static keys, in its own order.
_ROLES = {
    "AWS_WEB_IDENTITY_TOKEN_FILE": "web_identity_token_file",
    "AWS_ROLE_ARN": "role_arn",
    "AWS_ROLE_SESSION_NAME": "role_session_name",
    "AWS_ENDPOINT_URL_STS": "endpoint_url_sts",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "container_credentials_relative_uri",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "container_credentials_full_uri",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "container_authorization_token_file",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "metadata_endpoint",
}


class S3Bucket:
    """The archive's prefix on an S3 server; raises what obstore raises.

    What is raised has a note that names the right which the request needed.
    """

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; nothing is read and no request is made.

        Raises:
            ValueError: the archive is no bucket on a server.
        """
        if not isinstance(settings.archive, ArchiveUrl):
            raise ValueError("the archive is not in a bucket")  # noqa: TRY004 (a wrong value)
        self.region = settings.region
        self._settings = settings
        self._archive = settings.archive
        self._made: S3Store | None = None

    async def get(self, key: str) -> Object:
        """Read a small object whole."""
        store = await self._store()
        with self._needs("s3:GetObject", key):
            answer = await obstore.get_async(store, key)
            content = bytes(await answer.bytes_async())
        return Object(content=content, etag=str(answer.meta.get("e_tag") or ""))

    async def put(self, key: str, content: bytes) -> None:
        """Write an object, whatever was there."""
        store = await self._store()
        with self._needs("s3:PutObject", key):
            await obstore.put_async(store, key, content)

    async def create(self, key: str, content: bytes) -> str:
        """Write an object that must not exist (If-None-Match); gives its tag."""
        store = await self._store()
        with self._needs("s3:PutObject", key):
            answer = await obstore.put_async(store, key, content, mode="create")
        return str(answer.get("e_tag") or "")

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write over the version that has this tag (If-Match); gives the new tag."""
        store = await self._store()
        with self._needs("s3:PutObject", key):
            answer = await obstore.put_async(store, key, content, mode={"e_tag": etag})
        return str(answer.get("e_tag") or "")

    async def keys(self, under: str, after: str = "") -> AsyncIterator[str]:
        """Give the keys under a folder in order, continued after a key; all pages of them."""
        store = await self._store()
        with self._needs("s3:ListBucket", under):
            offset = after or None
            async for page in obstore.list(store, prefix=under, offset=offset, chunk_size=1000):
                for meta in page:
                    yield str(meta["path"])

    async def folder(self, under: str) -> list[tuple[str, float]]:
        """Give key and time of last change (Unix seconds) of what lies directly in a folder."""
        store = await self._store()
        with self._needs("s3:ListBucket", under):
            answer = await obstore.list_with_delimiter_async(store, under)
        return [
            (str(meta["path"]), meta["last_modified"].timestamp()) for meta in answer["objects"]
        ]

    def first_key_now(self, under: str) -> str:
        """Give one key under a folder, "" when a successful listing finds none. Blocks."""
        self._locate()
        with self._needs("s3:ListBucket", under):
            for page in obstore.list(self._make(), prefix=under, chunk_size=1):
                for meta in page:
                    return str(meta["path"])
        return ""

    async def settle(self, _key: str) -> bool:
        """Tell that a listed object is whole: S3 shows no other."""
        return True

    async def torn(self, _under: str, _after: str) -> list[str]:
        """Tell that there is no half object."""
        return []

    async def discard_torn(self, _key: str) -> bool:
        """Tell that there is no half object to remove."""
        return False

    async def probe(self, _size_bytes: int) -> None:
        """Do nothing: a bucket has no size, and a push will tell about rights."""

    async def _store(self) -> S3Store:
        if self._made is None:
            if self._is_lost():
                await asyncio.to_thread(self._locate)
            self._made = self._make()
        return self._made

    def _is_lost(self) -> bool:
        return self.region is None and self._settings.endpoint is None

    def _locate(self) -> None:
        """Look the region up where Amazon's is not set."""
        if self._is_lost():
            from walsup.archive.region import look_up  # noqa: PLC0415 (http.client: 2 MB)

            self.region = look_up(self._archive.bucket)

    def _make(self) -> S3Store:
        """Prepare requests; none is made."""
        known = self._settings
        given: S3Config = {
            "bucket": self._archive.bucket,
            "virtual_hosted_style_request": known.endpoint is None,
        }
        # obstore takes no None for what is not set.
        if known.endpoint:
            given["endpoint"] = known.endpoint
        if self.region:
            given["region"] = self.region
        if known.access_key_id and known.secret_access_key:
            given["access_key_id"] = known.access_key_id
            given["secret_access_key"] = known.secret_access_key
            if known.session_token:
                given["session_token"] = known.session_token
        else:
            for name, key in _ROLES.items():
                if value := known.passed_on.get(name):
                    given[key] = value  # type: ignore[literal-required]
        try:
            return S3Store(
                prefix=self._archive.prefix,
                config=given,
                client_options=self._client(),
                retry_config={
                    "max_retries": 0,
                    "retry_timeout": timedelta(seconds=REQUEST_TIMEOUT_S),
                },
            )
        except Exception as raised:
            problem = (
                f"the client of the bucket cannot be made: {str(raised).partition(chr(10))[0]}"
            )
            raise FaultError(
                Fault(kind="tls" if known.ca_file else "auth", problem=problem)
            ) from raised

    def _client(self) -> "ClientConfig":
        options: ClientConfig = {
            "allow_http": True,
            "timeout": timedelta(seconds=REQUEST_TIMEOUT_S),
            "connect_timeout": timedelta(seconds=_CONNECT_TIMEOUT_S),
        }
        if path := self._settings.ca_file:
            try:
                options["root_certificate"] = path.read_bytes()
            except OSError as raised:
                raise FaultError(
                    Fault(kind="tls", problem=f"WALSUP_CA_FILE cannot be read: {raised}")
                ) from raised
        return options

    @contextlib.contextmanager
    def _needs(self, right: str, key: str) -> Iterator[None]:
        """Note on what is raised which right the request needed."""
        try:
            yield
        except Exception as raised:
            where = f"{self._archive.bucket}/{self._archive.prefix}/{key}"
            raised.add_note(f"{right} on {where}")
            raise
