"""Entry points: one module for each command, for example `lp-ray animate --help`."""

import os

# numpy's threads wait by spinning: beside other work, that costs many times the CPU time of its small products. A
# user's own value is kept. This must come before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
