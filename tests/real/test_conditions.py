"""The question whether a server honours conditions, asked by many at the same time."""

import asyncio

import pytest

from dev.harness import S3Server
from walsup import settings
from walsup.archive.ownership.conditional_writes import honoured
from walsup.archive.storage.bucket import open_bucket


@pytest.mark.rule("one-owner")
async def test_many_may_ask_at_once(s3: S3Server) -> None:
    """Who is overtaken between its reading and its write has not found a server without them."""
    given = {
        "WALSUP_ARCHIVE": f"s3://{s3.bucket}/conditions",
        "AWS_ENDPOINT": s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
    }
    for _ in range(5):
        answers = await asyncio.gather(
            *(honoured(open_bucket(settings.load(given))) for _ in range(6))
        )
        assert answers == [True] * 6
