"use strict";
// Data: scripts beside the page call lpGallery.start, column, rows and curves. A page from disk may load scripts, but
// not fetch. Columns are loaded when somebody uses them, rows when somebody sees them.
const lpGallery = (() => {
  const store = {
    meta: null, columns: new Map(), pages: new Map(), drawn: new Map(), waiting: new Map(), onstart: () => {},
  };

  // Whoever asks for a file that is on its way waits for that one; a file that has come can be asked for again.
  function load(source) {
    if (!store.waiting.has(source)) {
      store.waiting.set(source, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = source;
        script.onload = () => { script.remove(); store.waiting.delete(source); resolve(); };
        script.onerror = () => { script.remove(); store.waiting.delete(source); reject(new Error(source)); };
        document.head.append(script);
      }));
    }
    return store.waiting.get(source);
  }

  store.start = (meta) => { store.meta = meta; store.onstart(); };

  store.column = (number, text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const kind = store.meta.columns[number].kind === "word" ? Uint32Array : Float32Array;
    store.columns.set(store.meta.columns[number].name, new kind(bytes.buffer));
  };

  store.rows = (number, rows) => {
    store.pages.set(number, rows);
    if (store.pages.size > 60) store.pages.delete(store.pages.keys().next().value);
  };

  store.curves = (pair, found) => store.drawn.set(pair, found);

  store.about = (name) => store.meta.columns.find((column) => column.name === name);

  store.need = async (name) => {
    const number = store.meta.columns.findIndex((column) => column.name === name);
    if (number >= 0 && !store.columns.has(name)) await load(`data/column-${number}.js`);
    return store.columns.get(name);
  };

  store.row = (index) => {
    const page = Math.floor(index / store.meta.page), held = store.pages.get(page);
    return held ? held[index - page * store.meta.page] : null;
  };

  store.needRow = async (index) => {
    const page = Math.floor(index / store.meta.page);
    if (!store.pages.has(page)) await load(`data/rows-${page}.js`);
    return store.row(index);
  };

  store.needCurves = async (row) => {
    if (!row.curves) return null;
    if (!store.drawn.has(row.pair_id)) await load(`curves/${row.curves}`).catch(() => {});
    return store.drawn.get(row.pair_id) || null;
  };

  store.load = load;
  return store;
})();

function element(tag, values = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(values)) {
    if (name in made) made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(+value.toPrecision(4));
}
