"""Fast versions of W and G: the same functions as `warping.py` and `generator.py`, with fewer operations.

Tensors are pixels: B [x D] x H x W x C, channels last and contiguous. Which method is used depends only on the device
and the shapes, never on a measurement at run time, so every actor of a job gives the same frames. See
`docs/performance_log.md` for the number of operations and the times.
"""
