"""The keys that sign requests, from wherever the bucket's client takes its own.

The same kinds in the same order: given keys, a web identity, a container's, an instance's. A
client that deletes cannot use those of obstore, which shows none of them.

Source: object_store 0.14 (AmazonS3Builder); the documentation of EC2's instance metadata service
version 2, of ECS's and EKS's container credentials, and of STS's AssumeRoleWithWebIdentity.
"""

import http.client
import json
import ssl
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from walsup.archive.fault import Fault, FaultError
from walsup.archive.wipe.signature import Keys
from walsup.settings import Settings

_INSTANCE = "http://169.254.169.254"
_CONTAINER = "http://169.254.170.2"
_ROLES = "/latest/meta-data/iam/security-credentials/"
_TIMEOUT_S = 10.0
# Amazon gives new ones five minutes before the old ones end.
_KEPT_S = 240.0


class KeyRing:
    """Gives the keys of now; temporary ones are asked for anew every four minutes."""

    def __init__(self, settings: Settings, region: str) -> None:
        self._settings = settings
        self._region = region
        self._kept: Keys | None = None
        self._asked_s = 0.0

    def now(self) -> Keys:
        """Give keys that are valid now. Blocks.

        Raises:
            FaultError: there are none.
        """
        known = self._settings
        if known.access_key_id and known.secret_access_key:
            return Keys(known.access_key_id, known.secret_access_key, known.session_token or "")
        if self._kept is None or time.monotonic() - self._asked_s > _KEPT_S:
            self._asked_s = time.monotonic()
            try:
                self._kept = self._ask(known.passed_on)
            except (OSError, http.client.HTTPException, ValueError, KeyError, ET.ParseError) as why:
                problem = f"no credentials: neither AWS_ACCESS_KEY_ID nor a role's ({why!r})"
                raise FaultError(Fault(kind="auth", problem=problem)) from why
        return self._kept

    def _ask(self, given: Mapping[str, str]) -> Keys:
        if path := given.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            return self._web_identity(given, Path(path).read_text(encoding="utf-8").strip())
        if relative := given.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
            return _from_json(self._fetch("GET", _CONTAINER + relative))
        if uri := given.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            token = given.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
            headers = {"Authorization": Path(token).read_text("utf-8").strip()} if token else {}
            return _from_json(self._fetch("GET", uri, headers))
        return self._instance(given.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _INSTANCE)

    def _web_identity(self, given: Mapping[str, str], token: str) -> Keys:
        endpoint = given.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{self._region}.amazonaws.com"
        query = urlencode(
            {
                "Action": "AssumeRoleWithWebIdentity",
                "DurationSeconds": "3600",
                "RoleArn": given.get("AWS_ROLE_ARN", ""),
                "RoleSessionName": given.get("AWS_ROLE_SESSION_NAME") or "walsup-wipe",
                "Version": "2011-06-15",
                "WebIdentityToken": token,
            }
        )
        # No foreign words: it is Amazon's own answer, over TLS.
        answer = ET.fromstring(self._fetch("POST", f"{endpoint.rstrip('/')}/?{query}"))  # noqa: S314
        found = {one.tag.rpartition("}")[2]: one.text or "" for one in answer.iter()}
        return Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def _instance(self, endpoint: str) -> Keys:
        endpoint = endpoint.rstrip("/")
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "600"}
        token = self._fetch("PUT", f"{endpoint}/latest/api/token", lifetime).decode()
        headers = {"X-aws-ec2-metadata-token": token}
        role = self._fetch("GET", endpoint + _ROLES, headers).decode().strip()
        return _from_json(self._fetch("GET", f"{endpoint}{_ROLES}{role}", headers))

    def _fetch(self, method: str, address: str, headers: Mapping[str, str] | None = None) -> bytes:
        url = urlsplit(address)
        connection = (
            http.client.HTTPSConnection(
                url.netloc, timeout=_TIMEOUT_S, context=trust(self._settings.ca_file)
            )
            if url.scheme == "https"
            else http.client.HTTPConnection(url.netloc, timeout=_TIMEOUT_S)
        )
        try:
            connection.request(
                method, f"{url.path or '/'}?{url.query}".rstrip("?"), headers=headers or {}
            )
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            # Without the query: a token is in it.
            raise ValueError(f"{url.scheme}://{url.netloc}{url.path} answers {answer.status}")
        return body


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Give whom to trust: the system's CAs, and those of WALSUP_CA_FILE.

    Raises:
        FaultError: the file cannot be read.
    """
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as raised:
            problem = f"WALSUP_CA_FILE cannot be read: {raised}"
            raise FaultError(Fault(kind="tls", problem=problem)) from raised
    return context


def _from_json(body: bytes) -> Keys:
    found: dict[str, Any] = json.loads(body)
    return Keys(found["AccessKeyId"], found["SecretAccessKey"], found.get("Token") or "")
