// SPDX-License-Identifier: GPL-2.0-only
/*
 * A differential flame graph of two profiles: a box for each frame of a stack, as wide as its mean share of the samples of both
 * sides, red if B spends more of its time there, blue if it spends less.
 */
#include <math.h>
#include <string.h>

#include "harness/compare/profile.h"
#include "harness/lib/text.h"

#define WIDTH 1200.0
#define ROW 19
#define HEAD 48
/* Narrower boxes are omitted with all frames above them, because a stack with a single sample can be the deepest. */
#define LEAST_WIDTH 3.0
#define LETTER 7.3
/* A change of this share of all samples has the full colour. */
#define FULL_CHANGE 0.05
/* A change is beyond chance when it is so many times its standard error: one function in a thousand is by chance. */
#define BEYOND_CHANCE 3.3
/* Of a sum of shares that is 1. */
#define ROUNDING 1e-9
#define DEEPEST 128

/* A node of the tree of both sides' stacks: {"a": share, "b": share, "above": {FRAME: node}}. */
static json_t *new_node(void)
{
	return json_pack("{s:f, s:f, s:{}}", "a", 0.0, "b", 0.0, "above");
}

static double share(const json_t *node, const char *side)
{
	return json_number_value(json_object_get(node, side));
}

static void add_share(json_t *node, const char *side, double part)
{
	json_object_set_new(node, side, json_real(share(node, side) + part));
}

static double sum_of(const json_t *stacks)
{
	const char *stack;
	json_t *samples;
	double sum = 0;

	json_object_foreach ((json_t *)stacks, stack, samples)
		sum += json_number_value(samples);
	return sum;
}

/* Direct recursion is one box. */
static void add_stack(json_t *root, const char *stack, const char *side, double part)
{
	json_t *node = root, *above;
	size_t length, depth = 0;

	add_share(node, side, part);
	for (const char *before = ""; *stack && depth < DEEPEST;
	     before = stack, stack += length + (stack[length] == ';')) {
		__cleanup_free char *frame = NULL;

		length = strcspn(stack, ";");
		if (strncmp(before, stack, length) == 0 && strcspn(before, ";") == length)
			continue;
		depth++;
		frame = xstrndup(stack, length);
		above = json_object_get(node, "above");
		if (!json_object_get(above, frame))
			json_object_set_new(above, frame, new_node());
		node = json_object_get(above, frame);
		add_share(node, side, part);
	}
}

static void add_side(json_t *root, const char *side, const json_t *stacks)
{
	double sum = sum_of(stacks);
	const char *stack;
	json_t *samples;

	json_object_foreach ((json_t *)stacks, stack, samples)
		add_stack(root, stack, side, json_number_value(samples) / sum);
}

static double width_of(const json_t *node)
{
	return (share(node, "a") + share(node, "b")) / 2 * WIDTH;
}

/* Return: number of rows to draw. */
static size_t depth_of(const json_t *node)
{
	const char *frame;
	json_t *above;
	size_t deepest = 0;

	json_object_foreach (json_object_get(node, "above"), frame, above) {
		size_t depth = width_of(above) < LEAST_WIDTH ? 0 : depth_of(above);

		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

/* The change of a node is 0 where it can be by chance. A share of all samples has no error. */
static void note_change(json_t *node, double samples_a, double samples_b)
{
	double change = share(node, "b") - share(node, "a");
	double both = (share(node, "a") * samples_a + share(node, "b") * samples_b) /
		      (samples_a + samples_b);
	double error = sqrt(fmax(both * (1 - both), 0) * (1 / samples_a + 1 / samples_b));

	json_object_set_new(node, "change",
			    json_real(fabs(change) > BEYOND_CHANCE * error + ROUNDING ? change
										      : 0));
}

static void note_changes(json_t *node, double samples_a, double samples_b)
{
	const char *frame;
	json_t *above;

	note_change(node, samples_a, samples_b);
	json_object_foreach (json_object_get(node, "above"), frame, above)
		note_changes(above, samples_a, samples_b);
}

static int level(double change, bool same)
{
	double strength = fmin(fabs(change) / FULL_CHANGE, 1);

	return same ? 255 - (int)(25 * strength) : 230 - (int)(100 * strength);
}

static void write_box(FILE *out, const char *frame, const json_t *node, double x, size_t row,
		      size_t rows)
{
	double width = width_of(node);
	double change = share(node, "change");
	int other = level(change, false), own = level(change, true);
	int letters = (int)((width - 4) / LETTER);
	size_t y = HEAD + (rows - 1 - row) * ROW;

	text_xml_format(out, "<g><title>%s: %.2f %% of A, %.2f %% of B</title>", frame,
			share(node, "a") * 100, share(node, "b") * 100);
	fprintf(out,
		"<rect x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"%d\" fill=\"rgb(%d,%d,%d)\"/>",
		x, y, width - 1, ROW - 1, change > 0 ? own : other, other,
		change < 0 ? own : other);
	if (letters > 2) {
		__cleanup_free char *text = xstrndup(frame, (size_t)letters);

		fprintf(out, "<text x=\"%.1f\" y=\"%zu\">", x + 2, y + ROW - 6);
		text_xml_format(out, "%s</text>", text);
	}
	fputs("</g>\n", out);
}

static void write_above(FILE *out, const json_t *node, double x, size_t row, size_t rows)
{
	const char *frame;
	json_t *above;

	json_object_foreach (json_object_get(node, "above"), frame, above) {
		double width = width_of(above);

		if (width < LEAST_WIDTH)
			continue;
		write_box(out, frame, above, x, row, rows);
		write_above(out, above, x, row + 1, rows);
		x += width;
	}
}

/**
 * flame_write - write the SVG of two profiles
 * @out:   stream
 * @title: shown above the graph
 * @a, @b: {STACK: samples}, the frames of a stack separated by ';', the outermost first; neither empty
 */
void flame_write(FILE *out, const char *title, const json_t *a, const json_t *b)
{
	__cleanup_json json_t *root = new_node();
	size_t rows;

	add_side(root, "a", a);
	add_side(root, "b", b);
	note_changes(root, sum_of(a), sum_of(b));
	rows = depth_of(root);
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %zu\" "
		"font-family=\"monospace\" font-size=\"12\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
		WIDTH, HEAD + rows * ROW + 8);
	text_xml_format(out, "<text x=\"4\" y=\"17\" font-size=\"14\">%s</text>\n", title);
	fprintf(out,
		"<text x=\"4\" y=\"36\">Share of the samples: red where B has more, blue where A "
		"has more, beyond chance. A: %.0f samples, B: %.0f.</text>\n",
		sum_of(a), sum_of(b));
	write_box(out, "all", root, 0, 0, rows);
	write_above(out, root, 0, 1, rows);
	fputs("</svg>\n", out);
}

static void add_self(json_t *functions, const char *side, const json_t *stacks)
{
	double sum = sum_of(stacks);
	const char *stack;
	json_t *samples;

	json_object_foreach ((json_t *)stacks, stack, samples) {
		const char *last = strrchr(stack, ';');
		const char *name = last ? last + 1 : stack;

		if (!json_object_get(functions, name))
			json_object_set_new(functions, name, new_node());
		add_share(json_object_get(functions, name), side, json_number_value(samples) / sum);
	}
}

/**
 * flame_changes - find the functions whose self time, as a share of the samples, changed most
 * @a, @b: as for flame_write()
 * @most:  number of functions
 *
 * Return: [{"function", "points"}], the largest change first, none that can be by chance; owned by the caller.
 */
json_t *flame_changes(const json_t *a, const json_t *b, size_t most)
{
	__cleanup_json json_t *functions = json_object();
	json_t *list = json_array();
	double sum_a = sum_of(a), sum_b = sum_of(b);
	const char *name;
	json_t *node;

	add_self(functions, "a", a);
	add_self(functions, "b", b);
	json_object_foreach (functions, name, node)
		note_change(node, sum_a, sum_b);
	while (json_array_size(list) < most) {
		const char *best = NULL;
		double largest = 0;

		json_object_foreach (functions, name, node)
			if (fabs(share(node, "change")) > fabs(largest)) {
				largest = share(node, "change");
				best = name;
			}
		if (!best)
			break;
		json_array_append_new(list, json_pack("{s:s, s:f}", "function", best, "points",
						      largest * 100));
		json_object_del(functions, best);
	}
	return list;
}
