"""The one door for every URI: local paths and anything fsspec knows, addressed the same way.

URIs inside the package are normalised: `file:///absolute/path` for local files (as typed, not
percent-encoded), `scheme://…` otherwise.
"""

from lp_ray.storage.access import (
    exists,
    fetch,
    is_folder,
    local_copy,
    open_read,
    put_bytes,
    put_file,
    put_if_absent,
    read_bytes,
    read_many,
)
from lp_ray.storage.listing import FileInfo, glob, list_files, pages
from lp_ray.storage.policy import Policy
from lp_ray.storage.removal import delete, delete_many, delete_prefix, delete_prefixes, unfinished_writes
from lp_ray.storage.uploads import Upload, abort_uploads, unfinished_uploads
from lp_ray.storage.uri import display, is_local, join, normalise, redact
from lp_ray.storage.versions import Version, check_version, version_tags, versions

__all__ = [
    "FileInfo",
    "Policy",
    "Upload",
    "Version",
    "abort_uploads",
    "check_version",
    "delete",
    "delete_many",
    "delete_prefix",
    "delete_prefixes",
    "display",
    "exists",
    "fetch",
    "glob",
    "is_folder",
    "is_local",
    "join",
    "list_files",
    "local_copy",
    "normalise",
    "open_read",
    "pages",
    "put_bytes",
    "put_file",
    "put_if_absent",
    "read_bytes",
    "read_many",
    "redact",
    "unfinished_uploads",
    "unfinished_writes",
    "version_tags",
    "versions",
]
