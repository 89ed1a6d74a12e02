"""Tests of walsup.postgres.processes."""
