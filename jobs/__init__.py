"""Entry points: one module for each command, for example `lp-ray animate --help`."""
