"""The keys that sign requests: given ones, those of a web identity, a container, an instance.

Source: the documentation of EC2's instance metadata service version 2, of ECS's and EKS's
container credentials, and of STS's AssumeRoleWithWebIdentity.
"""

import json
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from walsup.archive.fault import Fault, FaultError
from walsup.archive.s3 import web
from walsup.archive.s3.exchange import CutOffError
from walsup.archive.s3.signature import Keys
from walsup.archive.s3.steps import Steps
from walsup.settings import Settings

_INSTANCE = "http://169.254.169.254"
_CONTAINER = "http://169.254.170.2"
_ROLES = "/latest/meta-data/iam/security-credentials/"
# Amazon gives new ones five minutes before the old ones end.
_KEPT_S = 240.0
_OK = 200


class KeyRing:
    """Gives the keys of now; temporary ones are asked for anew every four minutes."""

    def __init__(self, settings: Settings, region: str) -> None:
        self._settings = settings
        self._region = region
        given, secret = settings.access_key_id, settings.secret_access_key
        self._given = bool(given and secret)
        self._kept: Keys | None = None
        if given and secret:
            self._kept = Keys(given, secret, settings.session_token or "")
        self._asked_s = -_KEPT_S

    def now(self) -> Steps[Keys]:
        """Give keys that are valid now.

        Raises:
            FaultError: there are none.
        """
        kept_s = time.monotonic() - self._asked_s
        if self._kept is None or (kept_s > _KEPT_S and not self._given):
            self._asked_s = time.monotonic()
            try:
                self._kept = yield from self._ask(self._settings.passed_on)
            except (OSError, CutOffError, ValueError, KeyError, ET.ParseError) as why:
                said = f"{type(why).__name__}: {why}"
                problem = f"no credentials: neither AWS_ACCESS_KEY_ID nor a role's ({said})"
                raise FaultError(Fault(kind="auth", problem=problem)) from why
        return self._kept

    def _ask(self, given: Mapping[str, str]) -> Steps[Keys]:
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

    def _web_identity(self, given: Mapping[str, str], token: str) -> Steps[Keys]:
        endpoint = given.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{self._region}.amazonaws.com"
        query = urlencode(
            {
                "Action": "AssumeRoleWithWebIdentity",
                "DurationSeconds": "3600",
                "RoleArn": given.get("AWS_ROLE_ARN", ""),
                "RoleSessionName": given.get("AWS_ROLE_SESSION_NAME") or "walsup",
                "Version": "2011-06-15",
                "WebIdentityToken": token,
            }
        )
        # No foreign words: it is Amazon's own answer, over TLS.
        said = yield from self._fetch("POST", f"{endpoint.rstrip('/')}/?{query}")
        answer = ET.fromstring(said)  # noqa: S314
        found = {one.tag.rpartition("}")[2]: one.text or "" for one in answer.iter()}
        return Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def _instance(self, endpoint: str) -> Steps[Keys]:
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "600"}
        token = (yield from self._fetch("PUT", f"{endpoint}/latest/api/token", lifetime)).decode()
        headers = {"X-aws-ec2-metadata-token": token}
        role = (yield from self._fetch("GET", endpoint + _ROLES, headers)).decode().strip()
        return _from_json((yield from self._fetch("GET", f"{endpoint}{_ROLES}{role}", headers)))

    def _fetch(
        self, method: str, address: str, headers: Mapping[str, str] | None = None
    ) -> Steps[bytes]:
        answer = yield from web.ask(method, address, headers, self._settings.ca_file)
        if answer.status != _OK:
            # Without the query: a token is in it.
            raise ValueError(f"{address.partition('?')[0]} answers {answer.status}")
        return answer.body


def _from_json(body: bytes) -> Keys:
    found: dict[str, Any] = json.loads(body)
    return Keys(found["AccessKeyId"], found["SecretAccessKey"], found.get("Token") or "")
