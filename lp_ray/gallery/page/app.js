// The page: what is shown and where, keys, decisions, and the address that keeps the view.
const lpApp = (() => {
  const get = (id) => document.getElementById(id);
  let view = "grid", opened = "", line = -1, turn = 0, opening = 0;

  lpGallery.onstart = async () => {
    const meta = lpGallery.meta;
    document.title = `${meta.name} – lp_ray gallery`;
    get("title").textContent = meta.name || "Gallery";
    lpGrid.start({ open: (at) => open(at) });
    lpDetail.start();
    get("sort").append(new Option("as in the table", ""), ...meta.columns.map((column) => new Option(column.name, column.name)));
    recall();
    read();
    get("sort").value = lpFilters.state.sort;
    get("search").value = lpFilters.state.text;
    lpRuns.draw(get("runs"), meta.runs);
    if (matchMedia("(max-width: 720px)").matches) toggleFilters(false);
    listen();
    await lpFilters.draw(get("filters"));
    const wanted = opened; // showing the view forgets it: nothing is open yet
    await refresh();
    if (wanted) await reopen(wanted);
  };

  function listen() {
    lpFilters.onchange(refresh);
    let waiting = 0;
    get("search").addEventListener("input", (event) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => { lpFilters.state.text = event.target.value; refresh(); }, 150);
    });
    get("sort").addEventListener("change", (event) => { lpFilters.state.sort = event.target.value; refresh(); });
    get("direction").addEventListener("click", () => { lpFilters.state.down = !lpFilters.state.down; refresh(); });
    for (const name of ["grid", "matrix"]) get(`view-${name}`).addEventListener("click", () => { view = name; refresh(); });
    get("open-filters").addEventListener("click", () => toggleFilters(get("filters").hidden));
    get("download").addEventListener("click", download);
    get("compare").addEventListener("click", () => compare());
    get("keep").addEventListener("click", () => decide("keep"));
    get("reject").addEventListener("click", () => decide("reject"));
    get("previous").addEventListener("click", () => step(-1, 0));
    get("next").addEventListener("click", () => step(1, 0));
    document.addEventListener("keydown", key);
  }

  function toggleFilters(on) {
    get("filters").hidden = !on;
    get("open-filters").setAttribute("aria-expanded", String(on));
  }

  async function refresh() {
    const mine = ++turn, found = await lpFilters.order();
    if (mine !== turn) return;
    await lpGrid.show(found, view);
    if (mine !== turn) return;
    const all = lpGallery.meta.rows.toLocaleString("en");
    get("counts").textContent = `${found.length.toLocaleString("en")} of ${all} pairs; made ${lpGallery.meta.made}`;
    get("empty").hidden = found.length > 0;
    get("direction").textContent = lpFilters.state.down ? "↓" : "↑";
    for (const name of ["grid", "matrix"]) get(`view-${name}`).setAttribute("aria-pressed", String(name === view));
    tell();
    address();
  }

  async function open(at) {
    const mine = ++opening, index = lpGrid.index(at), row = await lpGallery.needRow(index);
    if (!row || mine !== opening) return;
    opened = row.pair_id;
    line = index;
    await lpDetail.open([index]);
    address();
  }

  async function reopen(wanted) {
    // Where it stood when the address was made; only after another job it stands elsewhere.
    const there = line >= 0 && line < lpGallery.meta.rows ? lpGrid.find(line) : -1;
    if (there >= 0 && (await lpGallery.needRow(line))?.pair_id === wanted) { lpGrid.go(there); return open(there); }
    for (let at = 0; at < lpGrid.count(); at++) {
      const index = lpGrid.index(at), row = lpGallery.row(index) || await lpGallery.needRow(index);
      if (row && row.pair_id === wanted) { lpGrid.go(at); return open(at); }
    }
    get("counts").textContent += "; the pair of this address is not among them";
  }

  function step(across, down) {
    if (lpDetail.isOpen() && lpDetail.isSeveral()) return lpDetail.say(SEVERAL);
    const before = lpGrid.at(), at = lpGrid.beside(across, down);
    lpGrid.go(at);
    if (lpDetail.isOpen() && at !== before) open(at);
  }

  const SEVERAL = "Several are shown: each has its own buttons to keep and reject it.";

  // The line of the pair that keys act on: what is open, else the chosen card. Of several that are open it is none, nor a
  // card that has left the view: that is only brought back.
  function meant() {
    if (lpDetail.isOpen()) {
      if (lpDetail.isSeveral()) lpDetail.say(SEVERAL);
      return lpDetail.line();
    }
    const at = lpGrid.at();
    if (at < 0 || lpGrid.isSeen()) return lpGrid.index(at);
    lpGrid.go(at);
    return undefined;
  }

  async function decide(choice, index = meant()) {
    if (index === undefined) return;
    const row = await lpGallery.needRow(index), name = lpGrid.key(row);
    if (!choice || lpGrid.decided.get(name) === choice) lpGrid.decided.delete(name); else lpGrid.decided.set(name, choice);
    lpGrid.paint();
    if (lpDetail.isOpen()) {
      lpDetail.buttons();
      lpDetail.say(`${row.source_id} × ${row.driving_id}: ${lpGrid.decided.get(name) || "undecided"}`);
    }
    keep();
    tell();
  }

  function compareOne() {
    const index = meant();
    if (index === undefined) return;
    if (lpGrid.compared.has(index)) lpGrid.compared.delete(index);
    else if (lpGrid.compared.size < 4) lpGrid.compared.add(index);
    lpGrid.paint();
    tell();
  }

  function compare() {
    if (lpGrid.compared.size > 1) { opened = ""; opening++; lpDetail.open([...lpGrid.compared]); }
  }

  function tell() {
    get("download").disabled = lpGrid.decided.size === 0;
    get("download").textContent = lpGrid.decided.size ? `Download ${lpGrid.decided.size} decision${lpGrid.decided.size > 1 ? "s" : ""}` : "Download decisions";
    get("compare").disabled = lpGrid.compared.size < 2;
    get("compare").textContent = lpGrid.compared.size ? `Compare ${lpGrid.compared.size}` : "Compare";
  }

  const place = () => `lp_ray gallery ${lpGallery.meta.key}`;

  function keep() {
    try { localStorage.setItem(place(), JSON.stringify([...lpGrid.decided])); } catch { /* kept until the page closes */ }
  }

  function recall() {
    try {
      for (const [name, choice] of JSON.parse(localStorage.getItem(place()) || "[]")) lpGrid.decided.set(name, choice);
    } catch { /* nothing is kept */ }
  }

  function download() {
    const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;
    const lines = [...lpGrid.decided].map(([name, choice]) => {
      const reason = choice === "keep" ? "" : "rejected by eye";
      return [...JSON.parse(name), choice, reason].map(quoted).join(",");
    });
    const text = ["pair_id,source_id,driving_id,kept,reason", ...lines].join("\r\n") + "\r\n";
    const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "decisions.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function key(event) {
    const typing = event.target.matches("input:not([type=checkbox]):not([type=range]), select");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    const actions = {
      ArrowRight: () => step(1, 0), ArrowLeft: () => step(-1, 0), ArrowDown: () => step(0, 1), ArrowUp: () => step(0, -1),
      k: () => decide("keep"), r: () => decide("reject"), u: () => decide(null), c: compareOne,
      "/": () => get("search").focus(),
      " ": () => (lpDetail.isOpen() ? lpDetail.play() : null),
      Enter: () => (lpDetail.isOpen() || event.target.closest("button, summary") ? null : (lpGrid.at() >= 0 && open(lpGrid.at()))),
    };
    const action = actions[event.key];
    if (!action || (event.key === " " && event.target.closest("button, summary, video"))) return;
    if (event.key === "Enter" && event.target.closest("button, summary")) return;
    if (lpDetail.isOpen() && ["ArrowDown", "ArrowUp"].includes(event.key)) return; // they scroll it
    event.preventDefault();
    action();
  }

  function address() {
    if (!lpDetail.isOpen()) opened = "";
    const { words, ranges, text, sort, down } = lpFilters.state, found = new URLSearchParams();
    if (view !== "grid") found.set("view", view);
    if (text) found.set("text", text);
    if (sort) found.set("sort", sort);
    if (down) found.set("down", "1");
    if (opened) { found.set("pair", opened); found.set("row", line); }
    for (const [name, chosen] of words) for (const word of chosen) found.append(`is.${name}`, word);
    for (const [name, [low, high]] of ranges) found.set(`in.${name}`, `${low}_${high}`);
    const hash = `#${found}`;
    if (location.hash !== hash) history.replaceState(null, "", hash);
  }

  function read() {
    const kinds = new Map(lpGallery.meta.columns.map((column) => [column.name, column.kind]));
    for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
      if (name === "view" && ["grid", "matrix"].includes(value)) view = value;
      else if (name === "text") lpFilters.state.text = value;
      else if (name === "sort" && kinds.has(value)) lpFilters.state.sort = value;
      else if (name === "down") lpFilters.state.down = true;
      else if (name === "pair") opened = value;
      else if (name === "row" && /^\d+$/.test(value)) line = Number(value);
      else if (name.startsWith("is.") && kinds.get(name.slice(3)) === "word") {
        const words = lpFilters.state.words.get(name.slice(3)) || new Set();
        lpFilters.state.words.set(name.slice(3), words.add(value));
      } else if (name.startsWith("in.") && kinds.get(name.slice(3)) === "number") {
        const [low, high] = value.split("_").map(Number);
        if (!Number.isNaN(low) && !Number.isNaN(high)) lpFilters.state.ranges.set(name.slice(3), [low, high]);
      }
    }
  }

  return { address, decide, refresh };
})();

lpGallery.load("data/meta.js").catch(() => { document.getElementById("counts").textContent = "data/meta.js is not there: make the gallery again"; });
