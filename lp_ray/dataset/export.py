"""Fill a target with the shards of a plan. Each is a task of its own: it can run anywhere, twice, or after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from lp_ray.dataset.labels import COLUMN
from lp_ray.dataset.plan import Plan, Request
from lp_ray.dataset.samples import samples
from lp_ray.dataset.shards import container
from lp_ray.dataset.tables import columns_of
from lp_ray.dataset.target import Finished, Target


@dataclass(frozen=True)
class ShardTask:
    """All that is needed to write one shard, on any machine: its rows of the results, and where it goes."""

    root: str
    request: Request
    side: str
    number: int
    rows: pa.Table

    @property
    def name(self) -> str:
        return container(self.request.format, self.request.videos).name(self.side, self.number)


def write_shard(task: ShardTask) -> Finished:
    """Write a shard: its files, then the note that it is finished. A shard that is finished already is left alone.

    Raises StoppedError if a video or labels are not what the row states.
    """
    target = Target(task.root)
    if (before := target.finished(task.name)) is not None:
        return before
    made = container(task.request.format, task.request.videos)
    found = samples(task.rows, task.side, task.request.labels)
    with TemporaryDirectory(prefix="lp_ray-shard-") as folder:
        files = []
        for name in made.write(Path(folder), task.name, task.rows, found):
            files.append(target.put(Path(folder) / name, name))
            (Path(folder) / name).unlink()
    shard = Finished(task.name, task.side, task.rows.num_rows, tuple(files))
    target.note(shard)
    return shard


def tasks(plan: Plan, root: str) -> Iterator[ShardTask]:
    """Yield the tasks of a plan, in its order; the rows of each are read when it is asked for.

    Columns without a value in the whole data set are left out, so that all shards have the same columns.
    """
    known = plan.rows.schema.names
    columns = list(dict.fromkeys([*columns_of(plan), *(name for name in _NEEDED if name in known)]))
    if COLUMN in columns and (not plan.request.labels or plan.rows.column(COLUMN).null_count == len(plan.rows)):
        columns.remove(COLUMN)
    for shard in plan.shards:
        yield ShardTask(root, plan.request, shard.side, shard.number, plan.rows.take(shard.places).select(columns))


_NEEDED = ("pair_id", "video_uri", "sha256", COLUMN)


Runner = Callable[[Iterator[ShardTask]], Iterator[Finished]]
"""What runs tasks, in any order, and yields what they answer."""


def write_shards(plan: Plan, target: Target, run: Runner, tell: Callable[[Finished], None]) -> list[Finished]:
    """Write a plan's shards and return them in its order. Raises RefusedError if the target holds another export."""
    target.claim(plan.digest)
    done: dict[str, Finished] = {}
    for shard in run(tasks(plan, target.root)):
        done[shard.name] = shard
        tell(shard)
    made = container(plan.request.format, plan.request.videos)
    return [done[made.name(shard.side, shard.number)] for shard in plan.shards]
