"""Every error that the package raises on purpose, by what it ends: a job before its work, a job at work, one input.

Anything else that is raised is a mistake of ours, and keeps its traceback.
"""

from __future__ import annotations


class LpRayError(Exception):
    """Base of every error this package raises on purpose."""


class RefusedError(LpRayError):
    """The job must not start: a manifest, an option or the environment is wrong.

    The message names the row, the field and the remedy. Where work has begun, the coordinator makes a StoppedError of
    it: nothing else would fare better.
    """


class StoppedError(LpRayError):
    """The job has stopped in the middle of its work; what is finished stays, and the next run does the rest."""


class StorageError(RefusedError):
    """A store, or a disk, cannot be worked with; nothing else there would fare better, so the job stops.

    The message names the place, the reason and the remedy, and holds no secret.
    """


class StorageAuthError(StorageError):
    """Credentials are missing, wrong or expired, or do not cover what is asked."""


class BucketMissingError(StorageError):
    """The bucket or container is not there, or is there no more."""


class StorageReadOnlyError(StorageError):
    """The place may be read, but not written."""


class StorageFullError(StorageError):
    """No room is left, or a quota is used up."""


class StorageUnreachableError(StorageError):
    """The store did not answer, or kept answering that it is too busy, through all attempts."""


class LeaseHeldError(RefusedError):
    """Another job that is alive works on the same output; the message names it."""


class LeaseLostError(StoppedError):
    """This job was taken for dead (it was paused, or cut off from its store) and another one has taken over."""


class StalledError(StoppedError):
    """No stage has made progress for as long as `cluster.stall_s` allows."""


class UnexpectedErrorsError(StoppedError):
    """More pieces of work than `max_unexpected` met an error that no input is to blame for: a mistake of ours."""


class InputError(LpRayError):
    """One input cannot be used; its pairs become `failed` rows and everything else goes on.

    Subclasses name the reason: the class name is what a result row shows in `error_class`.
    """


class MissingInputError(InputError):
    """The URI points at nothing."""


class SchemeNotAllowedError(InputError):
    """The URI's scheme or prefix is not on the allow-list."""


class InputTooLargeError(InputError):
    """Bytes, pixels, frames or seconds over the configured limit (checked before decoding)."""


class UnreadableMediaError(InputError):
    """The file is not an image or video that can be decoded."""


class DecoderCrashedError(UnreadableMediaError):
    """The input brought its decoder down; the decoder ran in a process of its own."""


class DecoderTimeoutError(UnreadableMediaError):
    """The decoder gave nothing for `limits.timeout_s` and was killed."""


class DecoderMemoryError(UnreadableMediaError):
    """The input made its decoder ask for more memory than it may have."""


class ActorDiedError(InputError):
    """The input brought down the process that worked on it, an actor first, then a child with nothing else to do."""


class InputChangedError(InputError):
    """The file is not the one any more that the job was planned with."""


class TruncatedMediaError(InputError):
    """The container announces more than the file holds."""


class NoFaceError(InputError):
    """No face was found where one is needed."""


class TooManyMissingFacesError(InputError):
    """More frames without a face than `max_missing_fraction` allows."""


class UnsupportedError(InputError):
    """The input is sound, but the chosen engine cannot do this with it."""


class TemplateError(InputError):
    """A motion template file is malformed, or made by another engine."""


class EngineOutputError(InputError):
    """The engine produced a black or non-finite picture."""


class WeightsError(RefusedError):
    """A weight file is missing, altered, or of the wrong keys or shapes; the message names file and key."""


class FilteredError(InputError):
    """A filter leaves a pair out. It is no failure: the pair's row is `filtered`, with the reason and the score."""

    def __init__(self, reason: str, score: float | None = None) -> None:
        super().__init__(reason, score)
        self.reason = reason
        self.score = score

    def __str__(self) -> str:
        return self.reason


def error_of(name: str, message: str) -> LpRayError:
    """Return the error of a class that is named in a message from another process, or an LpRayError that names it."""
    kind = globals().get(name)
    if isinstance(kind, type) and issubclass(kind, LpRayError):
        return kind(message)
    return LpRayError(f"{name}: {message}")
