"""docs/reference is what the program says."""

import pytest

from dev.readme import PAGES, REFERENCE, TROUBLESHOOTING, faults_page, main, page, settings_page
from walsup import settings


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    """A setting, an exit code, a metric or a remedy does not change without its page."""
    assert (REFERENCE / name).read_text(encoding="utf-8") == page(name)


def test_no_other_page_is_there() -> None:
    """A page that is not generated any more is removed."""
    assert {path.name for path in REFERENCE.iterdir()} == set(PAGES)


def test_check_has_nothing_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    """The command agrees."""
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("settings.md", "`WALSUP_ARCHIVE`<br>`WALG_S3_PREFIX`"),
        ("settings.md", "## Standby"),
        ("exit-codes.md", "ArchiveNotEmptyError"),
        ("metrics.md", "walsup_lag_bytes"),
        ("faults.md", "[not the owner](../troubleshooting.md#not-the-owner)"),
    ],
)
def test_a_page_has_its_rows(name: str, word: str) -> None:
    """One row of each table, as a reader finds it."""
    assert word in page(name)


@pytest.mark.parametrize("name", PAGES)
def test_every_table_has_three_columns(name: str) -> None:
    """No text of a cell splits it."""
    rows = [line for line in page(name).splitlines() if line.startswith("|")]
    assert len(rows) > 10
    for row in rows:
        assert row.replace(r"\|", "").count("|") == 4


def test_a_setting_without_a_group_is_named() -> None:
    """A new setting cannot be left out of the page."""
    rows = settings.declared()
    with pytest.raises(ValueError, match="WALSUP_NEW"):
        settings_page([*rows, rows[0]._replace(name="WALSUP_NEW")])


def test_a_group_with_a_setting_that_is_gone_is_named() -> None:
    """A setting that was removed does not stay in its group."""
    with pytest.raises(ValueError, match="PGDATA"):
        settings_page([row for row in settings.declared() if row.name != "PGDATA"])


def test_a_fault_without_a_heading_is_named() -> None:
    """A new class of fault cannot be left out of docs/troubleshooting.md."""
    text = TROUBLESHOOTING.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="no S3 server"):
        faults_page(text.replace("### no S3 server\n", "### another server\n"))


def test_a_fault_whose_heading_has_no_text_is_named() -> None:
    """A heading alone says nothing."""
    with pytest.raises(ValueError, match="auth"):
        faults_page("### auth\n### no rights\nwords\n")
