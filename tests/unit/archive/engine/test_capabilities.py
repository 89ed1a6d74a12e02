"""What the chosen engine would ignore is refused with the remedy, or warned about."""

import pytest

from walsup import settings
from walsup.archive.engine.capabilities import ABILITIES, BOTH, WALG, WALRUS, refusal, unheeded

KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
VITAL = [(name, ability) for ability in ABILITIES if ability.vital for name in ability.names]
TUNING = [(name, ability) for ability in ABILITIES if not ability.vital for name in ability.names]


def spelt(name: str) -> str:
    """How an operator writes it."""
    return name if name.startswith(("AWS_", "YC_")) else f"WALG_{name}"


@pytest.mark.parametrize(("name", "ability"), VITAL, ids=[name for name, _ in VITAL])
def test_what_would_be_ignored_is_refused(name: str, ability: object) -> None:
    """By each engine that does not heed it; with the other engine where that one does."""
    known = settings.load({spelt(name): "x"})
    row = next(row for row in ABILITIES if name in row.names)
    for engine in BOTH:
        found = refusal(known, engine)
        assert (found is None) == (engine in row.engines)
        if found:
            assert found.kind == "engine unable"
            assert name in found.problem
            assert row.what in found.problem
            assert name in found.cure
            assert ("put wal-g" in found.cure) == (WALG in row.engines)
    assert ability is row


@pytest.mark.parametrize("prefix", ["WALG_", "WALE_", ""])
def test_the_storages_settings_have_three_spellings(prefix: str) -> None:
    """WAL-G reads S3_SSE, WALG_S3_SSE and WALE_S3_SSE."""
    found = refusal(settings.load({f"{prefix}S3_SSE": "aws:kms"}), WALRUS)
    assert found
    assert "server-side encryption" in found.problem


@pytest.mark.parametrize("off", ["", "false", "0", "STANDARD"])
def test_what_is_off_asks_for_nothing(off: str) -> None:
    """A default written out is not refused."""
    known = settings.load({"WALG_S3_STORAGE_CLASS": off, "WALG_VERIFY_PAGE_CHECKSUMS": off})
    assert refusal(known, WALRUS) is None


def test_injected_role_credentials_do_not_matter_beside_keys() -> None:
    """EKS gives them to every pod of a service account; both engines prefer the keys."""
    injected = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x"}
    assert refusal(settings.load(injected), WALG) is None
    assert refusal(settings.load(injected), WALRUS)
    assert refusal(settings.load(injected | KEYS), WALRUS) is None


def test_a_role_that_keys_assume_is_nobodys() -> None:
    """WAL-G assumes it; the agent, which reads the same bucket, cannot."""
    known = settings.load({"AWS_ROLE_ARN": "arn:aws:iam::1:role/x"} | KEYS)
    for engine in BOTH:
        found = refusal(known, engine)
        assert found
        assert "walsup's own requests" in found.problem


@pytest.mark.parametrize(("name", "ability"), TUNING, ids=[name for name, _ in TUNING])
def test_tuning_is_passed_on(name: str, ability: object) -> None:
    """An engine that does not know it warns, and goes on."""
    known = settings.load({spelt(name): "5", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"} | KEYS)
    row = next(row for row in ABILITIES if row is ability)
    for engine in BOTH:
        assert refusal(known, engine) is None
        assert any(name in said for said in unheeded(known, engine)) == (engine not in row.engines)


def test_unknown_and_overridden_names_warn() -> None:
    """What walsup renders itself says what to set instead."""
    known = settings.load({"WALG_NEWER_THAN_US": "1", "WALG_COMPRESSION_METHOD": "brotli"})
    overridden, unknown = unheeded(known, WALG)
    assert "WALSUP_COMPRESSION" in overridden
    assert "WALG_NEWER_THAN_US is not known" in unknown


def test_no_name_is_in_two_rows() -> None:
    """One answer for each."""
    names = [name for ability in ABILITIES for name in ability.names]
    assert len(names) == len(set(names))
