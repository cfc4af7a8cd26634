"""fsspec's file system for a URI, set up the same way everywhere."""

from __future__ import annotations

import errno
from typing import Any, cast

from fsspec.core import url_to_fs

from lp_ray.base.errors import RefusedError
from lp_ray.storage.guard import check_bucket, client_options
from lp_ray.storage.uri import display, local_path
from lp_ray.storage.web import public_client


def filesystem(uri: str) -> tuple[Any, str]:
    """Return fsspec's file system for a normalised URI and the path inside it."""
    path = local_path(uri)
    if path is not None:
        return url_to_fs("file:///")[0], path  # the path itself is never parsed: it may hold anything
    options = {"get_client": public_client} if uri.startswith(("http://", "https://")) else client_options(uri)
    try:
        fs, path = url_to_fs(uri, use_listings_cache=False, **options)
    except ImportError as error:
        raise RefusedError(f"{display(uri)}: no file system for this URI is installed: {error}") from error
    if hasattr(fs, "retries"):
        fs.retries = 1  # botocore's retries and ours are enough, see guard.py
    return fs, cast(str, path)


def is_file(fs: Any, path: str, uri: str) -> bool:
    """Whether a file is at `path` of `fs`, which is `uri`.

    fsspec's own isfile takes every error, a wrong secret or a missing bucket too, for "not there".
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
    """Whether a local file cannot be there, for no file can have such a name, or for its link leads in a circle."""
    return error.errno in (errno.ENAMETOOLONG, errno.ELOOP)
