"""walsup beside its peers, measured in turn in one run: `make bench`, or `python -m bench`."""
