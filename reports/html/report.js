// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filter, search and sort the trials of the report. The page is complete without it: the script only adds controls.
 */
(function () {
	"use strict";

	const table = document.getElementById("trials");
	const bar = document.getElementById("filter");
	const shown = {verdict: "", scenario: "", text: ""};
	const trials = Array.from(table.tBodies[0].rows, (row) => ({
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
		trial.text = trial.text || (trial.row.textContent + " " + trial.card.textContent).toLowerCase();
		return trial.text;
	}

	function matches(trial) {
		return (!shown.verdict || trial.verdicts.includes(shown.verdict)) &&
			(!shown.scenario || trial.scenario === shown.scenario) &&
			shown.text.split(/\s+/).every((word) => !word || textOf(trial).includes(word));
	}

	function update() {
		let count = 0;

		trials.forEach((trial) => {
			trial.row.hidden = trial.card.hidden = !matches(trial);
			count += !trial.row.hidden;
		});
		status.textContent = count === trials.length ? count + " trials" : count + " of " + trials.length + " trials";
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
		const input = add(bar, "input", {type: "search", placeholder: "Search trials and evidence"});

		input.setAttribute("aria-label", "Search trials and evidence");
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
				one.textContent.localeCompare(other.textContent, "en", {numeric: true});
		};
	}

	function sortBy(heading, column) {
		const down = heading.getAttribute("aria-sort") === "ascending";

		Array.from(heading.parentNode.cells, (cell) => cell.removeAttribute("aria-sort"));
		heading.setAttribute("aria-sort", down ? "descending" : "ascending");
		trials.sort(compare(column));
		if (down)
			trials.reverse();
		table.tBodies[0].append(...trials.map((trial) => trial.row));
		trials[0].card.parentNode.append(...trials.map((trial) => trial.card));
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
	addButtons();
	addScenarios();
	addSearch();
	const status = add(bar, "p", {className: "soft"});
	status.setAttribute("role", "status");
	addSorting();
	update();
	bar.hidden = false;
	window.addEventListener("hashchange", unfold);
	unfold();
})();
