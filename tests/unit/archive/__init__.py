"""Tests of walsup.archive."""
