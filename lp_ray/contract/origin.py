"""What a result says of its own making: IPTC's digital source type (http://cv.iptc.org/newscodes/digitalsourcetype/)."""

from __future__ import annotations

SCHEME = "http://cv.iptc.org/newscodes/digitalsourcetype/"

TRAINED, COMPOSITE, ENHANCED = (
    *("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"),
    "algorithmicallyEnhanced",
)
_WARPS = frozenset({"preview"})
"""Engines that move the source's own pixels. Any other, also one of another package, makes new ones with a network."""


def digital_source_type(engine: str, pasted_back: bool) -> str:
    """Return the type of a result: of an engine that warps, made by a network, or such a face in a real picture."""
    if engine in _WARPS:
        return ENHANCED
    return COMPOSITE if pasted_back else TRAINED
