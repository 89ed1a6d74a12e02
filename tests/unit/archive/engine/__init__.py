"""Tests of walsup.archive.engine."""
