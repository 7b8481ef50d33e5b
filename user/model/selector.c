/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Selector language: recursive descent parser, evaluation, canonical text. */
#include "model/selector.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/fields.h"

/* Of parentheses and negations; bounds the recursion of everything here. */
#define SELECTOR_MAX_DEPTH 64

#define BLANKS	    " \t\r\n"
#define LABEL_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/"

enum node_kind {
	NODE_ALL,
	NODE_HAS,
	NODE_IN,     /* == is a set of one */
	NODE_NOT_IN, /* != likewise */
	NODE_NOT,    /* one part */
	NODE_AND,    /* two or more parts */
	NODE_OR,
};

struct selector {
	enum node_kind kind;
	char *label;
	struct strings values; /* sorted, unique */
	struct selector **parts;
	size_t part_count;
};

struct parser {
	const char *text, *at;
	unsigned int depth;
	struct err *err;
};

static int parse_chain(struct parser *parser, enum node_kind kind, struct selector **ret);

void selector_free(struct selector *selector)
{
	if (!selector)
		return;
	for (size_t i = 0; i < selector->part_count; i++)
		selector_free(selector->parts[i]);
	free(selector->parts);
	strings_done(&selector->values);
	free(selector->label);
	free(selector);
}

static struct selector *node_new(enum node_kind kind)
{
	struct selector *node = calloc(1, sizeof(*node));

	if (node)
		node->kind = kind;
	return node;
}

/* Takes the part, also when it fails. */
static int node_add(struct selector *node, struct selector *part)
{
	struct selector **parts = model_grow(node->parts, node->part_count, sizeof(struct selector *));

	if (!parts) {
		selector_free(part);
		return -ENOMEM;
	}
	node->parts = parts;
	node->parts[node->part_count++] = part;
	return 0;
}

static int parse_error(struct parser *parser, const char *expected)
{
	size_t position = (size_t)(parser->at - parser->text) + 1;

	if (!*parser->at)
		return err_set(parser->err, EBADMSG, "%s expected at the end of the selector", expected);
	return err_set(parser->err, EBADMSG, "%s expected at character %zu, before '%.20s'", expected,
		       position, parser->at);
}

static void skip_blanks(struct parser *parser)
{
	parser->at += strspn(parser->at, BLANKS);
}

static bool take(struct parser *parser, const char *token)
{
	skip_blanks(parser);
	if (strncmp(parser->at, token, strlen(token)) != 0)
		return false;
	parser->at += strlen(token);
	return true;
}

/* The same for a word, which must not go on behind it. */
static bool take_word(struct parser *parser, const char *word)
{
	skip_blanks(parser);
	if (strspn(parser->at, LABEL_CHARS) != strlen(word))
		return false;
	return take(parser, word);
}

static int parse_label(struct parser *parser, char **ret)
{
	size_t length;

	skip_blanks(parser);
	length = strspn(parser->at, LABEL_CHARS);
	if (length == 0)
		return parse_error(parser, "a label");
	*ret = strndup(parser->at, length);
	if (!*ret)
		return field_out_of_memory(parser->err);
	parser->at += length;
	return 0;
}

static int parse_string(struct parser *parser, struct strings *values)
{
	const char *end;
	char *value;
	int r;

	skip_blanks(parser);
	if (*parser->at != '"' && *parser->at != '\'')
		return parse_error(parser, "a string in quotes");
	end = parser->at + 1 + strcspn(parser->at + 1, *parser->at == '"' ? "\"\n" : "'\n");
	if (*end != *parser->at)
		return parse_error(parser, "a string with its closing quote");
	value = strndup(parser->at + 1, (size_t)(end - parser->at - 1));
	r = value ? strings_add(values, value) : -ENOMEM;
	free(value);
	parser->at = end + 1;
	return r < 0 ? field_out_of_memory(parser->err) : 0;
}

static int value_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_values(struct strings *values)
{
	size_t kept = 1;

	if (values->count < 2)
		return;
	qsort(values->items, values->count, sizeof(*values->items), value_order);
	for (size_t i = 1; i < values->count; i++) {
		if (strcmp(values->items[i], values->items[kept - 1]) == 0)
			free(values->items[i]);
		else
			values->items[kept++] = values->items[i];
	}
	values->count = kept;
}

static int parse_set(struct parser *parser, struct strings *values)
{
	int r;

	if (!take(parser, "{"))
		return parse_error(parser, "'{'");
	do {
		r = parse_string(parser, values);
		if (r < 0)
			return r;
	} while (take(parser, ","));
	if (!take(parser, "}"))
		return parse_error(parser, "',' or '}'");
	sort_values(values);
	return 0;
}

static int parse_comparison(struct parser *parser, struct selector *node)
{
	int r = parse_label(parser, &node->label);

	if (r < 0)
		return r;
	node->kind = NODE_IN;
	if (take(parser, "=="))
		return parse_string(parser, &node->values);
	if (take_word(parser, "in"))
		return parse_set(parser, &node->values);
	node->kind = NODE_NOT_IN;
	if (take(parser, "!="))
		return parse_string(parser, &node->values);
	if (!take_word(parser, "not") || !take_word(parser, "in"))
		return parse_error(parser, "'==', '!=', 'in' or 'not in'");
	return parse_set(parser, &node->values);
}

static int parse_closed(struct parser *parser)
{
	return take(parser, ")") ? 0 : parse_error(parser, "')'");
}

static int parse_leaf(struct parser *parser, struct selector **ret)
{
	struct selector *node = node_new(NODE_ALL);
	int r = 0;

	if (!node)
		return field_out_of_memory(parser->err);
	if (take(parser, "has(")) {
		node->kind = NODE_HAS;
		r = parse_label(parser, &node->label);
		if (r == 0)
			r = parse_closed(parser);
	} else if (take(parser, "all(")) {
		r = parse_closed(parser);
	} else {
		r = parse_comparison(parser, node);
	}
	if (r < 0) {
		selector_free(node);
		return r;
	}
	*ret = node;
	return 0;
}

static int parse_term(struct parser *parser, struct selector **ret)
{
	struct selector *part = NULL, *node;
	bool negated = take(parser, "!");
	int r;

	if (!negated && !take(parser, "("))
		return parse_leaf(parser, ret);
	if (parser->depth == SELECTOR_MAX_DEPTH)
		return err_set(parser->err, EBADMSG, "the selector is nested deeper than %d levels",
			       SELECTOR_MAX_DEPTH);
	parser->depth++;
	r = negated ? parse_term(parser, &part) : parse_chain(parser, NODE_OR, &part);
	parser->depth--;
	if (r < 0)
		return r;
	if (!negated) {
		*ret = part;
		r = parse_closed(parser);
		if (r < 0)
			selector_free(part);
		return r;
	}
	node = node_new(NODE_NOT);
	if (!node) {
		selector_free(part);
		return field_out_of_memory(parser->err);
	}
	if (node_add(node, part) < 0) {
		selector_free(node);
		return field_out_of_memory(parser->err);
	}
	*ret = node;
	return 0;
}

static int parse_operand(struct parser *parser, enum node_kind kind, struct selector **ret)
{
	return kind == NODE_OR ? parse_chain(parser, NODE_AND, ret) : parse_term(parser, ret);
}

/* One or more operands with `||` (or `&&`) between them. */
static int parse_chain(struct parser *parser, enum node_kind kind, struct selector **ret)
{
	const char *separator = kind == NODE_OR ? "||" : "&&";
	struct selector *part = NULL, *chain;
	int r = parse_operand(parser, kind, &part);

	if (r < 0)
		return r;
	if (!take(parser, separator)) {
		*ret = part;
		return 0;
	}
	chain = node_new(kind);
	if (!chain) {
		selector_free(part);
		return field_out_of_memory(parser->err);
	}
	if (node_add(chain, part) < 0)
		r = field_out_of_memory(parser->err);
	while (r == 0) {
		r = parse_operand(parser, kind, &part);
		if (r == 0 && node_add(chain, part) < 0)
			r = field_out_of_memory(parser->err);
		if (r == 0 && !take(parser, separator)) {
			*ret = chain;
			return 0;
		}
	}
	selector_free(chain);
	return r;
}

int selector_parse(const char *text, struct selector **ret, struct err *err)
{
	struct parser parser = {.text = text, .at = text, .err = err};
	struct selector *selector = NULL;
	int r;

	skip_blanks(&parser);
	if (!*parser.at) {
		*ret = node_new(NODE_ALL);
		return *ret ? 0 : field_out_of_memory(err);
	}
	r = parse_chain(&parser, NODE_OR, &selector);
	if (r < 0)
		return r;
	skip_blanks(&parser);
	if (*parser.at) {
		selector_free(selector);
		return parse_error(&parser, "'&&', '||' or the end");
	}
	*ret = selector;
	return 0;
}

static bool has_value(const struct strings *values, const char *value)
{
	return bsearch(&value, values->items, values->count, sizeof(*values->items), value_order);
}

bool selector_match(const struct selector *selector, const char *(*lookup)(const void *arg, const char *name),
		    const void *arg)
{
	const char *value = selector->label ? lookup(arg, selector->label) : NULL;

	switch (selector->kind) {
	case NODE_ALL:
		return true;
	case NODE_HAS:
		return value;
	case NODE_IN:
		return value && has_value(&selector->values, value);
	case NODE_NOT_IN:
		return !value || !has_value(&selector->values, value);
	case NODE_NOT:
		return !selector_match(selector->parts[0], lookup, arg);
	case NODE_AND:
	case NODE_OR:
		break;
	}
	/* The first part that differs from what all parts together would give decides. */
	for (size_t i = 0; i < selector->part_count; i++)
		if (selector_match(selector->parts[i], lookup, arg) == (selector->kind == NODE_OR))
			return selector->kind == NODE_OR;
	return selector->kind == NODE_AND;
}

static const char *lookup_labels(const void *arg, const char *name)
{
	return labels_get(arg, name);
}

bool selector_match_labels(const struct selector *selector, const struct labels *labels)
{
	return selector_match(selector, lookup_labels, labels);
}

bool selector_equal(const struct selector *a, const struct selector *b)
{
	if (a->kind != b->kind || a->part_count != b->part_count || !a->label != !b->label)
		return false;
	if ((a->label && strcmp(a->label, b->label) != 0) || !strings_equal(&a->values, &b->values))
		return false;
	for (size_t i = 0; i < a->part_count; i++)
		if (!selector_equal(a->parts[i], b->parts[i]))
			return false;
	return true;
}

/* There are no escapes, so a value never has both kinds of quotes. */
static void format_string(FILE *out, const char *value)
{
	char quote = strchr(value, '"') ? '\'' : '"';

	fprintf(out, "%c%s%c", quote, value, quote);
}

static void format_comparison(FILE *out, const struct selector *node)
{
	bool in = node->kind == NODE_IN;

	if (node->values.count == 1) {
		fprintf(out, "%s %s ", node->label, in ? "==" : "!=");
		format_string(out, node->values.items[0]);
		return;
	}
	fprintf(out, "%s %s {", node->label, in ? "in" : "not in");
	for (size_t i = 0; i < node->values.count; i++) {
		if (i > 0)
			fputs(", ", out);
		format_string(out, node->values.items[i]);
	}
	fputc('}', out);
}

/* Only where the parser needed them: the text must not be nested deeper than what was read. */
static bool needs_parentheses(const struct selector *node, const struct selector *part)
{
	return part->kind == NODE_OR || (part->kind == NODE_AND && node->kind != NODE_OR);
}

static void format_node(FILE *out, const struct selector *node)
{
	switch (node->kind) {
	case NODE_ALL:
		fputs("all()", out);
		return;
	case NODE_HAS:
		fprintf(out, "has(%s)", node->label);
		return;
	case NODE_IN:
	case NODE_NOT_IN:
		format_comparison(out, node);
		return;
	case NODE_NOT:
		fputc('!', out);
		break;
	case NODE_AND:
	case NODE_OR:
		break;
	}
	for (size_t i = 0; i < node->part_count; i++) {
		const struct selector *part = node->parts[i];
		bool parentheses = needs_parentheses(node, part);

		if (i > 0)
			fputs(node->kind == NODE_AND ? " && " : " || ", out);
		if (parentheses)
			fputc('(', out);
		format_node(out, part);
		if (parentheses)
			fputc(')', out);
	}
}

char *selector_format(const struct selector *selector)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	format_node(out, selector);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
