"""Create the fsspec file system for a URI, with the same settings everywhere."""

from __future__ import annotations

import errno
from typing import Any, cast

from fsspec.core import url_to_fs

from lp_ray.base.errors import RefusedError
from lp_ray.base.extras import extra_of, missing_part
from lp_ray.storage.guard import check_bucket, client_options
from lp_ray.storage.uri import display, local_path


def filesystem(uri: str) -> tuple[Any, str]:
    """Return fsspec's file system for a normalised URI and the path inside it."""
    path = local_path(uri)
    if path is not None:
        return url_to_fs("file:///")[0], path  # the path is not parsed, as it may hold any character
    try:
        fs, path = url_to_fs(uri, use_listings_cache=False, **_options(uri))
    except ImportError as error:
        raise _lacking(uri, error) from error
    if hasattr(fs, "retries"):
        fs.retries = 1  # botocore's retries and ours are enough, see guard.py
    return fs, cast(str, path)


def _options(uri: str) -> dict[str, Any]:
    if not uri.startswith(("http://", "https://")):
        return client_options(uri)
    from lp_ray.storage.web import public_client  # needs aiohttp, which the engine's benchmarks do without

    return {"get_client": public_client}


def _lacking(uri: str, error: ImportError) -> RefusedError:
    cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error  # fsspec's own error names no module
    if cause.name and extra_of(cause.name):
        return missing_part(cause.name, f"{uri.partition(':')[0]}://")
    return RefusedError(f"{display(uri)}: no file system for this URI is installed: {error}")


def is_file(fs: Any, path: str, uri: str) -> bool:
    """Return whether `path` of `fs` is a file; `uri` is its URI.

    fsspec's own isfile returns False on every error, even a wrong secret or a missing bucket.
    """
    try:
        return bool(fs.info(path)["type"] == "file")
    except (FileNotFoundError, NotADirectoryError) as error:
        check_bucket(error, uri)
        return False
    except OSError as error:
        if is_no_name(error):
            return False
        raise


def is_no_name(error: OSError) -> bool:
    """Return whether an error says that a local file cannot exist: its name is too long, or its links form a loop."""
    return error.errno in (errno.ENAMETOOLONG, errno.ELOOP)
