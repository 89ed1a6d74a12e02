"""The check of texts and handlers: what it rejects, and what it lets through."""

import re

import pytest

from dev.sourcelint import SOURCES, defined, handlers, main, words
from walsup.agent.http.metrics import table

CLASSES = defined("class LostError(Exception):\n    pass\n\n\nclass Restore:\n    pass\n")


@pytest.mark.parametrize(
    "text",
    [
        "the archive is being wiped (S32): what is left of it is not whole",
        "S14",
        "by S6b it stays shut",
        "programs are found on PATH by design (rule 7)",
        "see walsup.agent.board for what it holds",
        "look into archive/faults.py for the others",
        "the loop called classify() and failed",
        "the field _board has no snapshot",
        "a LostError came from the lease",
    ],
)
@pytest.mark.parametrize("form", ["log.info('x', problem={!r})", "f'{{x}}' {!r}", "A = [{!r}]"])
def test_a_text_that_its_reader_cannot_understand(text: str, form: str) -> None:
    """Wherever it stands: in a call, in an f-string, in a table."""
    assert words(form.format(text), CLASSES)


def test_the_help_of_a_command_is_a_text() -> None:
    """So is the docstring of a refusal, which is a row of the table of exit codes."""
    assert words('@main.command()\ndef adopt():\n    """Let it in (S4)."""\n')
    assert words('class LostError(X):\n    """Lost (S4)."""\n\n    exit_code = 74\n')
    assert not words('def adopt():\n    """Let it in (S4)."""\n')


@pytest.mark.parametrize(
    "text",
    [
        "the S3 server's own log says why",
        "S3_ENDPOINT is a setting of another image",
        "Restore up to this moment",
        "set WALSUP_HTTP to a free address",
        "run pg_backup_stop() by hand",
        "walsup.archive.listing_check.worker",
        "restore_command.failed",
        "it is in .walsup-audit, or in archive_status",
        "US-ASCII or S2D",
    ],
)
def test_a_text_that_is_clear(text: str) -> None:
    """Names of settings, of PostgreSQL's functions, of files and events."""
    assert not words(f"log.info('x', problem={text!r})", CLASSES)


@pytest.mark.parametrize(
    "handler",
    [
        "except Exception:\n    pass",
        "except:\n    pass",
        "except BaseException:\n    return None",
        "except (OSError, Exception) as raised:\n    log.warning('x', problem=str(raised))",
    ],
)
def test_a_handler_that_hides_a_bug(handler: str) -> None:
    """Logged in one line without its traceback, it cannot be found."""
    assert handlers(f"def f():\n  try:\n    g()\n  {handler}".replace("\n    p", "\n      p"))


@pytest.mark.parametrize(
    "handler",
    [
        "except OSError:\n    pass",
        "except Exception:\n    raise",
        "except Exception as raised:\n    board.fault(x, classify(raised))",
        "except Exception as raised:\n    log.unexpected('x', raised)",
        "except BaseException as raised:\n    step = steps.throw(raised)",
        "except Exception as raised:\n    failed = raised",
    ],
)
def test_a_handler_that_shows_a_bug(handler: str) -> None:
    """It is raised again, passed on, or logged."""
    assert not handlers(f"def f():\n  try:\n    g()\n  {handler}")


def test_a_suppression_that_hides_a_bug() -> None:
    """As a handler does."""
    assert handlers("with contextlib.suppress(Exception):\n    f()")
    assert not handlers("with contextlib.suppress(OSError, ValueError):\n    f()")


def test_each_help_of_a_metric_stands_alone() -> None:
    """It is shown without the one before it: nothing in it refers to that."""
    for name, _, says in table():
        assert not re.search(r"\b(it|its own|them|they|there|this one|the same)\b", says), name
        assert says.endswith("."), name


def test_walsup_is_clear() -> None:
    """And its sources are there: a check of no files would pass."""
    assert (SOURCES / "__main__.py").exists()
    assert main() == 0
