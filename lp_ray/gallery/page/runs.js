// The output's runs: one line on the last one, and on request its counts and the runs before.
const lpRuns = (() => {
  const WORDS = { complete: "complete", some_failed: "complete, some pairs failed", terminated: "stopped by SIGTERM", interrupted: "interrupted", error: "stopped by an error" };
  const outcome = (run) => WORDS[run.outcome] || run.outcome;
  const time = (text) => text.replace("T", " ").replace(/(:\d\d)(\+00:00|Z)$/, "$1 UTC");
  const counts = (found) => Object.entries(found).filter(([, count]) => count).map(([name, count]) => `${count.toLocaleString("en")} ${name}`).join(", ");

  function said(run) {
    const pairs = counts(run.pairs), frames = run.frames ? `, ${run.frames.toLocaleString("en")} frames` : "";
    return `${outcome(run)}${pairs ? `: ${pairs}` : ""}${frames} in ${number(run.seconds)} s`;
  }

  function draw(box, runs) {
    box.hidden = !runs || !runs.latest.length;
    if (box.hidden) return;
    const [last, ...before] = runs.latest;
    const lines = [
      ["ended", time(last.finished_at)], ["began", time(last.started_at)], ["engine", last.engine],
      ["pairs of this run", counts(last.pairs)], ["left as they were", counts(last.pairs_before)],
      ["errors", counts(last.errors)], ["left out by", counts(last.filters)], ["motion templates", counts(last.templates)],
    ].filter(([, value]) => value).map(([name, value]) => element("tr", {}, element("th", { scope: "row", textContent: name }), element("td", { textContent: value })));
    box.replaceChildren(element("summary", { textContent: `Last run ${said(last)}` }), element("table", {}, element("tbody", {}, ...lines)));
    if (!before.length) return;
    const older = before.map((run) => element("li", { textContent: `${time(run.finished_at)}: ${said(run)}` }));
    const all = runs.count > runs.latest.length ? `, the latest ${runs.latest.length} of ${runs.count.toLocaleString("en")}` : "";
    box.append(element("p", { textContent: `Runs before${all}:` }), element("ul", {}, ...older));
  }

  return { draw };
})();
