"""The bucket on an S3 server: small objects, listings, conditional writes."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.store import S3Store

from walsup.archive.bucket import Object
from walsup.settings import ArchiveUrl, Settings

if TYPE_CHECKING:
    from obstore.store import S3Config  # a name of its stubs only

REQUEST_TIMEOUT_S = 10.0
_CONNECT_TIMEOUT_S = 5.0


class S3Bucket:
    """The archive's prefix on an S3 server; raises what obstore raises."""

    def __init__(self, settings: Settings) -> None:
        """Prepare requests; none is made.

        Raises:
            ValueError: the archive is no bucket on a server.
        """
        if not isinstance(settings.archive, ArchiveUrl):
            raise ValueError("the archive is not in a bucket")  # noqa: TRY004 (a wrong value)
        given: S3Config = {
            "bucket": settings.archive.bucket,
            "virtual_hosted_style_request": settings.endpoint is None,
        }
        # obstore takes no None for what is not set.
        if settings.endpoint:
            given["endpoint"] = settings.endpoint
        if settings.region:
            given["region"] = settings.region
        if settings.access_key_id and settings.secret_access_key:
            given["access_key_id"] = settings.access_key_id
            given["secret_access_key"] = settings.secret_access_key
        if settings.session_token:
            given["session_token"] = settings.session_token
        self._store = S3Store(
            prefix=settings.archive.prefix,
            config=given,
            client_options={
                "allow_http": True,
                "timeout": timedelta(seconds=REQUEST_TIMEOUT_S),
                "connect_timeout": timedelta(seconds=_CONNECT_TIMEOUT_S),
            },
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=REQUEST_TIMEOUT_S)},
        )

    async def get(self, key: str) -> Object:
        """Read a small object whole."""
        answer = await obstore.get_async(self._store, key)
        return Object(
            content=bytes(await answer.bytes_async()), etag=str(answer.meta.get("e_tag") or "")
        )

    async def create(self, key: str, content: bytes) -> str:
        """Write an object that must not exist (If-None-Match); gives its tag."""
        answer = await obstore.put_async(self._store, key, content, mode="create")
        return str(answer.get("e_tag") or "")

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write over the version that has this tag (If-Match); gives the new tag."""
        answer = await obstore.put_async(self._store, key, content, mode={"e_tag": etag})
        return str(answer.get("e_tag") or "")

    async def keys(self, under: str, after: str = "") -> AsyncIterator[str]:
        """Give the keys under a folder in order, continued after a key; all pages of them."""
        offset = after or None
        async for page in obstore.list(self._store, prefix=under, offset=offset, chunk_size=1000):
            for meta in page:
                yield str(meta["path"])

    async def folder(self, under: str) -> list[tuple[str, float]]:
        """Give key and time of last change (Unix seconds) of what lies directly in a folder."""
        answer = await obstore.list_with_delimiter_async(self._store, under)
        return [
            (str(meta["path"]), meta["last_modified"].timestamp()) for meta in answer["objects"]
        ]

    def first_key_now(self, under: str) -> str:
        """Give one key under a folder, "" when a successful listing finds none. Blocks."""
        for page in obstore.list(self._store, prefix=under, chunk_size=1):
            for meta in page:
                return str(meta["path"])
        return ""

    async def settle(self, _key: str) -> bool:
        """Tell that a listed object is whole: S3 shows no other."""
        return True

    async def discard_torn(self, _key: str) -> bool:
        """Tell that there is no half object to remove."""
        return False

    async def probe(self, _size_bytes: int) -> None:
        """Do nothing: a bucket has no size, and a push will tell about rights."""
