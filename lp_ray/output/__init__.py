"""The files of an output: their paths, the results table, the leases on it, and the removal of leftovers."""
