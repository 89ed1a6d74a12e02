"""What an S3 server's answer means: its error code and its status, in the classes of `fault`. Pure.

Source: Amazon S3's list of error codes; those of MinIO (RELEASE.2025-09-07), Ceph (squid),
SeaweedFS 4.48, Backblaze B2 and Alibaba OSS; pages of nginx, Apache, Envoy and Go's HTTP server;
the HTTP statuses where a server gives no code (an answer to HEAD has no body).
"""

import re
from typing import NamedTuple

_BY_CODE = {
    "RequestTimeTooSkewed": "clock skew",
    "RequestExpired": "clock skew",
    "RequestInTheFuture": "clock skew",
    "NoSuchBucket": "no bucket",
    "NotImplemented": "no conditional writes",
    "AccessDenied": "no rights",
    "AllAccessDisabled": "no rights",
    "UnauthorizedOperation": "no rights",
    "KMS.DisabledException": "no rights",
    "KMSNotConfigured": "no rights",
    "InvalidAccessKeyId": "auth",
    "SignatureDoesNotMatch": "auth",
    "ExpiredToken": "auth",
    "ExpiredTokenException": "auth",
    "InvalidToken": "auth",
    "InvalidIdentityToken": "auth",
    "TokenRefreshRequired": "auth",
    "InvalidClientTokenId": "auth",
    "NotSignedUp": "auth",
    "AccountProblem": "auth",
    "UserSuspended": "auth",
    "UserDisable": "auth",
    "NoCredentialProviders": "auth",
    "AuthorizationHeaderMalformed": "wrong region",
    "PermanentRedirect": "wrong region",
    "TemporaryRedirect": "wrong region",
    "BucketRegionError": "wrong region",
    "IllegalLocationConstraintException": "wrong region",
    "SlowDown": "throttled",
    "Throttling": "throttled",
    "ThrottlingException": "throttled",
    "RequestLimitExceeded": "throttled",
    "TooManyRequests": "throttled",
    "RequestTimeout": "timeout",
    "PreconditionFailed": "overwrite conflict",
    "ConditionalRequestConflict": "overwrite conflict",
    "InvalidObjectState": "engine disagrees",  # in a storage class that cannot be read
    "InternalError": "server error",
    "ServiceUnavailable": "server error",
    "InsufficientCapacity": "server error",
    "OperationAborted": "server error",
    "EntityTooLarge": "server error",
    "XMinioServerNotInitialized": "server error",
    "XMinioBackendDown": "server error",
    "SlowDownRead": "server error",
    "SlowDownWrite": "server error",
    "XMinioStorageFull": "archive full",
    "XMinioAdminBucketQuotaExceeded": "archive full",
    "QuotaExceeded": "archive full",
    "StorageLimitExceeded": "archive full",
    "InsufficientStorage": "archive full",
    "SecondLevelDomainForbidden": "no S3 server",
    "VirtualHostDomainRequired": "no S3 server",
    "MethodNotAllowed": "no S3 server",
}
_KEY_ID = (
    "check AWS_ACCESS_KEY_ID: this server does not know it; and AWS_ENDPOINT: is it the server that"
    " the key belongs to?"
)
_RENEW = "renew the temporary keys: AWS_SESSION_TOKEN has expired or belongs to another key"
_SUSPENDED = "look at the account at the provider: it is suspended, or not signed up for S3"
_VIRTUAL = "use another S3 server: this one takes virtual-hosted requests only"
_LACKS_DRIVES = "look at the S3 server's own log: drives or nodes of it are missing; it is retried"
_KMS = "let the key use the KMS key that encrypts the bucket, or enable that key"
_TOO_LARGE = (
    "raise the size that a request may have in the proxy before the S3 server (nginx:"
    " client_max_body_size), or in the server"
)
_BY_CODE_REMEDY = {
    "InvalidAccessKeyId": _KEY_ID,
    "InvalidClientTokenId": _KEY_ID,
    "SignatureDoesNotMatch": "check AWS_SECRET_ACCESS_KEY: it does not fit AWS_ACCESS_KEY_ID; with"
    " a proxy before the S3 server check that it passes Host and the path on unchanged",
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "InvalidToken": _RENEW,
    "TokenRefreshRequired": _RENEW,
    "NotSignedUp": _SUSPENDED,
    "AccountProblem": _SUSPENDED,
    "UserSuspended": _SUSPENDED,
    "UserDisable": _SUSPENDED,
    "SecondLevelDomainForbidden": _VIRTUAL,
    "VirtualHostDomainRequired": _VIRTUAL,
    "MethodNotAllowed": "check AWS_ENDPOINT: what answers there (a website's endpoint?) does not"
    " allow this request",
    "KMS.DisabledException": _KMS,
    "KMSNotConfigured": _KMS,
    "XMinioServerNotInitialized": _LACKS_DRIVES,
    "XMinioBackendDown": _LACKS_DRIVES,
    "SlowDownRead": _LACKS_DRIVES,
    "SlowDownWrite": _LACKS_DRIVES,
    "EntityTooLarge": _TOO_LARGE,
}
_CONSOLE = re.compile(r"made to (the )?console port|must be made to (the )?api port", re.IGNORECASE)
_CONSOLE_REMEDY = "set AWS_ENDPOINT to the port of MinIO's API (9000 usually): this is its console"
_FULL = re.compile(
    r"\bquota|storage (cap|limit)|cap exceeded|minimum free drive|insufficient storage|disk is full"
    r"|no space left",
    re.IGNORECASE,
)
_MAY_BE_FULL = ("AccessDenied", "InvalidRequest", "InvalidArgument", "Forbidden", "")
_OF_A_KEY = re.compile(r"access key|credential", re.IGNORECASE)
_KMS_WORDS = re.compile(r"\bkms:", re.IGNORECASE)
_EXPECTED_REGION = re.compile(r"expecting '([a-z0-9-]+)'")
_OBJECT_LOCK = re.compile(r"content-md5|object lock", re.IGNORECASE)
_TLS_WANTED = re.compile(
    r"HTTP request (was sent )?to (an )?HTTPS|plain HTTP to an SSL", re.IGNORECASE
)
_PAGE = re.compile(r"\s*(<!doctype\s+html|<html|<head|<body|<h1)", re.IGNORECASE)
_PROXYS = (502, 503, 504)
_REDIRECTS = (301, 307)
_NO_S3_SERVER = "no S3 server"


class Meaning(NamedTuple):
    """The class of an answer, None when nothing says one; and what to do, "" as the class says."""

    kind: str | None
    remedy: str = ""


def is_page(text: str) -> bool:
    """Tell whether a text is a page for people: no S3 server answers one."""
    return bool(_PAGE.match(text))


def kind_of(code: str, status: int) -> str | None:
    """Give the class of an answer; None when neither code nor status says one.

    `code` "": there was none; `status` 0: it is not known.
    """
    return meaning(code, status).kind


def meaning(code: str, status: int, said: str = "") -> Meaning:
    """Give the class of an answer and what to do; `said`: its message, or its page."""
    if _CONSOLE.search(said):
        return Meaning(_NO_S3_SERVER, _CONSOLE_REMEDY)
    if code in _MAY_BE_FULL and status != 429 and _FULL.search(said):  # noqa: PLR2004 (HTTP)
        return Meaning("archive full")
    if code:
        return _of_code(code, said) or _of_status(status)
    if said.strip():
        return _of_page(status, said)
    return _of_status(status)


def _of_code(code: str, said: str) -> Meaning | None:
    if code == "AuthorizationHeaderMalformed" and _OF_A_KEY.search(said):
        return Meaning("auth")  # a key that is empty, or holds a slash
    if code == "AccessDenied" and _KMS_WORDS.search(said):
        return Meaning("no rights", _KMS)
    if code == "InvalidRequest" and _OBJECT_LOCK.search(said):
        return Meaning("no rights", "take Object Lock's default retention away from the bucket")
    kind = _BY_CODE.get(code)
    if kind == "wrong region" and (expected := _EXPECTED_REGION.search(said)):
        return Meaning(kind, f"set AWS_REGION={expected[1]}")
    return Meaning(kind, _BY_CODE_REMEDY.get(code, "")) if kind else None


def _of_page(status: int, said: str) -> Meaning:
    """Give what a text that is no S3 document means: a proxy's or another program's."""
    if _TLS_WANTED.search(said):
        return Meaning("tls", "write https:// before the host in AWS_ENDPOINT: it speaks TLS")
    if status == 407:  # noqa: PLR2004 (HTTP)
        return Meaning(
            _NO_S3_SERVER,
            "let requests to the S3 server past the proxy: it asks for a login of its own",
        )
    if status == 413:  # noqa: PLR2004 (HTTP)
        return Meaning("server error", _TOO_LARGE)
    if status in _PROXYS:
        return Meaning(
            "server error",
            "look at whether the S3 server runs: a proxy or load balancer answers in its place; it"
            " is retried",
        )
    if status in (408, 429, 507) or status == 500:  # noqa: PLR2004 (HTTP)
        return _of_status(status)
    return Meaning(_NO_S3_SERVER)


def _of_status(status: int) -> Meaning:
    if status in (401, 403):
        return Meaning("auth")
    if status in _REDIRECTS:
        return Meaning("wrong region")
    if status in (404, 405, 411):
        return Meaning(None)
    kinds = {408: "timeout", 412: "overwrite conflict", 429: "throttled", 507: "archive full"}
    if status in kinds:
        return Meaning(kinds[status])
    return Meaning("server error" if status >= 500 else None)  # noqa: PLR2004 (HTTP)
