"""All errors that the package raises on purpose, grouped by effect: refuse a job, stop a job, or fail one input.

Any other exception is a bug of this package and keeps its traceback.
"""

from __future__ import annotations


class LpRayError(Exception):
    """Base class of all errors that this package raises on purpose."""


class RefusedError(LpRayError):
    """The job must not start: a manifest, an option or the environment is wrong.

    The message names the row, the field and the remedy. If work has begun already, the coordinator turns this error
    into a StoppedError, because all other work would fail as well.
    """


class StoppedError(LpRayError):
    """The job stopped in the middle of its work. Finished results stay, and the next run makes the rest."""


class StorageError(RefusedError):
    """A store or a disk cannot be used. All other work there would fail as well, so the job stops.

    The message names the place, the reason and the remedy, and contains no secret.
    """


class StorageAuthError(StorageError):
    """Credentials are missing, wrong or expired, or do not allow the request."""


class BucketMissingError(StorageError):
    """The bucket or container does not exist, or no longer."""


class StorageReadOnlyError(StorageError):
    """The place can be read, but not written to."""


class StorageFullError(StorageError):
    """There is no space left, or a quota is used up."""


class StorageUnreachableError(StorageError):
    """The store did not answer, or reported that it is too busy, on every attempt."""


class LeaseHeldError(RefusedError):
    """Another living job works on the same output. The message names it."""


class LeaseLostError(StoppedError):
    """This job seemed dead (it was suspended, or could not reach its store), and another job took over."""


class StalledError(StoppedError):
    """No stage made progress for the time that `cluster.stall_s` allows."""


class UnexpectedErrorsError(StoppedError):
    """More than `max_unexpected` pieces of work met an error that no input caused: a bug of this package."""


class InputError(LpRayError):
    """One input cannot be used. Its pairs become `failed` rows, and all other work goes on.

    Subclasses name the reason. A result row shows the class name in `error_class`.
    """


class MissingInputError(InputError):
    """There is no file at the URI."""


class NoLabelsError(InputError):
    """A pair has no labels, or their file is damaged."""


class SchemeNotAllowedError(InputError):
    """The URI's scheme or prefix is not on the allow-list."""


class InputTooLargeError(InputError):
    """Bytes, pixels, frames or seconds exceed the configured limit (checked before decoding)."""


class UnreadableMediaError(InputError):
    """The file is not an image or video that can be decoded."""


class DecoderCrashedError(UnreadableMediaError):
    """The input crashed its decoder, which ran in its own process."""


class DecoderTimeoutError(UnreadableMediaError):
    """The decoder gave no output for `limits.timeout_s` and was killed."""


class DecoderMemoryError(UnreadableMediaError):
    """The decoder needed more memory for the input than it may have."""


class ActorDiedError(InputError):
    """The input killed the process that worked on it: first an actor, then a child process that did nothing else."""


class InputChangedError(InputError):
    """The file has changed since the job was planned."""


class TruncatedMediaError(InputError):
    """The file holds less than its container announces."""


class NoFaceError(InputError):
    """No face was found where one is needed."""


class TooManyMissingFacesError(InputError):
    """More frames have no face than `max_missing_fraction` allows."""


class UnsupportedError(InputError):
    """The input is valid, but the chosen engine cannot use it in this way."""


class TemplateError(InputError):
    """A motion template file is malformed, or made by another engine."""


class PerformanceError(InputError):
    """A performance table is malformed, or has values that no control can show. The message names row and column."""


class EngineOutputError(InputError):
    """The engine made a picture that is black or not finite."""


class WeightsError(RefusedError):
    """A weight file is missing or altered, or has wrong keys or shapes. The message names file and key."""


class ConsentError(InputError):
    """The manifest states no consent for an input, or one that has expired, and the job requires it."""


class FilteredError(InputError):
    """A filter leaves a pair out. This is no failure: the pair's row is `filtered`, with the reason and the score."""

    def __init__(self, reason: str, score: float | None = None) -> None:
        super().__init__(reason, score)
        self.reason = reason
        self.score = score

    def __str__(self) -> str:
        return self.reason


def error_of(name: str, message: str) -> LpRayError:
    """Return an error of the class that another process named; if the class is unknown, an LpRayError that names it."""
    kind = globals().get(name)
    if isinstance(kind, type) and issubclass(kind, LpRayError):
        return kind(message)
    return LpRayError(f"{name}: {message}")
