"""`python -m lp_ray` is the command `lp-ray`."""

import importlib
import importlib.util

# An installed package holds its commands; in a checkout they stand beside it.
_HOME = "lp_ray.jobs" if importlib.util.find_spec("lp_ray.jobs") else "jobs"

if __name__ == "__main__":
    importlib.import_module(f"{_HOME}.command").main()
