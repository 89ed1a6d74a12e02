"""Tests of walsup.settings.checks."""
