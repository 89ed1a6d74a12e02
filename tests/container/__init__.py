"""Tests on the real image in real containers."""
