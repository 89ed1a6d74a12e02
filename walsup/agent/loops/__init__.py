"""The agent's loops. Each writes its own observations; none knows another."""
