"""Broken inputs by the ten thousand, given to the readers as a job would: see `__main__`."""
