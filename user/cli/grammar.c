/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Command lines by pattern: options are taken out first, then the words are fitted to a pattern. */
#include "cli/grammar.h"

#include <stdlib.h>
#include <string.h>

#include "cli/arena.h"

static const struct option_spec help_option = {"--help", NULL};

static void args_add(struct args *args, const char *name, const char *value)
{
	args->items = arena_check(reallocarray(args->items, args->count + 1, sizeof(*args->items)));
	args->items[args->count++] = (struct arg){name, value};
}

void args_done(struct args *args)
{
	free(args->items);
	*args = (struct args){0};
}

/* Names may be borrowed from the middle of a pattern: "<PROFILE> rule show", "--at=<POSITION>". */
static bool arg_is(const struct arg *arg, const char *name)
{
	size_t length = strlen(name);

	return arg->name && !strncmp(arg->name, name, length) && strchr("= ].", arg->name[length]);
}

const char *args_nth(const struct args *args, const char *name, size_t n)
{
	for (size_t i = 0; i < args->count; i++)
		if (arg_is(&args->items[i], name) && n-- == 0)
			return args->items[i].value;
	return NULL;
}

const char *args_get(const struct args *args, const char *name)
{
	return args_nth(args, name, 0);
}

size_t args_count(const struct args *args, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < args->count; i++)
		count += arg_is(&args->items[i], name);
	return count;
}

bool args_has(const struct args *args, const char *name)
{
	return args_count(args, name) > 0;
}

const char *args_choice(const struct args *args, const char *const *choices)
{
	for (; *choices; choices++)
		if (args_has(args, *choices))
			return *choices;
	return NULL;
}

/* Length of the option's own name in its form: "--at" of "--at=<POSITION>". */
static size_t option_name_length(const char *form)
{
	return strcspn(form, "= ");
}

static bool option_takes_value(const char *form)
{
	return form[option_name_length(form)] != '\0';
}

/* The option that the first `length` bytes of a word name, exactly or by an unambiguous prefix, or NULL. */
static const struct option_spec *find_option(const char *word, size_t length,
					     const struct option_spec *options)
{
	const struct option_spec *found = NULL;
	size_t prefixed = 0;

	if (length > 2 && !strncmp(help_option.form, word, length)) {
		found = &help_option;
		prefixed = 1;
	}
	for (const struct option_spec *option = options; option->form; option++) {
		size_t full = option_name_length(option->form);

		if (strncmp(option->form, word, length) != 0 || length > full)
			continue;
		if (length == full)
			return option;
		found = option;
		prefixed++;
	}
	return prefixed == 1 && length > 2 ? found : NULL;
}

/* Takes one option, and its value from the same or the next word. Returns the words used, 0: not valid. */
static size_t take_option(char *const *words, size_t count, const struct option_spec *options,
			  struct args *ret)
{
	const char *word = words[0], *value = NULL;
	bool is_long = word[1] == '-';
	size_t length = is_long ? strcspn(word, "=") : 2;
	const struct option_spec *option;
	size_t used = 1;

	option = !strcmp(word, "-h") ? &help_option : find_option(word, length, options);
	if (!option)
		return 0;
	if (word[length])
		value = word + length + is_long; /* "--opt=VAL" or "-oVAL" */
	if (option_takes_value(option->form)) {
		if (!value && count < 2)
			return 0;
		if (!value) {
			value = words[1];
			used = 2;
		}
	} else if (value) {
		return 0;
	}
	args_add(ret, option->form, value);
	return used;
}

/* Whether the option added last was there before. */
static bool given_twice(const struct args *args)
{
	const struct arg *last = &args->items[args->count - 1];

	for (const struct arg *arg = args->items; arg < last; arg++)
		if (arg->name == last->name)
			return true;
	return false;
}

bool args_split(char *const *words, size_t count, const struct option_spec *options, struct args *ret)
{
	*ret = (struct args){0};
	for (size_t i = 0; i < count;) {
		size_t used = 1;

		if (words[i][0] == '-' && words[i][1]) {
			used = take_option(words + i, count - i, options, ret);
			if (!used || given_twice(ret)) {
				args_done(ret);
				return false;
			}
		} else {
			args_add(ret, NULL, words[i]);
		}
		i += used;
	}
	return true;
}

/* One element of a pattern without its brackets; alternatives are still joined by '|'. */
struct element {
	const char *text;
	size_t length;
	bool optional, repeated;
};

static bool next_element(const char **pattern, struct element *ret)
{
	const char *start = *pattern + strspn(*pattern, " ");
	size_t length;

	*ret = (struct element){0};
	if (!*start)
		return false;
	if (*start == '[' || *start == '(') {
		ret->optional = *start == '[';
		length = strcspn(start, ret->optional ? "]" : ")") + 1;
		ret->text = start + 1;
		ret->length = length - 2;
	} else {
		length = strcspn(start, " ");
		ret->text = start;
		ret->length = length;
	}
	*pattern = start + length;
	if (ret->length > 3 && !memcmp(ret->text + ret->length - 3, "...", 3)) {
		ret->repeated = true;
		ret->length -= 3;
	}
	return true;
}

/* The next of the alternatives in an element: "a" then "b" of "a|b"; blanks around '|' are not part of them.
 */
static bool next_alternative(struct element *element, const char **ret, size_t *ret_length)
{
	while (element->length && (*element->text == ' ' || *element->text == '|')) {
		element->text++;
		element->length--;
	}
	if (!element->length)
		return false;

	const char *bar = memchr(element->text, '|', element->length);
	size_t length = bar ? (size_t)(bar - element->text) : element->length;

	*ret = element->text;
	element->text += length;
	element->length -= length;
	while (length && (*ret)[length - 1] == ' ')
		length--;
	*ret_length = length;
	return true;
}

/* Where matching stands: options are picked by name, words are used up in order. */
struct matcher {
	const struct args *split;
	size_t next;	     /* index into split of the next word to look at */
	size_t options_used; /* of those given */
	struct args *ret;
};

static const char *peek_word(struct matcher *m)
{
	while (m->next < m->split->count && m->split->items[m->next].name)
		m->next++;
	return m->next < m->split->count ? m->split->items[m->next].value : NULL;
}

static void take_word(struct matcher *m, const char *name)
{
	args_add(m->ret, name, peek_word(m));
	m->next++;
}

/* At most one of the alternative options, exactly one if they are not optional. */
static bool match_options(struct matcher *m, struct element element)
{
	const char *text;
	size_t length, found = 0;

	while (next_alternative(&element, &text, &length)) {
		size_t own = option_name_length(text), name_length = own < length ? own : length;

		for (size_t i = 0; i < m->split->count; i++) {
			const struct arg *arg = &m->split->items[i];

			if (!arg->name || option_name_length(arg->name) != name_length ||
			    strncmp(arg->name, text, name_length) != 0)
				continue;
			args_add(m->ret, arg->name, arg->value);
			found++;
		}
	}
	m->options_used += found;
	return found == 1 || (found == 0 && element.optional);
}

static bool match_positional(struct matcher *m, struct element element)
{
	if (!peek_word(m))
		return element.optional;
	do {
		take_word(m, element.text);
	} while (element.repeated && peek_word(m));
	return true;
}

static bool match_words(struct matcher *m, struct element element)
{
	const char *word = peek_word(m), *text;
	size_t length;

	while (word && next_alternative(&element, &text, &length)) {
		if (strlen(word) != length || memcmp(word, text, length) != 0)
			continue;
		take_word(m, word);
		return true;
	}
	return element.optional;
}

static bool match_element(struct matcher *m, const struct element *element)
{
	if (element->text[0] == '-')
		return match_options(m, *element);
	if (element->text[0] == '<')
		return match_positional(m, *element);
	if (element->length == 5 && !memcmp(element->text, "MATCH", 5)) {
		while (peek_word(m))
			take_word(m, ARGS_REST);
		return true;
	}
	return match_words(m, *element);
}

bool args_match(const struct args *split, const char *pattern, struct args *ret)
{
	struct matcher m = {.split = split, .ret = ret};
	struct element element;
	size_t given = 0;
	bool ok = true;

	*ret = (struct args){0};
	for (size_t i = 0; i < split->count; i++)
		given += split->items[i].name != NULL;
	while (ok && next_element(&pattern, &element))
		ok = match_element(&m, &element);
	if (ok && !peek_word(&m) && m.options_used == given)
		return true;
	args_done(ret);
	return false;
}
