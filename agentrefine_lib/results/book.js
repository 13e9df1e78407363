"use strict";
// Dark and light, sorting of tables, and the search page. Texts become text nodes, never HTML.
(() => {
  const root = document.documentElement;
  const remembered = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const remember = (theme) => { try { localStorage.setItem("theme", theme); } catch { /* not from disk in every browser */ } };
  root.dataset.theme = remembered() ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

  const element = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text }, more);

  // A cell that spans rows is repeated in each, so that rows can move.
  function fillSpans(body) {
    for (const row of body.rows) {
      for (const cell of [...row.cells]) {
        const column = [...row.cells].indexOf(cell);
        let below = row;
        for (let left = cell.rowSpan; left > 1; left--) {
          below = below.nextElementSibling;
          const copy = cell.cloneNode(true);
          copy.removeAttribute("rowspan");
          below.insertBefore(copy, below.cells[column] ?? null);
        }
        cell.removeAttribute("rowspan");
      }
    }
  }

  const numeral = (text) => /^[-+−]?[\d.]/.test(text) ? parseFloat(text.replace("−", "-").replaceAll(",", "")) : NaN;

  function compare(a, b) {
    const [x, y] = [numeral(a), numeral(b)];
    if (!isNaN(x) && !isNaN(y)) return x - y;
    return isNaN(x) - isNaN(y) || a.localeCompare(b, "en", { numeric: true });
  }

  function makeSortable(table) {
    const body = table.tBodies[0];
    if (!table.tHead || !body || body.rows.length < 2) return;
    for (const head of table.tHead.querySelectorAll("th")) {
      if (head.colSpan > 1 || !head.textContent.trim()) continue;
      const before = [...head.parentNode.cells].slice(0, head.cellIndex);
      const column = before.reduce((sum, cell) => sum + cell.colSpan, 0);
      const button = element("button", head.textContent, { type: "button", className: "sort", title: "Sort by this column" });
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        fillSpans(body);
        const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        const told = (row) => row.cells[column]?.textContent.trim() ?? "";
        body.append(...[...body.rows].sort((a, b) => sign * compare(told(a), told(b))));
        for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      });
    }
  }

  function marked(text, words) {
    const line = element("p", "");
    const at = Math.max(0, Math.min(...words.map((word) => text.toLowerCase().indexOf(word)).filter((n) => n >= 0)) - 80);
    const part = (at ? "…" : "") + text.slice(at, at + 260) + (text.length > at + 260 ? "…" : "");
    const pattern = new RegExp(`(${words.map((word) => word.replace(/[^\p{L}\p{N}]/gu, "\\$&")).join("|")})`, "giu");
    part.split(pattern).forEach((piece, n) => line.append(n % 2 ? element("mark", piece) : piece));
    return line;
  }

  function search(index, asked) {
    const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    for (const [href, chapter, section, text] of index) {
      const [all, title] = [`${section} ${text}`.toLowerCase(), section.toLowerCase()];
      if (words.length && words.every((word) => all.includes(word))) {
        const often = words.reduce((sum, word) => sum + Math.min(9, all.split(word).length) + 20 * title.includes(word), 0);
        found.push([often, href, chapter, section, text]);
      }
    }
    found.sort((a, b) => b[0] - a[0]);
    document.querySelector(".found").replaceChildren(...found.map(([, href, chapter, section, text]) => {
      const item = element("li", "");
      item.append(element("a", section === chapter ? chapter : `${chapter}: ${section}`, { href }), marked(text, words));
      return item;
    }));
    document.querySelector(".count").textContent = words.length ? `${found.length} sections` : "Type a word above.";
  }

  addEventListener("DOMContentLoaded", () => {
    document.querySelector(".theme").addEventListener("click", () => {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      remember(root.dataset.theme);
    });
    document.querySelectorAll("main table").forEach(makeSortable);
    const list = document.querySelector(".index");
    if (list) {
      const [index, box] = [JSON.parse(list.textContent), document.querySelector("header input")];
      box.value = new URLSearchParams(location.search).get("q") ?? "";
      box.addEventListener("input", () => search(index, box.value));
      search(index, box.value);
      box.focus();
    }
  });
})();
