"""What storage errors mean: passing ones are tried again, hopeless ones stop the job with their reason."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from lp_ray.errors import LpRayError, RefusedError

ATTEMPTS = 5
FIRST_WAIT_S = 0.2

_HOPELESS = re.compile(
    r"InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|Forbidden|NoCredentials"
    r"|Unable to locate credentials|NoSuchBucket|specified bucket does not exist|ExpiredToken|InvalidToken",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"SlowDown|ServiceUnavailable|InternalError|RequestTimeout|Throttl|Connection|timed? ?out|reset by peer"
    r"|\b50[0234]\b",
    re.IGNORECASE,
)

P = ParamSpec("P")
T = TypeVar("T")


def guarded(call: Callable[P, T]) -> Callable[P, T]:
    """Wrap a storage call: retry passing errors with backoff, turn hopeless ones into RefusedError."""

    @functools.wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        wait = FIRST_WAIT_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return call(*args, **kwargs)
            except (LpRayError, FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError):
                raise
            except ImportError as error:
                raise RefusedError(f"no file system for this URI is installed: {error}") from error
            except Exception as error:
                text = f"{type(error).__name__}: {error}"
                if _HOPELESS.search(text):
                    raise RefusedError(f"storage refuses: {text}") from error
                if attempt == ATTEMPTS or not _PASSING.search(text):
                    raise
            time.sleep(wait)
            wait *= 2
        raise AssertionError("unreachable")

    return wrapped
