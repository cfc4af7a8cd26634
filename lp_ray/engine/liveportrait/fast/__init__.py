"""W and G as they run: the same functions as `warping.py` and `generator.py`, with fewer operations.

Tensors are pixels: B [x D] x H x W x C, channels last and contiguous. What is done how depends on the device and on
shapes only, never on a measurement at run time: every actor of a job gives the same frames. `docs/performance.md` has
the count of operations and the times.
"""
