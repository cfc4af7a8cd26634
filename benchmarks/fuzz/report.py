"""The table of a run: what was given, what came of it."""

from __future__ import annotations

from collections import Counter

from benchmarks.fuzz.runner import Outcome
from benchmarks.fuzz.worker import READ


def table(outcome: Outcome) -> str:
    """Return the counts by kind and answer as a table in Markdown, and a line for each kind of broken rule."""
    lines = ["| kind | inputs | read | errors | slowest | most memory |", "|---|---:|---:|---|---:|---:|"]
    kinds = list(dict.fromkeys(answer.kind for answer in sorted(outcome.answers, key=lambda answer: answer.index)))
    for kind in kinds:
        answers = [answer for answer in outcome.answers if answer.kind == kind]
        counts = Counter(answer.answer for answer in answers)
        read = counts.pop(READ, 0)
        named = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        slowest, most = max(answer.seconds for answer in answers), max(answer.peak for answer in answers) >> 20
        lines.append(f"| {kind} | {len(answers):,} | {read:,} | {named} | {slowest:.1f} s | {most:,} MB |")
    slow = max(outcome.answers, key=lambda answer: answer.seconds, default=None)
    broken = outcome.broken
    lines += ["", f"{len(outcome.answers):,} inputs in {outcome.seconds / 60:.1f} min; {len(broken)} broke a rule"]
    if slow is not None:
        lines.append(f"slowest: {slow.kind} {slow.index} ({slow.how[:80]!r}), {slow.seconds:.1f} s")
    rules = Counter(reason.partition(":")[0] for answer in broken for reason in answer.broken)
    lines += [f"- {rule}: {count}" for rule, count in rules.most_common()]
    for answer in broken[:50]:
        reason = answer.broken[0].strip().splitlines()
        lines.append(f"  {answer.kind} {answer.index} ({answer.how[:80]!r}): {reason[0][:60]} {reason[-1][:160]}")
    return "\n".join(lines)
