"""The one door for every URI: local paths and anything fsspec knows, addressed the same way.

URIs inside the package are normalised: `file:///absolute/path` for local files (as typed, not
percent-encoded), `scheme://…` otherwise.
"""

from lp_ray.storage.access import (
    FileInfo,
    delete,
    delete_prefix,
    exists,
    fetch,
    glob,
    is_folder,
    list_files,
    local_copy,
    open_read,
    put_bytes,
    put_file,
    put_if_absent,
    read_bytes,
)
from lp_ray.storage.policy import Policy
from lp_ray.storage.uri import display, join, normalise
from lp_ray.storage.versions import Version, versions

__all__ = [
    "FileInfo",
    "Policy",
    "Version",
    "delete",
    "delete_prefix",
    "display",
    "exists",
    "fetch",
    "glob",
    "is_folder",
    "join",
    "list_files",
    "local_copy",
    "normalise",
    "open_read",
    "put_bytes",
    "put_file",
    "put_if_absent",
    "read_bytes",
    "versions",
]
