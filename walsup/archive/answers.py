"""What an S3 server's answer means: its error code and its status, in the classes of `fault`. Pure.

Source: Amazon S3's list of error codes; those of SeaweedFS 4.48 and of the HTTP statuses where a
server gives no code (an answer to HEAD has no body).
"""

_BY_CODE = {
    "RequestTimeTooSkewed": "clock skew",
    "RequestExpired": "clock skew",
    "RequestInTheFuture": "clock skew",
    "NoSuchBucket": "no bucket",
    "NotImplemented": "no conditional writes",
    "AccessDenied": "no rights",
    "AllAccessDisabled": "no rights",
    "UnauthorizedOperation": "no rights",
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
    "XMinioStorageFull": "server error",
}


def kind_of(code: str, status: int) -> str | None:
    """Give the class of an answer; None when neither code nor status says one.

    `code` "": there was none; `status` 0: it is not known.
    """
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status in (301, 307):
        return "wrong region"
    if status in (401, 403):
        return "auth"
    if status == 412:  # noqa: PLR2004 (HTTP)
        return "overwrite conflict"
    if status == 429:  # noqa: PLR2004 (HTTP)
        return "throttled"
    return "server error" if status >= 500 else None  # noqa: PLR2004 (HTTP)
