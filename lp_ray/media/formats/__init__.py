"""Output formats: how a result is written. Each is one module; `lp_ray.contract.formats` finds them by name."""
