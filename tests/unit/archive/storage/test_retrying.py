"""A bucket that is asked again until it answers."""

from collections.abc import AsyncIterator

import pytest

from walsup.archive.faults import Fault
from walsup.archive.storage.bucket import Listed, ListingPage, Object, PagedListing
from walsup.archive.storage.retrying import Patient


class Moody(PagedListing):
    """Fails every second time: the real one does so only behind a proxy, as in tests/real."""

    region = "eu-1"

    def __init__(self) -> None:
        self.asked = 0

    def _fail(self) -> None:
        self.asked += 1
        if self.asked % 2:
            raise ConnectionResetError(104, "connection reset")

    async def get(self, key: str) -> Object:
        """Give an object."""
        self._fail()
        if key == "absent":
            raise FileNotFoundError(key)
        return Object(content=key.encode(), etag="1")

    async def piece(self, key: str, begin: int, size_bytes: int) -> bytes:
        """A part of it."""
        return (await self.get(key)).content[begin:][:size_bytes]

    async def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]:
        """Give nine pages of a key each, and break off after each second one."""
        for number in range(9):
            if (key := f"{under}/{number}") > after:
                self._fail()
                yield ListingPage((Listed(key, 1, 1.0),))


async def test_each_request_goes_on_in_its_own_place() -> None:
    """No key is lost or given twice; how many failures there were in a row is told."""
    told: list[tuple[str, int]] = []

    async def on_fault(fault: Fault, failures: int) -> None:
        told.append((fault.kind, failures))

    patient = Patient(Moody(), on_fault)
    assert [key async for key in patient.keys("f")] == [f"f/{number}" for number in range(9)]
    assert {failures for _, failures in told} == {1}
    assert (await patient.get("x")).content == b"x"
    assert await patient.folder("f") == [(f"f/{number}", 1.0) for number in range(9)]


async def test_absent_is_an_answer() -> None:
    """It is not waited for."""

    async def on_fault(_: Fault, __: int) -> None:
        return

    with pytest.raises(FileNotFoundError):
        await Patient(Moody(), on_fault).get("absent")
