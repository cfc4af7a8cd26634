"""Handle the errors of storage calls: retry temporary errors; turn permanent ones into an error that stops the job.

Retries have two layers. The first is botocore's own (mode "standard": connection errors, 5xx, throttling, with jitter
and a quota per client). The second, here, retries the rest: replies that break off, local network disks, other stores.
The third layer, of s3fs, is switched off: 5 x 5 x 5 attempts would hide a dead store for an hour.
"""

from __future__ import annotations

import functools
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from lp_ray.base.errors import LpRayError, MissingInputError
from lp_ray.storage.trouble import RAISED, REMEDIES, Trouble, diagnose
from lp_ray.storage.uri import display, redact


@dataclass(frozen=True)
class Retries:
    """How often a call is tried, and how long to wait between the attempts."""

    attempts: int = 4
    first_wait_s: float = 0.5
    longest_wait_s: float = 15.0

    def waits(self) -> Iterator[float]:
        """Yield the seconds to wait after each failed attempt except the last. They double, less a random part.

        Without the random part, a thousand actors that a busy store turned away would all come back at the same moment.
        """
        for attempt in range(self.attempts - 1):
            longest = min(self.longest_wait_s, self.first_wait_s * 2**attempt)
            yield longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


RETRIES = Retries()
_CONNECT_S, _READ_S = 10, 60
_VERBS = {
    Trouble.PASSING: "does not answer, or is too busy, after all attempts",
    Trouble.AUTH: "refuses",
    Trouble.NO_BUCKET: "has no such bucket",
    Trouble.READ_ONLY: "takes no writes",
    Trouble.FULL: "is full",
    Trouble.BROKEN: "fails",
}
_NO_BUCKET = re.compile(r"NoSuchBucket|specified bucket does not exist", re.IGNORECASE)

P = ParamSpec("P")
T = TypeVar("T")


def client_options(uri: str) -> dict[str, Any]:
    """Return options that make fsspec's S3 client retry by itself. Retry settings in the environment win."""
    if not uri.startswith(("s3://", "s3a://")):
        return {}
    config: dict[str, Any] = {"connect_timeout": _CONNECT_S, "read_timeout": _READ_S}
    if "AWS_RETRY_MODE" not in os.environ and "AWS_MAX_ATTEMPTS" not in os.environ:
        config["retries"] = {"mode": "standard", "total_max_attempts": RETRIES.attempts}
    return {"config_kwargs": config}


def guarded(call: Callable[P, T]) -> Callable[P, T]:
    """Wrap a call that reads a store: retry temporary errors with backoff, turn permanent ones into StorageError."""
    return _guard(call, writing=False)


def guarded_write(call: Callable[P, T]) -> Callable[P, T]:
    """Wrap a call that writes to a store, like `guarded`; a refused access then means that the store is read-only."""
    return _guard(call, writing=True)


def _guard(call: Callable[P, T], writing: bool) -> Callable[P, T]:
    @functools.wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        waits = RETRIES.waits()
        while True:
            try:
                return call(*args, **kwargs)
            except (LpRayError, FileExistsError, NotADirectoryError, IsADirectoryError):
                raise
            except FileNotFoundError as error:
                check_bucket(error, _place(args))
                raise
            except Exception as error:  # clients' errors have no common base
                trouble = diagnose(error, writing)
                if trouble is None:
                    raise
                wait = next(waits, None) if trouble is Trouble.PASSING else None
                if wait is None:
                    cause = error if str(error) == redact(str(error)) else None  # a traceback would show the secret
                    raise _stop(trouble, args, error) from cause
            time.sleep(wait)

    return wrapped


def check_bucket(error: Exception, place: str = "") -> None:
    """Raise BucketMissingError if the bucket itself does not exist: then no other file will be found either."""
    if diagnose(error, writing=False) is Trouble.NO_BUCKET or _NO_BUCKET.search(str(error)):
        raise _stop(Trouble.NO_BUCKET, (place,), error) from error


def _place(args: tuple[object, ...]) -> str:
    """Return the URI that a guarded call works on: its first text argument that looks like a URI."""
    return next((arg for arg in args if isinstance(arg, str) and "://" in arg), "")


def _stop(trouble: Trouble, args: tuple[object, ...], error: Exception) -> LpRayError:
    place = display(_place(args))
    reason = f"storage {_VERBS[trouble]}: {type(error).__name__}: {error}"
    text = redact(f"{place}: {reason}" if place else reason)
    # A web server that refuses or is down fails its own inputs; a store in that state stops the job.
    if place.startswith(("http://", "https://")):
        return MissingInputError(text)
    return RAISED[trouble](f"{text}; {REMEDIES[trouble]}")
