"""Makes sure that a listing ends, whatever the server answers. Pure."""

from collections.abc import Mapping

from walsup.archive.storage.bucket import ListingPage
from walsup.archive.storage.s3.document import OddAnswerError

# Servers that filter after they cut a page return empty ones, for example for deleted objects.
_MOST_EMPTY = 1000


class ListingProgress:
    """The keys that a listing has shown so far, continued after a key."""

    def __init__(self, after: str) -> None:
        self._after = after
        self._last_key = ""
        self._last_folder = ""
        self._tokens: set[str] = set()
        self._empty = 0

    def check(self, page: ListingPage) -> ListingPage:
        """Return the page without the keys that the server repeats.

        Raises:
            OddAnswerError: its keys are not in order, so missing ones would not be noticed.
        """
        fresh = []
        for listed in page.objects:
            if listed.key < self._last_key:
                raise OddAnswerError(
                    f"the server's listing is not in the order of keys: {listed.key[:100]} comes"
                    f" after {self._last_key[:100]}",
                    remedy="use a server that lists objects in the order of their keys",
                )
            if listed.key > max(self._last_key, self._after):
                fresh.append(listed)
            self._last_key = listed.key
        last_folder = max((self._last_folder, *page.folders))
        if fresh or last_folder > self._last_folder:
            self._empty, self._last_folder = 0, last_folder
        return ListingPage(tuple(fresh), page.folders)

    def following(self, query: Mapping[str, str], following: dict[str, str]) -> dict[str, str]:
        """Return the next page's query.

        Raises:
            OddAnswerError: the listing repeats itself, or shows nothing new for too long.
        """
        self._empty += 1
        token = following.get("continuation-token", "")
        if token in self._tokens or self._empty > _MOST_EMPTY:
            raise OddAnswerError(
                f"the server's listing of {query.get('prefix', '')[:100]} does not end"
            )
        self._tokens.add(token)
        return following
