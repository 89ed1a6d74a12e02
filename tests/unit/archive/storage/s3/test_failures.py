"""Answers that mislead: each class with a remedy that is right. Real parts: test_misleading.py."""

import socket
import ssl
import time
from email.utils import formatdate

import pytest

from walsup.archive.storage.s3.exchange import Reply
from walsup.archive.storage.s3.failures import not_s3, refused, unanswered
from walsup.archive.storage.s3.protocols import OtherProtocolError, spoken


def document(code: str, message: str = "") -> str:
    """S3's error document."""
    return f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"


CONSOLE_1 = document("AccessDenied", "S3 API Request made to Console port. S3 Requests should be")
CONSOLE_2 = document("InvalidArgument", "S3 API Requests must be made to API port.")
B2_FULL = document("AccessDenied", "Cannot upload files, storage cap exceeded. See the Caps page")
MALFORMED = "The authorization header is malformed; the region 'a' is wrong; expecting 'eu-west-1'"
NGINX_TLS = "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head>"
LOGIN = "<!DOCTYPE html><html><body>Please log in to the hotel's network</body></html>"
GATEWAY = "<html>\r\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "kind", "remedy"),
    [
        (403, CONSOLE_1, "no S3 server", "MinIO's API"),
        (400, CONSOLE_2, "no S3 server", "MinIO's API"),
        (
            403,
            document("AccessDenied", "Access Denied."),
            "no rights",
            "grant the access key the permission",
        ),
        (403, document("QuotaExceeded"), "archive full", "raise the quota"),
        (
            400,
            document("XMinioAdminBucketQuotaExceeded", "Bucket quota exceeded"),
            *("archive full",) * 1,
            "raise the quota",
        ),
        (507, document("XMinioStorageFull"), "archive full", "free space on the S3 server"),
        (507, "", "archive full", "free space"),
        (403, B2_FULL, "archive full", "raise the quota"),
        (403, document("InvalidAccessKeyId"), "auth", "check AWS_ACCESS_KEY_ID: "),
        (403, document("SignatureDoesNotMatch"), "auth", "check AWS_SECRET_ACCESS_KEY"),
        (400, document("ExpiredToken"), "auth", "AWS_SESSION_TOKEN has expired"),
        (403, document("AccountProblem"), "auth", "suspended"),
        (403, "", "auth", "check AWS_ACCESS_KEY_ID and"),
        (403, document("AccessDenied", "not allowed to perform kms:Decrypt"), "no rights", "KMS"),
        (400, document("InvalidRequest", "Content-MD5 is required"), "no rights", "Object Lock"),
        (400, document("AuthorizationHeaderMalformed", MALFORMED), "wrong region", "=eu-west-1"),
        (400, document("AuthorizationHeaderMalformed", "an empty Access Key"), "auth", "check"),
        (301, document("PermanentRedirect"), "wrong region", "set AWS_REGION"),
        (503, document("SlowDown"), "throttled", "limits the request rate"),
        (503, document("SlowDownWrite", "Resource is unwritable"), "server error", "drives"),
        (503, document("XMinioServerNotInitialized"), "server error", "drives or nodes"),
        (413, "<html><h1>413 Request Entity Too Large</h1></html>", *("server error", "nginx:")),
        (502, GATEWAY, "server error", "a proxy or load balancer answers"),
        (504, "upstream request timeout", "server error", "a proxy or load balancer answers"),
        (503, "no healthy upstream", "server error", "a proxy or load balancer answers"),
        (407, "<html><title>407 Proxy Authentication Required", "no S3 server", "bypass the proxy"),
        (400, NGINX_TLS, "tls", "write https://"),
        (400, "Client sent an HTTP request to an HTTPS server.\n", "tls", "write https://"),
        (403, LOGIN, "no S3 server", "check host and port in AWS_ENDPOINT"),
        (404, LOGIN, "no S3 server", "check host and port"),
        (405, "<html><title>405 Not Allowed", "no S3 server", "check host and port"),
        (411, "<html>411 Length Required", "no S3 server", "check host and port"),
        (404, "404 page not found\n", "no S3 server", "check host and port"),
        (405, document("MethodNotAllowed"), "no S3 server", "a website's endpoint"),
        (403, document("SecondLevelDomainForbidden"), "no S3 server", "virtual-hosted"),
        (429, "<html>Too Many Requests", "throttled", "limits the request rate"),
        (418, document("Teapot"), "unknown", "the message above"),
    ],
)
def test_an_answer_has_the_class_and_the_remedy_that_are_right(
    status: int, body: str, kind: str, remedy: str
) -> None:
    """Of S3 servers, proxies, consoles and login pages."""
    answer = Reply(status, {"content-type": "x/y", "server": "nginx"}, body.encode())
    fault = refused(answer, "s3:GetObject on b/k").fault
    assert (fault.kind, remedy in fault.cure) == (kind, True), fault.cure
    assert fault.problem.startswith(f"s3:GetObject on b/k: status {status}")
    assert ("no S3 answer" in fault.problem) == (bool(body) and "<Error>" not in body)


def test_a_condition_that_is_not_implemented_is_told_from_a_request_that_is_not() -> None:
    """A server without conditional writes, and one without this kind of listing."""
    answer = Reply(501, {}, document("NotImplemented").encode())
    assert refused(answer, "x", conditional=True).fault.kind == "no conditional writes"
    assert refused(answer, "x").fault.kind == "server error"


@pytest.mark.parametrize(
    ("location", "kind", "remedy"),
    [
        ("https://s3.example/b/k", "tls", "set AWS_ENDPOINT=https://s3.example:"),
        ("/login", "no S3 server", "check host and port"),
        ("http://store.example:7480/b/k", "no S3 server", "to store.example:7480"),
        ("https://b.s3.eu-west-1.amazonaws.com/k", "wrong region", "set AWS_REGION"),
    ],
)
def test_a_redirection_names_where_it_leads(location: str, kind: str, remedy: str) -> None:
    """To TLS, to a login page, to the server behind a load balancer."""
    answer = Reply(301, {"location": location}, b"")
    fault = refused(answer, "x", bucket="b", host="s3.example:80").fault
    assert (fault.kind, remedy in fault.cure) == (kind, True), fault.cure
    told = Reply(307, {"location": location, "x-amz-bucket-region": "eu-west-3"}, b"")
    assert refused(told, "x", host="s3.example:80").fault.cure == "set AWS_REGION=eu-west-3"


def test_the_buckets_name_before_the_host_is_named() -> None:
    """Requests are path-style: the name would be there twice."""
    answer = Reply(404, {}, document("NoSuchBucket").encode())
    fault = refused(answer, "x", bucket="b", host="b.s3.example").fault
    assert fault.cure == "remove b. from the host in AWS_ENDPOINT: requests are path-style"
    assert "create the bucket" in refused(answer, "x", bucket="b", host="s3.example").fault.cure


def test_how_far_the_clock_is_off_is_told() -> None:
    """By the server's own Date."""
    headers = {"date": formatdate(time.time() - 3600, usegmt=True)}
    answer = Reply(403, headers, document("RequestTimeTooSkewed").encode())
    fault = refused(answer, "x").fault
    assert fault.kind == "clock skew"
    assert "clock is 60 minutes ahead of its" in fault.problem


def test_success_with_a_page_is_no_success() -> None:
    """A captive portal answers 200 to whatever is asked; an owner object does not begin so."""
    told = not_s3(Reply(200, {"content-type": "text/html"}, LOGIN.encode()), "x")
    assert told
    assert told.fault.kind == "no S3 server"
    assert not not_s3(Reply(200, {}, b'{"id": 1}'), "x")
    assert not not_s3(Reply(200, {}, b"<?xml version='1.0'?><ListBucketResult/>"), "x")


@pytest.mark.parametrize(
    ("raised", "kind", "remedy"),
    [
        (OtherProtocolError("TLS"), "tls", "set AWS_ENDPOINT=https://h:1"),
        (OtherProtocolError("SSH"), "no S3 server", "check host and port"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "tls", "=http://h:1"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "tls", "https is assumed"),
        (OSError(113, "No route to host"), "refused", "network policies"),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "refused",
            "nothing listens at that address",
        ),
        (ConnectionResetError(104, "reset"), "refused", "cut off in the middle"),
        (socket.gaierror(-2, "Name or service not known"), "dns", "host name in AWS_ENDPOINT"),
    ],
)
def test_what_prevents_an_answer_has_its_remedy(raised: Exception, kind: str, remedy: str) -> None:
    """The assumed https is named."""
    fault = unanswered(raised, "x", "https://h:1").fault
    assert (fault.kind, remedy in fault.cure) == (kind, True), fault.cure


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"\x15\x03\x01\0\x02", "TLS"),
        (b"SSH-2.0-Open", "SSH"),
        (b"220 mx", "FTP or SMTP"),
        (b"-ERR unknown", "Redis's protocol"),
        (b"HTTP/1.1 200", ""),
        (b"", ""),
    ],
)
def test_a_protocol_is_known_by_its_beginning(beginning: bytes, name: str) -> None:
    """What listens at the port of another service."""
    assert spoken(beginning) == name
