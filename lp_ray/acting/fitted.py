"""The numbers behind natural motion: fitted on real clips, or taken from the literature.

Head motion: scripts/fit_performances.py tracks clips (five, 83 s together: people who talk, sing, look around) and
computes the spectra of their yaw, pitch and roll (Welch, windows of about 4 s, linear trends removed). To the geometric
mean over the four clips of at least 7 s, it fits power ~ (1 + (f / corner)^2)^-(slope / 2) between 0.2 and 6 Hz. The
spread of each angle (standard deviation over a clip) differs much more between clips than its spectrum does, so the
mean and standard deviation of its logarithm over the clips are given here too. Five clips are few: they show what is
common, not how common it is.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spectrum:
    """Motion of one angle.

    `corner` in Hz, `slope` of its power beyond it, `median` spread in degrees, and `sigma`: how much the natural
    logarithm of the spread varies between performances.
    """

    corner: float
    slope: float
    median: float
    sigma: float


HEAD = {
    "head_yaw": Spectrum(0.85, 3.82, 2.04, 1.12),
    "head_pitch": Spectrum(0.70, 2.80, 2.30, 0.73),
    "head_roll": Spectrum(0.92, 3.79, 1.57, 0.80),
}
"""The values that scripts/fit_performances.py prints."""

BLINKS_PER_MINUTE = (12.0, 30.0)
"""Rest 17, conversation 26 a minute on average (Bentivoglio et al. 1997); the clips: 26."""
BLINK_CLOSE_S, BLINK_OPEN_S = 0.09, 0.18
"""Lids fall about twice as fast as they rise (VanderWerff et al. 2003)."""
BLINK_SHUT_S = (0.05, 0.15)

SYLLABLES_PER_SECOND = (3.0, 7.0)
"""Range of the rate of syllables in the world's languages, 4 to 5 being the most common (Poeppel and Assaneo 2020)."""
SYLLABLES_IN_PHRASE = (4, 16)
PAUSE_S = (0.3, 1.2)

FIXATION_MEDIAN_S, FIXATION_SIGMA = 1.2, 0.6
"""How long a gaze rests: median in seconds, and sigma of its logarithm."""
SACCADE_S = 0.06
