"""What every package may use: errors, limits, metrics, array types. Imports no other package of lp_ray."""
