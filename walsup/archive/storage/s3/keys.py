"""The keys that sign requests: static ones, or those of a web identity, container or instance.

Source: the documentation of EC2's instance metadata service version 2, of ECS's and EKS's
container credentials, and of STS's AssumeRoleWithWebIdentity.
"""

import json
import re
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.storage.s3 import web
from walsup.archive.storage.s3.document import XmlDocument
from walsup.archive.storage.s3.lines import CutOffError
from walsup.archive.storage.s3.signature import Keys
from walsup.archive.storage.s3.steps import Steps
from walsup.redaction import remember
from walsup.settings import Settings, amazon_hosts

_INSTANCE = "http://169.254.169.254"
_CONTAINER = "http://169.254.170.2"
_ROLES = "/latest/meta-data/iam/security-credentials/"
# Amazon issues new ones five minutes before the old ones end.
_KEPT_S = 240.0
# After a failure, while the old ones are valid.
_RETRY_S = 5.0
_OK = 200
_CODE = re.compile(r'<Code>(\w+)</Code>|"[Cc]ode"\s*:\s*"(\w+)"')
_NO_KEYS = (OSError, CutOffError, ValueError, FaultError)


class Borrowed(NamedTuple):
    """Temporary keys. `ends_at`: Unix seconds, when they end."""

    keys: Keys
    ends_at: float


class KeyRing:
    """Returns the current keys; temporary ones are requested again every four minutes."""

    def __init__(self, settings: Settings, region: str) -> None:
        self._settings = settings
        self._region = region
        self._given: Keys | None = None
        if settings.access_key_id and settings.secret_access_key:
            token = settings.session_token or ""
            self._given = Keys(settings.access_key_id, settings.secret_access_key, token)
        self._kept: Borrowed | None = None
        self._ask_again_s = 0.0

    def now(self) -> Steps[Keys]:
        """Return keys that are valid now.

        Raises:
            FaultError: there are none.
        """
        if self._given:
            return self._given
        kept = self._kept
        if kept and kept.ends_at > time.time():
            if time.monotonic() < self._ask_again_s:
                return kept.keys
            self._ask_again_s = time.monotonic() + _RETRY_S  # the others need not request them too
        else:
            kept = None
        try:
            self._kept = yield from self._ask(self._settings.passed_on)
        except _NO_KEYS as why:
            if kept:
                return kept.keys  # they are valid for a while
            said = f"{type(why).__name__}: {why}"
            problem = f"no credentials: neither AWS_ACCESS_KEY_ID nor a role's ({said})"
            raise FaultError(Fault(kind=FaultKind.AUTH, problem=problem)) from why
        self._ask_again_s = time.monotonic() + _KEPT_S
        return self._kept.keys

    def doubt(self) -> None:
        """Request new keys at the next request, because these were rejected."""
        self._ask_again_s = 0.0

    def _ask(self, given: Mapping[str, str]) -> Steps[Borrowed]:
        if path := given.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            token = Path(path).read_text(encoding="utf-8").strip()
            return (yield from self._web_identity(given, token))
        if relative := given.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
            return _from_json((yield from self._fetch("GET", _CONTAINER + relative)))
        if uri := given.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            file = given.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
            headers = {"Authorization": Path(file).read_text("utf-8").strip()} if file else {}
            return _from_json((yield from self._fetch("GET", uri, headers)))
        endpoint = given.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _INSTANCE
        return (yield from self._instance(endpoint.rstrip("/")))

    def _web_identity(self, given: Mapping[str, str], token: str) -> Steps[Borrowed]:
        endpoint = given.get("AWS_ENDPOINT_URL_STS") or amazon_hosts.token_service(self._region)
        form = urlencode(
            {
                "Action": "AssumeRoleWithWebIdentity",
                "DurationSeconds": "3600",
                "RoleArn": given.get("AWS_ROLE_ARN", ""),
                "RoleSessionName": given.get("AWS_ROLE_SESSION_NAME") or "walsup",
                "Version": "2011-06-15",
                "WebIdentityToken": token,
            }
        )
        # In the body, not in the address, which other systems log.
        kind = {"content-type": "application/x-www-form-urlencoded"}
        answer = yield from self._fetch("POST", endpoint, kind, form.encode())
        document = XmlDocument(answer, "AssumeRoleWithWebIdentityResponse")
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        return _borrowed(*(document.text(name) for name in names))

    def _instance(self, endpoint: str) -> Steps[Borrowed]:
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "600"}
        token = (yield from self._fetch("PUT", f"{endpoint}/latest/api/token", lifetime)).decode()
        headers = {"X-aws-ec2-metadata-token": token}
        role = (yield from self._fetch("GET", endpoint + _ROLES, headers)).decode().strip()
        return _from_json((yield from self._fetch("GET", f"{endpoint}{_ROLES}{role}", headers)))

    def _fetch(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Steps[bytes]:
        ca_file = self._settings.ca_file
        answer = yield from web.ask(method, address, headers, body=body, ca_file=ca_file)
        if answer.status != _OK:
            code = _CODE.search(answer.body.decode(errors="replace"))
            told = f" ({code[1] or code[2]})" if code else ""
            raise ValueError(f"{address.partition('?')[0]} answers {answer.status}{told}")
        return answer.body


def _from_json(body: bytes) -> Borrowed:
    found: object = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("the answer contains no keys")  # noqa: TRY004 (of a server, not of a caller)
    names = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
    return _borrowed(*(str(found.get(name) or "") for name in names))


def _borrowed(access_key_id: str, secret: str, token: str, expiration: str) -> Borrowed:
    if not access_key_id or not secret:
        raise ValueError("the answer contains no keys")
    remember((access_key_id, secret, token))
    ends_at = datetime.fromisoformat(expiration).timestamp() if expiration else float("inf")
    return Borrowed(Keys(access_key_id, secret, token), ends_at)
