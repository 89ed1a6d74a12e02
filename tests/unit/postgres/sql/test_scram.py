"""SCRAM verifiers, as PostgreSQL makes them."""

import base64

from walsup.postgres.sql import scram

# Source: RFC 7677, section 3, the salt and the keys of its example.
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
STORED = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
    ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


def test_it_is_the_one_of_rfc_7677() -> None:
    """The example's password and salt give the example's keys."""
    assert scram.verifier("pencil", SALT) == STORED


def test_it_fits_its_password_alone() -> None:
    """Another password, or another form (md5), does not."""
    assert scram.fits("pencil", scram.verifier("pencil"))
    assert not scram.fits("Pencil", STORED)
    assert not scram.fits("pencil", "md5abcdef")
