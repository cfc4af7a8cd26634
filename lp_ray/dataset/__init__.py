"""From results to a data set: filters over stored numbers, splits, and exports that trainers read."""
