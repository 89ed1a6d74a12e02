"""README's tables are the program's."""

import pytest

from dev.readme import README, TABLES, main, with_tables

EMPTY = "# head\n" + "".join(f"<!-- {name} --><!-- /{name} -->\n" for name in TABLES) + "tail\n"


def test_readme_is_up_to_date() -> None:
    """Nobody changes a setting, an exit code or a metric without README."""
    assert with_tables(README.read_text(encoding="utf-8")) == README.read_text(encoding="utf-8")


def test_check_has_nothing_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    """The command agrees."""
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_tables_are_put_between_their_markers() -> None:
    """What stands around them stays, and a second time changes nothing."""
    written = with_tables(EMPTY)
    assert written.startswith("# head\n<!-- settings -->\n| setting |")
    assert written.endswith("<!-- /metrics -->\ntail\n")
    assert with_tables(written) == written
    for word in (
        "`WALSUP_ARCHIVE`<br>`WALG_S3_PREFIX`",
        "ArchiveNotEmptyError",
        "walsup_lag_bytes",
    ):
        assert word in written


def test_every_table_has_three_columns() -> None:
    """No text of a cell splits it."""
    for table in TABLES.values():
        for row in table().splitlines():
            assert row.replace(r"\|", "").count("|") == 4


@pytest.mark.parametrize("text", ["", EMPTY + EMPTY, EMPTY.replace("<!-- /metrics -->", "")])
def test_markers_are_needed_once(text: str) -> None:
    """A README that lost a marker is not silently left as it is."""
    with pytest.raises(ValueError, match="needs the markers"):
        with_tables(text)
