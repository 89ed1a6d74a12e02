"""The meaning of an S3 server's answer: its error code and status, in the classes of `faults`.

Source: Amazon S3's list of error codes; those of MinIO (RELEASE.2025-09-07), Ceph (squid),
SeaweedFS 4.48, Backblaze B2 and Alibaba OSS; pages of nginx, Apache, Envoy and Go's HTTP server;
the HTTP statuses where a server gives no code (an answer to HEAD has no body).
"""

import re
from typing import NamedTuple

from walsup.archive.faults import FaultKind

_BY_CODE = {
    "RequestTimeTooSkewed": FaultKind.CLOCK_SKEW,
    "RequestExpired": FaultKind.CLOCK_SKEW,
    "RequestInTheFuture": FaultKind.CLOCK_SKEW,
    "NoSuchBucket": FaultKind.NO_BUCKET,
    "NotImplemented": FaultKind.NO_CONDITIONAL_WRITES,
    "AccessDenied": FaultKind.NO_RIGHTS,
    "AllAccessDisabled": FaultKind.NO_RIGHTS,
    "UnauthorizedOperation": FaultKind.NO_RIGHTS,
    "KMS.DisabledException": FaultKind.NO_RIGHTS,
    "KMSNotConfigured": FaultKind.NO_RIGHTS,
    "InvalidAccessKeyId": FaultKind.AUTH,
    "SignatureDoesNotMatch": FaultKind.AUTH,
    "ExpiredToken": FaultKind.AUTH,
    "ExpiredTokenException": FaultKind.AUTH,
    "InvalidToken": FaultKind.AUTH,
    "InvalidIdentityToken": FaultKind.AUTH,
    "TokenRefreshRequired": FaultKind.AUTH,
    "InvalidClientTokenId": FaultKind.AUTH,
    "NotSignedUp": FaultKind.AUTH,
    "AccountProblem": FaultKind.AUTH,
    "UserSuspended": FaultKind.AUTH,
    "UserDisable": FaultKind.AUTH,
    "NoCredentialProviders": FaultKind.AUTH,
    "AuthorizationHeaderMalformed": FaultKind.WRONG_REGION,
    "PermanentRedirect": FaultKind.WRONG_REGION,
    "TemporaryRedirect": FaultKind.WRONG_REGION,
    "BucketRegionError": FaultKind.WRONG_REGION,
    "IllegalLocationConstraintException": FaultKind.WRONG_REGION,
    "SlowDown": FaultKind.THROTTLED,
    "Throttling": FaultKind.THROTTLED,
    "ThrottlingException": FaultKind.THROTTLED,
    "RequestLimitExceeded": FaultKind.THROTTLED,
    "TooManyRequests": FaultKind.THROTTLED,
    "RequestTimeout": FaultKind.TIMEOUT,
    "PreconditionFailed": FaultKind.OVERWRITE_CONFLICT,
    "ConditionalRequestConflict": FaultKind.OVERWRITE_CONFLICT,
    "InvalidObjectState": FaultKind.ENGINE_DISAGREES,  # in a storage class such as Glacier
    "InternalError": FaultKind.SERVER_ERROR,
    "ServiceUnavailable": FaultKind.SERVER_ERROR,
    "InsufficientCapacity": FaultKind.SERVER_ERROR,
    "OperationAborted": FaultKind.SERVER_ERROR,
    "EntityTooLarge": FaultKind.SERVER_ERROR,
    "XMinioServerNotInitialized": FaultKind.SERVER_ERROR,
    "XMinioBackendDown": FaultKind.SERVER_ERROR,
    "SlowDownRead": FaultKind.SERVER_ERROR,
    "SlowDownWrite": FaultKind.SERVER_ERROR,
    "XMinioStorageFull": FaultKind.ARCHIVE_FULL,
    "XMinioAdminBucketQuotaExceeded": FaultKind.ARCHIVE_FULL,
    "QuotaExceeded": FaultKind.ARCHIVE_FULL,
    "StorageLimitExceeded": FaultKind.ARCHIVE_FULL,
    "InsufficientStorage": FaultKind.ARCHIVE_FULL,
    "SecondLevelDomainForbidden": FaultKind.NO_S3_SERVER,
    "VirtualHostDomainRequired": FaultKind.NO_S3_SERVER,
    "MethodNotAllowed": FaultKind.NO_S3_SERVER,
}
_KEY_ID = (
    "check AWS_ACCESS_KEY_ID: this server does not know it; and AWS_ENDPOINT: is it the server that"
    " the key belongs to?"
)
_RENEW = "renew the temporary keys: AWS_SESSION_TOKEN has expired or belongs to another key"
_SUSPENDED = "check the account at the provider: it is suspended, or not signed up for S3"
_VIRTUAL = "use another S3 server: this one accepts only virtual-hosted requests"
_LACKS_DRIVES = "check the S3 server's log: drives or nodes of it are missing; walsup retries"
_KMS = "allow the access key to use the KMS key that encrypts the bucket, or enable that KMS key"
_TOO_LARGE = (
    "raise the maximum request size in the proxy before the S3 server (nginx:"
    " client_max_body_size), or in the server"
)
_BY_CODE_REMEDY = {
    "InvalidAccessKeyId": _KEY_ID,
    "InvalidClientTokenId": _KEY_ID,
    "SignatureDoesNotMatch": "check AWS_SECRET_ACCESS_KEY: it does not match AWS_ACCESS_KEY_ID;"
    " with a proxy before the S3 server, check that it forwards Host and the path unchanged",
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
    "MethodNotAllowed": "check AWS_ENDPOINT: the server that answers (a website's endpoint?) does"
    " not allow this request",
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
_NO_S3_SERVER = FaultKind.NO_S3_SERVER


class ErrorMeaning(NamedTuple):
    """The class of an answer (None: unknown), and what to do ("": the remedy of the class)."""

    kind: FaultKind | None
    remedy: str = ""


def is_page(text: str) -> bool:
    """Return whether a text is a web page: no S3 server answers with one."""
    return bool(_PAGE.match(text))


def kind_of(code: str, status: int) -> FaultKind | None:
    """Return the class of an answer; None when neither code nor status names one.

    `code` "": there was none; `status` 0: it is not known.
    """
    return meaning(code, status).kind


def meaning(code: str, status: int, said: str = "") -> ErrorMeaning:
    """Return the class of an answer and what to do; `said`: its message, or its page."""
    if _CONSOLE.search(said):
        return ErrorMeaning(_NO_S3_SERVER, _CONSOLE_REMEDY)
    if code in _MAY_BE_FULL and status != 429 and _FULL.search(said):  # noqa: PLR2004 (HTTP)
        return ErrorMeaning(FaultKind.ARCHIVE_FULL)
    if code:
        return _of_code(code, said) or _of_status(status)
    if said.strip():
        return _of_page(status, said)
    return _of_status(status)


def _of_code(code: str, said: str) -> ErrorMeaning | None:
    if code == "AuthorizationHeaderMalformed" and _OF_A_KEY.search(said):
        return ErrorMeaning(FaultKind.AUTH)  # a key that is empty, or holds a slash
    if code == "AccessDenied" and _KMS_WORDS.search(said):
        return ErrorMeaning(FaultKind.NO_RIGHTS, _KMS)
    if code == "InvalidRequest" and _OBJECT_LOCK.search(said):
        return ErrorMeaning(
            FaultKind.NO_RIGHTS, "remove Object Lock's default retention from the bucket"
        )
    kind = _BY_CODE.get(code)
    if kind == FaultKind.WRONG_REGION and (expected := _EXPECTED_REGION.search(said)):
        return ErrorMeaning(kind, f"set AWS_REGION={expected[1]}")
    return ErrorMeaning(kind, _BY_CODE_REMEDY.get(code, "")) if kind else None


def _of_page(status: int, said: str) -> ErrorMeaning:
    """Return the meaning of a text that is no S3 document: a proxy's or another program's."""
    if _TLS_WANTED.search(said):
        return ErrorMeaning(
            FaultKind.TLS, "write https:// before the host in AWS_ENDPOINT: the server uses TLS"
        )
    if status == 407:  # noqa: PLR2004 (HTTP)
        return ErrorMeaning(
            _NO_S3_SERVER,
            "let requests to the S3 server bypass the proxy: it requires its own login",
        )
    if status == 413:  # noqa: PLR2004 (HTTP)
        return ErrorMeaning(FaultKind.SERVER_ERROR, _TOO_LARGE)
    if status in _PROXYS:
        return ErrorMeaning(
            FaultKind.SERVER_ERROR,
            "check that the S3 server runs: a proxy or load balancer answers in its place; walsup"
            " retries",
        )
    if status in (408, 429, 507) or status == 500:  # noqa: PLR2004 (HTTP)
        return _of_status(status)
    return ErrorMeaning(_NO_S3_SERVER)


def _of_status(status: int) -> ErrorMeaning:
    if status in (401, 403):
        return ErrorMeaning(FaultKind.AUTH)
    if status in _REDIRECTS:
        return ErrorMeaning(FaultKind.WRONG_REGION)
    if status in (404, 405, 411):
        return ErrorMeaning(None)
    kinds = {
        408: FaultKind.TIMEOUT,
        412: FaultKind.OVERWRITE_CONFLICT,
        429: FaultKind.THROTTLED,
        507: FaultKind.ARCHIVE_FULL,
    }
    if status in kinds:
        return ErrorMeaning(kinds[status])
    return ErrorMeaning(FaultKind.SERVER_ERROR if status >= 500 else None)  # noqa: PLR2004 (HTTP)
