"""What lies in an output: paths, the results table, who may write to it, and what dead runs have left."""
