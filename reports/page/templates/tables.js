"use strict";
// Tables: sort by a column, show the rows that contain a text, copy as CSV with the values of the file.
const say = (text) => { document.getElementById("said").textContent = text; };
const element = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};
const raw = (cell) => cell.dataset.v ?? cell.textContent;
const csvCell = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function tableOf(node) {
  const all = JSON.parse(node.dataset.columns), same = JSON.parse(node.dataset.same);
  const shown = all.filter((name) => !(name in same));
  const lines = [...node.tBodies[0].rows];
  const values = lines.map((line) => [...line.cells].map(raw));
  const records = values.map((cells) => {
    const record = { ...same };
    shown.forEach((name, i) => { record[name] = cells[i]; });
    return record;
  });
  const numeric = new Set(shown.filter((_, i) => node.tHead.rows[0].cells[i].classList.contains("n")));
  return { node, name: node.dataset.name, all, same, shown, lines, values, records, numeric, total: +node.dataset.total };
}

function csvOf(table) {
  const lines = table.lines.map((line, i) => [line, i]).filter(([line]) => !line.hidden);
  const order = new Map([...table.node.tBodies[0].rows].map((line, i) => [line, i]));
  lines.sort((a, b) => order.get(a[0]) - order.get(b[0]));
  const rows = lines.map(([, i]) => table.all.map((name) => csvCell(table.records[i][name])).join(","));
  return [table.all.map(csvCell).join(","), ...rows].join("\n") + "\n";
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`${what} copied`);
}

function sortBy(table, column) {
  const heads = [...table.node.tHead.rows[0].cells];
  const descending = heads[column].getAttribute("aria-sort") === "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
  const isNumber = table.numeric.has(table.shown[column]);
  const keys = table.values.map((cells) => (isNumber ? (cells[column] === "" ? NaN : +cells[column]) : cells[column]));
  const sign = descending ? -1 : 1;
  const order = [...table.lines.keys()].sort((a, b) => {
    const [x, y] = [keys[a], keys[b]];
    if (isNumber && (Number.isNaN(x) || Number.isNaN(y))) return Number.isNaN(x) - Number.isNaN(y) || a - b;
    return sign * (isNumber ? x - y : x.localeCompare(y)) || a - b;
  });
  table.node.tBodies[0].append(...order.map((i) => table.lines[i]));
  say(`sorted by ${table.shown[column]}, ${descending ? "descending" : "ascending"}`);
}

function withTools(table) {
  const { node } = table;
  [...node.tHead.rows[0].cells].forEach((head, i) => {
    const button = element("button", { type: "button", title: `sort by ${head.title}` }, ...head.childNodes);
    button.addEventListener("click", () => sortBy(table, i));
    head.replaceChildren(button);
  });
  const filter = element("input", { type: "search", placeholder: "text in a row" });
  const count = element("span", { class: "note" });
  const label = element("label", {}, `Rows of ${table.name} that contain`, filter);
  const button = element("button", { type: "button" }, "Copy CSV");
  button.addEventListener("click", () => copy(csvOf(table), `${table.name}.csv`));
  const texts = table.records.map((record) => Object.values(record).join(" ").toLowerCase());
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let rows = 0;
    table.lines.forEach((line, i) => {
      line.hidden = !words.every((word) => texts[i].includes(word));
      rows += !line.hidden;
    });
    count.textContent = words.length ? `${rows} of ${table.lines.length}` : "";
    say(`${rows} rows`);
  });
  const frame = element("div", { class: "frame", tabindex: "0", role: "region", "aria-label": `table ${node.id}` });
  node.replaceWith(frame);
  frame.append(node);
  frame.before(element("div", { class: "tools" }, label, button, count));
}

document.documentElement.classList.add("js");
const TABLES = new Map();
for (const node of document.querySelectorAll("table.data")) {
  const table = tableOf(node);
  TABLES.set(node.id, table);
  withTools(table);
}
