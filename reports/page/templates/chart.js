"use strict";
// A chart of any table: what is drawn, over what, and for which cases is chosen; the values are those of the table.
const CONFIG = JSON.parse(document.getElementById("config").textContent);
const FIRST_Y = ["energy_per_token_j", "energy_per_generated_token_j", "ours", "j_per_token", "energy_fj", "ratio", "energy_j"];
const FIRST_SERIES = ["scheme", "format", "machine", "second", "library", "design", "way", "model", "quantity"];
const FIRST_ROWS = ["model", "way", "machine", "design", "operation", "array", "component"];
const LAST = new Set(["model", "technology"]);  // of which a summary's first line names the last
const FOUND = new Set(["array", "other_arrays", "bound_by", "status", "best", "note", "source", "where", "problem", "first_is"]);  // by a run
const AXES = ["prompt_tokens", "batch", "new_tokens", "requests_per_s", "parameters", "weight_bits", "layer"];
const PAIRS = [["printed", "ours"], ["measured", "predicted"], ["latency_s", "energy_j"]];
const IDENTITIES = new Set(["printed", "measured"]);
const SYMBOLS = {
  float: ["circle", "star", "hexagon", "diamond"], integer: ["square", "diamond", "star", "hexagon"],
  ternary: ["triangle", "wye", "hexagon", "diamond"], binary: ["cross", "star", "hexagon", "square"],
};
const OTHERS = ["circle", "square", "triangle", "diamond", "cross", "star", "wye"];
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "1 2"];
const PREFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"], [1e-15, "f"]];
const SCALED = new Set(["J", "s", "W", "B", "J s", "tokens/J"]);
const FORMER = { pJ: [1e-12, "J"], fJ: [1e-15, "J"] };
const MOST_SERIES = 24, MOST_ROWS = 60, WIDE = 8, INSET = 14;

// Distance in pixels of the bands of so many series at one place: all of them stay within the inset of the axes.
const bandStep = (count) => Math.min(4, (2 * INSET) / Math.max(count - 1, 1));

const unitOf = (column) => CONFIG.units[column]?.[1] ?? "";
const labelOf = (column) => CONFIG.units[column]?.[0] ?? column.replaceAll("_", " ");
const distinct = (values) => [...new Set(values)];

// A number as a person reads it: three digits, a unit with a prefix.
function shown(value, unit) {
  if (!Number.isFinite(value)) return "";
  if (value === 0) return unit ? `0 ${unit}` : "0";
  let [factor, name] = [1, ""];
  if (unit in FORMER) [value, unit] = [value * FORMER[unit][0], FORMER[unit][1]];
  if (SCALED.has(unit) || (!unit && Math.abs(value) >= 1e4)) {
    const size = Math.abs(+value.toPrecision(3));
    [factor, name] = PREFIXES.find(([each]) => size >= each) ?? PREFIXES.at(-1);
    if (!unit && name === "G") name = "B";
  }
  const digits = +(value / factor).toPrecision(3);
  const text = Math.abs(digits) >= 1e-4 && Math.abs(digits) < 1e6 ? String(digits) : digits.toExponential(2);
  return unit ? `${text} ${name}${unit}` : `${text}${name}`;
}

// A number of tokens or parameters: whole below a million.
const amount = (value) => (Number.isInteger(value) && value < 1e6 ? String(value) : shown(value, ""));

// Room for the labels of bars on the left of a chart, and a function that shortens those that it does not hold.
const PEN = document.createElement("canvas").getContext("2d"), LABELS_SHARE = 0.38, BESIDE_LABELS = 16;
function labelRoom(labels, width) {
  PEN.font = `14px ${getComputedStyle(document.body).fontFamily}`;
  const wide = (text) => PEN.measureText(text).width;
  const room = Math.min(Math.max(...labels.map(wide), 0) + BESIDE_LABELS, LABELS_SHARE * width);
  const shorten = (text) => {
    let end = text.length;
    while (end > 1 && wide(end < text.length ? `${text.slice(0, end)}…` : text) > room - BESIDE_LABELS + 0.5) end -= 1;
    return end < text.length ? `${text.slice(0, end)}…` : text;
  };
  return { room, shorten };
}

// The columns with the low and the high end of a measure's band, or a function that scales those of another.
function bandOf(table, column) {
  const candidates = (end) => [`${column}_${end}`, column.replace(/_(j|pj|fj)$/, `_${end}_$1`)];
  const [low, high] = ["low", "high"].map((end) => candidates(end).find((name) => name !== column && table.all.includes(name)));
  if (low && high) return (record) => [+record[low], +record[high]];
  if (column === "energy_per_token_j" && table.all.includes("energy_low_j")) {
    return (record) => ["energy_low_j", "energy_high_j"].map((end) => (+record[column] * +record[end]) / +record.energy_j);
  }
  return null;
}

function describe(table) {
  const varying = table.shown.filter((name) => table.values.length);
  const counts = new Map(varying.map((name) => [name, distinct(table.records.map((record) => record[name])).length]));
  const isEnd = (name) => /_(low|high)(_|$)/.test(name) && table.all.includes(name.replace(/_(low|high)/, ""));
  const axes = varying.filter((name) => table.numeric.has(name) && AXES.includes(name));
  const groups = varying.filter((name) => !table.numeric.has(name) && counts.get(name) <= MOST_ROWS);
  const measures = varying.filter((name) => table.numeric.has(name) && !axes.includes(name) && !isEnd(name));
  return { ...table, counts, axes, groups, measures };
}

// Of columns that could be fixed, those without which several rows would fall on one point.
function neededFilters(table, fixed) {
  let candidates = [...table.groups, ...table.axes].filter((name) => !fixed.includes(name));
  const combinations = (names) => new Set(table.records.map((record) => JSON.stringify([...fixed, ...names].map((n) => record[n])))).size;
  const all = combinations(candidates);
  for (const name of [...candidates].reverse()) {
    const others = candidates.filter((each) => each !== name);
    if (combinations(others) === all) candidates = others;
  }
  return candidates;
}

function looks(table, column) {
  const values = column ? distinct(table.records.map((record) => record[column])) : [""];
  const seen = {};
  let other = 0;
  return new Map(values.map((value) => {
    const kind = CONFIG.kinds[value];
    if (kind) {
      const variant = seen[kind] = (seen[kind] ?? -1) + 1;
      return [value, { color: `var(--series${CONFIG.families.indexOf(kind)})`, symbol: SYMBOLS[kind][variant % SYMBOLS[kind].length], dash: DASHES[variant % DASHES.length] }];
    }
    const i = other++;
    return [value, { color: `var(--series${(4 + i) % 8})`, symbol: OTHERS[i % OTHERS.length], dash: DASHES[Math.floor(i / 4) % DASHES.length] }];
  }));
}

function dashed(look) {
  const ends = [{ x: 0 }, { x: 34 }];
  const node = Plot.plot({ width: 34, height: 14, margin: 0, axis: null, marks: [
    Plot.line(ends, { x: "x", y: () => 7, stroke: look.color, strokeWidth: 2, strokeDasharray: look.dash || null }),
    Plot.dot([0], { x: 17, y: 7, symbol: look.symbol, fill: look.color, r: 5 }),
  ], x: { type: "identity" }, y: { type: "identity" } });
  node.setAttribute("aria-hidden", "true");
  node.classList.add("dashed");
  return node;
}

class Chart {
  constructor(node, tables) {
    this.node = node;
    this.tables = tables;
    this.lead = new Set((node.dataset.lead ?? "").split(/[\s,;:()]+/));
    this.state = { table: tables.find((table) => table.name === "summary" && table.lines.length > 1) ?? tables.find((table) => table.lines.length > 1) ?? tables[0] };
    this.controls = element("div", { class: "tools" });
    this.legend = element("ul", { class: "legend", "aria-label": "Series, shown or hidden" });
    this.drawing = element("div", { class: "drawing" });
    this.slider = element("input", { type: "range", min: "0", value: "0", "aria-label": "Point of the chart" });
    this.readout = element("output", { class: "readout", "aria-live": "polite" });
    const reading = element("div", { class: "tools" }, element("label", {}, "Read a point (arrow keys)", this.slider), this.readout);
    node.append(element("h3", {}, "Chart"), this.controls, this.legend, this.drawing, reading);
    this.slider.addEventListener("input", () => this.point(+this.slider.value));
    this.choose();
    new ResizeObserver(() => { if (Math.abs(this.width - this.drawing.clientWidth) > 8) this.draw(); }).observe(this.drawing);
  }

  // Defaults for a table.
  choose() {
    const { table } = this.state, { axes, groups, measures, counts, name } = table;
    const pair = PAIRS.find(([x, y]) => measures.includes(x) && measures.includes(y) && (x !== "latency_s" || ["pareto", "designs"].includes(name)));
    const first = (names, list) => names.find((each) => list.includes(each));
    const longest = AXES.filter((axis) => axes.includes(axis) && counts.get(axis) > 2).sort((a, b) => counts.get(b) - counts.get(a))[0];
    const group = groups.filter((each) => counts.get(each) <= MOST_SERIES && !FOUND.has(each));
    const left = (each) => neededFilters(table, [each, longest].filter(Boolean)).length;  // what would still be fixed
    const [named] = FIRST_SERIES.filter((each) => group.includes(each)).sort((a, b) => left(a) - left(b));
    const series = named ?? group.find((each) => counts.get(each) > 1) ?? "";
    const rest = groups.filter((each) => each !== series && !FOUND.has(each));
    const y = pair?.[1] ?? first(FIRST_Y, measures) ?? measures[0];
    const x = pair?.[0] ?? longest ?? first(FIRST_ROWS, rest) ?? axes[0] ?? rest[0] ?? (series || groups[0]);
    Object.assign(this.state, { y, x, series, hidden: new Set(), filters: {}, yLog: null, xLog: null });
    this.build();
  }

  build() {
    const { state } = this, { table } = state;
    const { axes, groups, measures } = table;
    const names = neededFilters(table, [state.x, state.series].filter(Boolean));
    const isScatter = measures.includes(state.x);
    state.filterNames = isScatter ? [] : names;
    for (const name of state.filterNames) {
      const values = distinct(table.records.map((record) => record[name]));
      const said = table.numeric.has(name) ? [] : values.filter((value) => this.lead.has(value));  // in the sentence above
      const first = said.length === 1 ? said[0] : LAST.has(name) ? values.at(-1) : values.includes("decode") ? "decode" : values[0];
      if (!values.includes(state.filters[name])) state.filters[name] = first;
    }
    const select = (label, value, options, change) => {
      const node = element("select", {}, ...options.map(([key, text]) => element("option", { value: key }, text)));
      node.value = value;
      node.addEventListener("change", () => change(node.value));
      return element("label", {}, label, node);
    };
    const columns = (list) => list.map((name) => [name, unitOf(name) ? `${labelOf(name)} (${unitOf(name)})` : labelOf(name)]);
    const toggle = (label, key, values) => {
      const possible = values.every((value) => value > 0) && values.length > 0;
      if (state[key] === null || !possible) state[key] = possible && Math.max(...values) > WIDE * Math.min(...values);
      const button = element("button", { type: "button", "aria-pressed": String(state[key]) }, label);
      button.disabled = !possible;
      button.addEventListener("click", () => { state[key] = !state[key]; this.build(); });
      return button;
    };
    const rows = this.rows();
    const parts = [];
    if (this.tables.length > 1) {
      parts.push(select("Table", table.name, this.tables.map((each) => [each.name, each.name]), (value) => {
        state.table = this.tables.find((each) => each.name === value);
        this.choose();
      }));
    }
    parts.push(select("Value", state.y, columns(measures), (value) => { state.y = value; state.yLog = null; this.build(); }));
    parts.push(select("Over", state.x, columns([...axes, ...groups, ...measures.filter((name) => name !== state.y)]), (value) => {
      state.x = value;
      state.xLog = null;
      this.build();
    }));
    const series = groups.filter((name) => table.counts.get(name) <= MOST_SERIES);
    parts.push(select("Series", state.series, [["", "(one)"], ...columns(series)], (value) => {
      state.series = value;
      state.hidden = new Set();
      this.build();
    }));
    for (const name of state.filterNames) {
      const values = distinct(table.records.map((record) => record[name])).map((value) => [value, value === "" ? "(empty)" : value]);
      parts.push(select(labelOf(name), state.filters[name], values, (value) => { state.filters[name] = value; this.build(); }));
    }
    const finite = (column) => rows.map((record) => record[column]).filter((cell) => cell !== "").map(Number);
    parts.push(toggle("Log value", "yLog", finite(state.y)));
    if (table.numeric.has(state.x)) parts.push(toggle("Log axis", "xLog", finite(state.x)));
    const active = document.activeElement, at = [...this.controls.querySelectorAll("select, button")].indexOf(active);
    this.controls.replaceChildren(...parts);
    if (at >= 0) this.controls.querySelectorAll("select, button")[at]?.focus();
    this.looks = looks(table, state.series);
    this.buildLegend(rows);
    this.draw();
  }

  rows() {
    const { table, filters, filterNames } = this.state;
    return table.records.filter((record) => filterNames.every((name) => record[name] === filters[name]));
  }

  buildLegend(rows) {
    const { state } = this, { table } = state;
    const values = state.series ? distinct(rows.map((record) => record[state.series])) : [];
    this.legend.replaceChildren(...values.map((value) => {
      const look = this.looks.get(value), { color, symbol } = look;
      const swatch = table.numeric.has(state.x) && table.axes.includes(state.x) ? dashed(look) : Plot.plot({ width: 18, height: 14, margin: 0, axis: null, marks: [Plot.dot([0], { x: 9, y: 7, symbol, fill: color, r: 5, frameAnchor: "middle" })], x: { type: "identity" }, y: { type: "identity" } });
      swatch.setAttribute("aria-hidden", "true");
      const button = element("button", { type: "button", "aria-pressed": String(!state.hidden.has(value)) }, swatch, ` ${value || "(empty)"}`);
      button.addEventListener("click", () => {
        const show = state.hidden.delete(value);
        if (!show) state.hidden.add(value);
        button.setAttribute("aria-pressed", String(show));
        this.draw();
      });
      return element("li", {}, button);
    }));
  }

  points() {
    const { state } = this, { table } = state, band = bandOf(table, state.y);
    const numericX = table.numeric.has(state.x);
    const points = [];
    for (const record of this.rows()) {
      const series = state.series ? record[state.series] : "";
      if (state.hidden.has(series) || record[state.y] === "" || (numericX && record[state.x] === "")) continue;
      const [low, high] = band ? band(record) : [NaN, NaN];
      const point = { lane: state.series === state.x ? "" : series, x: numericX ? +record[state.x] : record[state.x], y: +record[state.y], series, low, high, record };
      if (Number.isFinite(point.y) && !(state.yLog && point.y <= 0) && !(numericX && state.xLog && point.x <= 0)) points.push(point);
    }
    return points;
  }

  text(point) {
    const { state } = this, unit = unitOf(state.y), { record } = point;
    const place = state.x === state.series ? [] : [`${labelOf(state.x)} ${typeof point.x !== "number" ? point.x : state.table.axes.includes(state.x) ? amount(point.x) : shown(point.x, unitOf(state.x))}`];
    const others = state.filterNames.length ? [] : this.state.table.groups.filter((name) => ![state.x, state.series].includes(name) && record[name]).slice(0, 3);
    const value = `${labelOf(state.y)} ${shown(point.y, unit)}`;
    const band = point.low < point.high ? [`${shown(point.low, unit)} to ${shown(point.high, unit)} (low to high)`] : [];
    return [...(point.series ? [point.series] : []), ...place, ...others.map((name) => record[name]), value, ...band];
  }

  draw() {
    const { state } = this;
    this.current = this.points();
    this.width = this.drawing.clientWidth;
    const names = [...this.looks.keys()];
    const color = { domain: names, range: names.map((name) => this.looks.get(name).color) };
    const symbol = { domain: names, range: names.map((name) => this.looks.get(name).symbol) };
    const common = {
      width: Math.max(300, Math.min(1180, this.width)), color, symbol, style: { fontSize: "14px", background: "none", color: "inherit", overflow: "visible" },
      ariaLabel: `${labelOf(state.y)} over ${labelOf(state.x)}, ${this.current.length} points of the table ${state.table.name}`,
    };
    this.slider.max = String(Math.max(0, this.current.length - 1));
    if (!this.current.length) {
      this.drawing.replaceChildren(element("p", { class: "note" }, "No value to draw for this choice."));
      this.readout.textContent = "";
      return;
    }
    const plot = state.table.numeric.has(state.x) ? this.drawLines(common) : this.drawRows(common);
    plot.addEventListener("input", () => { if (plot.value) this.readout.textContent = this.text(plot.value).join(", "); });
    this.plot = plot;
    plot.setAttribute("role", "img");
    for (const part of plot.querySelectorAll("g[aria-label]")) part.removeAttribute("aria-label");  // names of marks, of no role
    this.drawing.replaceChildren(plot);
    this.readout.textContent = "";
  }

  valueAxis(scale) {
    const unit = unitOf(this.state.y);
    return { type: this.state.yLog ? "log" : "linear", grid: true, nice: !this.state.yLog, ticks: 6, label: unit ? `${labelOf(this.state.y)} (${unit})` : labelOf(this.state.y), tickFormat: (value) => shown(value, unit), ...scale };
  }

  drawLines(common) {
    const { state, current: points } = this, unit = unitOf(state.x);
    const isAxis = state.table.axes.includes(state.x);
    const ticks = isAxis ? distinct(points.map((point) => point.x)).sort((a, b) => a - b) : undefined;
    const groups = distinct(points.map((point) => point.series));
    const label = unit ? `${labelOf(state.x)} (${unit})` : labelOf(state.x);
    const place = (value) => (state.xLog ? Math.log(value) : value);
    const span = ticks ? place(ticks.at(-1)) - place(ticks[0]) : 0;
    const few = ticks && ticks.every((tick, i) => i === 0 || (place(tick) - place(ticks[i - 1])) * (common.width - 110) > 62 * span);
    const isPlaced = state.xLog && few;  // on a linear axis: a log scale would drop labels
    this.across = (point) => (isPlaced ? Math.log2(point.x) : point.x);
    const x = this.across;
    const marks = [Plot.ruleY(state.yLog ? [] : [0], { strokeOpacity: 0.4 })];
    if (IDENTITIES.has(state.x)) {
      const ends = [Math.min(...points.map((p) => Math.min(p.x, p.y))), Math.max(...points.map((p) => Math.max(p.x, p.y)))];
      marks.push(Plot.line(ends.map((end) => [end, end]), { strokeOpacity: 0.5, strokeDasharray: "4 3" }));
    }
    groups.forEach((group, i) => {
      const banded = points.filter((point) => point.series === group && point.low < point.high);
      const dx = bandStep(groups.length) * (i - (groups.length - 1) / 2);  // bands of several series at one place stay apart
      marks.push(Plot.ruleX(banded, { x, y1: "low", y2: "high", stroke: "series", strokeOpacity: 0.6, strokeWidth: 2, dx }));
    });
    if (isAxis) {
      for (const group of groups) {
        const line = points.filter((point) => point.series === group).sort((a, b) => a.x - b.x);
        marks.push(Plot.line(line, { x, y: "y", stroke: "series", strokeWidth: 2, strokeDasharray: this.looks.get(group).dash || null }));
      }
    }
    marks.push(Plot.dot(points, { x, y: "y", fill: "series", symbol: "series", r: 5 }));
    marks.push(Plot.tip(points, Plot.pointer({ x, y: "y", title: (point) => this.text(point).join("\n"), fill: "var(--background)", fontSize: 13 })));
    return Plot.plot({
      ...common, height: 430, marginLeft: 84, marginBottom: 48, marginRight: 24, marginTop: 32,
      inset: INSET,
      x: {
        type: state.xLog && !isPlaced ? "log" : "linear", grid: true, label,
        ticks: isPlaced ? ticks.map(Math.log2) : few ? ticks : Math.max(3, Math.round(common.width / 150)),
        tickFormat: (value, i) => (isPlaced ? amount(ticks[i]) : isAxis ? amount(value) : shown(value, unit)),
      },
      y: this.valueAxis({}), marks,
    });
  }

  drawRows(common) {
    const { state, current: points } = this;
    const rows = distinct(points.map((point) => point.x)), { room, shorten } = labelRoom(rows, common.width);
    const bars = distinct(points.map((point) => point.lane));
    const each = Math.max(20, 15 * bars.length + 8);
    const marks = [Plot.ruleX(state.yLog ? [] : [0], { strokeOpacity: 0.6 })];
    const place = { y: "lane", fy: "x" };
    if (!state.yLog) marks.push(Plot.barX(points, { ...place, x: "y", fill: "series", fillOpacity: 0.85, insetTop: 1, insetBottom: 1 }));
    marks.push(Plot.ruleY(points.filter((p) => p.low < p.high), { ...place, x1: "low", x2: "high", strokeWidth: 1.5, strokeOpacity: 0.75 }));
    if (state.yLog) marks.push(Plot.dot(points, { ...place, x: "y", fill: "series", symbol: "series", r: 5 }));
    marks.push(Plot.tip(points, Plot.pointer({ ...place, x: "y", title: (point) => this.text(point).join("\n"), fill: "var(--background)", fontSize: 13 })));
    return Plot.plot({
      ...common, height: rows.length * each + 90, marginLeft: room, marginRight: 24, marginBottom: 44, marginTop: 24,
      x: this.valueAxis({ ticks: Math.max(2, Math.round((common.width - room) / 130)) }), y: { axis: null, domain: bars }, fy: { axis: "left", domain: rows, label: null, padding: 0.15, tickFormat: shorten },
      marks,
    });
  }

  // Read one point without a pointer: a ring around it, and its values as text.
  point(i) {
    const point = this.current[i];
    if (!point) return;
    const text = this.text(point).join(", ");
    this.readout.textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
    this.plot.querySelector(".ring")?.remove();
    const svg = this.plot.tagName === "svg" ? this.plot : this.plot.querySelector("svg");
    const [x, y, fy] = ["x", "y", "fy"].map((name) => this.plot.scale(name));
    const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    const middle = (scale, value) => scale.apply(value) + (scale.bandwidth ?? 0) / 2;
    const [cx, cy] = fy ? [x.apply(point.y), middle(y, point.lane) + fy.apply(point.x) - fy.range[0]] : [x.apply(this.across(point)), y.apply(point.y)];
    for (const [key, value] of Object.entries({ class: "ring", cx, cy, r: 10, fill: "none", stroke: "currentColor", "stroke-width": 2 })) ring.setAttribute(key, value);
    svg.append(ring);
  }
}

const CHARTS = [];
for (const node of document.querySelectorAll(".chart")) {
  const prefix = `${node.dataset.result}-`;
  const tables = [...TABLES].filter(([id]) => id.startsWith(prefix)).map(([, table]) => describe(table)).filter((table) => table.measures.length && table.groups.length + table.axes.length);
  tables.sort((a, b) => (a.name === "prices") - (b.name === "prices"));
  if (tables.length) CHARTS.push(new Chart(node, tables));
  else node.append(element("p", { class: "note" }, "No table of this result has a column to draw."));
}
