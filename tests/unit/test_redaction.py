"""Secrets are cut in every form in which a program may print them; ordinary text stays."""

import base64
import html
import json
import re
import shlex
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from walsup.redaction import publish, redact, redact_known, remember
from walsup.redaction.redactor import Redactor
from walsup.settings import load

ENCODERS: tuple[Callable[[str], str], ...] = (
    str,
    repr,
    lambda text: repr(text.encode()),
    lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'",
    lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'",
    lambda text: '"' + text.replace('"', '""') + '"',
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps(json.dumps({"a": text})),
    lambda text: quote(text, safe=""),
    lambda text: quote(quote(text)),
    quote_plus,
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    lambda text: base64.b64encode(f"u:{text}".encode()).decode(),
    lambda text: base64.urlsafe_b64encode(f"me:{text}.".encode()).decode(),
    lambda text: text.encode().hex(),
    html.escape,
    lambda text: html.escape(html.escape(text)),
    shlex.quote,
    lambda text: "".join(f"\\u{{{ord(one):x}}}" for one in text),
    lambda text: "".join(f"&#{ord(one)};" for one in text),
)


@pytest.fixture(autouse=True)
def _nothing_is_public() -> Iterator[None]:
    """Whatever settings another test has read in this process."""
    publish(())
    yield
    publish(())


ALPHABET = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))


@pytest.mark.parametrize("encode", ENCODERS)
@given(st.text(ALPHABET, min_size=12), st.sampled_from(("", "\n", " ", "'", "=", ":")))
def test_a_long_secret_is_cut_in_each_form(
    encode: Callable[[str], str], secret: str, near: str
) -> None:
    """Whatever stands around it; nothing else is cut."""
    # What follows a name of a password is cut as well.
    assume(not re.search("pass|secret|token|credential|signature|keyid", secret, re.IGNORECASE))
    shown = encode(secret)
    text = f"the request failed{near or ' '}{shown}{near or ' '}of now"
    found = redact(text, [secret])
    assert found.startswith("the request failed")
    assert found.endswith("of now")
    assert "***" in found
    assert shown not in found
    assert secret not in found


@given(st.text(ALPHABET, min_size=1, max_size=3))
def test_a_short_secret_is_cut_where_a_value_stands(secret: str) -> None:
    """In a statement and in quotes, not in words."""
    quoted = secret.replace("\\", "\\\\").replace("'", "''")
    said = redact(f"STATEMENT:  ALTER USER me WITH PASSWORD E'{quoted}';", [secret])
    statement, stars, rest = said.partition("***")
    assert (statement, stars) == ("STATEMENT:  ALTER USER me WITH PASSWORD E'", "***")
    # A password that is a quote takes the closing one with it; a semicolon is cut at the end too.
    assert not rest.strip("';*")
    assert redact(f"PGPASSWORD={quote(secret)} psql", [secret]) == "PGPASSWORD=*** psql"


def test_a_word_is_cut_as_a_word_and_a_letter_leaves_the_text() -> None:
    """A password that is a word of ours, or a letter, does not destroy what is told."""
    text = "orders: /usr/lib/orders2/15 has user orders, a word"
    assert redact(text, ["orders"]) == "***: /usr/lib/orders2/15 has user ***, a word"
    assert redact(text, ["a", "o", "1"]) == text
    assert redact("a\n", ["a"]) == "***\n"


@pytest.mark.parametrize(
    "text",
    [
        'FATAL:  role "postgres" does not exist',
        "postgres: could not access file 'postgres'",
        'FATAL:  password authentication failed for user "postgres"',
        "run: psql -U postgres -d postgres, or user=postgres dbname=postgres",
        "/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/data",
        "s3://postgres/archive: listen on 0.0.0.0:5432",
        "postgres",
        "cG9zdGdyZXM6cG9zdGdyZXM=",
    ],
)
def test_a_secret_that_is_an_ordinary_word_leaves_the_text(text: str) -> None:
    """It hides nothing: everybody tries it first."""
    assert redact(text, ["postgres"]) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("PGPASSWORD=postgres psql -U postgres", "PGPASSWORD=*** psql -U postgres"),
        ("POSTGRES_PASSWORD: postgres", "POSTGRES_PASSWORD: ***"),
        ("postgres://postgres:postgres@h/postgres", "postgres://postgres:***@h/postgres"),
        ("postgres:postgres@h", "postgres:***@h"),
        ("user=postgres password='postgres'", "user=postgres password='***'"),
        ("alter role postgres password 'postgres'", "alter role postgres password '***'"),
        ('{"user": "postgres", "password": "postgres"}', '{"user": "postgres", "password": "***"}'),
        ("psql --password postgres", "psql --password ***"),
        ('the password "postgres" is wrong', 'the password "***" is wrong'),
    ],
)
def test_an_ordinary_word_is_cut_where_it_is_called_a_password(text: str, shown: str) -> None:
    """In the forms of shells, URIs, SQL and JSON."""
    assert redact(text, ["postgres"]) == shown


def test_the_name_of_a_role_is_no_secret_though_its_password_is_the_same() -> None:
    """Whatever it is; another secret beside it is cut everywhere."""
    known = Redactor(["Zeus-of-olympus", "s3cret-of-zeus"], words=True, public={"Zeus-of-olympus"})
    text = 'role "Zeus-of-olympus" said s3cret-of-zeus, password=Zeus-of-olympus'
    assert known.redact(text) == 'role "Zeus-of-olympus" said ***, password=***'
    assert "Zeus" not in redact("role Zeus-of-olympus", ["Zeus-of-olympus"])


def test_a_process_knows_the_names_of_its_settings() -> None:
    """Roles, databases, the archive's parts."""
    load(
        {
            "PGDATA": "/d",
            "POSTGRES_USER": "hera",
            "POSTGRES_PASSWORD": "hera",
            "WALSUP_ARCHIVE": "s3://olympus/argos",
            "AWS_ACCESS_KEY_ID": "k",
            "AWS_SECRET_ACCESS_KEY": "argos",
        }
    )
    assert redact("role hera in argos", ["hera", "argos"]) == "role hera in argos"


def test_a_part_of_a_long_secret_is_cut() -> None:
    """psql shows a piece of a line, with dots at both its ends."""
    secret = "".join(chr(33 + number * 7 % 94) for number in range(4000))
    said = redact(f"LINE 1: ...{secret[1000:1060]}...\n    ^", [secret])
    assert said == "LINE 1: ...***...\n    ^"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://me:p/w@d@host/db", "postgres://me:***@host/db"),
        ("host=h password='it''s \\' me' user=u", "host=h password='***' user=u"),
        ("host=h password=abc user=u", "host=h password=*** user=u"),
        ('{"password": "a\\"b", "n": 1}', '{"password": "***", "n": 1}'),
        ("create role a PASSWORD 'b''c' LOGIN", "create role a PASSWORD '***' LOGIN"),
        ("ALTER USER a WITH PASSWORD E'cut off", "ALTER USER a WITH PASSWORD E'***"),
        ("Authorization: Basic dTpw", "Authorization: Basic ***"),
        ("x?X-Amz-Signature=abc&y=1", "x?X-Amz-Signature=***&y=1"),
        ("is md5" + "0a" * 16, "is ***"),
        ("password authentication failed for user 'me'",) * 2,
        ("password_encryption = md5",) * 2,
        ("set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust",) * 2,
    ],
)
def test_what_is_called_a_password_is_cut_though_it_is_not_known(text: str, shown: str) -> None:
    """It may be another's, or one that was just replaced."""
    assert redact(text, []) == shown


def test_each_line_of_a_key_is_cut_and_lines_stay_lines() -> None:
    """A key of several lines may be printed line by line."""
    key = "-----BEGIN KEY-----\nabcdefghijklmnopqrstuvwx\nyz0123456789=\n-----END KEY-----\n"
    assert redact("at line 2: abcdefghijklmnopqrstuvwx", [key]) == "at line 2: ***"
    assert redact(f"a\n{key}b", [key]).count("\n") == f"a\n{key}b".count("\n")


def test_a_process_remembers_its_secrets() -> None:
    """Those of now and some before, whoever shows a text."""
    remember(["remembered-secret-1"])
    remember(f"remembered-{number}-later" for number in range(30))
    assert redact_known("is remembered-secret-1") == "is ***"
    assert redact_known("is another") == "is another"
    remember(["orders"])
    assert redact_known("s3://b/orders has password 'orders'") == "s3://b/orders has password '***'"
    assert redact_known("orders", words=True) == "***"


@given(st.text(max_size=200), st.lists(st.text(max_size=30), max_size=4))
def test_any_text_and_any_secrets_can_be_redacted(text: str, secrets: list[str]) -> None:
    """Nothing of it raises, and line numbers stay."""
    assert Redactor(secrets, words=True).redact(text).count("\n") == text.count("\n")
