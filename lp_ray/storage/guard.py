"""What storage errors mean: passing ones are tried again, hopeless ones stop the job with their reason."""

from __future__ import annotations

import errno
import functools
import re
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from lp_ray.errors import LpRayError, MissingInputError, RefusedError
from lp_ray.storage.uri import display

ATTEMPTS = 5
FIRST_WAIT_S = 0.2

_HOPELESS = re.compile(
    r"PermissionError|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|Forbidden|NoCredentials"
    r"|Unable to locate credentials|NoSuchBucket|specified bucket does not exist|ExpiredToken|InvalidToken",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"SlowDown|ServiceUnavailable|InternalError|RequestTimeout|Throttl|Connection|timed? ?out|reset by peer"
    r"|\b50[0234]\b",
    re.IGNORECASE,
)

_NO_BUCKET = re.compile(r"NoSuchBucket|specified bucket does not exist", re.IGNORECASE)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}

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
            except (LpRayError, FileExistsError, NotADirectoryError, IsADirectoryError):
                raise
            except FileNotFoundError as error:
                check_bucket(error)
                raise
            except ImportError as error:
                raise RefusedError(f"no file system for this URI is installed: {error}") from error
            except Exception as error:
                text = display(f"{type(error).__name__}: {error}")
                if _is_hopeless(error, text):
                    raise _refusal(f"storage refuses: {text}", args) from error
                if not _PASSING.search(text):
                    raise
                if attempt == ATTEMPTS:
                    raise _refusal(f"storage does not answer ({attempt} attempts): {text}", args) from error
            time.sleep(wait)
            wait *= 2
        raise AssertionError("unreachable")

    return wrapped


def check_bucket(error: Exception) -> None:
    """Raise RefusedError if what was not found is the bucket: then nothing else will be found either."""
    if _NO_BUCKET.search(str(error)):
        raise RefusedError(f"storage refuses: {display(str(error))}; create it or correct the URI") from error


def _is_hopeless(error: Exception, text: str) -> bool:
    return bool(_HOPELESS.search(text)) or (isinstance(error, OSError) and error.errno in _NO_ROOM)


def _refusal(text: str, args: tuple[object, ...]) -> LpRayError:
    # One web server that refuses or is down is that input's trouble; a store in that state is the job's.
    web = any(isinstance(arg, str) and arg.startswith(("http://", "https://")) for arg in args)
    return MissingInputError(text) if web else RefusedError(text)
