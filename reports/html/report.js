// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filter, search and sort the trials of the report. A page of few trials is complete without it. A large one has its rows in a
 * template and its trials in compressed blocks, and the script shows those that are looked at.
 */
(function () {
	"use strict";

	/* Rows that are shown at once; the next ones come when the end of the table is near. */
	const PAGE = 200;
	const table = document.getElementById("trials");
	const bar = document.getElementById("filter");
	const cards = document.getElementById("cards");
	const store = document.getElementById("rows");
	const shown = {verdict: "", scenario: "", text: "", rows: PAGE};
	const blocks = new Map();
	const collator = new Intl.Collator("en", {numeric: true});
	let matching = [];
	const trials = Array.from(store ? store.content.children : table.tBodies[0].rows, (row) => ({
		row: row,
		card: document.getElementById(row.dataset.card),
		verdicts: row.dataset.verdict.split(" "),
		scenario: row.dataset.scenario,
	}));

	function add(parent, name, properties) {
		return parent.appendChild(Object.assign(document.createElement(name), properties));
	}

	function counted(values) {
		const counts = new Map();

		values.forEach((value) => counts.set(value, (counts.get(value) || 0) + 1));
		return counts;
	}

	/* The text of a trial is its row and its card: a line of evidence finds it. */
	function textOf(trial) {
		trial.text = trial.text ||
			(trial.row.textContent + " " + (trial.card ? trial.card.textContent : "")).toLowerCase();
		return trial.text;
	}

	function matches(trial) {
		return (!shown.verdict || trial.verdicts.includes(shown.verdict)) &&
			(!shown.scenario || trial.scenario === shown.scenario) &&
			shown.text.split(/\s+/).every((word) => !word || textOf(trial).includes(word));
	}

	function showRows() {
		table.tBodies[0].replaceChildren(...matching.slice(0, store ? shown.rows : Infinity).map((trial) => trial.row));
	}

	function update() {
		matching = trials.filter(matches);
		trials.forEach((trial) => {
			if (trial.card)
				trial.card.hidden = true;
		});
		matching.forEach((trial) => {
			if (trial.card)
				trial.card.hidden = false;
		});
		shown.rows = PAGE;
		showRows();
		status.textContent = matching.length === trials.length ? trials.length + (trials.length === 1 ? " trial" : " trials") :
			matching.length + " of " + trials.length + " trials";
	}

	/* More rows when the end of the table comes into view. */
	function addPaging() {
		new IntersectionObserver((entries) => {
			if (entries.some((entry) => entry.isIntersecting) && shown.rows < matching.length) {
				shown.rows += PAGE;
				showRows();
			}
		}, {rootMargin: "600px"}).observe(document.getElementById("more"));
	}

	/* A row a scenario with its counts, which also selects it. */
	function addSummary() {
		const place = document.getElementById("scenarios");
		const names = [...counted(trials.map((trial) => trial.scenario)).keys()].sort();
		const verdicts = [...counted(trials.map((trial) => trial.verdicts[0])).keys()];
		let rows;

		if (names.length === trials.length)
			return;
		add(place, "h2", {textContent: "Scenarios"});
		rows = add(add(place, "div", {className: "card scroll"}), "table", {});
		const head = add(add(rows, "thead", {}), "tr", {});
		["Scenario", "trials", ...verdicts].forEach((text) => add(head, "th", {scope: "col", textContent: text}));
		const body = add(rows, "tbody", {});
		const counts = new Map(names.map((name) => [name, new Map()]));
		trials.forEach((trial) => {
			const own = counts.get(trial.scenario);

			own.set(trial.verdicts[0], (own.get(trial.verdicts[0]) || 0) + 1);
		});
		names.forEach((name) => {
			const row = add(body, "tr", {}), own = counts.get(name);
			const button = add(add(row, "td", {}), "button", {type: "button", className: "link", textContent: name});

			button.addEventListener("click", () => {
				const select = bar.querySelector("select");

				select.value = name;
				select.dispatchEvent(new Event("change"));
				bar.scrollIntoView();
			});
			add(row, "td", {className: "num", textContent: [...own.values()].reduce((sum, count) => sum + count, 0)});
			verdicts.forEach((verdict) => add(row, "td", {className: "num", textContent: own.get(verdict) || ""}));
		});
		place.hidden = false;
	}

	/* A block of trials is a zlib stream in base 64. */
	async function readBlock(number) {
		const block = document.getElementById("block" + number);
		const holder = document.createElement("template");

		if (!block)
			return holder.content;
		const bytes = Uint8Array.from(atob(block.textContent), (digit) => digit.charCodeAt(0));
		const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
		holder.innerHTML = await new Response(stream).text();
		return holder.content;
	}

	/* Shows the trial that the address of the page names. */
	async function showTrial() {
		const id = location.hash.slice(1);

		if (!/^t[0-9]+$/.test(id))
			return;
		const number = Math.floor((id.slice(1) - 1) / cards.dataset.block);
		if (!blocks.has(number))
			blocks.set(number, await readBlock(number));
		const card = blocks.get(number).getElementById(id);
		const section = document.getElementById("trial");

		cards.replaceChildren();
		if (card)
			cards.append(card.cloneNode(true));
		else
			add(cards, "p", {className: "soft", textContent: "The details of this trial are not in the page: see brinell show."});
		section.hidden = false;
		section.scrollIntoView();
	}

	function addButtons() {
		const group = add(bar, "div", {className: "buttons"});
		const buttons = [["", trials.length], ...counted(trials.flatMap((trial) => trial.verdicts))].map(
			([verdict, count]) => {
				const button = add(group, "button", {type: "button", textContent: (verdict || "all") + " " + count});

				button.setAttribute("aria-pressed", verdict === "");
				button.addEventListener("click", () => {
					shown.verdict = verdict;
					buttons.forEach((other) => other.setAttribute("aria-pressed", other === button));
					update();
				});
				return button;
			});

		group.setAttribute("role", "group");
		group.setAttribute("aria-label", "Verdict");
	}

	function addScenarios() {
		const counts = counted(trials.map((trial) => trial.scenario));
		const select = add(bar, "select", {});

		select.setAttribute("aria-label", "Scenario");
		add(select, "option", {value: "", textContent: "all scenarios"});
		Array.from(counts.keys()).sort().forEach((name) =>
			add(select, "option", {value: name, textContent: name + " (" + counts.get(name) + ")"}));
		select.addEventListener("change", () => {
			shown.scenario = select.value;
			update();
		});
	}

	function addSearch() {
		const input = add(bar, "input", {type: "search", placeholder: store ? "Search trials" : "Search trials and evidence"});

		input.setAttribute("aria-label", input.placeholder);
		input.addEventListener("input", () => {
			shown.text = input.value.toLowerCase();
			update();
		});
	}

	/* Cells with data-sort hold a number, all others are compared as text; equal trials keep their order. */
	function compare(column) {
		return (a, b) => {
			const one = a.row.cells[column], other = b.row.cells[column];

			return "sort" in one.dataset ? one.dataset.sort - other.dataset.sort :
				collator.compare(one.textContent, other.textContent);
		};
	}

	function sortBy(heading, column) {
		const down = heading.getAttribute("aria-sort") === "ascending";

		Array.from(heading.parentNode.cells, (cell) => cell.removeAttribute("aria-sort"));
		heading.setAttribute("aria-sort", down ? "descending" : "ascending");
		trials.sort(compare(column));
		if (down)
			trials.reverse();
		if (!store)
			cards.append(...trials.map((trial) => trial.card));
		update();
	}

	function addSorting() {
		Array.from(table.tHead.rows[0].cells, (heading, column) => {
			const button = document.createElement("button");

			button.type = "button";
			button.append(...heading.childNodes);
			heading.append(button);
			button.addEventListener("click", () => sortBy(heading, column));
		});
	}

	/* A link to a trial unfolds it. */
	function unfold() {
		const card = document.getElementById(location.hash.slice(1));

		if (card && card.tagName === "DETAILS") {
			card.open = true;
			card.scrollIntoView();
		}
	}

	if (!trials.length)
		return;
	addSummary();
	addButtons();
	addScenarios();
	addSearch();
	const status = add(bar, "p", {className: "soft"});
	status.setAttribute("role", "status");
	addSorting();
	update();
	bar.hidden = false;
	if (store)
		addPaging();
	window.addEventListener("hashchange", store ? showTrial : unfold);
	(store ? showTrial : unfold)();
})();
