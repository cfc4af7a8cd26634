// The grid and the matrix: only the cards that can be seen exist, so that the number of rows does not matter.
const lpGrid = (() => {
  const CARD = { width: 190, height: 210, gap: 8 }, MARGIN = 600, HEAD = 108, POSTER = 3;
  let view, room, rows = new Uint32Array(0), here = -1, cells = null, turn = 0, opened = () => {};
  // No browser has rooms of any size: beyond MOST pixels the scroll bar moves through more than it is long. Cards are
  // placed by where they would be, and shown by what of that is seen.
  const SIDE = 2 ** 26, MOST = 15e6, scale = { down: 1, across: 1 };
  const cards = new Map(), decided = new Map(), compared = new Set();

  function start(callbacks) {
    view = document.getElementById("view");
    fit();
    room = document.getElementById("room");
    opened = callbacks.open;
    view.addEventListener("scroll", paint, { passive: true });
    new ResizeObserver(() => { fit(); forget(); paint(); }).observe(view);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { forget(); paint(); });
  }

  // On a phone two cards stand beside each other.
  function fit() {
    CARD.width = view.clientWidth < 480 ? Math.max(120, Math.floor((view.clientWidth - 3 * CARD.gap) / 2)) : 190;
  }

  const wide = () => Math.max(1, Math.floor((view.clientWidth - CARD.gap) / (CARD.width + CARD.gap)));

  async function show(found, kind) {
    const mine = ++turn, made = kind === "matrix" ? await matrix(found) : null;
    if (mine !== turn) return;
    const chosen = rows[here];
    [rows, cells] = [found, made];
    here = shownAt(chosen === undefined ? -1 : rows.indexOf(chosen));
    forget();
    paint();
  }

  // How far the view has come, in a room of true size.
  const top = () => view.scrollTop * scale.down, left = () => view.scrollLeft * scale.across;

  function fitRoom(way, real, seen) {
    scale[way] = real > MOST ? (real - seen) / (MOST - seen) : 1;
    return `${Math.min(real, MOST)}px`;
  }

  // Cells by line * SIDE + column. The first row of each is its card, and the first of a source or driving fills its head.
  async function matrix(rows) {
    const source = await lpGallery.need("source_id"), driving = await lpGallery.need("driving_id");
    if (!source || !driving) return null;
    const places = new Map(), more = new Map(), down = new Map(), across = new Map(), heads = { down: [], across: [] };
    const place = (map, code, heads, i) => { if (!map.has(code)) { map.set(code, map.size); heads.push(i); } return map.get(code); };
    for (let i = 0; i < rows.length; i++) {
      const line = place(down, source[rows[i]], heads.down, i), column = place(across, driving[rows[i]], heads.across, i);
      const cell = line * SIDE + column;
      if (places.has(cell)) more.set(cell, (more.get(cell) || 0) + 1); else places.set(cell, i);
    }
    const of = (i) => down.get(source[rows[i]]) * SIDE + across.get(driving[rows[i]]);
    return { places, more, of, order: Float64Array.from(places.keys()).sort(), heads, down: [...down.keys()], across: [...across.keys()] };
  }

  // Where the card stands that shows a row: in the matrix that of its cell.
  const shownAt = (i) => (cells && i >= 0 ? cells.places.get(cells.of(i)) : i);

  // Where the card beside the chosen one stands; the chosen one's own place where there is none. In the matrix the next card
  // across may be in the next line, and the next one down is in the same column.
  function beside(across, down) {
    if (here < 0 || !rows.length) return rows.length ? shownAt(0) : -1;
    if (!cells) {
      const at = here + across + down * wide();
      return down ? Math.max(0, Math.min(rows.length - 1, at)) : rows[at] === undefined ? here : at;
    }
    const cell = cells.of(here);
    if (across) return cells.places.get(cells.order[placeOf(cell) + across]) ?? here;
    for (let next = cell + down * SIDE; next >= 0 && next < cells.down.length * SIDE; next += down * SIDE) {
      if (cells.places.has(next)) return cells.places.get(next);
    }
    return here;
  }

  function placeOf(cell) {
    let low = 0, high = cells.order.length - 1;
    while (low < high) { const middle = (low + high) >> 1; if (cells.order[middle] < cell) low = middle + 1; else high = middle; }
    return low;
  }

  function forget() {
    for (const card of cards.values()) card.remove();
    cards.clear();
    room.replaceChildren();
    const [x, y] = [CARD.width + CARD.gap, CARD.height + CARD.gap];
    room.style.width = cells ? fitRoom("across", HEAD + cells.across.length * x, view.clientWidth) : "";
    if (!cells) scale.across = 1;
    const high = cells ? HEAD + cells.down.length * y : Math.ceil(rows.length / wide()) * y + CARD.gap;
    room.style.height = fitRoom("down", high, view.clientHeight);
  }

  function paint() {
    const wanted = cells ? seenCells() : seenRows();
    for (const [key, card] of cards) if (!wanted.has(key)) { card.remove(); cards.delete(key); }
    const aside = view.scrollLeft - left(), above = view.scrollTop - top();
    for (const [key, [x, y, make]] of wanted) {
      let card = cards.get(key);
      if (!card) { card = make(); cards.set(key, card); room.append(card); }
      card.style.transform = `translate(${x + aside}px, ${y + above}px)`;
    }
    for (const card of room.querySelectorAll(".card")) mark(card);
  }

  function seenRows() {
    const found = new Map(), n = wide(), y = CARD.height + CARD.gap;
    const first = Math.max(0, Math.floor((top() - MARGIN) / y));
    const last = Math.ceil((top() + view.clientHeight + MARGIN) / y);
    for (let i = first * n; i < Math.min(rows.length, last * n); i++) {
      found.set(`r${i}`, [CARD.gap + (i % n) * (CARD.width + CARD.gap), CARD.gap + Math.floor(i / n) * y, () => card(i)]);
    }
    return found;
  }

  function seenCells() {
    const found = new Map(), [x, y] = [CARD.width + CARD.gap, CARD.height + CARD.gap];
    const lines = range(top() - HEAD, view.clientHeight, y, cells.down.length);
    const columns = range(left() - HEAD, view.clientWidth, x, cells.across.length);
    for (const line of lines) {
      found.set(`s${line}`, [left(), HEAD + line * y, () => head("source_id", cells.down[line], line, "source")]);
      for (const column of columns) {
        const at = cells.places.get(line * SIDE + column);
        if (at !== undefined) found.set(`r${at}`, [HEAD + column * x, HEAD + line * y, () => card(at)]);
      }
    }
    for (const column of columns) {
      found.set(`d${column}`, [HEAD + column * x, top(), () => head("driving_id", cells.across[column], column, "driving")]);
    }
    return found;
  }

  function range(start, length, step, n) {
    const first = Math.max(0, Math.floor((start - MARGIN / 2) / step)), last = Math.min(n, Math.ceil((start + length + MARGIN) / step));
    return Array.from({ length: Math.max(0, last - first) }, (_, i) => first + i);
  }

  function head(name, code, place, input) {
    const word = lpGallery.about(name).words[code];
    const picture = element("div", { className: "picture" }), made = element("div", { className: "head" }, picture, element("span", { textContent: word }));
    made.style.width = `${input === "source" ? HEAD - 8 : CARD.width}px`;
    made.style.height = `${input === "source" ? CARD.height : HEAD - 4}px`;
    const at = (input === "source" ? cells.heads.down : cells.heads.across)[place];
    lpGallery.needRow(rows[at]).then((row) => row && row[input] && strip(picture, row[input], 60));
    return made;
  }

  function strip(picture, name, height) {
    const image = new Image();
    image.onload = () => {
      picture.style.backgroundImage = `url("strips/${encodeURIComponent(name)}")`;
      const width = image.width / framesOf(image) * height / image.height;
      picture.style.backgroundSize = `auto ${height}px`;
      picture.dataset.step = width;
      picture.dataset.frames = framesOf(image);
      place(picture, framesOf(image) > 1 ? POSTER : 0);
    };
    image.src = `strips/${encodeURIComponent(name)}`;
  }

  // The shape tells a strip of one frame from one of all.
  const framesOf = (image) => (image.width / image.height > lpGallery.meta.strips.moving ? lpGallery.meta.strips.frames : 1);

  function place(picture, frame) {
    const step = Number(picture.dataset.step), middle = (picture.clientWidth - step) / 2;
    picture.style.backgroundPosition = `${middle - frame * step}px 50%`;
    picture.style.clipPath = middle > 0 ? `inset(0 ${middle}px)` : "";
  }

  function card(i) {
    const index = rows[i], picture = element("div", { className: "picture" });
    const said = element("div", { className: "said" }, element("b"), element("span"));
    const made = element("button", { type: "button", className: "card", tabIndex: -1 }, picture, said);
    made.dataset.at = i;
    made.style.width = `${CARD.width}px`;
    made.style.height = `${CARD.height}px`;
    made.addEventListener("click", () => { go(i); opened(i); });
    picture.addEventListener("pointerleave", () => place(picture, Number(picture.dataset.frames || 1) > 1 ? POSTER : 0));
    picture.addEventListener("pointermove", (event) => {
      const frames = Number(picture.dataset.frames || 1), box = picture.getBoundingClientRect();
      place(picture, Math.min(frames - 1, Math.floor((event.clientX - box.left) / box.width * frames)));
    });
    lpGallery.needRow(index).then((row) => fill(made, picture, said, row, index, cells ? cells.more.get(cells.of(i)) : 0)).catch(() => {});
    return made;
  }

  // `more` are rows of the same cell that have no card.
  function fill(made, picture, said, row, index, more) {
    if (!row) return;
    const name = `${row.source_id} × ${row.driving_id}`;
    said.firstChild.textContent = name;
    made.setAttribute("aria-label", `${name}, ${row.status}${more ? `, ${more} more` : ""}`);
    if (row.strip) strip(picture, row.strip, CARD.height - 50);
    else { picture.classList.add("lacking"); picture.textContent = `${row.status}: ${row.error || "no picture"}`; }
    const sort = lpFilters.state.sort, about = sort && lpGallery.about(sort);
    said.lastChild.textContent = !about ? row.status : about.kind === "word"
      ? `${sort} ${about.words[lpGallery.columns.get(sort)[index]]}` : `${sort} ${number(lpGallery.columns.get(sort)[index])}`;
    if (more) said.lastChild.textContent += `, ${more} more`;
    made.dataset.pair = row.pair_id;
    made.dataset.key = key(row);
    mark(made);
  }

  function mark(made) {
    const choice = decided.get(made.dataset.key);
    made.classList.toggle("kept", choice === "keep");
    made.classList.toggle("rejected", choice === "reject");
    made.classList.toggle("here", Number(made.dataset.at) === here);
    made.classList.toggle("compared", compared.has(rows[Number(made.dataset.at)]));
  }

  const key = (row) => JSON.stringify([row.pair_id, row.source_id, row.driving_id]);

  // Where the chosen card begins in a room of true size, and what of the view's edges heads cover.
  function spot() {
    const x = CARD.width + CARD.gap, y = CARD.height + CARD.gap;
    if (!cells) return [CARD.gap + (here % wide()) * x, CARD.gap + Math.floor(here / wide()) * y, 0];
    const cell = cells.of(here);
    return [HEAD + (cell % SIDE) * x, HEAD + Math.floor(cell / SIDE) * y, HEAD];
  }

  function isSeen() {
    if (here < 0) return false;
    const [x, y, edge] = spot(), right = x + CARD.width / 2 - left(), down = y + CARD.height / 2 - top();
    return right > edge && right < view.clientWidth && down > edge && down < view.clientHeight;
  }

  // How far the view has to have come for all of a card to be seen.
  function reach(from, seen, start, length, edge) {
    if (start - CARD.gap < from + edge) return Math.max(0, start - CARD.gap - edge);
    return Math.max(from, start + length + CARD.gap - seen);
  }

  function go(i) {
    here = rows.length ? shownAt(Math.max(0, Math.min(rows.length - 1, i))) : -1;
    if (here >= 0) {
      const [x, y, edge] = spot(), down = reach(top(), view.clientHeight, y, CARD.height, edge);
      const across = cells ? reach(left(), view.clientWidth, x, CARD.width, edge) : left();
      if (down !== top()) view.scrollTop = down / scale.down;
      if (across !== left()) view.scrollLeft = across / scale.across;
    }
    paint();
  }

  return {
    start, show, go, beside, isSeen, paint, decided, compared, key,
    at: () => here, index: (i) => rows[i], count: () => rows.length, find: (index) => rows.indexOf(index),
  };
})();
