"""Tests of walsup.system."""
