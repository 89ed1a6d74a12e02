"""Every safety rule has a test, and every mark names a rule."""

from pathlib import Path

import pytest

from dev import rules
from dev.rules import Proof

FILE = Path("test_x.py")


def test_every_rule_has_a_test() -> None:
    """A rule without one is a hope."""
    names = rules.rules()
    assert len(names) == len({*names}) > 30
    assert {*names} - {proof.rule for proof in rules.proofs()} == set()


def test_every_mark_names_a_rule() -> None:
    """A misspelt one proves nothing."""
    names = rules.rules()
    assert [proof for proof in rules.proofs() if proof.rule not in names] == []


def test_each_name_of_a_mark_counts() -> None:
    """One test may prove several rules, by one mark or by two."""
    source = (
        '@pytest.mark.rule("one", "two")\n@pytest.mark.soak\nasync def test_a() -> None: ...\n'
        'class Test:\n    @pytest.mark.rule("three")\n    def test_b(self) -> None: ...\n'
    )
    assert [*rules.marks(source, FILE)] == [
        Proof("one", "test_x.py::test_a"),
        Proof("two", "test_x.py::test_a"),
        Proof("three", "test_x.py::test_b"),
    ]


@pytest.mark.parametrize("mark", ["rule()", "rule(NAME)", 'rule(name="one")'])
def test_a_mark_that_cannot_be_read_is_an_error(mark: str) -> None:
    """It would be counted for nothing."""
    with pytest.raises(ValueError, match="no list of rules"):
        [*rules.marks(f"@pytest.mark.{mark}\ndef test_a() -> None: ...\n", FILE)]
