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

function render({ model, el }) {
  el.classList.add("ar", "ar-viewer");
  el.setAttribute("data-lm-suppress-shortcuts", "true"); // or JupyterLab would move between cells at j and k
  el.setAttribute("tabindex", "0");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", "Trajectory viewer. Keys: j next, k previous, n next error, x tick, slash search");

  // filters -------------------------------------------------------------------------------------------------------
  const set = (name, value) => {
    model.set("filters", { ...model.get("filters"), [name]: value });
    model.save_changes();
  };
  const fields = {};
  const bar = make("div", { class: "ar-bar" });
  for (const [name, options] of Object.entries(model.get("choices"))) {
    const field = make("select", { "aria-label": name });
    for (const option of ["", ...options]) {
      const node = make("option", { value: option }, [option || "any"]);
      field.append(node);
    }
    field.onchange = () => set(name, field.value);
    fields[name] = field;
    bar.append(labelled(name, field));
  }
  for (const [name, hint] of [["shortest", "0"], ["longest", "∞"]]) {
    const field = make("input", { type: "number", min: "0", placeholder: hint, "aria-label": name + " length" });
    field.onchange = () => set(name, field.value === "" ? null : Number(field.value));
    fields[name] = field;
    bar.append(labelled(name, field));
  }
  const search = make("input", { type: "search", placeholder: "search the texts ( / )", "aria-label": "search" });
  search.onchange = () => set("search", search.value);
  fields.search = search;
  bar.append(labelled("search", search));
  const showFilters = () => {
    for (const [name, field] of Object.entries(fields))
      if (!field.matches(":focus")) field.value = model.get("filters")[name] ?? ""; // what is being typed stays
  };

  // the list ------------------------------------------------------------------------------------------------------
  const status = make("div", { class: "ar-status", role: "status" });
  const list = make("div", { class: "ar-list", role: "listbox", "aria-label": "records" });
  const room = make("div", { class: "ar-room" });
  list.append(room);
  let rows = new Map(); // number in the filtered list → what Python says of it
  let asked = "";

  function draw() {
    const count = model.get("count");
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 2);
    const last = Math.min(count, first + Math.ceil(list.clientHeight / ROW) + 4);
    room.style.height = count * ROW + "px";
    const nodes = [];
    let missing = false;
    for (let n = first; n < last; n++) {
      const row = rows.get(n);
      missing ||= !row;
      const chosen = n === model.get("selected");
      const node = make("div", {
        title: row ? `${row.title} · ${row.facts}` : "", class: "ar-row" + (chosen ? " chosen" : ""), role: "option", "data-row": n, id: `${list.id}-${n}`,
        "aria-selected": chosen, "aria-posinset": n + 1, "aria-setsize": count, style: `top:${n * ROW}px`,
      });
      if (row) {
        const ticked = model.get("ticked").includes(row.number);
        const tick = make("span", { class: "ar-tick", "data-tick": row.number }, [ticked ? "☑" : "☐"]);
        const title = make("div", { class: "ar-title" }, [tick, make("b", {}, [row.title])]);
        node.append(title, make("div", { class: "ar-label" }, [row.facts]));
      } else node.textContent = "…";
      nodes.push(node);
    }
    room.replaceChildren(...nodes);
    list.setAttribute("aria-activedescendant", `${list.id}-${model.get("selected")}`);
    const from = Math.max(0, first - SLACK);
    const wanted = `${model.get("version")}:${from}`;
    if (missing && wanted !== asked) {
      asked = wanted;
      model.send({ rows: [from, last + SLACK], version: model.get("version") });
    }
  }
  list.id = "ar-list-" + Math.random().toString(36).slice(2);
  list.onscroll = () => requestAnimationFrame(draw);
  list.onclick = (event) => {
    const tick = event.target.closest("[data-tick]");
    const row = event.target.closest("[data-row]");
    if (tick) toggle(Number(tick.dataset.tick));
    else if (row) choose(Number(row.dataset.row));
    el.focus({ preventScroll: true });
  };

  function choose(n) {
    if (n < 0 || n >= model.get("count")) return;
    model.set("selected", n);
    model.save_changes();
  }
  function toggle(number) {
    const ticked = model.get("ticked");
    model.set("ticked", ticked.includes(number) ? ticked.filter((t) => t !== number) : [...ticked, number]);
    model.save_changes();
  }

  // one record ----------------------------------------------------------------------------------------------------
  const detail = make("div", { class: "ar-detail", role: "region", "aria-label": "the record", tabindex: "0" });
  let jump = false; // the next record is shown at its first error

  function errorAfter(top) {
    return [...detail.querySelectorAll("[data-error]")].find((node) => node.offsetTop > top + 1);
  }
  function showError(node) {
    detail.querySelectorAll(".ar-here").forEach((other) => other.classList.remove("ar-here"));
    node.classList.add("ar-here");
    detail.scrollTop = node.offsetTop;
  }
  function nextError() {
    const here = detail.querySelector(".ar-here");
    const next = errorAfter(here ? here.offsetTop : -2);
    if (next) showError(next);
    else {
      jump = true;
      model.send({ next_error: model.get("selected") });
    }
  }
  const shown = () => {
    detail.innerHTML = model.get("body"); // escaped in Python
    detail.scrollTop = 0;
    if (jump) {
      const node = errorAfter(-2);
      if (node) showError(node);
      jump = false;
    }
  };
  const marked = () => { detail.dataset.shown = model.get("shown"); };

  // notes and ways out --------------------------------------------------------------------------------------------
  const tags = make("input", { type: "text", placeholder: "tags, by commas", "aria-label": "tags" });
  const note = make("input", { type: "text", placeholder: "a note on this record", "aria-label": "note" });
  const button = (text, message) => {
    const node = make("button", { type: "button" }, [text]);
    node.onclick = () => model.send(message());
    return node;
  };
  const keep = button("Save note", () => ({ note: note.value, tags: tags.value, id: model.get("note").id }));
  note.onkeydown = tags.onkeydown = (event) => event.key === "Enter" && keep.click();
  const foot = make("div", { class: "ar-bar" }, [
    labelled("tags", tags), labelled("note", note), keep,
    button("Export JSONL", () => ({ write: "jsonl" })), button("Export HTML", () => ({ write: "html" })),
  ]);
  const noted = () => {
    tags.value = model.get("note").tags.join(", ");
    note.value = model.get("note").note;
  };

  // keys ----------------------------------------------------------------------------------------------------------
  const keys = {
    j: () => choose(model.get("selected") + 1), ArrowDown: () => choose(model.get("selected") + 1),
    k: () => choose(model.get("selected") - 1), ArrowUp: () => choose(model.get("selected") - 1),
    n: nextError, "/": () => search.focus(),
    x: () => { const row = rows.get(model.get("selected")); if (row) toggle(row.number); },
  };
  el.onkeydown = (event) => {
    event.stopPropagation();
    if (event.target.matches("input, select")) {
      if (event.key === "Escape") el.focus({ preventScroll: true });
      return;
    }
    const action = !event.ctrlKey && !event.metaKey && !event.altKey && keys[event.key];
    if (!action || (event.target === detail && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    action();
  };

  const selected = () => {
    const top = model.get("selected") * ROW;
    if (top < list.scrollTop || top + ROW > list.scrollTop + list.clientHeight)
      list.scrollTop = Math.max(0, top - list.clientHeight / 2);
    draw();
  };
  const refiltered = () => {
    rows = new Map();
    asked = "";
    list.scrollTop = 0;
    showFilters();
    draw();
  };
  const told = () => { status.textContent = model.get("status"); };
  const arrived = (message) => {
    if (!message.rows || message.version !== model.get("version")) return;
    message.rows.forEach((row, i) => rows.set(message.from + i, row));
    asked = "";
    draw();
  };
  const events = [
    ["change:version", refiltered], ["change:selected", selected], ["change:body", shown], ["change:shown", marked], ["change:ticked", draw],
    ["change:note", noted], ["change:status", told], ["msg:custom", arrived],
  ];
  for (const [name, react] of events) model.on(name, react);
  const hint = make("div", { class: "ar-label ar-keys" }, ["j next · k previous · n next error · x tick · / search"]);
  el.append(bar, make("div", { class: "ar-line" }, [status, hint]), make("div", { class: "ar-panes" }, [list, detail]), foot);
  const size = new ResizeObserver(draw);
  size.observe(list);
  showFilters(); told(); noted(); shown(); marked(); draw();
  return () => {
    size.disconnect();
    for (const [name, react] of events) model.off(name, react);
  };
}

export default { render };
