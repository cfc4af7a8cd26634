"""Animate by a library call: one pair without Ray, or many, on the Ray that this process is connected to."""

from __future__ import annotations

import dataclasses
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.base.declared import check_declared, spec_of
from lp_ray.base.errors import RefusedError
from lp_ray.contract.given import Rows, as_table
from lp_ray.contract.manifest import check_manifest
from lp_ray.contract.option_values import make_options
from lp_ray.contract.options import ALIASES, KEEP, LIVEPORTRAIT
from lp_ray.contract.result_schema import DONE
from lp_ray.coordinator import job as jobs
from lp_ray.coordinator.reporting import Silent
from lp_ray.engine.factory import EngineSpec, own_settings
from lp_ray.face.protocol import LandmarkerSpec
from lp_ray.labels.file import Labels
from lp_ray.media.frames_zip import read_frames
from lp_ray.output import labels, results
from lp_ray.output.arrays import ArrayClip as ArrayClip
from lp_ray.output.arrays import Picture, store_clip, store_picture
from lp_ray.output.by_name import with_names
from lp_ray.output.flat import flat
from lp_ray.output.occupy import occupy
from lp_ray.output.results import ResultRow
from lp_ray.plan.pairing import PairingRule, pair_up, pairs_from_manifest
from lp_ray.plan.settings import Settings
from lp_ray.runtime.executor import Executor
from lp_ray.runtime.inline import InlineExecutor
from lp_ray.runtime.loaded import loaded_engines, loaded_landmarkers
from lp_ray.stages.contract import Bench
from lp_ray.storage import Policy

SEEDED = "seeded"
DEFAULT_WEIGHTS = "~/.cache/lp_ray/weights"
LOCAL_POLICY = Policy()
"""Where the library reads inputs from, unless it is given another policy."""


class PairFailedError(Exception):
    """A pair could not be animated. The message names the stage, the error and the reason."""

    def __init__(self, row: ResultRow) -> None:
        super().__init__(f"{row['stage']}: {row['error_class']}: {row['error']}")
        self.row = row


class LivePortraitPipeline:
    """Animates people, one pair per call.

    >>> pipeline = LivePortraitPipeline()                                    # doctest: +SKIP
    >>> pipeline.animate("a.jpg", "b.mp4", "out", crf=16)["video_uri"]       # doctest: +SKIP
    'file:///…/out/videos/….mp4'

    Networks and models are loaded once, at the first call, and serve every output. Outputs are those of `lp-ray
    animate`: a result in `<output>/videos`, a row in `<output>/results`, motion templates shared by later calls; a pair
    that is done is not made again. One call at a time; an output where another process is at work is refused with
    LeaseHeldError.
    `engine_settings={"execution": "graph"}` is a command's `engine.execution=graph` (docs/settings.md).
    """

    variant = "human"

    def __init__(
        self,
        weights: str = DEFAULT_WEIGHTS,
        device: str = "cpu",
        precision: str = "float32",
        size: str = "full",
        engine: str = LIVEPORTRAIT,
        policy: Policy = LOCAL_POLICY,
        engine_settings: Mapping[str, object] | None = None,
        **settings: Any,
    ) -> None:
        """`weights`, `device`, `precision`, `size` and `engine` are as in docs/settings.md.

        `engine_settings` are those that only this engine has. `settings` are fields of `lp_ray.plan.settings.Settings`
        other than output, templates and engine, such as `landmarker`, `limits` or `chunk_frames`. Raises RefusedError
        for an unknown engine or setting.
        """
        known = {field.name for field in dataclasses.fields(Settings)} - {"output", "templates", "engine", "run"}
        check_declared(settings, known)
        shared = {"device": device, "precision": precision, "weights": weights, "size": size, "variant": self.variant}
        own = own_settings(engine, engine_settings or {})
        self._engine = spec_of(EngineSpec, {"name": engine, **shared, **own})
        self._policy = policy
        self._given = {"animal_detector": LandmarkerSpec("xpose", weights if weights != SEEDED else ""), **settings}
        self._run = uuid.uuid4().hex
        self._engines, self._landmarkers = loaded_engines(), loaded_landmarkers()
        self._executor: InlineExecutor | None = None
        self._bench: Bench | None = None

    def animate(
        self,
        source: str | Path | Picture | ArrayClip,
        driving: str | Path | Picture | ArrayClip,
        output: str | Path,
        *,
        templates: str | Path | None = None,
        face: str | int | None = None,
        box: Sequence[float] | None = None,
        start_s: float | None = None,
        end_s: float | None = None,
        **options: Any,
    ) -> ResultRow:
        """Animate a source with a driving and return the result row (`lp_ray.contract.result_schema.RESULT_SCHEMA`).

        A source or driving is a path or URI, a picture (H x W x 3 uint8 RGB) or an `ArrayClip` of frames; what is no
        file is kept in `<output>/arrays`. `output` is a folder or URI. `templates` is the motion template store, by
        default `<output>/templates`. `face` and `box` choose the source's face, `start_s` and `end_s` cut the driving.
        `options` are those of a pair (docs/options.md), under our names or the reference's. Raises RefusedError for
        wrong arguments, PairFailedError if the pair cannot be made.
        """
        settings = self._place(str(output), None if templates is None else str(templates))
        source_uri, driving_uri = (
            _place_of(settings, given, what) for given, what in ((source, "source"), (driving, "driving"))
        )
        sources = _table("source", uri=source_uri, face=None if face is None else str(face), box=box)
        drivings = _table("driving", uri=driving_uri, start_s=start_s, end_s=end_s)
        named = {ALIASES.get(name, name): value for name, value in options.items()}
        pairs = pair_up("zip", 1, 1, make_options(named, "options"))
        job = jobs.prepare(settings, sources, drivings, None, pairs, self._policy)
        self._run_job(job, retry_failed=True, on_ray=False)
        row = results.find_row(settings.output, job.plan.pair_id(0), job.plan.source_id(0), job.plan.driving_id(0))
        if row["status"] != DONE:
            raise PairFailedError(row)
        return row

    def frames(
        self, source: str | Path | Picture | ArrayClip, driving: str | Path | Picture | ArrayClip, **arguments: Any
    ) -> Iterator[Image]:
        """Animate a source with a driving and yield the finished frames, H x W x 3 uint8 RGB, exactly as made.

        With `alpha="keep"` they are H x W x 4: straight colours, then how opaque each pixel is. No output is left
        behind. `arguments` are those of `animate` other than `output`. The pair is made when the first frame is asked
        for; frames wait on disk, so that memory does not grow with the clip. Raises as `animate` does, and RefusedError
        for a `format`.
        """
        if "format" in arguments:
            raise RefusedError("format has no effect on frames that are handed over: leave it out")
        with TemporaryDirectory(prefix="lp_ray-frames-") as folder:
            row = self.animate(source, driving, folder, format="frames", **arguments)
            path = storage.local_path(row["video_uri"])
            assert path is not None, "the folder is this machine's own"
            yield from read_frames(Path(path), alpha=arguments.get("alpha") == KEEP)

    def animate_many(
        self,
        sources: Rows,
        drivings: Rows,
        output: str | Path,
        *,
        pairs: Rows | None = None,
        pairing: PairingRule = "cross",
        templates: str | Path | None = None,
        retry_failed: bool = False,
        on_ray: bool | None = None,
        **options: Any,
    ) -> pa.Table:
        """Animate many pairs, as a job does, and return their results, in the form of `read_results`.

        `sources`, `drivings` and `pairs` are rows of manifests (docs/manifests.md): paths, dicts, an Arrow table, a
        pandas data frame or a Ray dataset. Without `pairs` the rule `pairing` applies. `options` hold for all pairs;
        columns of `pairs` override them. Pairs that are done are not made again; failed ones only if `retry_failed`. A
        pair that cannot be made is a row whose status is not done. `on_ray` True: on the Ray cluster that this process
        is connected to; False: in this process; None: on Ray if there is one. Raises RefusedError for wrong
        arguments and LeaseHeldError if another process is at work on the output.
        """
        settings = self._place(str(output), None if templates is None else str(templates))
        source_table = check_manifest(as_table(sources, "uri"), "source", "sources")
        driving_table = check_manifest(as_table(drivings, "uri"), "driving", "drivings")
        named = make_options({ALIASES.get(name, name): value for name, value in options.items()}, "options")
        pair_table = None if pairs is None else check_manifest(as_table(pairs, "source_id"), "pair", "pairs")
        if pair_table is None:
            chosen = pair_up(pairing, len(source_table), len(driving_table), named)
        else:
            chosen = pairs_from_manifest(pair_table, source_table["source_id"], driving_table["driving_id"], named)
        job = jobs.prepare(settings, source_table, driving_table, pair_table, chosen, self._policy)
        self._run_job(job, retry_failed, on_ray)
        table = results.read_results(settings.output)
        return with_names(flat(table)).filter(pc.is_in(table["pair_id"], job.plan.pair_ids))

    def _run_job(self, job: jobs.Job, retry_failed: bool, on_ray: bool | None) -> None:
        """Make what the output lacks of a job."""
        with occupy(job.settings.output_layout, meta=job.plan.meta_schema) as lease:
            jobs.leave_out_standing(job, retry_failed=retry_failed)
            if len(job.plan.todo):
                jobs.run(job, self._executor_of(job, on_ray), Silent(), lease)
            else:
                jobs.settle(job, lease, Silent())

    def _executor_of(self, job: jobs.Job, on_ray: bool | None) -> Executor:
        if ray_is_there() if on_ray is None else on_ray:
            from lp_ray.runtime.ray_executor import executor_here  # Ray is imported only where it runs

            return executor_here(Bench(job.settings, job.engine), job.devices)
        bench = Bench(job.settings, job.engine, self._engines, self._landmarkers)
        if self._executor is None or self._bench != bench:
            self._executor, self._bench = InlineExecutor(bench), bench
        return self._executor

    def _place(self, output: str, templates: str | None) -> Settings:
        root = storage.normalise(output)
        store = storage.normalise(templates) if templates else storage.join(root, "templates")
        return Settings(root, store, self._engine, run=self._run, **self._given)


def read_results(output: str | Path) -> pa.Table:
    """Return the results of an output (a folder or URI): one row per pair, as an Arrow table without nested columns.

    `read_results(output).to_pandas()` is a data frame that `drop_duplicates` and `groupby` take. Columns are `name`,
    what `lp-ray videos` calls the pair, and those of docs/results.md, but that `fps` is `fps_numerator` and
    `fps_denominator`, `seconds` is `seconds_template`, `seconds_track` and so on, and lists of texts are one text
    each, with "; " between the entries. Raises StorageError where the output cannot be read.
    """
    return with_names(flat(results.read_results(str(output))))


def read_labels(output: str | Path, pair_id: str) -> Labels:
    """Return the labels of a pair (`pair_id` is a column of the results): arrays with one row per frame, by name.

    `labels["head_pose"]` is n_frames x 3; docs/labels.md gives shape and unit of every name, `labels.names` lists those
    that this pair has. Raises NoLabelsError if the pair has no labels, StorageError if the output cannot be read.
    """
    return labels.read_labels(str(output), pair_id)


class LivePortraitPipelineAnimal(LivePortraitPipeline):
    """Animates animals, one pair per call. X-Pose, from the same weight store, finds animals that have no `box`."""

    variant = "animal"


def ray_is_there() -> bool:
    """Return whether this process is connected to a Ray cluster. Ray is not imported for that."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def _place_of(settings: Settings, given: str | Path | Picture | ArrayClip, what: str) -> str:
    if isinstance(given, str | Path):
        return str(given)
    store: Any = store_clip if isinstance(given, ArrayClip) else store_picture
    return str(store(settings.output_layout, given, what))


def _table(kind: Any, **values: Any) -> pa.Table:
    given = {name: value for name, value in values.items() if value is not None}
    try:
        table = pa.Table.from_pylist([given])
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise RefusedError(f"{kind}: {error}") from error
    return check_manifest(table, kind, where=f"{kind}={values['uri']}")
