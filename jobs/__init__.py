"""Entry points: one module for each thing a user does. `python -m jobs.animate --help`."""
