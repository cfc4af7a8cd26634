"""Classify the errors of stores by type, code and status rather than by their text.

The classes of store clients (botocore and aiohttp for s3fs and http, gcsfs, adlfs) are recognised by name, so that none
of them has to be installed. Their exceptions keep the original error as their cause, which is the most precise.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from enum import Enum

from lp_ray.base.errors import (
    BucketMissingError,
    StorageAuthError,
    StorageError,
    StorageFullError,
    StorageReadOnlyError,
    StorageUnreachableError,
)


class Trouble(Enum):
    """Classes of storage errors. All except PASSING stop a job at once."""

    PASSING = "it may work a moment later"
    AUTH = "credentials"
    NO_BUCKET = "no such bucket"
    READ_ONLY = "no right to write"
    FULL = "no room"
    BROKEN = "a disk gives up"


RAISED: dict[Trouble, type[StorageError]] = {
    Trouble.PASSING: StorageUnreachableError,
    Trouble.AUTH: StorageAuthError,
    Trouble.NO_BUCKET: BucketMissingError,
    Trouble.READ_ONLY: StorageReadOnlyError,
    Trouble.FULL: StorageFullError,
    Trouble.BROKEN: StorageError,
}

REMEDIES = {
    Trouble.PASSING: "check the network and the endpoint (AWS_ENDPOINT_URL), then run the same command again",
    Trouble.AUTH: "check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE "
    "or the machine's role): wrong, expired, or without the right to this place",
    Trouble.NO_BUCKET: "create it or correct the URI",
    Trouble.READ_ONLY: "give the credentials or the user the right to write there, or choose another place",
    Trouble.FULL: "make room or raise the quota, then run the same command again",
    Trouble.BROKEN: "check the disk, or choose another place",
}

_CODES = {
    Trouble.AUTH: {
        *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidToken"),
        *(
            "TokenRefreshRequired",
            "RequestTimeTooSkewed",
            "RequestExpired",
            "AuthorizationHeaderMalformed",
            "NotSignedUp",
        ),
        *("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "AccountProblem", "AllAccessDisabled"),
        *("AuthenticationFailed", "InvalidSecurity", "MissingSecurityHeader", "CredentialsNotSupported", "NotSignedUp"),
    },
    Trouble.NO_BUCKET: {"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"},
    Trouble.FULL: {
        "QuotaExceeded",
        "QuotaExceededException",
        "InsufficientStorage",
        "XMinioStorageFull",
        "StorageFull",
    },
    Trouble.PASSING: {
        *("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "RequestTimeoutException", "Throttling"),
        *("ThrottlingException", "ThrottledException", "RequestThrottled", "TooManyRequests", "OperationAborted"),
        *("BandwidthLimitExceeded", "ServerBusy", "OperationTimedOut", "IncompleteBody", "XAmzContentSHA256Mismatch"),
        *("PriorRequestNotComplete", "EC2ThrottledException", "RequestLimitExceeded", "BadDigest"),
    },
}
_DENIED = {"AccessDenied", "AllAccessDisabled", "AuthorizationPermissionMismatch"}
_PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}
_PASSING_TYPES = {
    # botocore: the connection could not be made, or broke, or the answer did not end
    *("HTTPClientError", "ConnectionError", "IncompleteReadError", "ResponseStreamingError", "ResponseParserError"),
    # aiohttp
    *("ClientConnectionError", "ClientPayloadError", "ServerDisconnectedError"),
    # fsspec, requests, azure
    *("FSTimeoutError", "ChunkedEncodingError", "ServiceRequestError", "ServiceResponseError", "IncompleteRead"),
}
_AUTH_TYPES = {
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "NoAuthTokenError", "SSOError"),
    *("TokenRetrievalError", "ProfileNotFound", "RefreshError", "DefaultCredentialsError", "ClientAuthenticationError"),
}
_PASSING_NUMBERS = {
    *(errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED, errno.EPIPE, errno.EHOSTUNREACH),
    *(errno.ENETUNREACH, errno.ENETDOWN, errno.ENETRESET, errno.EAGAIN, errno.ESTALE),  # ESTALE: NFS
}
FULL_NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def diagnose(error: BaseException, writing: bool) -> Trouble | None:
    """Return the class of an error of a store's client or of the local disk; None if it is no storage error.

    The root of the chain of causes is examined first, because exceptions around it know less (s3fs turns every code
    that it does not know into EIO).
    """
    for part in reversed(list(_chain(error))):
        trouble = _by_code(part, writing) or _by_type(part) or _by_number(part, writing)
        if trouble is not None:
            return trouble
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _by_code(error: BaseException, writing: bool) -> Trouble | None:
    code, status = _code_and_status(error)
    for trouble, codes in _CODES.items():
        if code in codes:
            return trouble
    if code in _DENIED:
        return Trouble.READ_ONLY if writing else Trouble.AUTH
    if status in _PASSING_STATUS:
        return Trouble.PASSING
    if status in (401, 403):
        return Trouble.AUTH
    return Trouble.FULL if status == 507 else None


def _code_and_status(error: BaseException) -> tuple[str, int | None]:
    """Return the code and HTTP status that botocore (`response`), aiohttp (`status`), gcsfs (`code`) or azure set."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return str(response.get("Error", {}).get("Code", "")), status if isinstance(status, int) else None
    numbers = [getattr(error, name, None) for name in ("status", "status_code", "code")]
    status = next((n for n in numbers if isinstance(n, int)), None)
    return str(getattr(error, "error_code", "")), status


def _by_type(error: BaseException) -> Trouble | None:
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _AUTH_TYPES:
        return Trouble.AUTH
    if names & _PASSING_TYPES or isinstance(error, TimeoutError):
        return Trouble.PASSING
    return None


def _by_number(error: BaseException, writing: bool) -> Trouble | None:
    number = error.errno if isinstance(error, OSError) else None
    if number in _PASSING_NUMBERS:
        return Trouble.PASSING
    if number in FULL_NUMBERS:
        return Trouble.FULL
    if number == errno.EROFS or (isinstance(error, PermissionError) and writing):
        return Trouble.READ_ONLY
    if isinstance(error, PermissionError):
        return Trouble.AUTH
    return Trouble.BROKEN if number == errno.EIO else None
