// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The flame graph of flamegraph.html: drawn on a canvas of the window's size, only what is wide enough to be seen, so
 * that the number of stacks does not matter. What is shown stands in the address too, so that it can be passed on:
 *
 *	#search=REGEX&zoom=PROCESS;FRAME;...&area=AREA&view=icicle&theme=dark
 */
const element = id => document.getElementById(id);
const ROW = 19, NARROWEST = 0.4;

// ---- what is shown

let zoom = 0, search = "", area = "", icicle = false, theme = "light";
let focused = 0, hovered = -1;
let isMatch = null;		// by label, null: no search
let areaSums = null;		// by node, null: no area chosen

const percent = (part, whole) => (whole ? 100 * part / whole : 0).toFixed(2) + " %";

function duration(ns) {
	for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["us", 1e3]])
		if (ns >= size)
			return (ns / size).toFixed(ns >= 100 * size ? 1 : 3) + " " + unit;
	return ns + " ns";
}

function describe(node, separator) {
	const { text, kind, object } = labels[label[node]];
	const lines = [text + (kind === KERNEL ? " (kernel)" : kind === PROCESS ? " (process)" : "")];
	if (kind === USER && object >= 0)
		lines.push(objects[object][0]);
	if (kind === MARK)
		lines.push("callers are missing: " +
			(text === "[broken]" ? "the chain of frames breaks off here" : "deeper than was asked for"));
	const sampled = samples[node].toLocaleString("en");
	lines.push(`${percent(total[node], total[0])} · ${duration(total[node])} · ${sampled} samples`);
	lines.push(`self ${percent(self[node], total[0])} · ${duration(self[node])}`);
	if (zoom)
		lines.push(`${percent(total[node], total[zoom])} of what is shown`);
	if (colorOf[node])
		lines.push(colorOf[node]);
	return lines.join(separator);
}

// Frames are found by name and by file. Matches within matches are counted once.
function applySearch() {
	let pattern = null;
	element("search").setAttribute("aria-invalid", "false");
	try {
		pattern = search ? new RegExp(search, "i") : null;
	} catch (error) {
		element("search").setAttribute("aria-invalid", "true");
		element("matched").textContent = "not a regular expression";
		isMatch = null;
		return;
	}
	const fileOf = ({ kind, object }) => kind === USER && object >= 0 ? objects[object][0].replace(/.*\//, "") : "";
	const matches = one => one.kind !== ROOT &&
		(pattern.test(one.text) || (fileOf(one) && pattern.test(fileOf(one))));
	isMatch = pattern && labels.map(matches);
	let matched = 0;
	for (let i = 0; pattern && i < count;) {
		if (isMatch[label[i]]) {
			matched += total[i];
			i = end[i];
		} else {
			i++;
		}
	}
	element("matched").textContent = pattern ? "matched " + percent(matched, total[0]) : "";
}

function applyArea() {
	areaSums = area ? totalsWhere(other => within(other, area)) : null;
	for (const button of element("legend").querySelectorAll("button"))
		button.setAttribute("aria-pressed", button.dataset.area === area);
}

function pathOf(node) {
	const path = [];
	for (; node; node = parent[node])
		path.unshift(encodeURIComponent(labels[label[node]].text));
	return path.join(";");
}

function nodeAt(path) {
	let node = 0;
	for (const part of path ? path.split(";") : []) {
		const text = decodeURIComponent(part);
		let child = node + 1;
		while (child < end[node] && labels[label[child]].text !== text)
			child = end[child];
		if (child >= end[node])
			return node;
		node = child;
	}
	return node;
}

const usualTheme = () => matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";

function readAddress() {
	const wanted = new Map(location.hash.slice(1).split("&").map(part => {
		const at = part.indexOf("=");
		return at < 0 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)];
	}));
	const text = key => { try { return decodeURIComponent(wanted.get(key) ?? ""); } catch { return ""; } };
	search = element("search").value = text("search");
	area = text("area");
	try { zoom = nodeAt(wanted.get("zoom")); } catch { zoom = 0; }
	icicle = wanted.get("view") === "icicle";
	theme = wanted.get("theme") ?? usualTheme();
	focused = zoom;
	applyTheme();
	applySearch();
	applyArea();
	arrange();
}

function writeAddress(replace) {
	const parts = [];
	if (search) parts.push("search=" + encodeURIComponent(search));
	if (zoom) parts.push("zoom=" + pathOf(zoom));
	if (area) parts.push("area=" + encodeURIComponent(area));
	if (icicle) parts.push("view=icicle");
	if (theme !== usualTheme()) parts.push("theme=" + theme);
	const address = location.href.replace(/#.*/, "") + (parts.length ? "#" + parts.join("&") : "#");
	replace ? history.replaceState(null, "", address) : history.pushState(null, "", address);
}

function applyTheme() {
	document.documentElement.dataset.theme = theme;
	element("theme").setAttribute("aria-pressed", theme === "dark");
	for (const button of element("legend").querySelectorAll("button"))
		button.firstChild.style.background = fillOf(colorArea(button.dataset.area));
}

// ---- drawing

const canvas = element("graph"), pen = canvas.getContext("2d"), scroll = element("scroll");
const FONT = "12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";
let rows = 1, waiting = false, characterWidth = 7;

// Rows that the zoomed part has; the space that the scroll bar goes over.
function arrange() {
	let deepest = level[zoom];
	for (let i = zoom; i < end[zoom]; i++)
		if (level[i] > deepest)
			deepest = level[i];
	rows = deepest + 1;
	element("space").style.height = Math.max(0, rows * ROW - scroll.clientHeight) + "px";
	scroll.scrollTop = icicle ? 0 : scroll.scrollHeight;
	element("view").setAttribute("aria-pressed", icicle);
	status(focused);
	redraw();
}

function redraw() {
	if (!waiting) {
		waiting = true;
		requestAnimationFrame(() => { waiting = false; draw(); });
	}
}

// From the top of the visible part to the top of a row.
function rowTop(row) {
	const height = Math.max(rows * ROW, scroll.clientHeight);
	return (icicle ? row * ROW : height - (row + 1) * ROW) - scroll.scrollTop;
}

function box(node) {
	const scale = canvas.clientWidth / (total[zoom] || 1), left = (start[node] - start[zoom]) * scale;
	return level[node] <= level[zoom] ? [0, canvas.clientWidth] : [left, total[node] * scale];
}

function fit(text, width) {
	const most = Math.floor((width - 6) / characterWidth);
	return most < 2 ? "" : text.length <= most ? text : text.slice(0, most - 1) + "…";
}

function drawNode(node, fills, dark) {
	const [left, width] = box(node), top = rowTop(level[node]);
	const key = colorOf[node], { text, kind } = labels[label[node]];
	const drawn = Math.max(width - (width > 3 ? 1 : 0), NARROWEST), height = ROW - 1;
	const fill = fills.get(key) ?? fills.set(key, fillOf(key)).get(key);
	const matched = isMatch && isMatch[label[node]], dim = (isMatch && !matched) || areaSums;

	pen.globalAlpha = dim ? 0.3 : level[node] < level[zoom] ? 0.6 : 1;
	pen.fillStyle = matched ? (dark ? "#b5309f" : "#ee7bdc") : fill;
	pen.fillRect(left, top, drawn, height);
	if (areaSums && areaSums[node] && total[node]) {
		pen.globalAlpha = 1;
		pen.fillRect(left, top, drawn * areaSums[node] / total[node], height);
	}
	pen.globalAlpha = dim && !(areaSums && areaSums[node]) ? 0.6 : 1;
	if (node === hovered || (node === focused && document.activeElement === canvas)) {
		pen.strokeStyle = dark ? "#fff" : "#000";
		pen.strokeRect(left + 0.5, top + 0.5, Math.max(drawn - 1, 1), height - 1);
	}
	const shown = width > 20 ? fit(text, width) : "";
	if (shown) {
		pen.fillStyle = dark ? "#eceff4" : "#16181c";
		pen.font = kind === MARK || kind === ROOT ? "italic " + FONT : FONT;
		pen.fillText(shown, left + 3, top + ROW / 2);
	}
}

function draw() {
	const width = scroll.clientWidth, height = scroll.clientHeight, ratio = devicePixelRatio || 1;
	const fills = new Map(), scale = width / (total[zoom] || 1), dark = theme === "dark";

	if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
		canvas.width = Math.round(width * ratio);
		canvas.height = Math.round(height * ratio);
		canvas.style.width = width + "px";
		canvas.style.height = height + "px";
	}
	pen.setTransform(ratio, 0, 0, ratio, 0, 0);
	pen.clearRect(0, 0, width, height);
	pen.textBaseline = "middle";
	pen.font = FONT;
	characterWidth = pen.measureText("0123456789").width / 10;
	for (let node = zoom; node; node = parent[node])
		if (node !== zoom)
			drawNode(node, fills, dark);
	if (zoom)
		drawNode(0, fills, dark);
	for (let i = zoom; i < end[zoom];) {
		if (total[i] * scale < NARROWEST) {
			i = end[i];
			continue;
		}
		const top = rowTop(level[i]);
		if (top > -ROW && top < height)
			drawNode(i, fills, dark);
		i++;
	}
	pen.globalAlpha = 1;
}

// ---- pointing, zooming, moving about

function nodeUnder(event) {
	const bounds = canvas.getBoundingClientRect(), x = event.clientX - bounds.left, y = event.clientY - bounds.top;
	const row = icicle ? Math.floor((y - rowTop(0)) / ROW) : Math.floor((rowTop(0) + ROW - y) / ROW);
	if (row < 0 || row >= rows)
		return -1;
	let node = zoom;
	while (level[node] > row)
		node = parent[node];
	while (level[node] < row) {
		let child = node + 1;
		for (; child < end[node]; child = end[child]) {
			const [left, width] = box(child);
			if (x >= left && x < left + width)
				break;
		}
		if (child >= end[node])
			return -1;
		node = child;
	}
	return node;
}

function status(node) {
	element("status").textContent = describe(node, " — ");
}

function zoomTo(node) {
	zoom = focused = node;
	writeAddress(false);
	arrange();
}

function reset() {
	search = element("search").value = area = "";
	zoom = focused = 0;
	writeAddress(false);
	applySearch();
	applyArea();
	arrange();
}

function previousSibling(node) {
	let before = -1;
	for (let child = parent[node] + 1; child < node; child = end[child])
		before = child;
	return before;
}

function move(key) {
	const inwards = icicle ? "ArrowDown" : "ArrowUp";
	let to = -1;
	if (key === "ArrowRight")
		to = focused && end[focused] < end[parent[focused]] ? end[focused] : -1;
	else if (key === "ArrowLeft")
		to = focused ? previousSibling(focused) : -1;
	else if (key === inwards)
		to = focused + 1 < end[focused] ? focused + 1 : -1;
	else
		to = focused ? parent[focused] : -1;
	if (to < 0)
		return;
	focused = to;
	const top = rowTop(level[focused]);
	if (top < 0 || top + ROW > scroll.clientHeight)
		scroll.scrollTop += top - scroll.clientHeight / 2;
	status(focused);
	redraw();
}

const toggleView = () => { icicle = !icicle; writeAddress(true); arrange(); };
const toggleTheme = () => { theme = theme === "dark" ? "light" : "dark"; writeAddress(true); applyTheme(); redraw(); };

function listen() {
	canvas.addEventListener("mousemove", event => {
		const node = nodeUnder(event), tip = element("tip");
		if (node !== hovered) {
			hovered = node;
			redraw();
			status(node < 0 ? focused : node);
		}
		tip.hidden = node < 0;
		if (node < 0)
			return;
		tip.textContent = describe(node, "\n");
		const below = event.clientY + 18, above = event.clientY - tip.offsetHeight - 10;
		tip.style.left = Math.max(0, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)) + "px";
		tip.style.top = (below + tip.offsetHeight < innerHeight ? below : above) + "px";
	});
	canvas.addEventListener("mouseleave", () => {
		hovered = -1;
		element("tip").hidden = true;
		status(focused);
		redraw();
	});
	canvas.addEventListener("click", event => { const node = nodeUnder(event); if (node >= 0) zoomTo(node); });
	canvas.addEventListener("focus", redraw);
	canvas.addEventListener("blur", redraw);
	canvas.addEventListener("keydown", event => {
		if (event.key.startsWith("Arrow")) {
			event.preventDefault();
			move(event.key);
		} else if (event.key === "Enter" || event.key === " ") {
			event.preventDefault();
			zoomTo(focused);
		}
	});
	document.addEventListener("keydown", event => {
		const typing = event.target === element("search");
		if (((event.ctrlKey || event.metaKey) && event.key === "f") || (event.key === "/" && !typing)) {
			event.preventDefault();
			element("search").focus();
			element("search").select();
		} else if (event.key === "Escape") {
			reset();
			canvas.focus();
		} else if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey && event.key === "i") {
			toggleView();
		} else if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey && event.key === "t") {
			toggleTheme();
		}
	});
	element("search").addEventListener("input", event => {
		search = event.target.value;
		writeAddress(true);
		applySearch();
		redraw();
	});
	element("reset").addEventListener("click", reset);
	element("view").addEventListener("click", toggleView);
	element("theme").addEventListener("click", toggleTheme);
	scroll.addEventListener("scroll", redraw);
	new ResizeObserver(arrange).observe(scroll);
	addEventListener("hashchange", readAddress);
	addEventListener("popstate", readAddress);
}

// The areas and what they are part of, heaviest first, parts below their whole.
function fillLegend() {
	const sums = new Map();
	selfArea.forEach((index, i) => {
		const parts = profile.areas[index].split("/");
		for (let n = 1; n <= parts.length; n++) {
			const name = parts.slice(0, n).join("/");
			sums.set(name, (sums.get(name) ?? 0) + selfWeight[i]);
		}
	});
	const make = tag => document.createElement(tag);
	const add = (prefix, depth) => {
		const inside = prefix && prefix + "/";
		const isChild = name => name.startsWith(inside) && name.split("/").length === depth + 1;
		const children = [...sums.keys()].filter(isChild);
		for (const name of children.sort((a, b) => sums.get(b) - sums.get(a) || (a < b ? -1 : 1))) {
			const item = make("li"), button = make("button");
			const swatch = make("i"), text = make("span"), share = make("data");
			button.dataset.area = name;
			button.style.paddingLeft = 0.4 + 1.1 * depth + "rem";
			text.textContent = name.split("/").pop();
			share.textContent = percent(sums.get(name), total[0]);
			share.value = sums.get(name);
			button.append(swatch, text, share);
			button.addEventListener("click", () => {
				area = area === name ? "" : name;
				writeAddress(true);
				applyArea();
				redraw();
			});
			item.append(button);
			element("legend").append(item);
			add(name, depth + 1);
		}
	};
	add("", 0);
}

readTree();
chooseColors();
fillLegend();
element("summary").textContent = profile.summary;
element("legend-title").textContent = profile.time === "waiting" ? "What was waited for" : `Where ${profile.time} went`;
document.title = "ktally: " + profile.summary;
listen();
readAddress();
draw();
document.documentElement.dataset.frames = count;	// all is there: for whoever drives this page by a program
