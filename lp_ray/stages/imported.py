"""Drivings that are motion templates already: LivePortrait's own `.pkl` files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lp_ray import storage
from lp_ray.errors import RefusedError, TemplateError, UnsupportedError
from lp_ray.layout import TemplateLayout
from lp_ray.media.timing import cut
from lp_ray.motion.pickle_io import import_pickle
from lp_ray.motion.template import write_template
from lp_ray.options import LIVEPORTRAIT
from lp_ray.settings import Settings
from lp_ray.stages.rows import DrivingRef, Failure

STAGE = "template"


def is_template_file(uri: str) -> bool:
    """Whether a driving is a motion template file and not a picture: by its name, as users see it."""
    return uri.lower().endswith(".pkl")


def import_template(settings: Settings, key: str, driving: DrivingRef) -> Failure | None:
    """Read a `.pkl` template safely and store it as one of ours; return why not, if it cannot be."""
    try:
        _import(settings, key, driving)
    except RefusedError:
        raise
    except Exception as error:  # whatever a bad input makes a library raise is that input's own failure
        return Failure.of(STAGE, error)
    return None


def _import(settings: Settings, key: str, driving: DrivingRef) -> None:
    if settings.engine.name != LIVEPORTRAIT:
        raise UnsupportedError(
            f"a .pkl template holds LivePortrait's motion, which engine={settings.engine.name} cannot use: "
            f"give the clip itself, or engine={LIVEPORTRAIT}"
        )
    with storage.local_copy(driving.uri, settings.limits) as path:
        header, frames = import_pickle(path.read_bytes())
    first, n_frames = cut(header.fps, header.n_frames, driving.start_s, driving.end_s)
    if n_frames < 1:
        raise TemplateError(f"start_s and end_s leave none of the template's {header.n_frames} frames")
    with TemporaryDirectory(prefix="lp_ray-template-") as folder:
        file = Path(folder) / "template.npz"
        kept = {name: array[first : first + n_frames] for name, array in frames.items()}
        write_template(file, replace(header, n_frames=n_frames), [kept])
        storage.put_if_absent(TemplateLayout(settings.templates).template(key), file)
