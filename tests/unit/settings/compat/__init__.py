"""Tests of walsup.settings.compat."""
