"""The check of words: what it rejects in sources and documents, and what it lets through."""

import pytest

from dev.plainwords import found, in_document, in_source

_WORDS = (
    "it is built anew",
    "it goes on upon the old one",
    "Taken for dead after a minute",
    "owner.json has gone",
    "a base backup lies behind it",
    "it waits for ever",
    "postgres is told the target",
    "nobody else holds it",
    "it is somebody's",
    "close whoever says nothing",
    "the directory lock (S1) is held",
    "S14b: it is continued",
)


@pytest.mark.parametrize("text", [*_WORDS, "a thread of its own", "who asks is answered"])
@pytest.mark.parametrize(
    "form", ["log.info('x', problem={!r})", "f'{{x}}' {!r}", "def f():\n    {!r}\n", "x = 1  # {}"]
)
def test_a_source(text: str, form: str) -> None:
    """A text, an f-string, a docstring and a comment."""
    assert list(in_source(form.format(text)))


def test_words_on_two_lines() -> None:
    """A line break in a docstring hides nothing."""
    assert list(in_source('def f():\n    """It has been\n    told.\n    """\n'))


@pytest.mark.parametrize("text", _WORDS)
def test_a_document(text: str) -> None:
    """With the line."""
    assert next(in_document(f"# Title\n\n{text}\n")).startswith("3: ")


@pytest.mark.parametrize(
    "text",
    [
        "S3 rejects the request",
        "s3://bucket/S1/x",
        "the whole archive is gone through once",
        "x = 1  # noqa: S104 (it is only compared)",
        "a standby lags behind its primary",
        "whose archive it is",
    ],
)
def test_what_is_plain(text: str) -> None:
    """The service S3, a linter's code, and words that only look alike."""
    assert not list(in_source(f"y = 1  # {text}"))
    assert not list(in_document(text.partition("#")[0]))


def test_code_in_a_document() -> None:
    """What a program prints is quoted as it is."""
    assert not list(in_document("```\nis told\n```\nand `anew`"))


def test_the_tree_is_plain() -> None:
    """All of walsup/ and of the documents, without an exception."""
    assert not list(found())
