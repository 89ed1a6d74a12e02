"""Signatures: Amazon's own examples, and those that botocore gives."""

from urllib.parse import unquote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from walsup.archive.storage.s3.signature import Keys, SigningRequest

EXAMPLE = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("query", "signature"),
    [
        ({"lifecycle": ""}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (
            {"prefix": "J", "max-keys": "2"},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_amazons_examples(query: dict[str, str], signature: str) -> None:
    """Of the documentation's chapter on signature calculations."""
    request = SigningRequest("GET", "examplebucket.s3.amazonaws.com", "/", query)
    signed = request.signed(EXAMPLE, "us-east-1", "20130524T000000Z")
    assert signed["authorization"].endswith(f"Signature={signature}")


@given(
    key=TEXT.filter(lambda key: key not in (".", "..")),
    version=TEXT,
    body=st.binary(max_size=30),
    token=st.sampled_from(["", "a-token"]),
)
def test_it_is_botocores(key: str, version: str, body: bytes, token: str) -> None:
    """Odd keys, versions, bodies and session tokens."""
    request = SigningRequest(
        "POST", "s3.example:8333", f"/bucket/{key}", {"versionId": version}, body
    )
    url = f"http://{request.host}{request.target}"
    theirs = AWSRequest("POST", url, data=body)
    S3SigV4Auth(
        Credentials(EXAMPLE.access_key_id, EXAMPLE.secret_access_key, token or None),
        "s3",
        "eu-central-1",
    ).add_auth(theirs)
    stamp = theirs.context["timestamp"]
    ours = request.signed(EXAMPLE._replace(token=token), "eu-central-1", stamp)
    assert ours["authorization"] == theirs.headers["Authorization"]
    assert unquote(request.target.partition("?")[0]) == f"/bucket/{key}"


def test_a_secret_is_not_shown() -> None:
    """Whoever prints keys prints their name."""
    assert EXAMPLE.secret_access_key not in repr(EXAMPLE)
