"""Choose pairs by what was measured of them: `lp-ray filter output=… where='identity_mean > 0.9'`."""

from __future__ import annotations

from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.dataset.choose import conditions_of, judge
from lp_ray.dataset.choose import required as check_given
from lp_ray.dataset.decisions import decided, read_decisions
from lp_ray.dataset.selection import Counts, selection_name, write_selection
from lp_ray.output.layout import OutputLayout
from lp_ray.output.scan import Scan

from .cli import main
from .exit_codes import EXIT_DONE
from .places import folder_to_read
from .setup import required


def run(config: DictConfig) -> int:
    """Write the selection, and say how many pairs stay and which conditions the others fail."""
    output = folder_to_read("output", required(config, "output"))
    where, preset = (str(config[name]) if config[name] else None for name in ("where", "preset"))
    decisions = read_decisions(str(config.decisions)) if config.decisions else None
    if decisions is None:
        check_given(where, preset)
    name, layout = selection_name(str(config.to)), OutputLayout(output)
    scan = Scan(output)
    conditions = conditions_of(scan, where, preset)
    judged, said = judge(scan, conditions), [condition.text for condition in conditions]
    if decisions is not None:
        judged, said = decided(judged, decisions), [*said, decisions.text]
    counts = write_selection(layout, name, judged, said)
    print("\n".join([*count_lines(counts), f"selection: {storage.shown(layout.selection(name))}"]))
    return EXIT_DONE


def count_lines(counts: Counts) -> list[str]:
    """Return the counts in lines for people: how many stay, then the reasons, the most frequent first."""
    lines = [f"{counts.kept} of {counts.total} pairs stay"]
    return lines + [f"{count:>9}  {reason}" for reason, count in counts.reasons.most_common()]


if __name__ == "__main__":
    main("filter", run)
