"""Only an authorised "no such object" means that an archive has no owner."""

import pytest

from walsup.archive.catalog import owner_object
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.bucket import Object


class Answers:
    """A bucket that gives one answer."""

    def __init__(self, answer: Object | Exception) -> None:
        self._answer = answer

    async def get(self, key: str) -> Object:
        """The answer to a question for the owner object."""
        assert key == OWNER_KEY
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def test_an_owner_object_is_read_or_absent() -> None:
    """As the bucket has it, with its tag."""
    stored = Object(content=b"{}", etag="tag")
    assert await owner_object.stored(Answers(stored)) == stored
    assert await owner_object.stored(Answers(FileNotFoundError("NoSuchKey"))) is None


@pytest.mark.parametrize(
    "raised",
    [FileNotFoundError("NoSuchBucket"), PermissionError("AccessDenied"), TimeoutError()],
)
async def test_what_says_nothing_of_the_object_is_no_absence(raised: Exception) -> None:
    """Else a wrong bucket, or a key without permission, would look like an archive to claim."""
    with pytest.raises(type(raised)):
        await owner_object.stored(Answers(raised))
