"""Tests of walsup.archive.audit."""
