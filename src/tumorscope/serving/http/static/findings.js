// An answer of the service → what people see of it: counts, cards, series, what was not read.

const SVG = "http://www.w3.org/2000/svg";
const CARDS = 300; // more would be slow to load; the table has all of them

const words = (decision) => String(decision).replace(" ", "-");

/** An element with attributes and children; text is never taken for markup. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function draw(tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

const signed = (number, digits) => number.toFixed(digits).replace("-", "−");

function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

/** Everything of one answer. `load` fetches a picture, `save` a file, `remove` deletes. */
export function answer(found, { load, save, remove }) {
  const section = make("section", { class: "answer", "aria-label": `Findings of ${count(found.files, "file")}` });
  const shown = found.rows.map((row, index) => ({ row, item: found.items[index] }));
  const cards = shown.filter(({ row, item }) => item.kind !== "not-read" && row.decision !== "unreadable");
  const kinds = new Set(shown.map(({ item }) => (item.kind === "picture" ? "pictures" : "series")));
  const tools = make("div", { class: "tools" });
  for (const of of kinds) {
    const which = kinds.size > 1 ? ` of ${of}` : "";
    const query = kinds.size > 1 ? `?of=${of}` : "";
    tools.append(
      make("button", { type: "button", onclick: () => save(`table.csv${query}`, "findings.csv") }, `Table${which} (CSV)`),
      make("button", { type: "button", onclick: () => save(`report.html${query}`, "findings.html") }, `Report${which}`));
  }
  if (found.rows.some((row) => row.series_uid && row.slices_looked_at?.length)) {
    tools.append(make("button", { type: "button", onclick: () => save("dicom.zip", "dicom-results.zip") }, "DICOM results (SR, SC)"));
  }
  tools.append(make("button", { type: "button", onclick: () => remove(section) }, "Delete"));
  const counts = make("ul", { class: "counts" });
  for (const [decision, number] of Object.entries(found.decisions)) {
    counts.append(make("li", { class: words(decision) }, make("b", {}, String(number)), decision));
  }
  const known = found.rows.filter((row) => row.seen).length;
  if (known) counts.append(make("li", {}, make("b", {}, String(known)), "known from training"));
  section.append(
    make("div", { class: "head" }, make("h2", {}, `Findings of ${count(found.files, "file")}`), tools),
    make("p", { class: "faint" }, `Model ${found.model}, operating point “${found.operating_point}”. Deleted at ${new Date(found.expires).toLocaleTimeString()}.`),
    counts);
  const grid = make("div", { class: "cards" });
  for (const each of cards.slice(0, CARDS)) {
    grid.append(each.item.kind === "series" ? series(each, load) : picture(each, load));
  }
  section.append(grid);
  if (cards.length > CARDS) {
    section.append(make("p", {}, `… and ${cards.length - CARDS} more; the table has all of them.`));
  }
  const passed = shown.filter((each) => !cards.includes(each));
  if (passed.length) section.append(notRead(passed));
  return section;
}

function codes(row) {
  return String(row.reasons || "").split(";").filter(Boolean).map((code) => make("span", { class: "code" }, code));
}

function evidenceButton(toggle) {
  return make("button", {
    type: "button", "aria-pressed": "false",
    onclick: (event) => {
      const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
      event.currentTarget.setAttribute("aria-pressed", String(on));
      toggle(on);
    } }, "Evidence");
}

function picture({ row, item }, load) {
  const view = make("img", { class: "view", alt: `${row.path}, as read` });
  const show = (on) => {
    view.alt = `${row.path}, ${on ? "with its evidence" : "as read"}`;
    load(`${on ? "evidence" : "picture"}/${item.first_picture}.png`, view);
  };
  whenSeen(view, () => show(false));
  const given = row.probability === null ? null : make("span", {}, `probability ${row.probability.toFixed(3)}`);
  return make("article", { class: words(row.decision) },
    make("h3", {}, make("b", {}, row.decision), given),
    view,
    make("div", { class: "tools" }, row.probability === null ? null : evidenceButton(show)),
    make("p", {}, item.words), make("p", {}, ...codes(row)), make("p", { class: "path" }, row.path));
}

/** Call once an element comes into view: hundreds of pictures are not loaded at once. */
function whenSeen(element, call) {
  const watch = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) {
      watch.disconnect();
      call();
    }
  }, { rootMargin: "300px" });
  watch.observe(element);
}

function series({ row, item }, load) {
  const slices = row.slices_looked_at;
  let evidence = false;
  const view = make("img", { class: "view", alt: "" });
  const slider = make("input", { type: "range", min: 0, max: slices.length - 1, "aria-label": "Slice" });
  const caption = make("figcaption");
  const curves = [probabilities(item), smoothed(item)].filter((each) => each !== null);
  const show = () => {
    const index = Number(slider.value), slice = slices[index];
    const said = slice.probability === null ? slice.decision : `${slice.decision}, p = ${slice.probability.toFixed(2)}`;
    const text = `no. ${index + 1} of the ${slices.length} slices looked at, ${signed(slice.position, 0)} mm, ${said}`;
    slider.setAttribute("aria-valuetext", text);
    caption.textContent = text;
    view.alt = `${text}, ${evidence ? "with evidence" : "as read"}`;
    for (const { here } of curves) {
      here.setAttribute("x1", item.places[index]);
      here.setAttribute("x2", item.places[index]);
    }
    load(`${evidence ? "evidence" : "picture"}/${item.first_picture + index}.png`, view);
  };
  slider.addEventListener("input", show);
  const go = (index) => {
    slider.value = Math.max(0, Math.min(slices.length - 1, index));
    show();
  };
  const step = (by, text, label) => make("button", { type: "button", "aria-label": label, onclick: () => go(Number(slider.value) + by) }, text);
  const keys = item.key_pictures.map((number) => number - item.first_picture);
  slider.value = keys.length ? keys[0] : Math.floor(slices.length / 2);
  whenSeen(view, show);
  const score = row.score === null ? null : make("span", {}, `score ${signed(row.score, 2)}`);
  const facts = [row.plane, row.sequence || "sequence not stated", count(slices.length, "slice"), row.part ? `volume ${row.part.replace("/", " of ")}` : ""].filter(Boolean).join(" · ");
  return make("article", { class: `series ${words(row.decision)}` },
    make("h3", {}, make("b", {}, row.decision), score),
    make("p", {}, item.words),
    make("p", { class: "faint" }, facts, " ", ...codes(row)),
    make("div", { class: "columns" },
      make("figure", {}, view, slider, caption,
        make("div", { class: "tools" },
          step(-1, "◀", "Slice below"), step(1, "▶", "Slice above"),
          evidenceButton((on) => { evidence = on; show(); }),
          keys.length ? make("button", { type: "button", onclick: () => go(keys[0]) }, "Key slice") : null)),
      make("div", {}, ...curves.map(({ figure }) => figure),
        ...item.remarks.map((line) => make("p", {}, line)),
        ...item.not_read.map((line) => make("p", {}, `Not read: ${line}`)))),
    make("p", { class: "path" }, row.series_uid ? `Series ${row.series_uid}` : row.path));
}

/** The drawing of each slice alone; the service says where everything lies, in 640 × 150. */
function probabilities(item) {
  const { curve } = item, parts = [];
  for (const [x, y, width, height, decision] of curve.bars) {
    parts.push(draw("rect", { class: `bar ${words(decision)}`, x, y, width, height }));
  }
  parts.push(draw("line", { class: "level", x1: 44, x2: 632, y1: curve.threshold, y2: curve.threshold }));
  parts.push(draw("text", { class: "end", x: 38, y: 14 }, "1"), draw("text", { class: "end", x: 38, y: 127 }, "0"));
  return graph(curve, parts, "Probability of a tumour, slice by slice",
    "Each slice alone: probability of a tumour along the position in mm (orange: tumour, blue: no tumour, grey bars: no answer, grey areas: refused; dashed: the threshold of slices; triangles: key slices).");
}

function smoothed(item) {
  const { curve } = item;
  if (!curve.line) return null;
  const parts = curve.levels.map(([y], index) =>
    draw("line", { class: index ? "level" : "level first", x1: 44, x2: 632, y1: y, y2: y }));
  curve.levels.forEach(([y, name], index) =>
    parts.push(draw("text", { class: "end name", x: 630, y: index ? y + 14 : y - 5 }, name)));
  parts.push(draw("polyline", { class: "line", points: curve.line }));
  for (const [text, y] of [["+4", 14], ["0", curve.zero + 4], ["−4", 127]]) {
    parts.push(draw("text", { class: "end", x: 38, y }, text));
  }
  return graph(curve, parts, "Smoothed curve, by which the series is decided",
    "Neighbours together: its highest place is the score that decides the series, so that a lone slice does not.");
}

function graph(curve, parts, label, caption) {
  const svg = draw("svg", { class: "curve", viewBox: "0 0 640 150", role: "img", "aria-label": label });
  svg.append(draw("line", { class: "axis", x1: 44, x2: 632, y1: 124, y2: 124 }));
  for (const [x, width] of curve.refused) svg.append(draw("rect", { class: "gap", x, y: 8, width, height: 116 }));
  svg.append(...parts);
  for (const x of curve.keys) svg.append(draw("path", { class: "key", d: `M${x} 126l-4 7h8z` }));
  for (const [x, mm] of curve.ticks) svg.append(draw("text", { class: "middle", x, y: 147 }, mm));
  const here = draw("line", { class: "here", x1: 44, x2: 44, y1: 8, y2: 124 });
  svg.append(here);
  return { here, figure: make("figure", {}, svg, make("figcaption", {}, caption)) };
}

function notRead(passed) {
  const list = make("ul");
  for (const { row, item } of passed.slice(0, CARDS)) {
    const line = item.kind === "not-read" ? item.words : `${row.path}: ${item.words}`;
    list.append(make("li", {}, line));
  }
  if (passed.length > CARDS) list.append(make("li", {}, `… and ${passed.length - CARDS} more; the table has all of them.`));
  return make("div", { class: "passed" }, make("h3", {}, "Not looked at, and why"), list);
}
