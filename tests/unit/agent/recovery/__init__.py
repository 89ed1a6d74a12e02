"""Tests of walsup.agent.recovery."""
