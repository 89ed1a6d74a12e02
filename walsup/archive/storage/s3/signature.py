"""AWS Signature Version 4 of a request, with its body hashed. Pure.

Source: "Authenticating Requests (AWS Signature Version 4)" of Amazon S3's API reference.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"
_PLAIN = "-_.~"


class Keys(NamedTuple):
    """The signing keys; `token` only for temporary ones."""

    access_key_id: str
    secret_access_key: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Keys({self.access_key_id})"


class SigningRequest(NamedTuple):
    """A request to be signed. `path` is not quoted; `headers`: all but the signature's."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    body: bytes = b""
    headers: Mapping[str, str] = {}

    @property
    def target(self) -> str:
        """Return the target of the request's first line."""
        query = self._query()
        return self._path() + (f"?{query}" if query else "")

    def _path(self) -> str:
        return quote(self.path, safe=f"/{_PLAIN}")

    def _query(self) -> str:
        pairs = ((quote(k, safe=_PLAIN), quote(v, safe=_PLAIN)) for k, v in self.query.items())
        return "&".join(f"{name}={value}" for name, value in sorted(pairs))

    def signed(self, keys: Keys, region: str, stamp: str) -> dict[str, str]:
        """Return all its headers. `stamp`: the time as `20261127T090000Z`."""
        body_hash = hashlib.sha256(self.body).hexdigest()
        headers = {
            **{name.lower(): value for name, value in self.headers.items()},
            "host": self.host,
            "x-amz-content-sha256": body_hash,
            "x-amz-date": stamp,
        }
        if keys.token:
            headers["x-amz-security-token"] = keys.token
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
        whole = f"{self.method}\n{self._path()}\n{self._query()}\n{lines}\n{names}\n{body_hash}"
        scope = f"{stamp[:8]}/{region}/s3/aws4_request"
        to_sign = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(whole.encode()).hexdigest()])
        key = f"AWS4{keys.secret_access_key}".encode()
        for part in scope.split("/"):
            key = _mac(key, part)
        return headers | {
            "authorization": f"{_ALGORITHM} Credential={keys.access_key_id}/{scope},"
            f" SignedHeaders={names}, Signature={_mac(key, to_sign).hex()}"
        }


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
