"use strict";
// The panels of the report. All data is in the element #data; nothing is fetched.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const PAGE = 25; // utterances drawn at once
  const report = { data, errors: [], ready: false };
  window.sidamo = report;
  window.addEventListener("error", (event) => report.errors.push(String(event.message)));

  // ---- small tools ----
  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) if (child !== null && child !== undefined) node.append(child);
    return node;
  }
  const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
  const isRate = (column) => /%/.test(column.label);
  const percent = (x) => (x === null || x === undefined || !isFinite(x) ? "–" : x.toFixed(2));
  const rate = (part, whole) => (whole ? (100 * part) / whole : null);
  const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const errorsOf = (o) => o.length - (o.match(/C/g) || []).length;
  const wordsOf = (o) => o.length - (o.match(/I/g) || []).length;
  const uid = ((n) => () => `id${n++}`)(0);

  function section(id, title, question, ...content) {
    const node = el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), el("p", { class: "quiet" }, question), ...content);
    document.getElementById("main").append(node);
    document.getElementById("nav").append(el("a", { href: `#${id}` }, title));
    return node;
  }

  // Above the table, not in it: a caption would scroll away with a wide table
  const title = (text) => el("p", { class: "caption" }, text);
  const missing = (text) => el("p", { class: "quiet" }, text);

  // A table whose columns sort. columns: {key, label, num, show(row) -> node or text}; rows: objects
  function table(caption, columns, rows, sortBy, descending = true, limit = 25) {
    let order = { key: sortBy, down: descending }, all = false;
    const body = el("tbody"), heads = {};
    const head = columns.map((column) => {
      const button = el("button", { type: "button", onclick: () => { order = { key: column.key, down: order.key === column.key ? !order.down : !!column.num }; draw(); } }, column.label);
      return (heads[column.key] = el("th", { scope: "col", class: column.num ? "num" : "", "aria-sort": "none" }, button));
    });
    const more = el("button", { type: "button", onclick: () => { all = !all; draw(); } });
    function compare(a, b) {
      const [x, y] = [a[order.key], b[order.key]];
      if (x === null || x === undefined) return 1;
      if (y === null || y === undefined) return -1;
      const c = typeof x === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
      return order.down ? -c : c;
    }
    function draw() {
      for (const [key, node] of Object.entries(heads)) node.setAttribute("aria-sort", key === order.key ? (order.down ? "descending" : "ascending") : "none");
      const sorted = order.key ? [...rows].sort(compare) : rows;
      body.replaceChildren(...sorted.slice(0, all ? undefined : limit).map((row) => el("tr", {}, columns.map((column) =>
        el("td", { class: column.num ? "num" : "word" }, column.show ? column.show(row) : (typeof row[column.key] === "number" && isRate(column) ? percent(row[column.key]) : row[column.key] ?? "–"))))));
      more.hidden = rows.length <= limit;
      more.textContent = all ? `Show the first ${limit}` : `Show all ${rows.length}`;
    }
    draw();
    return el("div", {}, title(caption), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, el("table", { "aria-label": caption }, el("thead", {}, el("tr", {}, head)), body)), more);
  }

  const meter = (value, largest) => el("span", { class: "meter", style: `width:${largest ? Math.round((60 * value) / largest) : 0}px`, "aria-hidden": "true" });

  // ---- charts ----
  function lineChart(title, xs, lines, unit, zero = true) {
    const [W, H, L, R, T, B] = [440, 230, 52, 12, 12, 34];
    const values = lines.flatMap((line) => line.ys).filter((y) => y !== null);
    if (!values.length) return null;
    const low = zero ? Math.min(0, ...values) : Math.min(...values), high = Math.max(...values) === low ? low + 1 : Math.max(...values);
    const [x0, x1] = [Math.min(...xs), Math.max(...xs) === Math.min(...xs) ? xs[0] + 1 : Math.max(...xs)];
    const px = (x) => L + ((W - L - R) * (x - x0)) / (x1 - x0), py = (y) => H - B - ((H - T - B) * (y - low)) / (high - low);
    const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${title}: ${lines.map((l) => `${l.name} from ${brief(l.ys[0])} to ${brief(l.ys[l.ys.length - 1])}`).join("; ")}` });
    for (let i = 0; i <= 4; i++) {
      const y = low + ((high - low) * i) / 4;
      picture.append(svg("line", { class: "grid", x1: L, x2: W - R, y1: py(y), y2: py(y) }), svg("text", { x: L - 6, y: py(y) + 4, "text-anchor": "end" }, brief(y)));
    }
    const step = Math.max(1, Math.ceil(xs.length / 8));
    xs.forEach((x, i) => { if (i % step === 0) picture.append(svg("text", { x: px(x), y: H - B + 16, "text-anchor": "middle" }, String(x))); });
    picture.append(svg("text", { x: (L + W - R) / 2, y: H - 4, "text-anchor": "middle" }, "epoch"));
    lines.forEach((line, k) => {
      const colour = `var(--c${(k % 4) + 1})`, points = xs.map((x, i) => [x, line.ys[i]]).filter(([, y]) => y !== null);
      picture.append(svg("polyline", { points: points.map(([x, y]) => `${px(x)},${py(y)}`).join(" "), fill: "none", style: `stroke:${colour}`, "stroke-width": 2.5, "stroke-dasharray": k ? "7 4" : null }));
      for (const [x, y] of points) picture.append(svg("circle", { cx: px(x), cy: py(y), r: 3.5, style: `fill:${colour}` }, svg("title", {}, `${line.name}, epoch ${x}: ${brief(y)}`)));
    });
    return el("figure", { class: "chart", style: "margin:0" }, el("figcaption", {}, el("b", {}, title), unit ? ` (${unit})` : "", el("div", { class: "legend" }, lines.map((line, k) => el("span", { style: `--key:var(--c${(k % 4) + 1});--dash:${k ? "dashed" : "solid"}` }, line.name)))), picture);
  }
  const brief = (y) => (y === null || y === undefined ? "–" : Math.abs(y) >= 100 || Number.isInteger(y) ? String(Math.round(y)) : Math.abs(y) < 0.01 && y !== 0 ? y.toExponential(1) : y.toFixed(2));

  // ---- the system shown ----
  let current = data.systems[0];
  const redraw = [];
  function systemChoice() {
    if (data.systems.length < 2) return null;
    const id = uid();
    const select = el("select", { id, class: "system", onchange: () => { current = data.systems[select.selectedIndex]; document.querySelectorAll("select.system").forEach((s) => { s.selectedIndex = select.selectedIndex; }); redraw.forEach((f) => f()); } }, data.systems.map((s) => el("option", {}, s.name)));
    return el("div", { class: "controls" }, el("label", { for: id }, "Decoded as ", select));
  }
  function panel(id, title, question, draw) {
    const holder = el("div");
    const refresh = () => holder.replaceChildren(...[current ? draw(current) : missing("Nothing was decoded yet.")].flat());
    section(id, title, question, systemChoice(), holder);
    refresh();
    redraw.push(refresh);
  }

  // ---- panels ----
  function sweepTable(system, kind) {
    const points = system[kind];
    if (!points.length) return missing(`No ${kind}_<LMWT>_<WIP> files: run local/score.sh.`);
    const lmwts = [...new Set(points.map((p) => p.lmwt))].sort((a, b) => a - b), wips = [...new Set(points.map((p) => p.wip))].sort((a, b) => a - b);
    const at = new Map(points.map((p) => [`${p.lmwt} ${p.wip}`, p])), rates = points.map((p) => p.rate).filter((r) => r !== null);
    const [low, high] = [Math.min(...rates), Math.max(...rates)];
    let found = false;
    const rows = wips.map((wip) => el("tr", {}, el("th", { scope: "row" }, wip), lmwts.map((lmwt) => {
      const p = at.get(`${lmwt} ${wip}`);
      if (!p) return el("td", {}, "–");
      const best = !found && p.rate === low;
      found = found || best;
      const share = high > low ? (p.rate - low) / (high - low) : 0;
      return el("td", { class: best ? "best" : "", style: `background:rgba(var(--heat),${(0.05 + 0.45 * share).toFixed(2)})`, title: `${p.errors} errors in ${p.words}: ${p.ins} insertions, ${p.del} deletions, ${p.sub} substitutions` }, percent(p.rate));
    })));
    const caption = `${kind.toUpperCase()} in percent: LM weight across, word insertion penalty down. Stronger colour is worse; the framed cell is the best.`;
    return el("div", {}, title(caption), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, el("table", { class: "heat", id: `sweep-${kind}`, "aria-label": caption }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "WIP"), lmwts.map((l) => el("th", { scope: "col", class: "num" }, l)))), el("tbody", {}, rows))));
  }

  function curvePanel() {
    const curve = data.curve, xs = curve.epoch || [];
    const has = (name) => curve[name] && curve[name].some((y) => y !== null);
    if (!xs.length) return [missing(data.missing.curve || "No learning curve.")];
    const lines = (...names) => names.filter(has).map((name) => ({ name: name.replace("_", " "), ys: curve[name] }));
    const charts = [lineChart("Loss", xs, lines("train_loss", "dev_loss"), "CTC, as in training"), lineChart("Error rate on the development set", xs, lines("dev_ter", "dev_wer"), "percent"), lineChart("Learning rate", xs, lines("lr"), ""), lineChart("Time", xs, lines("seconds"), "seconds")];
    const names = Object.keys(curve), rows = xs.map((_, i) => Object.fromEntries(names.map((n) => [n, curve[n][i]])));
    return [el("div", { class: "charts" }, charts), el("details", {}, el("summary", {}, "The same as a table"), table("Learning curve", names.map((n) => ({ key: n, label: n.replace("_", " "), num: true, show: (r) => brief(r[n]) })), rows, "epoch", false, 100))];
  }

  function errorPanel(system) {
    const c = system.confusions;
    if (!system.utts.length) return missing("No alignments: run local/score.sh with --stats true.");
    const pairs = c.substitutions.map(([ref, hyp, n, total]) => ({ ref, hyp, n, total, share: rate(n, total) }));
    const missed = c.missed.map(([ref, n, total]) => ({ ref, n, total, share: rate(n, total) })), inserted = c.inserted.map(([hyp, n]) => ({ hyp, n }));
    const count = (rows) => ({ key: "n", label: "times", num: true, show: (r) => [meter(r.n, Math.max(...rows.map((x) => x.n))), String(r.n)] });
    const none = (what) => el("p", {}, `${what}: none.`);
    return el("div", { class: "tables" },
      pairs.length ? table("Most confused: said, recognized as", [{ key: "ref", label: "said" }, { key: "hyp", label: "recognized as" }, count(pairs), { key: "share", label: "% of its occurrences", num: true }], pairs, "n", true, 10) : none("Confused words"),
      missed.length ? table("Most missed: deleted or taken for another word", [{ key: "ref", label: "word" }, count(missed), { key: "total", label: "occurs", num: true }, { key: "share", label: "% missed", num: true }], missed, "n", true, 10) : none("Missed words"),
      inserted.length ? table("Most inserted", [{ key: "hyp", label: "word" }, count(inserted)], inserted, "n", true, 10) : none("Inserted words"),
    );
  }

  function groupTable(caption, label, groups) {
    const rows = groups.map((g) => ({ ...g, wer: rate(g.s + g.i + g.d, g.words), ser: rate(g.wrong, g.sent), sub: rate(g.s, g.words), ins: rate(g.i, g.words), del: rate(g.d, g.words) }));
    const worst = Math.max(...rows.map((r) => r.wer || 0));
    return table(caption, [{ key: "name", label }, { key: "sent", label: "utterances", num: true }, { key: "words", label: "words", num: true }, { key: "wer", label: "WER %", num: true, show: (r) => [meter(r.wer || 0, worst), percent(r.wer)] }, { key: "sub", label: "sub %", num: true }, { key: "ins", label: "ins %", num: true }, { key: "del", label: "del %", num: true }, { key: "ser", label: "SER %", num: true }], rows, null, false, 25);
  }

  // The aligned words of one utterance: colour, letter and decoration say the same thing
  const NAMES = { C: "correct", S: "substitution", D: "deletion", I: "insertion" };
  function alignment(u) {
    const ref = u.r.split(" "), hyp = u.h.split(" ");
    if (!u.o) return el("p", { class: "quiet" }, "No words, neither said nor recognized.");
    return el("div", { class: "pairs", role: "list", "aria-label": "Alignment: said above, recognized below" }, [...u.o].map((op, i) =>
      el("span", { class: `pair ${op}`, role: "listitem", title: NAMES[op], "aria-label": op === "C" ? ref[i] : `${NAMES[op]}: ${op === "I" ? "" : ref[i]} ${op === "D" ? "" : hyp[i]}` },
        el("span", { class: op === "I" ? "r none" : "r" }, op === "I" ? "∅" : ref[i]), el("span", { class: op === "D" ? "h none" : "h" }, op === "D" ? "∅" : hyp[i]), el("i", {}, op === "C" ? " " : op))));
  }

  function utterancePanel() {
    let shown = 0, found = [];
    const ids = { search: uid(), sort: uid(), only: uid() };
    const search = el("input", { id: ids.search, type: "search", placeholder: "word, utterance or speaker", oninput: () => update() });
    const sort = el("select", { id: ids.sort, onchange: () => update() }, [["errors", "most errors first"], ["rate", "highest WER first"], ["name", "by name"], ["speaker", "by speaker"], ["long", "longest first"], ["short", "shortest first"]].map(([value, text]) => el("option", { value }, text)));
    const only = el("select", { id: ids.only, onchange: () => update() }, [["all", "all utterances"], ["wrong", "only with errors"], ["S", "with a substitution"], ["D", "with a deletion"], ["I", "with an insertion"], ["right", "only without errors"]].map(([value, text]) => el("option", { value }, text)));
    const status = el("p", { class: "quiet", role: "status", id: "found" }), list = el("div", { id: "utterances" }), more = el("button", { type: "button", onclick: () => draw() }, "Show more");
    const key = { errors: (u) => -u.errors, rate: (u) => -(u.words ? u.errors / u.words : u.errors ? Infinity : 0), long: (u) => -u.words, short: (u) => u.words };
    function prepare(system) {
      if (system.utts.length && system.utts[0].text === undefined) for (const u of system.utts) { u.errors = errorsOf(u.o); u.words = wordsOf(u.o); u.text = `${u.u} ${u.s} ${u.r} ${u.h}`.toLowerCase(); }
    }
    function update() {
      if (!current) return;
      prepare(current);
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean), kind = only.value;
      found = current.utts.filter((u) => words.every((w) => u.text.includes(w)) && (kind === "all" || (kind === "wrong" ? u.errors : kind === "right" ? !u.errors : u.o.includes(kind))));
      const by = key[sort.value];
      if (by) found.sort((a, b) => by(a) - by(b) || (a.u < b.u ? -1 : 1));
      else if (sort.value === "speaker") found.sort((a, b) => (a.s + "\0" + a.u < b.s + "\0" + b.u ? -1 : 1));
      else found.sort((a, b) => (a.u < b.u ? -1 : 1));
      const errors = found.reduce((n, u) => n + u.errors, 0), total = found.reduce((n, u) => n + u.words, 0);
      status.textContent = `${found.length} of ${current.utts.length} utterances, ${errors} errors in ${total} words${total ? ` (WER ${percent((100 * errors) / total)} %)` : ""}`;
      shown = 0;
      list.replaceChildren();
      draw();
    }
    function draw() {
      const listen = new Map(data.listen.map((l, i) => [l.u, i]));
      for (const u of found.slice(shown, shown + PAGE)) {
        const button = listen.has(u.u) ? el("button", { type: "button", onclick: () => { report.choose(listen.get(u.u)); document.getElementById("listen").scrollIntoView(); } }, "Listen") : null;
        list.append(el("div", { class: "utt", "data-utt": u.u }, el("div", { class: "head" }, el("b", {}, u.u), u.s ? el("span", {}, `speaker ${u.s}`) : null, el("span", {}, u.errors ? `${u.errors} ${u.errors === 1 ? "error" : "errors"} in ${u.words} words` : `${u.words} words, all right`), button), alignment(u)));
      }
      shown = Math.min(shown + PAGE, found.length);
      more.hidden = shown >= found.length;
    }
    section("utts", "Utterances", "What was said (above), what was recognized (below)?", systemChoice(),
      el("div", { class: "controls" }, el("label", { for: ids.search }, "Search ", search), el("label", { for: ids.sort }, "Order ", sort), el("label", { for: ids.only }, "Show ", only)),
      el("p", { class: "quiet" }, el("span", { class: "pair S" }, "S substitution"), " ", el("span", { class: "pair D" }, "D deletion"), " ", el("span", { class: "pair I" }, "I insertion")), status, list, more);
    update();
    redraw.push(update);
  }

  // ---- sound ----
  function track(height, label, ...children) {
    const cursor = el("div", { class: "cursor" });
    const node = el("div", { class: "track", role: "img", "aria-label": label }, ...children, cursor);
    node.cursor = cursor;
    return node;
  }
  function waveform(sound) {
    const [low, high] = sound.envelope, n = low.length;
    const d = high.map((y, x) => `${x ? "L" : "M"}${x},${50 - y * 0.48}`).join("") + low.map((y, x) => [x, y]).reverse().map(([x, y]) => `L${x},${50 - y * 0.48}`).join("") + "Z";
    return svg("svg", { viewBox: `0 0 ${Math.max(1, n - 1)} 100`, preserveAspectRatio: "none", height: 70 }, svg("path", { d, style: "fill:var(--c1);stroke:var(--c1);stroke-width:.5" }));
  }
  // Seconds below the waveform, in steps of 1, 2 or 5 times a power of ten
  function ruler(seconds) {
    const rough = seconds / 8, power = 10 ** Math.floor(Math.log10(rough)), step = power * [1, 2, 5, 10].find((k) => k * power >= rough);
    const marks = Array.from({ length: Math.floor(seconds / step + 1e-9) + 1 }, (_, i) => i * step);
    return el("div", { class: "ruler", "aria-hidden": "true" }, marks.map((t) => el("span", { style: `left:${(100 * t) / seconds}%` }, `${+t.toFixed(3)} s`)));
  }
  // Black to white through violet and orange: lightness grows evenly, so that it reads without colour too
  function colour(v) {
    const stops = [[0, 0, 4], [60, 15, 110], [150, 45, 128], [225, 80, 95], [254, 160, 110], [252, 253, 191]];
    const x = (v / 255) * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(x)), f = x - i;
    return stops[i].map((c, k) => Math.round(c + f * (stops[i + 1][k] - c)));
  }
  const PALETTE = Array.from({ length: 256 }, (_, v) => colour(v));
  function spectrogram(spec) {
    const cells = bytes(spec.data), canvas = el("canvas", { width: spec.t, height: spec.f, style: "height:110px;image-rendering:auto" });
    const context = canvas.getContext("2d"), image = context.createImageData(spec.t, spec.f);
    for (let t = 0; t < spec.t; t++) for (let f = 0; f < spec.f; f++) {
      const at = 4 * ((spec.f - 1 - f) * spec.t + t), [r, g, b] = PALETTE[cells[t * spec.f + f]];
      image.data[at] = r; image.data[at + 1] = g; image.data[at + 2] = b; image.data[at + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }
  // Posteriors: one line a token; each rise above one half is labelled once, at its top
  function posteriors(post) {
    const cells = bytes(post.data), T = post.t, V = post.tokens.length, parts = [], tags = [];
    for (let v = 0; v < V; v++) {
      let d = "", peak = null;
      for (let t = 0; t < T; t++) {
        const p = cells[t * V + v];
        d += `${t ? "L" : "M"}${t + 0.5},${100 - (p * 100) / 255}`;
        if (v && p > 100 && (!peak || p > peak[1])) peak = [t, p];
        if (peak && (p <= 100 || t === T - 1)) { tags.push([peak[0], post.tokens[v], v]); peak = null; }
      }
      parts.push(svg("path", { d, fill: "none", style: `stroke:${v ? `hsl(${(v * 137) % 360} 75% 45%)` : "var(--quiet)"}`, "stroke-width": v ? 2 : 1, "stroke-dasharray": v ? null : "3 3", "vector-effect": "non-scaling-stroke" }));
    }
    tags.sort((a, b) => a[0] - b[0]);
    let last = [-1, -1, -1];
    const labels = tags.map(([t, token]) => {
      const x = ((t + 0.5) / T) * 100; let row = 0;
      while (row < 2 && x - last[row] < 3.2) row++;
      last[row] = x;
      return el("span", { class: "tag", style: `left:${x.toFixed(2)}%;top:${row * 15}px` }, token);
    });
    return [el("div", { style: "height:46px" }), svg("svg", { viewBox: `0 0 ${T} 102`, preserveAspectRatio: "none", height: 120 }, parts), labels];
  }
  function wordTrack(words, seconds) {
    return el("div", { class: "words" }, words.map((w) => el("span", { style: `left:${(100 * w.start) / seconds}%;width:${Math.max(0.5, (100 * w.duration) / seconds)}%${w.confidence !== null && w.confidence < 0.5 ? ";border-style:dashed" : ""}`, title: `${w.word}: ${w.start.toFixed(2)} s to ${(w.start + w.duration).toFixed(2)} s${w.confidence === null ? "" : `, confidence ${w.confidence.toFixed(2)}`}` }, w.word)));
  }
  function lattice(view) {
    const W = Math.max(360, 92 * view.columns + 60), H = 52 * view.lanes + 24 * view.arch + 16, x = (s) => 30 + (W - 60) * view.states[s][0], y = (s) => 18 + 24 * view.arch + 52 * view.states[s][1];
    const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, width: W, height: H, role: "img", "aria-label": `Lattice with ${view.arcs.length} arcs` });
    view.arcs.forEach(([from, to, word, posterior, bend]) => {
      const [x1, y1, x2, y2] = [x(from), y(from), x(to), y(to)], mx = (x1 + x2) / 2, my = (y1 + y2) / 2 - bend * 48;
      picture.append(svg("path", { d: `M${x1},${y1} Q${mx},${my} ${x2},${y2}`, fill: "none", stroke: posterior > 0.5 ? "#0b5cad" : "#6b7280", "stroke-width": (1 + 4 * posterior).toFixed(1) }, svg("title", {}, `${word}: posterior ${posterior.toFixed(2)}`)));
      const t = y1 === y2 ? 0.5 : 0.38, on = (a, c, b) => (1 - t) * (1 - t) * a + 2 * t * (1 - t) * c + t * t * b;
      picture.append(svg("text", { x: on(x1, mx, x2), y: on(y1, my, y2) - 4, "text-anchor": "middle", "font-weight": posterior > 0.5 ? 700 : 400, "paint-order": "stroke", stroke: "#ffffff", "stroke-width": 4 }, word));
    });
    view.states.forEach((s, i) => picture.append(svg("circle", { cx: x(i), cy: y(i), r: s[2] ? 7 : 4, fill: "#ffffff", stroke: "#1a1d21", "stroke-width": s[2] ? 3 : 1.5 })));
    return el("div", { class: "drawing lattice", tabindex: 0, role: "region", "aria-label": "Lattice" }, picture);
  }

  function listenPanel() {
    const holder = el("div"), list = data.listen;
    if (!list.length) { section("listen", "Listen", "How did it sound?", missing(data.missing.listen || "No sound was found.")); return; }
    const id = uid();
    const select = el("select", { id, onchange: () => show(select.selectedIndex) }, list.map((u) => el("option", {}, `${u.u}${u.note ? ` (${u.note})` : ""}`)));
    const step = (by) => show((select.selectedIndex + by + list.length) % list.length);
    section("listen", "Listen", "What did the network hear, and when? Click into a picture to play from there.", el("div", { class: "controls" }, el("label", { for: id }, "Utterance ", select), el("button", { type: "button", onclick: () => step(-1) }, "Previous"), el("button", { type: "button", onclick: () => step(1) }, "Next")), holder);
    function show(index) {
      select.selectedIndex = index;
      const u = list[index], tracks = [], content = [];
      const line = (name, words) => (words === null ? null : el("div", {}, el("b", {}, name), words || "(nothing)"));
      if (u.o !== undefined) content.push(alignment(u)); else content.push(line("Said: ", u.ref));
      const audio = el("audio", { controls: true, preload: "metadata", src: `data:audio/wav;base64,${u.sound.wav}` });
      content.push(audio);
      const add = (title, label, ...nodes) => { const node = track(0, label, ...nodes); tracks.push(node); content.push(el("h3", {}, title), node); };
      add("Waveform", `Waveform, ${u.sound.seconds} seconds`, waveform(u.sound));
      content.push(ruler(u.sound.seconds));
      add("Spectrogram (log mel, low frequencies below)", "Spectrogram", spectrogram(u.sound.spectrogram));
      if (u.post.length) {
        const box = el("div"), sid = uid(), out = el("output", { for: sid });
        const slider = el("input", { id: sid, type: "range", min: 0, max: u.post.length - 1, value: u.post.length - 1, oninput: () => drawPost() });
        const node = track(0, "CTC posteriors", box);
        const drawPost = () => { const p = u.post[+slider.value]; out.textContent = p.name; box.replaceChildren(...posteriors(p).flat()); };
        tracks.push(node);
        content.push(el("h3", {}, "CTC posteriors (dashed: blank)"), u.post.length > 1 ? el("div", { class: "controls" }, el("label", { for: sid }, "During training ", slider), out) : null, node);
        drawPost();
      } else content.push(el("h3", {}, "CTC posteriors"), missing(data.missing.posteriors || "None were kept for this utterance."));
      if (u.words.length) add("Words in time", `Word timing: ${u.words.map((w) => `${w.word} at ${w.start.toFixed(2)} s`).join(", ")}`, wordTrack(u.words, u.sound.seconds));
      content.push(el("h3", {}, "Lattice (thick: probable; arcs below one percent are left out)"), u.lattice ? lattice(u.lattice) : missing(u.note ? "Not decoded." : data.missing.lattice || "No lattice."));
      holder.replaceChildren(...content.filter(Boolean));
      const follow = () => { for (const node of tracks) node.cursor.style.left = `${(100 * audio.currentTime) / u.sound.seconds}%`; if (!audio.paused && holder.contains(audio)) requestAnimationFrame(follow); };
      audio.addEventListener("play", follow);
      audio.addEventListener("timeupdate", follow);
      for (const node of tracks) node.addEventListener("click", (event) => { const box = node.getBoundingClientRect(); audio.currentTime = (u.sound.seconds * (event.clientX - box.left)) / box.width; audio.play().catch(() => {}); });
    }
    report.choose = show;
    show(0);
  }

  function graphPanel() {
    const graphs = data.graphs;
    if (!graphs.length) { section("graphs", "Graphs", "Which sequences are allowed?", missing(data.missing.graphs || "No graph is small enough to be drawn.")); return; }
    section("graphs", "Graphs", "How do frames spell tokens (T), tokens words (L), and which words may follow each other (G)?", graphs.map((g) => {
      const box = el("div", { class: "drawing", tabindex: 0, role: "region", "aria-label": `Graph ${g.name}` });
      box.innerHTML = g.svg; // drawn by sidamo.report.graph_view, which escapes all labels
      const picture = box.querySelector("svg");
      if (picture) { picture.setAttribute("role", "img"); picture.setAttribute("aria-label", `${g.name}: ${g.caption}`); }
      return [el("h3", {}, g.name), el("p", { class: "quiet" }, g.caption), box, g.after ? el("p", { class: "quiet" }, g.after) : null];
    }).flat());
  }

  function madePanel() {
    const parts = [];
    if (data.stages.length) { const rows = data.stages.map((s) => ({ ...s, stage: +s.stage, seconds: +s.seconds })), most = Math.max(...rows.map((r) => r.seconds)); parts.push(table(`Stages: ${rows.reduce((n, r) => n + r.seconds, 0)} seconds in all`, [{ key: "stage", label: "stage", num: true }, { key: "name", label: "name" }, { key: "seconds", label: "seconds", num: true, show: (r) => [meter(r.seconds, most), String(r.seconds)] }, { key: "started", label: "started" }, { key: "command", label: "command" }], rows, "stage", false)); } else parts.push(missing(data.missing.stages || "No stage times."));
    if (data.commands.length) parts.push(table("Commands, from the logs", [{ key: "started", label: "started" }, { key: "seconds", label: "seconds", num: true, show: (r) => (r.seconds === null ? "–" : String(r.seconds)) }, { key: "log", label: "log" }, { key: "command", label: "command" }], data.commands, "started", false, 15));
    parts.push(el("h3", {}, "Versions"), el("pre", {}, Object.entries(data.versions).map(([name, version]) => `${name} ${version}`).join("\n")));
    for (const [name, text] of Object.entries(data.texts)) parts.push(el("details", {}, el("summary", {}, name), el("pre", {}, text)));
    section("made", "How it was made", "With which commands, versions, and in what time?", ...parts);
  }

  function theme() {
    const button = document.getElementById("theme"), names = { "": "automatic", light: "light", dark: "dark" }, next = { "": "dark", dark: "light", light: "" };
    let now = "";
    try { now = localStorage.getItem("sidamo-theme") || ""; } catch { /* a page from a file may have no storage */ }
    const apply = () => { if (now) document.documentElement.dataset.theme = now; else delete document.documentElement.dataset.theme; button.textContent = `Theme: ${names[now]}`; };
    button.addEventListener("click", () => { now = next[now]; try { localStorage.setItem("sidamo-theme", now); } catch { /* as above */ } apply(); });
    apply();
  }

  theme();
  document.getElementById("nav").append(el("a", { href: "#summary" }, "Summary"));
  panel("sweep", "Sweep", "Which weight of the language model, which penalty on words?", (s) => [sweepTable(s, "wer"), sweepTable(s, "cer")]);
  section("curves", "Learning curves", "Did it learn, and did it go on learning?", ...curvePanel());
  panel("errors", "Errors", "Which words are taken for which others, missed, or made up? (Where a split of errors is a matter of taste, align-text, used here, prefers substitutions to pairs of an insertion and a deletion; compute-wer, used in the summary, does not. The number of errors is the same.)", errorPanel);
  panel("groups", "Speakers and lengths", "Whose speech is hard, and are long utterances harder?", (s) => (s.utts.length ? [groupTable("By speaker", "speaker", s.speakers), groupTable("By number of words said", "words", s.lengths)] : missing("No alignments.")));
  utterancePanel();
  listenPanel();
  graphPanel();
  madePanel();
  report.ready = true;
})();
