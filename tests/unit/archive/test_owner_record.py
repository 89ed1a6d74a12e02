"""owner.json, there and back."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.archive.owner_record import VERSION, Owner, OwnerError, Tablespace
from walsup.archive.storage.fault_mapping import classify

OWNER = Owner(
    system_id=7_300_000_000_000_000_001,
    instance="i",
    boot="b",
    epoch=3,
    timeline=1,
    lsn=0x1000000,
    state="stopped",
    compression="zstd",
)
NEW = (
    *("lease_s", "backups_from", "place", "nonce"),
    *("complete_until", "next_timeline", "restored_to", "backups_because", "encryption"),
    *("position", "position_boot", "position_instance", "verdict", "verdict_at", "verdict_boot"),
    *("own_timeline", "left", "former", "heirs", "tablespaces", "limits"),
)
BITS_64 = st.integers(0, (1 << 64) - 1)


@given(
    st.builds(
        Owner,
        system_id=BITS_64,
        instance=st.text(),
        boot=st.text(),
        epoch=BITS_64,
        timeline=st.integers(1, (1 << 32) - 1),
        lsn=BITS_64,
        state=st.sampled_from(["running", "stopped", "wiping"]),
        compression=st.sampled_from(["lz4", "zstd"]),
        own_timeline=st.integers(0, (1 << 32) - 1),
        left=st.dictionaries(st.integers(1, (1 << 32) - 1), BITS_64).map(
            lambda found: tuple(sorted(found.items()))
        ),
        former=st.lists(st.integers(1, (1 << 32) - 1)).map(tuple),
        heirs=st.lists(st.text()).map(tuple),
        tablespaces=st.none()
        | st.lists(st.builds(Tablespace, st.integers(), st.text())).map(tuple),
        limits=st.lists(st.tuples(st.text(), st.integers())).map(tuple),
    )
)
def test_round_trip(owner: Owner) -> None:
    """What was written is read."""
    assert Owner.from_json(owner.to_json()) == owner


@pytest.mark.rule("one-owner")
def test_all_fields_are_there_from_the_first_version() -> None:
    """The lease comes later, its fields do not; the system identifier survives JavaScript."""
    fields = json.loads(OWNER.to_json())
    wanted = asdict(OWNER) | {"system_id": "7300000000000000001", "version": 1}
    assert fields == json.loads(json.dumps(wanted))


def test_fields_of_a_later_minor_change_are_passed_over() -> None:
    """A field that is not known here does not lock a database out of its archive."""
    fields = json.loads(OWNER.to_json()) | {"more": {"of": "it"}}
    assert Owner.from_json(json.dumps(fields).encode()) == OWNER


def test_later_version_is_refused() -> None:
    """What a later walsup means by its fields is not guessed."""
    fields = json.loads(OWNER.to_json()) | {"version": VERSION + 1}
    with pytest.raises(ValueError, match=r"owner\.json cannot be read: its version is 2"):
        Owner.from_json(json.dumps(fields).encode())


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"[]", b"null", b"1", b"\xff\xfe", b"<Error/>", b'{"version": "x"}'),
        *(b'{"version": Infinity}', OWNER.to_json()[:50]),
    ],
)
def test_what_is_no_owner(content: bytes) -> None:
    """Anything else in its place is one kind of error."""
    with pytest.raises(ValueError, match=r"owner\.json cannot be read"):
        Owner.from_json(content)


@pytest.mark.parametrize(
    "damage",
    [
        *({"lease_s": float("nan")}, {"lease_s": float("inf")}, {"lease_s": -1}),
        *({"timeline": 0}, {"timeline": 1 << 32}, {"lsn": -1}, {"lsn": 1 << 64}),
        {"backups_from": -1},
    ],
)
@pytest.mark.rule("one-owner")
def test_values_that_nothing_can_be_compared_with(damage: dict[str, object]) -> None:
    """A lease that never ends would be a dead end; each damage names the way out."""
    fields = json.loads(OWNER.to_json()) | damage
    with pytest.raises(OwnerError, match=r"owner\.json cannot be read") as raised:
        Owner.from_json(json.dumps(fields).encode())
    fault = classify(raised.value)
    assert fault.kind == "owner removed"
    assert "walsup adopt" in fault.cure


@pytest.mark.parametrize("name", [name for name in asdict(OWNER) if name not in ("version", *NEW)])
def test_a_missing_field_is_no_owner(name: str) -> None:
    """No field has a default that could stand for another database's."""
    fields = json.loads(OWNER.to_json())
    del fields[name]
    with pytest.raises(ValueError, match=name):
        Owner.from_json(json.dumps(fields).encode())


@pytest.mark.rule("one-owner")
def test_every_write_is_known_again() -> None:
    """Two writes of the same state differ, so that each changes the object's tag."""
    one, other = OWNER.signed(), OWNER.signed()
    assert one.nonce != other.nonce
    assert replace(one, nonce="") == OWNER


def test_an_object_of_the_first_version_is_read() -> None:
    """It has no lease: the default one is taken."""
    fields = json.loads(OWNER.to_json())
    for name in NEW:
        del fields[name]
    assert Owner.from_json(json.dumps(fields).encode()) == OWNER
