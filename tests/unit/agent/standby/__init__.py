"""Tests of walsup.agent.standby."""
