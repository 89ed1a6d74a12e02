"""Tests of walsup.agent.archiving."""
