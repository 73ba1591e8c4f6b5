"use strict";
// Cases of a sweep, chosen: values are looked up in arrays whose axes are DATA.axes, in the order of DATA.keys.
const DATA = JSON.parse(document.getElementById("data").textContent);
const unpacked = (text) => new Float64Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
const unpackedAll = (texts) => Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, unpacked(text)]));
const [SUMS, ENERGY, TIME, ENDS, MEMORY] = ["sums", "energy", "time", "static", "memory"].map((name) => unpackedAll(DATA[name]));
const LABELS = { model: "Model", platform: "Platform", technology: "Technology", phase: "Phase", prompt_tokens: "Context (prompt tokens)", batch: "Batch", new_tokens: "New tokens" };
const SHOWN = {
  energy: { label: "Energy per token", unit: "J" }, time: { label: "Time per token", unit: "s" },
  memory: { label: "Memory", unit: "B" }, power: { label: "Power", unit: "W" },
};
const WATTS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300];
const OVER = { prompt_tokens: "context (prompt tokens)", batch: "batch", watts: "static power (W)" };
const REQUEST = "request";
const PHASES = DATA.axes.phase.length > 1 ? [...DATA.axes.phase, REQUEST] : DATA.axes.phase;
const valuesOf = (key) => (key === "phase" ? PHASES : DATA.axes[key]);
const byId = (id) => document.getElementById(id);
const nameOf = (part) => part.replaceAll(" ", "-").toLowerCase();
const stackOf = (value) => (value === "memory" ? "memory" : "energy");
// The hue of a part, and where that does not tell it apart in grey a hatch.
const faceOf = (part, stack) => (DATA.hatched[stack].includes(part) ? `url(#${stack}-${nameOf(part)})` : `var(--part-${nameOf(part)})`);
const multiple = (value) => (Number.isFinite(value) ? `${+value.toPrecision(3)}` : "");

// Place of a case in an array, or in one without the phase.
function place(choice, keys) {
  return keys.reduce((sum, key) => sum * DATA.axes[key].length + DATA.axes[key].indexOf(choice[key]), 0);
}

const tokensOf = (choice, phase) => choice.batch * (phase === "prefill" ? choice.prompt_tokens : choice.new_tokens);

// What a case takes: sums over its phases, with static power as run or as chosen.
function look(choice) {
  const ran = (phase) => Number.isFinite(SUMS.energy_j[place({ ...choice, phase }, DATA.keys)]);
  const phases = choice.phase === REQUEST && DATA.axes.phase.some(ran) ? DATA.axes.phase.filter(ran) : [choice.phase === REQUEST ? DATA.axes.phase[0] : choice.phase];
  const sum = (get) => phases.reduce((total, phase) => total + get(place({ ...choice, phase }, DATA.keys)), 0);
  const parts = (arrays) => Object.fromEntries(Object.keys(arrays).map((name) => [name, sum((i) => arrays[name][i])]));
  const tokens = phases.reduce((total, phase) => total + tokensOf(choice, phase), 0);
  const [energy, time] = [parts(ENERGY), parts(TIME)];
  const [seconds, own] = [sum((i) => SUMS.time_s[i]), energy[DATA.staticPart] ?? 0];
  let [joules, low, high] = ["energy_j", "energy_low_j", "energy_high_j"].map((name) => sum((i) => SUMS[name][i]));
  if (choice.watts !== null) {
    const chosen = choice.watts * seconds;
    joules = joules - own + chosen;
    low = low - sum((i) => ENDS.low[i]) + chosen;
    high = high - sum((i) => ENDS.high[i]) + chosen;
    energy[DATA.staticPart] = chosen;
  }
  const memory = Object.fromEntries(Object.keys(MEMORY).map((name) => [name, MEMORY[name][place(choice, DATA.memoryKeys)]]));
  const capacity = DATA.capacities[DATA.axes.platform.indexOf(choice.platform)][DATA.axes.scheme.indexOf(choice.scheme)];
  return { tokens, joules, low, high, seconds, own: own / seconds, energy, time, memory, capacity, bytes: memory[DATA.wholeMemory] };
}

// The value that is shown of a case, its ends, and its parts.
function measure(found, value) {
  const scaled = (parts, factor) => Object.entries(parts).map(([name, part]) => [name, part * factor]).filter(([, part]) => part > 0);
  if (value === "energy") return { value: found.joules / found.tokens, low: found.low / found.tokens, high: found.high / found.tokens, parts: scaled(found.energy, 1 / found.tokens) };
  if (value === "time") return { value: found.seconds / found.tokens, parts: scaled(found.time, 1 / found.tokens) };
  if (value === "power") return { value: found.joules / found.seconds, low: found.low / found.seconds, high: found.high / found.seconds, parts: scaled(found.energy, 1 / found.seconds) };
  const { [DATA.wholeMemory]: whole, ...contents } = found.memory;
  return { value: whole, parts: scaled(contents, 1) };
}

const CHOICE = { watts: null, value: "energy", over: "prompt_tokens", against: DATA.axes.scheme.includes(DATA.baseline) ? DATA.baseline : DATA.axes.scheme[0] };
for (const key of DATA.keys) if (key !== "scheme") CHOICE[key] = valuesOf(key).includes("decode") ? "decode" : valuesOf(key)[0];
const FORMATS = new Set(DATA.axes.scheme);
const LOOKS = looks({ records: DATA.axes.scheme.map((scheme) => ({ scheme })) }, "scheme");
const LOGS = { curve: null };
const formats = () => DATA.axes.scheme.filter((scheme) => FORMATS.has(scheme));
const OVERS = Object.keys(OVER).filter((key) => key === "watts" || DATA.axes[key].length > 1);
if (!OVERS.includes(CHOICE.over)) CHOICE.over = OVERS[0];

// The choice in the address, so that it can be sent.
function readAddress() {
  for (const [key, text] of new URLSearchParams(location.hash.slice(1))) {
    if (key === "watts") { if (text !== "" && +text >= 0 && Number.isFinite(+text)) CHOICE.watts = +text; continue; }
    if (key === "formats") { const some = text.split(",").filter((name) => FORMATS.has(name)); if (some.length) { FORMATS.clear(); some.forEach((name) => FORMATS.add(name)); } continue; }
    const known = { value: Object.keys(SHOWN), over: OVERS, against: DATA.axes.scheme }[key] ?? (key in LABELS ? valuesOf(key) : []);
    const found = known.find((value) => String(value) === text);
    if (found !== undefined) CHOICE[key] = found;
  }
}

function writeAddress() {
  const asked = new URLSearchParams();
  for (const [key, value] of Object.entries(CHOICE)) if (value !== null) asked.set(key, value);
  if (FORMATS.size < DATA.axes.scheme.length) asked.set("formats", formats().join(","));
  history.replaceState(null, "", `#${asked}`);
}

function chooser(label, key, values, texts = values) {
  const node = element("select", {}, ...values.map((value, i) => element("option", { value: i }, String(texts[i]))));
  node.value = values.indexOf(CHOICE[key]);
  node.addEventListener("change", () => { CHOICE[key] = values[+node.value]; LOGS.curve = null; show(); });
  return element("label", {}, label, node);
}

function buildChoices() {
  const parts = [];
  for (const key of ["model", "platform", "technology", "phase", "prompt_tokens", "batch", "new_tokens"]) {
    if (valuesOf(key).length > 1) parts.push(chooser(LABELS[key], key, valuesOf(key)));
  }
  const watts = element("input", { type: "number", min: "0", step: "any", placeholder: "as run", inputmode: "decimal", id: "watts" });
  if (CHOICE.watts !== null) watts.value = CHOICE.watts;
  const asRun = element("button", { type: "button" }, "Static power as run");
  watts.addEventListener("input", () => {
    const isWrong = !watts.validity.valid;
    watts.setAttribute("aria-invalid", String(isWrong));
    if (isWrong) { say("static power: a number of watts that is not negative"); return; }
    CHOICE.watts = watts.value === "" ? null : +watts.value;
    show();
  });
  asRun.addEventListener("click", () => { watts.value = ""; watts.setAttribute("aria-invalid", "false"); CHOICE.watts = null; show(); });
  const shownValues = Object.keys(SHOWN).filter((value) => value !== "memory" || DATA.wholeMemory in MEMORY);
  parts.push(element("label", {}, "Static power (W)", watts), asRun);
  parts.push(chooser("Show", "value", shownValues, shownValues.map((value) => SHOWN[value].label)));
  parts.push(chooser("Compared with", "against", DATA.axes.scheme));
  byId("choices").replaceChildren(...parts);
  for (const scheme of DATA.axes.scheme) {
    const box = element("input", { type: "checkbox" });
    box.checked = FORMATS.has(scheme);
    box.addEventListener("change", () => {
      if (box.checked) FORMATS.add(scheme); else FORMATS.delete(scheme);
      show();
    });
    byId("formats").append(element("label", {}, box, ` ${scheme}`));
  }
  const log = element("button", { type: "button", id: "log" }, "Log value");
  log.addEventListener("click", () => { LOGS.curve = log.getAttribute("aria-pressed") !== "true"; show(); });
  byId("curve-choices").append(chooser("Over", "over", OVERS, OVERS.map((key) => OVER[key])), log);
}

function fill(id, caption, heads, rows) {
  const head = element("tr", {}, ...heads.map((text, i) => element("th", { scope: "col", ...(i ? { class: "n" } : {}) }, text)));
  const body = rows.map(([name, ...cells]) => element("tr", {}, element("th", { scope: "row" }, name), ...cells.map((text) => element("td", { class: "n" }, text))));
  byId(id).replaceChildren(element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body));
}

const caseText = () => {
  const many = ["model", "platform", "technology"].map((key) => CHOICE[key]);
  const power = CHOICE.watts === null ? "static power as run" : `${CHOICE.watts} W of static power`;
  return `${many[0]} on ${many[1]} at ${many[2]}, ${CHOICE.phase}, context ${CHOICE.prompt_tokens}, batch ${CHOICE.batch}, ${CHOICE.new_tokens} new tokens, ${power}`;
};

function swatch(face) {
  const [node, square] = ["svg", "rect"].map((name) => document.createElementNS("http://www.w3.org/2000/svg", name));
  for (const [key, value] of Object.entries({ width: 26, height: 16, fill: face })) square.setAttribute(key, value);
  node.append(square);
  node.setAttribute("aria-hidden", "true");
  node.classList.add("face");
  return node;
}

function draw(id, plot) {
  plot.setAttribute("role", "img");
  for (const part of plot.querySelectorAll("g[aria-label]")) part.removeAttribute("aria-label");
  byId(id).replaceChildren(plot);
}

const widthOf = (id) => Math.max(300, Math.min(1180, byId(id).clientWidth));
const STYLE = { fontSize: "14px", background: "none", color: "inherit", overflow: "visible" };

function show() {
  writeAddress();
  const { label, unit } = SHOWN[CHOICE.value];
  const rows = formats().map((scheme) => {
    const found = look({ ...CHOICE, scheme });
    return { scheme, found, ...measure(found, CHOICE.value) };
  }).filter((row) => Number.isFinite(row.value));
  showAnswer(rows);
  showCase(rows);
  showParts(rows, label, unit);
  showCurve(label, unit);
}

function showAnswer(rows) {
  const base = look({ ...CHOICE, scheme: CHOICE.against });
  const perToken = (row) => row.found.joules / row.found.tokens;
  const [best] = [...rows].sort((a, b) => perToken(a) - perToken(b));
  if (!best) { byId("answer").textContent = `${caseText()}: no chosen format ran.`; return; }
  const gain = base.joules / base.tokens / perToken(best);
  const beside = best.scheme === CHOICE.against || !Number.isFinite(gain) ? "" : `, ${multiple(gain)} times less than ${CHOICE.against}`;
  const fits = best.found.capacity !== null && best.found.bytes > best.found.capacity ? " It does not fit the machine's memory." : "";
  byId("answer").textContent = `${caseText()}: ${best.scheme} takes the least, ${shown(perToken(best), "J")} per token${beside}.${fits}`;
}

function showCase(rows) {
  const base = look({ ...CHOICE, scheme: CHOICE.against });
  const heads = ["format", "J per token", "low to high", `${CHOICE.against} / this`, "time per token", "tokens/s", "power", "static power", "memory", "fits"];
  const cells = rows.map(({ scheme, found }) => {
    const each = (joules) => shown(joules / found.tokens, "J");
    const fits = found.capacity === null ? "" : found.bytes > found.capacity ? `no: ${shown(found.capacity, "B")}` : "yes";
    const power = CHOICE.watts === null ? found.own : CHOICE.watts;
    return [
      scheme, each(found.joules), found.low < found.high ? `${each(found.low)} to ${each(found.high)}` : "none", multiple(base.joules / base.tokens / (found.joules / found.tokens)),
      shown(found.seconds / found.tokens, "s"), multiple(found.tokens / found.seconds), shown(found.joules / found.seconds, "W"), shown(power, "W"),
      Number.isFinite(found.bytes) ? shown(found.bytes, "B") : "", fits,
    ];
  });
  const told = heads.map((_, i) => i < 1 || cells.some((row) => row[i] !== ""));
  const kept = (list) => list.filter((_, i) => told[i]);
  fill("case", "The chosen case in each format", kept(heads), cells.map(kept));
}

function showParts(rows, label, unit) {
  const face = (name) => faceOf(name, stackOf(CHOICE.value));
  byId("parts-title").textContent = `${label}, by part`;
  const names = distinct(rows.flatMap((row) => row.parts.map(([name]) => name)));
  const order = Object.keys({ memory: MEMORY, time: TIME }[CHOICE.value] ?? ENERGY).filter((name) => names.includes(name));
  byId("parts-legend").replaceChildren(...order.map((name) => element("li", {}, swatch(face(name)), ` ${name}`)));
  const bars = rows.flatMap((row) => {
    let from = 0;
    return order.map((name) => {
      const size = new Map(row.parts).get(name) ?? 0;
      from += size;
      return { scheme: row.scheme, name, size, whole: row.value, x1: from - size, x2: from, middle: from - size / 2 };
    }).filter((bar) => bar.size > 0);
  });
  fill("part-values", `${label} of each part`, ["part", ...rows.map((row) => row.scheme)], [
    ...order.map((name) => [name, ...rows.map((row) => shown(new Map(row.parts).get(name) ?? 0, unit))]),
    ["all", ...rows.map((row) => shown(row.value, unit))],
  ]);
  if (!rows.length) { byId("parts").replaceChildren(element("p", { class: "note" }, "No format is chosen.")); return; }
  const width = widthOf("parts"), { room, shorten } = labelRoom(rows.map((row) => row.scheme), width);
  const text = (bar) => [bar.scheme, `${bar.name} ${shown(bar.size, unit)} (${(100 * bar.size / bar.whole).toFixed(1)} %)`, `in all ${shown(bar.whole, unit)}`].join("\n");
  draw("parts", Plot.plot({
    width, height: 34 * rows.length + 74, marginLeft: room, marginRight: 30, marginBottom: 44, style: STYLE,
    ariaLabel: `${label} by part, ${rows.map((row) => `${row.scheme} ${shown(row.value, unit)}`).join(", ")}`,
    x: { label: `${label} (${unit})`, grid: true, ticks: Math.max(2, Math.round((width - room) / 130)), tickFormat: (value) => shown(value, unit) },
    y: { domain: rows.map((row) => row.scheme), label: null, padding: 0.2, tickFormat: shorten },
    color: { domain: order, range: order.map(face) },
    marks: [
      Plot.barX(bars, { x1: "x1", x2: "x2", y: "scheme", fill: "name", stroke: "var(--background)", strokeWidth: 0.7 }),
      Plot.ruleY(rows.filter((row) => row.low < row.high), { y: "scheme", x1: "low", x2: "high", strokeWidth: 4.5, stroke: "var(--background)" }),  // seen on dark parts
      Plot.ruleY(rows.filter((row) => row.low < row.high), { y: "scheme", x1: "low", x2: "high", strokeWidth: 1.6 }),
      Plot.tip(bars, Plot.pointer({ x: "middle", y: "scheme", title: text, fill: "var(--background)", fontSize: 13, maxRadius: 80 })),
    ],
  }));
}

// Points of the curve: a value for each chosen format at each place of an axis, or at each static power.
function curvePoints() {
  const at = CHOICE.over === "watts" ? WATTS : DATA.axes[CHOICE.over];
  return formats().flatMap((scheme) => at.map((x) => ({ scheme, x, y: measure(look({ ...CHOICE, scheme, [CHOICE.over]: x }), CHOICE.value).value }))).filter((point) => Number.isFinite(point.y));
}

function showCurve(label, unit) {
  byId("curve-title").textContent = `${label} over ${OVER[CHOICE.over]}`;
  const points = curvePoints(), at = distinct(points.map((point) => point.x)), wide = points.map((point) => point.y);
  if (LOGS.curve === null) LOGS.curve = wide.length > 0 && Math.max(...wide) > WIDE * Math.min(...wide);
  byId("log").setAttribute("aria-pressed", String(LOGS.curve));
  byId("curve-legend").replaceChildren(...formats().map((scheme) => element("li", {}, dashed(LOOKS.get(scheme)), ` ${scheme}`)));
  fill("curve-values", `${label} over ${OVER[CHOICE.over]}`, [OVER[CHOICE.over], ...formats()], at.map((x) => [amount(x), ...formats().map((scheme) => {
    const point = points.find((each) => each.scheme === scheme && each.x === x);
    return point ? shown(point.y, unit) : "";
  })]));
  if (!points.length) { byId("curve").replaceChildren(element("p", { class: "note" }, "No format is chosen.")); return; }
  const width = widthOf("curve"), names = formats(), placed = (point) => Math.log2(point.x);
  const apart = Math.ceil(64 * at.length / (width - 110)), ticks = at.filter((_, i) => i % apart === 0);
  draw("curve", Plot.plot({
    width, height: 400, marginLeft: 84, marginBottom: 48, marginRight: 24, marginTop: 28, inset: 12, style: STYLE,
    ariaLabel: `${label} over ${OVER[CHOICE.over]}, ${points.length} points`,
    x: { grid: true, label: OVER[CHOICE.over], ticks: ticks.map(Math.log2), tickFormat: (_, i) => amount(ticks[i]) },  // a log scale would drop labels
    y: { type: LOGS.curve ? "log" : "linear", zero: !LOGS.curve, grid: true, ticks: 6, label: `${label} (${unit})`, tickFormat: (value) => shown(value, unit) },
    color: { domain: names, range: names.map((name) => LOOKS.get(name).color) },
    symbol: { domain: names, range: names.map((name) => LOOKS.get(name).symbol) },
    marks: [
      ...names.map((name) => Plot.line(points.filter((point) => point.scheme === name), { x: placed, y: "y", stroke: "scheme", strokeWidth: 2, strokeDasharray: LOOKS.get(name).dash || null })),
      Plot.dot(points, { x: placed, y: "y", fill: "scheme", symbol: "scheme", r: 5 }),
      Plot.tip(points, Plot.pointer({ x: placed, y: "y", title: (point) => `${point.scheme}\n${OVER[CHOICE.over]} ${amount(point.x)}\n${shown(point.y, unit)}`, fill: "var(--background)", fontSize: 13 })),
    ],
  }));
}

document.querySelector("details.table").open = false;  // it is open where scripts are off
readAddress();
buildChoices();
show();
let drawn = byId("parts").clientWidth;
new ResizeObserver(() => {
  if (Math.abs(byId("parts").clientWidth - drawn) > 8) { drawn = byId("parts").clientWidth; show(); }
}).observe(byId("parts"));
