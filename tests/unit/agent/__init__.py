"""Tests of walsup.postgres."""
