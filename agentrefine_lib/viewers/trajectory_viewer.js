// A list of any length beside one record. Python filters and renders; here are rows in view, keys and clicks.
const ROW = 48; // pixels, as in the style sheet
const SLACK = 20; // rows fetched beyond the view

function make(tag, attributes = {}, children = []) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function labelled(text, field) {
  return make("label", {}, [make("span", {}, [text]), field]);
}

function put(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

// Drop-down lists for what the records offer, two lengths, and the search field.
function filterBar(model) {
  const fields = {};
  const bar = make("div", { class: "ar-bar" });
  const add = (name, field, read) => {
    field.onchange = () => put(model, "filters", { ...model.get("filters"), [name]: read(field.value) });
    fields[name] = field;
    bar.append(labelled(name, field));
  };
  for (const [name, options] of Object.entries(model.get("choices"))) {
    const none = name === "sort" ? "as in the file" : "any";
    const nodes = ["", ...options].map((option) => make("option", { value: option }, [option || none]));
    add(name, make("select", { "aria-label": name }, nodes), (value) => value);
  }
  for (const [name, hint] of [["shortest", "0"], ["longest", "∞"]]) {
    const field = make("input", { type: "number", min: "0", placeholder: hint, "aria-label": name + " length" });
    add(name, field, (value) => (value === "" ? null : Number(value)));
  }
  const search = make("input", { type: "search", placeholder: "search the texts ( / )", "aria-label": "search" });
  add("search", search, (value) => value);
  let typed;
  search.oninput = () => { // as one types, a moment after the last letter
    clearTimeout(typed);
    typed = setTimeout(search.onchange, 300);
  };
  const show = () => {
    for (const [name, field] of Object.entries(fields))
      if (!field.matches(":focus")) field.value = model.get("filters")[name] ?? ""; // what is being typed stays
  };
  return { bar, search, show };
}

function rowNode(model, id, n, row) {
  const chosen = n === model.get("selected");
  const node = make("div", {
    class: "ar-row" + (chosen ? " chosen" : ""), role: "option", "data-row": n, id: `${id}-${n}`,
    title: row ? `${row.title} · ${row.facts}` : "", style: `top:${n * ROW}px`,
    "aria-selected": chosen, "aria-posinset": n + 1, "aria-setsize": model.get("count"),
  });
  if (row) {
    const ticked = model.get("ticked").includes(row.number);
    const tick = make("span", { class: "ar-tick", "data-tick": row.number }, [ticked ? "☑" : "☐"]);
    const title = make("div", { class: "ar-title" }, [tick, make("b", {}, [row.title])]);
    node.append(title, make("div", { class: "ar-label" }, [row.facts]));
  } else node.textContent = "…";
  return node;
}

// Only rows in view are in the page; Python is asked for those that are not known yet.
function rowList(model) {
  const id = "ar-list-" + Math.random().toString(36).slice(2);
  const room = make("div", { class: "ar-room" });
  const node = make("div", { class: "ar-list", role: "listbox", "aria-label": "records", id }, [room]);
  let rows = new Map(); // number in the filtered list → what Python says of it
  let asked = "";

  const draw = () => {
    const count = model.get("count");
    const first = Math.max(0, Math.floor(node.scrollTop / ROW) - 2);
    const last = Math.max(first, Math.min(count, first + Math.ceil(node.clientHeight / ROW) + 4));
    const numbers = Array.from({ length: last - first }, (_, i) => first + i);
    room.style.height = count * ROW + "px";
    room.replaceChildren(...numbers.map((n) => rowNode(model, id, n, rows.get(n))));
    node.setAttribute("aria-activedescendant", `${id}-${model.get("selected")}`);
    const from = Math.max(0, first - SLACK);
    const wanted = `${model.get("version")}:${from}`;
    if (wanted !== asked && numbers.some((n) => !rows.has(n))) {
      asked = wanted;
      model.send({ rows: [from, last + SLACK], version: model.get("version") });
    }
  };
  const choose = (n) => {
    if (n >= 0 && n < model.get("count")) put(model, "selected", n);
  };
  const toggle = (number) => {
    const ticked = model.get("ticked");
    put(model, "ticked", ticked.includes(number) ? ticked.filter((t) => t !== number) : [...ticked, number]);
  };
  const tick = () => {
    const row = rows.get(model.get("selected"));
    if (row) toggle(row.number);
  };
  const reveal = () => {
    const top = model.get("selected") * ROW;
    if (top < node.scrollTop || top + ROW > node.scrollTop + node.clientHeight)
      node.scrollTop = Math.max(0, top - node.clientHeight / 2);
    draw();
  };
  const refill = () => {
    rows = new Map();
    asked = "";
    node.scrollTop = 0;
    draw();
  };
  const arrived = (message) => {
    if (!message.rows || message.version !== model.get("version")) return;
    message.rows.forEach((row, i) => rows.set(message.from + i, row));
    asked = "";
    draw();
  };
  node.onscroll = () => requestAnimationFrame(draw);
  node.onclick = (event) => {
    const ticked = event.target.closest("[data-tick]");
    const row = event.target.closest("[data-row]");
    if (ticked) toggle(Number(ticked.dataset.tick));
    else if (row) choose(Number(row.dataset.row));
  };
  return { node, draw, choose, tick, reveal, refill, arrived };
}

// Marks the words that were searched for; an older browser shows the record without.
function highlight(node, words) {
  if (!globalThis.CSS?.highlights) return;
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT), ranges = [];
  while (words && walker.nextNode()) {
    const text = walker.currentNode, said = text.data.toLowerCase();
    if (said.length !== text.data.length) continue; // a letter whose small one is two: places would not fit
    for (let at = said.indexOf(words); at >= 0; at = said.indexOf(words, at + words.length)) {
      const range = new Range();
      range.setStart(text, at);
      range.setEnd(text, at + words.length);
      ranges.push(range);
    }
  }
  CSS.highlights.set("ar-found", new Highlight(...ranges));
}

// The page of one record, and the way from error to error.
function recordPage(model) {
  const node = make("div", { class: "ar-detail", role: "region", "aria-label": "the record", tabindex: "0" });
  let jump = 0; // the next record is shown at its first error, or, with -1, at its last

  const errors = () => [...node.querySelectorAll("[data-error]")];
  const go = (error) => {
    node.querySelectorAll(".ar-here").forEach((other) => other.classList.remove("ar-here"));
    error.classList.add("ar-here");
    node.scrollTop = error.offsetTop;
  };
  const toError = (way) => {
    const here = node.querySelector(".ar-here");
    const all = way > 0 ? errors() : errors().reverse();
    const next = all.find((error) => !here || way * (error.offsetTop - here.offsetTop) > 1);
    if (next) go(next);
    else {
      jump = way;
      model.send({ [way > 0 ? "next_error" : "previous_error"]: model.get("selected") });
    }
  };
  const light = () => highlight(node, (model.get("filters").search ?? "").toLowerCase());
  const show = () => {
    node.innerHTML = model.get("body"); // escaped in Python
    node.scrollTop = 0;
    light();
    const error = jump && errors().at(jump > 0 ? 0 : -1);
    if (error) go(error);
    jump = 0;
  };
  const mark = () => { node.dataset.shown = model.get("shown"); };
  return { node, toError, show, mark, light };
}

// Notes, tags and ways out.
function foot(model) {
  const tags = make("input", { type: "text", placeholder: "tags, by commas", "aria-label": "tags" });
  const note = make("input", { type: "text", placeholder: "a note on this record", "aria-label": "note" });
  const button = (text, message) => {
    const node = make("button", { type: "button" }, [text]);
    node.onclick = () => model.send(message());
    return node;
  };
  const keep = button("Save note", () => ({ note: note.value, tags: tags.value, id: model.get("note").id }));
  note.onkeydown = tags.onkeydown = (event) => event.key === "Enter" && keep.click();
  const bar = make("div", { class: "ar-bar" }, [
    labelled("tags", tags), labelled("note", note), keep,
    button("Export JSONL", () => ({ write: "jsonl" })), button("Export HTML", () => ({ write: "html" })),
  ]);
  const show = () => {
    tags.value = model.get("note").tags.join(", ");
    note.value = model.get("note").note;
  };
  return { bar, show };
}

// Keys act on the list wherever the focus is but in a field, and none leaves the viewer.
function keyboard(el, keys, page) {
  el.onkeydown = (event) => {
    event.stopPropagation();
    if (event.target.matches("input, select")) {
      if (event.key === "Escape") el.focus({ preventScroll: true });
      return;
    }
    const action = !event.ctrlKey && !event.metaKey && !event.altKey && keys[event.key];
    if (!action || (event.target === page && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    action();
  };
}

function render({ model, el }) {
  el.classList.add("ar", "ar-viewer");
  el.setAttribute("data-lm-suppress-shortcuts", "true"); // or JupyterLab would move between cells at j and k
  el.setAttribute("tabindex", "0");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", "Trajectory viewer. Keys: j next, k previous, n next error, p previous error, x tick, slash search");
  const filters = filterBar(model), list = rowList(model), record = recordPage(model), notes = foot(model);
  const status = make("div", { class: "ar-status", role: "status" });
  const hint = make("div", { class: "ar-label ar-keys" }, ["j next · k previous · n next error · p previous error · x tick · / search"]);
  const panes = make("div", { class: "ar-panes" }, [list.node, record.node]);
  el.append(filters.bar, make("div", { class: "ar-line" }, [status, hint]), panes, notes.bar);
  list.node.addEventListener("click", () => el.focus({ preventScroll: true }));
  const next = () => list.choose(model.get("selected") + 1);
  const previous = () => list.choose(model.get("selected") - 1);
  const search = () => filters.search.focus();
  const keys = { j: next, ArrowDown: next, k: previous, ArrowUp: previous, x: list.tick, "/": search };
  Object.assign(keys, { n: () => record.toError(1), p: () => record.toError(-1) });
  keyboard(el, keys, record.node);

  const told = () => { status.textContent = model.get("status"); };
  const events = [
    ["change:version", filters.show], ["change:version", list.refill], ["change:version", record.light], ["change:selected", list.reveal],
    ["change:body", record.show], ["change:shown", record.mark], ["change:ticked", list.draw],
    ["change:note", notes.show], ["change:status", told], ["msg:custom", list.arrived],
  ];
  for (const [name, react] of events) model.on(name, react);
  const size = new ResizeObserver(list.draw);
  size.observe(list.node);
  for (const show of [filters.show, told, notes.show, record.show, record.mark, list.draw]) show();
  return () => {
    size.disconnect();
    for (const [name, react] of events) model.off(name, react);
  };
}

export default { render };
