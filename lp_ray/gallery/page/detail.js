// One result, or up to four beside each other: players in step, curves of labels under them, all facts.
const lpDetail = (() => {
  // `shown` are lines that are to be shown, `there` those that are: they differ while rows are on their way.
  let box, shown = [], there = [], rows = [], clocks = [], frame = 0;

  function start() {
    box = document.getElementById("detail");
    document.getElementById("close").addEventListener("click", () => box.close());
    document.getElementById("play").addEventListener("click", play);
    document.getElementById("time").addEventListener("input", (event) => seek(event.target.value / 1000));
    box.addEventListener("close", () => { stop(); document.getElementById("view").focus(); lpApp.address(); });
  }

  // Those that play in step, a result first. A driving of another length than its result's is none of them.
  const videos = () => [...box.querySelectorAll("video:not(.own)")];

  async function open(indices) {
    const wanted = shown = indices.slice(0, 4);
    const found = (await Promise.all(wanted.map((index) => lpGallery.needRow(index)))).filter(Boolean);
    if (shown !== wanted) return; // another was opened meanwhile
    [there, rows, clocks] = [wanted, found, []];
    stop();
    say("");
    for (const id of ["previous", "next", "keep", "reject"]) document.getElementById(id).hidden = wanted.length > 1;
    document.getElementById("players").replaceChildren(...found.map(player));
    document.getElementById("facts").replaceChildren(facts(found));
    document.getElementById("curves").replaceChildren();
    if (!box.open) box.showModal();
    buttons();
    for (const row of found) {
      const drawn = await lpGallery.needCurves(row);
      if (shown !== wanted) return;
      if (drawn) clocks.push(...curves(row, drawn, found.length > 1));
    }
    tick();
  }

  function player(row, place) {
    const name = `${row.source_id} × ${row.driving_id}`, figure = element("figure"), made = document.createDocumentFragment();
    made.append(figure);
    if (row.video_uri && ["video", "webm"].includes(row.kind)) {
      const video = element("video", { controls: true, loop: true, preload: "metadata", playsInline: true, muted: shown.length > 1 });
      video.src = address(row.video_uri);
      video.setAttribute("aria-label", name);
      figure.append(video);
    } else if (row.video_uri && ["image", "gif"].includes(row.kind)) {
      figure.append(element("img", { src: address(row.video_uri), alt: name }));
    } else if (row.video_uri) {
      if (row.strip) figure.append(element("img", { src: `strips/${encodeURIComponent(row.strip)}`, alt: name }));
      const link = element("a", { href: address(row.video_uri), download: "", textContent: "open the file elsewhere" });
      figure.append(element("p", { className: "unplayed" }, `A browser cannot play ${row.kind || "this"}: `, link, "."));
    } else {
      figure.append(element("p", { className: "error", textContent: `${row.status}${row.stage ? ` in ${row.stage}` : ""}: ${row.error || "its file lies outside of this output"}` }));
    }
    const inputs = element("div", { className: "inputs" });
    for (const input of ["source", "driving"]) {
      if (!row[input]) continue;
      const picture = element("div");
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", `${input} ${row[`${input}_id`]}`);
      picture.title = `${input}: ${row[`${input}_id`]}`;
      picture.style.backgroundImage = `url("strips/${encodeURIComponent(row[input])}")`;
      picture.className = input;
      inputs.append(picture);
    }
    figure.append(inputs, element("figcaption", { textContent: name }));
    if (shown.length > 1) figure.append(choices(name, shown[place]));
    if (row.driving_file && shown.length === 1) made.append(original(row, figure.querySelector("video"), inputs.querySelector(".driving")));
    return made;
  }

  // Of several that are shown each is kept or rejected by itself.
  function choices(name, line) {
    return element("div", { className: "choices" }, ...["Keep", "Reject"].map((word) => {
      const button = element("button", { type: "button", textContent: word }), choice = word.toLowerCase();
      button.setAttribute("aria-label", `${word} ${name}`);
      button.dataset.choice = choice;
      button.addEventListener("click", () => lpApp.decide(choice, line));
      return button;
    }));
  }

  // The driving itself, beside its result; where a browser cannot get at it or play it, its strip stays.
  function original(row, result, strip) {
    const said = `driving ${row.driving_id}`, caption = element("figcaption", { textContent: said });
    const video = element("video", { controls: true, loop: true, preload: "metadata", playsInline: true, muted: true });
    const figure = element("figure", { className: "driving", hidden: true }, video, caption);
    video.setAttribute("aria-label", said);
    if (result) video.className = "own";
    const settle = () => {
      if (!video.videoWidth) return;
      figure.hidden = false;
      if (strip) strip.hidden = true;
      if (!result || !result.duration) return;
      // Results do not tell the cut of a driving. Of the same length there was none, and both show the same moment.
      const same = Math.abs(video.duration - result.duration) < 0.12;
      video.classList.toggle("own", !same);
      caption.textContent = same ? said : `${said}, the whole clip: not in step`;
    };
    video.addEventListener("loadedmetadata", settle);
    if (result) result.addEventListener("loadedmetadata", settle);
    video.addEventListener("error", () => { figure.remove(); if (strip) strip.hidden = false; });
    video.src = address(row.driving_file);
    return figure;
  }

  const address = (path) => path.split("/").map((part) => (part === ".." ? part : encodeURIComponent(part))).join("/");

  function facts(rows) {
    const table = element("table"), body = element("tbody"), names = new Map();
    const hidden = new Set(["strip", "source", "driving", "curves", "video_uri", "comparison_uri", "driving_file"]);
    for (const row of rows) for (const name of Object.keys(row)) if (!hidden.has(name)) names.set(name, "");
    for (const column of lpGallery.meta.columns) if (column.kind === "number" && !names.has(column.name)) names.set(column.name, column.unit || "");
    for (const [name, unit] of names) {
      const line = element("tr", {}, element("th", { scope: "row", textContent: unit ? `${name} (${unit})` : name }));
      rows.forEach((row, place) => {
        const value = name in row ? row[name] : value32(name, shown[place]);
        line.append(element("td", { className: name === "error" ? "error" : "", textContent: typeof value === "number" ? number(value) : String(value ?? "–") }));
      });
      body.append(line);
    }
    table.append(body);
    Promise.all(lpGallery.meta.columns.filter((c) => c.kind === "number" && !lpGallery.columns.has(c.name)).map((c) => lpGallery.need(c.name)))
      .then((loaded) => { if (loaded.length) table.replaceWith(facts(rows)); }).catch(() => {});
    return table;
  }

  const value32 = (name, index) => { const values = lpGallery.columns.get(name); return values ? values[index] : null; };

  function curves(row, found, several) {
    return found.curves.map((curve) => {
      const canvas = element("canvas", { width: 1400, height: 190 });
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${curve.name}, asked and measured, of ${row.source_id} × ${row.driving_id}`);
      document.getElementById("curves").append(canvas);
      const clock = { canvas, curve, n: found.n, name: several ? `${curve.name} – ${row.source_id} × ${row.driving_id}` : curve.name };
      canvas.addEventListener("click", (event) => { const at = canvas.getBoundingClientRect(); seek((event.clientX - at.left) / at.width); });
      return clock;
    });
  }

  function draw(clock, share) {
    const { canvas, curve, n } = clock, dots = window.devicePixelRatio || 1;
    const wanted = Math.round(canvas.clientWidth * dots);
    if (wanted && canvas.width !== wanted) { canvas.width = wanted; canvas.height = Math.round(canvas.clientHeight * dots); }
    const paper = canvas.getContext("2d"), ink = getComputedStyle(document.body);
    const known = [...curve.asked, ...curve.measured].filter((value) => value !== null);
    const low = Math.min(...known), high = Math.max(...known), room = Math.max(high - low, 1e-3);
    const x = (i) => i / Math.max(1, n - 1) * canvas.width, y = (value) => canvas.height - 5 * dots - (value - low) / room * (canvas.height - 26 * dots);
    paper.clearRect(0, 0, canvas.width, canvas.height);
    paper.font = `${12 * dots}px system-ui, sans-serif`;
    paper.fillStyle = ink.getPropertyValue("--soft");
    paper.fillText(`${clock.name}, ${curve.unit}: ${number(low)} to ${number(high)}   — — asked   —— measured`, 4 * dots, 13 * dots);
    for (const [values, color, dash] of [[curve.asked, "--soft", [5, 4]], [curve.measured, "--mark", []]]) {
      paper.beginPath();
      paper.setLineDash(dash.map((length) => length * dots));
      paper.lineWidth = 1.6 * dots;
      paper.strokeStyle = ink.getPropertyValue(color);
      let down = false;
      values.forEach((value, i) => {
        if (value === null) down = false;
        else if (down) paper.lineTo(x(i), y(value));
        else { paper.moveTo(x(i), y(value)); down = true; }
      });
      paper.stroke();
    }
    paper.setLineDash([]);
    paper.fillStyle = ink.getPropertyValue("--bad");
    paper.fillRect(share * canvas.width - 1, 0, 2, canvas.height);
  }

  function tick() {
    cancelAnimationFrame(frame);
    const [first] = videos();
    const share = first && first.duration ? first.currentTime / first.duration : 0;
    document.getElementById("time").value = Math.round(share * 1000);
    for (const clock of clocks) draw(clock, share);
    if (box.open && first && !first.paused) {
      for (const other of videos().slice(1)) if (Math.abs(other.currentTime - first.currentTime) > 0.08) other.currentTime = first.currentTime;
      frame = requestAnimationFrame(tick);
    }
  }

  function play() {
    const all = videos(), [first] = all;
    if (!first) return;
    if (first.paused) Promise.all(all.map((video) => video.play())).then(tick).catch(() => {}); else stop();
    first.onplay = tick;
    first.onseeked = tick;
    document.getElementById("play").textContent = first.paused ? "Play" : "Pause";
  }

  function stop() {
    for (const video of box.querySelectorAll("video")) video.pause();
    document.getElementById("play").textContent = "Play";
  }

  function seek(share) {
    for (const video of videos()) if (video.duration) video.currentTime = share * video.duration;
    setTimeout(tick, 60);
  }

  function buttons() {
    const press = (button, row, choice) => button.setAttribute("aria-pressed", String(lpGrid.decided.get(lpGrid.key(row)) === choice));
    for (const choice of ["keep", "reject"]) {
      if (rows.length === 1) press(document.getElementById(choice), rows[0], choice);
      box.querySelectorAll(`[data-choice="${choice}"]`).forEach((button, place) => press(button, rows[place], choice));
    }
  }

  const say = (text) => { document.getElementById("said").textContent = text; };

  return {
    start, open, play, buttons, say, isOpen: () => box.open, isSeveral: () => shown.length > 1,
    line: () => (there === shown && rows.length === 1 ? there[0] : undefined),
  };
})();
