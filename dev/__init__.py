"""What people who work on walsup run: set-up, demo and the harness of the tests."""
