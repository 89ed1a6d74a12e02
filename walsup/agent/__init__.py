"""The agent: loops that write observations, and everything visible as a function of them."""
