"""Access to files by URI: local paths and every store that fsspec supports, through the same functions.

Inside the package, URIs are normalised: `file:///absolute/path` for local files (a percent sign is encoded only where
it would read as an escape), `scheme://…` for all others.
"""

from lp_ray.storage.absence import absence, check_file, check_folder
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
from lp_ray.storage.listing import FileInfo, list_files, pages
from lp_ray.storage.policy import Policy
from lp_ray.storage.removal import delete, delete_many, delete_prefix, delete_prefixes, unfinished_writes
from lp_ray.storage.search import Found, glob, search
from lp_ray.storage.uploads import Upload, abort_uploads, unfinished_uploads
from lp_ray.storage.uri import display, is_local, is_text, join, local_path, name_of, normalise, redact, shown
from lp_ray.storage.versions import Version, check_version, version_tags, versions

__all__ = [
    "FileInfo",
    "Found",
    "Policy",
    "Upload",
    "Version",
    "abort_uploads",
    "absence",
    "check_file",
    "check_folder",
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
    "is_text",
    "join",
    "list_files",
    "local_copy",
    "local_path",
    "name_of",
    "normalise",
    "open_read",
    "pages",
    "put_bytes",
    "put_file",
    "put_if_absent",
    "read_bytes",
    "read_many",
    "redact",
    "search",
    "shown",
    "unfinished_uploads",
    "unfinished_writes",
    "version_tags",
    "versions",
]
