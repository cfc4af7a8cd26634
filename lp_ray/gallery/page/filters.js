// Filters: words by boxes, numbers by a brush over their histogram. Together they leave an array of row numbers.
const lpFilters = (() => {
  const state = { words: new Map(), ranges: new Map(), text: "", sort: "", down: false };
  const BINS = 48, MOST_BOXES = 60, NO_RANGE = [-Infinity, Infinity];
  let changed = () => {};

  async function order() {
    const n = lpGallery.meta.rows, marks = new Uint8Array(n).fill(1);
    for (const [name, chosen] of state.words) {
      const codes = await lpGallery.need(name), words = lpGallery.about(name).words;
      const wanted = new Uint8Array(words.length);
      words.forEach((word, code) => { wanted[code] = chosen.has(word) ? 1 : 0; });
      for (let i = 0; i < n; i++) marks[i] &= wanted[codes[i]];
    }
    for (const [name, [low, high]] of state.ranges) {
      // Values are float32: a row that has the number of a bound has what is left of it, too.
      const values = await lpGallery.need(name), from = Math.fround(low), to = Math.fround(high);
      for (let i = 0; i < n; i++) if (!(values[i] >= from && values[i] <= to)) marks[i] = 0;
    }
    if (state.text) await search(marks);
    let found = new Uint32Array(n), count = 0;
    for (let i = 0; i < n; i++) if (marks[i]) found[count++] = i;
    found = found.subarray(0, count);
    return state.sort ? sorted(found) : (state.down ? found.reverse() : found);
  }

  async function search(marks) {
    const text = state.text.toLowerCase(), hits = [];
    for (const column of lpGallery.meta.columns) {
      if (column.kind !== "word" || column.name.startsWith("option ")) continue;
      const wanted = column.words.map((word) => word.toLowerCase().includes(text));
      if (wanted.includes(true)) hits.push([await lpGallery.need(column.name), wanted]);
    }
    for (let i = 0; i < marks.length; i++) {
      if (marks[i] && !hits.some(([codes, wanted]) => wanted[codes[i]])) marks[i] = 0;
    }
  }

  async function sorted(found) {
    const about = lpGallery.about(state.sort), values = await lpGallery.need(state.sort);
    let keys = values;
    if (about.kind === "word") {
      const ranks = new Uint32Array(about.words.length);
      about.words.map((word, code) => [word, code]).sort((a, b) => (a[0] < b[0] ? -1 : 1))
        .forEach(([, code], rank) => { ranks[code] = rank; });
      keys = Float64Array.from(values, (code) => ranks[code]);
    }
    const sign = state.down ? -1 : 1;
    // What was not measured comes last, whichever way.
    return found.slice().sort((a, b) => {
      const x = keys[a], y = keys[b];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b;
      return sign * (x - y) || a - b;
    });
  }

  async function draw(folder) {
    folder.replaceChildren();
    for (const column of lpGallery.meta.columns) {
      const box = element("details", { open: column.name === "status" || state.words.has(column.name)
        || state.ranges.has(column.name) }, element("summary", { textContent: column.name }));
      box.dataset.column = column.name;
      const fill = async () => {
        if (!box.open || box.dataset.filled) return;
        box.dataset.filled = "1";
        if (column.text) box.append(element("p", { className: "text", textContent: hint(column) }));
        if (column.kind === "word") await boxes(box, column); else await histogram(box, column);
      };
      box.addEventListener("toggle", fill);
      folder.append(box);
      fill();
    }
  }

  function hint(column) {
    const better = { higher: "higher is better", lower: "lower is better" }[column.better] || "";
    return [column.text, column.unit, better].filter(Boolean).join("; ");
  }

  async function boxes(box, column) {
    const codes = await lpGallery.need(column.name), counts = new Uint32Array(column.words.length);
    for (const code of codes) counts[code]++;
    const all = column.words.map((word, code) => [word, counts[code]]).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const list = element("div");
    const show = (part) => {
      list.replaceChildren(...all.filter(([word]) => word.toLowerCase().includes(part)).slice(0, MOST_BOXES).map(([word, count]) => {
        const chosen = state.words.get(column.name);
        const tick = element("input", { type: "checkbox", checked: Boolean(chosen && chosen.has(word)) });
        tick.addEventListener("change", () => pick(column.name, word, tick.checked));
        return element("label", {}, tick, element("span", { textContent: word || "(none)" }),
          element("span", { textContent: String(count) }));
      }));
    };
    if (all.length > 12) {
      const find = element("input", { type: "search", placeholder: `of ${all.length}` });
      find.setAttribute("aria-label", `find in ${column.name}`);
      find.addEventListener("input", () => show(find.value.toLowerCase()));
      box.append(find);
    }
    box.append(list);
    show("");
  }

  function pick(name, word, on) {
    const chosen = state.words.get(name) || new Set();
    if (on) chosen.add(word); else chosen.delete(word);
    if (chosen.size) state.words.set(name, chosen); else state.words.delete(name);
    changed();
  }

  async function histogram(box, column) {
    const values = await lpGallery.need(column.name);
    let low = Infinity, high = -Infinity;
    for (const value of values) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
    if (low === high) { box.append(element("p", { className: "text", textContent: `always ${number(low)}` })); return; }
    const counts = new Uint32Array(BINS), width = high - low;
    for (const value of values) if (Number.isFinite(value)) counts[Math.min(BINS - 1, Math.floor((value - low) / width * BINS))]++;
    const canvas = element("canvas", { className: "histogram", width: 480, height: 148 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `histogram of ${column.name}, ${number(low)} to ${number(high)}`);
    const from = element("input", { type: "number", step: "any" }), to = element("input", { type: "number", step: "any" });
    from.setAttribute("aria-label", `${column.name} from`);
    to.setAttribute("aria-label", `${column.name} to`);
    const paint = () => bars(canvas, counts, low, width, state.ranges.get(column.name));
    const show = () => {
      const range = state.ranges.get(column.name);
      from.value = range && Number.isFinite(range[0]) ? short(range[0]) : "";
      to.value = range && Number.isFinite(range[1]) ? short(range[1]) : "";
      paint();
    };
    const set = (a, b) => {
      if (a === null) state.ranges.delete(column.name); else state.ranges.set(column.name, [Math.min(a, b), Math.max(a, b)]);
      show();
    };
    const typed = (end, text) => {
      const range = [...(state.ranges.get(column.name) || NO_RANGE)];
      range[end] = text === "" ? NO_RANGE[end] : Number(text);
      if (range.some(Number.isFinite)) set(...range); else set(null);
      changed();
    };
    from.addEventListener("change", () => typed(0, from.value));
    to.addEventListener("change", () => typed(1, to.value));
    brush(canvas, (share) => low + share * width, set);
    const clear = element("button", { type: "button", textContent: "all" });
    clear.addEventListener("click", () => { set(null); changed(); });
    box.append(canvas, element("div", { className: "range" }, from, to, clear));
    show();
  }

  // A number in as few digits, five or more, as mean the same float32.
  function short(value) {
    const digits = [5, 6, 7, 8].find((n) => Math.fround(value.toPrecision(n)) === Math.fround(value));
    return Number(value.toPrecision(digits || 9));
  }

  function brush(canvas, value, set) {
    let start = null;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return value(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    };
    canvas.addEventListener("pointerdown", (event) => { start = at(event); canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => { if (start !== null) set(start, at(event)); });
    canvas.addEventListener("pointerup", (event) => {
      if (start === null) return;
      if (at(event) === start) set(null); else set(start, at(event));
      start = null;
      changed();
    });
  }

  function bars(canvas, counts, low, width, range) {
    const paper = canvas.getContext("2d"), ink = getComputedStyle(document.body);
    const most = Math.max(...counts), step = canvas.width / BINS;
    paper.clearRect(0, 0, canvas.width, canvas.height);
    counts.forEach((count, bin) => {
      const middle = low + (bin + 0.5) / BINS * width;
      const inside = !range || (middle >= range[0] && middle <= range[1]);
      paper.fillStyle = ink.getPropertyValue(inside ? "--mark" : "--line");
      const height = count ? Math.max(2, count / most * (canvas.height - 6)) : 0;
      paper.fillRect(bin * step + 1, canvas.height - height, step - 2, height);
    });
  }

  return { state, order, draw, onchange: (call) => { changed = call; } };
})();
