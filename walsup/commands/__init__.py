"""The commands beside `walsup run`: one module for each."""
