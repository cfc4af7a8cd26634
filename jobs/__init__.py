"""Entry points: one module for each command, for example `python -m jobs.animate --help`."""
