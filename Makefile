.PHONY: demo test bench soak lint clean
.DEFAULT_GOAL := demo

# `make demo KEEP=1` leaves it running and prints the addresses.
export KEEP

demo:
	@dev/setup
	@.venv/bin/python -m dev.demo

test:
	@dev/test

bench:
	@dev/setup containers
	@.venv/bin/python -m bench

soak:
	@dev/setup
	@.venv/bin/python -m pytest -m soak --timeout=3600 tests
	@.venv/bin/python -m dev.repeated run

lint:
	@dev/test lint

clean:
	rm -rf .venv .venv-lint .dev .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
