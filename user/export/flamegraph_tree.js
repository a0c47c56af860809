// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The profile of a flame graph: its tree of calls in arrays, the sums over parts of it, and the colours of its frames.
 */
"use strict";

const profile = JSON.parse(document.getElementById("profile").textContent);
const ROOT = 0, PROCESS = 1, KERNEL = 2, USER = 3, MARK = 4;	// enum tree_kind

// ---- the tree: nodes in preorder; a node's descendants are those from the one after it up to end[node]

const count = profile.nodes.length / 2;
const level = new Uint16Array(count), label = new Uint32Array(count);
const parent = new Uint32Array(count), end = new Uint32Array(count);
const self = new Float64Array(count), total = new Float64Array(count), samples = new Float64Array(count);
const start = new Float64Array(count);		// ns to the left of it
const labels = [], objects = profile.objects;
const selfNode = [], selfArea = [], selfWeight = [];

function readTree() {
	const path = [];
	for (let i = 0; i < profile.labels.length; i += 3)
		labels.push({ text: profile.labels[i], kind: profile.labels[i + 1], object: profile.labels[i + 2] });
	for (let i = 0; i < count; i++) {
		level[i] = profile.nodes[2 * i];
		label[i] = profile.nodes[2 * i + 1];
		while (path.length > level[i])
			end[path.pop()] = i;
		parent[i] = path.length ? path[path.length - 1] : 0;
		path.push(i);
	}
	while (path.length)
		end[path.pop()] = count;
	for (let i = 0; i < profile.selfs.length; i += 4) {
		const node = profile.selfs[i];
		selfNode.push(node);
		selfArea.push(profile.selfs[i + 1]);
		selfWeight.push(profile.selfs[i + 2]);
		self[node] += profile.selfs[i + 2];
		samples[node] += profile.selfs[i + 3];
	}
	total.set(self);
	for (let i = count - 1; i > 0; i--) {
		total[parent[i]] += total[i];
		samples[parent[i]] += samples[i];
	}
	const used = new Float64Array(count);		// of each node's width, by the children so far
	for (let i = 1; i < count; i++) {
		start[i] = start[parent[i]] + used[parent[i]];
		used[parent[i]] += total[i];
	}
}

// Weights of the samples whose area satisfies a test, added up to the root.
function totalsWhere(test) {
	const wanted = profile.areas.map(test), sums = new Float64Array(count);
	selfNode.forEach((node, i) => { if (wanted[selfArea[i]]) sums[node] += selfWeight[i]; });
	for (let i = count - 1; i > 0; i--)
		sums[parent[i]] += sums[i];
	return sums;
}

// ---- colours: one for each kind of kernel work, one for each library, program and language

const KERNEL_HUES = {
	network: 212, netfilter: 235, disk: 28, filesystem: 48, memory: 130, ipc: 178, poll: 192, crypto: 95,
	security: 8, process: 322, synchronization: 285, scheduler: 300, timer: 262, irq: 350, softirq: 338,
	io_uring: 160, bpf: 72, virtualization: 112,
};
// Of waits: whose turn to do something it is matters more than what for, so all idle ones look alike.
const WAIT_HUES = { io: 28, lock: 285, "page fault": 130, "run queue": 0, sleep: 262, stopped: 322 };
const colorOf = [];		// of each node, the area it has its colour from

// "kernel/network/tcp/write" has the colour of "kernel/network", "waiting/io/disk" that of "waiting/io".
const colorArea = area => /^(kernel|waiting)\//.test(area) ? area.split("/", 2).join("/") : area;
const within = (area, of) => area === of || area.startsWith(of + "/");

// 32 well-mixed bits of a name: a library has the same colour in every graph.
function mixed(name) {
	let hash = 0x6a09e667;
	for (const character of name) {
		hash = Math.imul(hash ^ character.codePointAt(0), 0x9e3779b1);
		hash ^= hash >>> 15;
	}
	return hash >>> 0;
}

function fillOf(area) {
	const dark = theme === "dark", [top, second] = area.split("/");
	if (top === "kernel" && second && second !== "other") {
		const hue = KERNEL_HUES[second] ?? mixed(second) % 360;
		return dark ? `hsl(${hue} 46% 36%)` : `hsl(${hue} 74% 72%)`;
	}
	if (top === "waiting" && second in WAIT_HUES)
		return dark ? `hsl(${WAIT_HUES[second]} 40% 38%)` : `hsl(${WAIT_HUES[second]} 70% 76%)`;
	if (!top || top === "waiting" || top === "unknown" || top === "kernel" || area === "native")
		return dark ? "hsl(220 6% 32%)" : "hsl(220 6% 82%)";
	const bits = mixed(area), hue = bits % 360, tone = (bits >>> 24) % 3;
	const [saturation, lightness] = dark ? [24 + 6 * tone, 29 + 3 * tone] : [48 + 10 * tone, 80 + 3 * tone];
	return `hsl(${hue} ${saturation}% ${lightness}%)`;
}

// A user frame has the area of its object, as seen where it is a leaf; a kernel frame the area, or cause of waits, that is most of it.
function chooseColors() {
	const seen = new Map();
	selfNode.forEach((node, i) => {
		const { kind, object } = labels[label[node]], area = profile.areas[selfArea[i]];
		if (kind !== USER || object < 0 || within(area, "waiting"))
			return;
		const areas = seen.get(object) ?? seen.set(object, new Map()).get(object);
		areas.set(area, (areas.get(area) ?? 0) + selfWeight[i]);
	});
	const ofObject = objects.map(([, name], object) =>
		seen.has(object) ? [...seen.get(object)].reduce((a, b) => b[1] > a[1] ? b : a)[0] : "native/" + name);
	const most = new Float64Array(count);
	const kernelAreas = new Set(profile.areas.map(colorArea)
		.filter(area => within(area, "kernel") || within(area, "waiting")));
	for (let i = 0; i < count; i++) {
		const { kind, object } = labels[label[i]];
		colorOf[i] = kind === USER && object >= 0 ? ofObject[object] : kind === USER ? "unknown" : "";
	}
	for (const area of kernelAreas) {
		const sums = totalsWhere(other => colorArea(other) === area);
		for (let i = 0; i < count; i++) {
			if (sums[i] > most[i] && labels[label[i]].kind === KERNEL) {
				most[i] = sums[i];
				colorOf[i] = area;
			}
		}
	}
}
