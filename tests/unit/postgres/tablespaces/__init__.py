"""Tests of walsup.postgres.tablespaces."""
