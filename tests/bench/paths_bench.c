/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Time of the daemon's pinned program from_endpoint for packets of two endpoints, by BPF_PROG_TEST_RUN, as it
 *is in force: programs, policy and flow tables are those of the running daemon. Empties the flow tables.
 *
 * usage: paths_bench NAMESPACE PINS INTERFACE-A INTERFACE-B ADDRESS4-A ADDRESS4-B ADDRESS6-A ADDRESS6-B
 *DENIED-PORT ROUNDS PATH...		(no PATH: all of them) Prints lines "ROUND PATH NANOSECONDS", already
 *less what an empty program takes in the same round.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <net/if.h>
#include <netinet/in.h>

#include "bench/bench.h"
#include "bench/frame.h"
#include "flow.h"
#include "tests/bench/rotate.skel.h"

#define RUNS	   20000
#define FRESH	   2048 /* flows opened at once */
#define FIRST_PORT 1024
#define PORT	   5000

enum { SYN = 2, ACK = 16 };
enum { REDIRECTED = 7, DROPPED = 2 }; /* TC actions */

enum preparation {
	NOTHING,
	ESTABLISH, /* the flows exist and are answered */
	FORGET,	   /* no flow exists when a run begins */
	FRAGMENT,  /* the first fragment was here */
};

struct path {
	const char *name;
	int family;
	uint8_t protocol, tcp_flags;
	enum preparation preparation;
	uint32_t flows;
	enum { FROM_A, FROM_STRANGER, TO_DENIED_PORT } what;
	int action;
};

static const struct path paths[] = {
	{"established UDP", 4, IPPROTO_UDP, 0, ESTABLISH, 1, FROM_A, REDIRECTED},
	{"established TCP", 4, IPPROTO_TCP, ACK, ESTABLISH, 1, FROM_A, REDIRECTED},
	{"established UDP, IPv6", 6, IPPROTO_UDP, 0, ESTABLISH, 1, FROM_A, REDIRECTED},
	{"established TCP, IPv6", 6, IPPROTO_TCP, ACK, ESTABLISH, 1, FROM_A, REDIRECTED},
	{"established UDP, 1,024 flows", 4, IPPROTO_UDP, 0, ESTABLISH, 1024, FROM_A, REDIRECTED},
	{"established UDP, 32,768 flows", 4, IPPROTO_UDP, 0, ESTABLISH, 32768, FROM_A, REDIRECTED},
	{"new UDP flow", 4, IPPROTO_UDP, 0, FORGET, FRESH, FROM_A, REDIRECTED},
	{"new TCP flow", 4, IPPROTO_TCP, SYN, FORGET, FRESH, FROM_A, REDIRECTED},
	{"new UDP flow, IPv6", 6, IPPROTO_UDP, 0, FORGET, FRESH, FROM_A, REDIRECTED},
	{"repeated SYN", 4, IPPROTO_TCP, SYN, ESTABLISH, 1, FROM_A, REDIRECTED},
	{"denied by policy", 4, IPPROTO_UDP, 0, NOTHING, 1, TO_DENIED_PORT, DROPPED},
	{"spoofed source", 4, IPPROTO_UDP, 0, NOTHING, 1, FROM_STRANGER, DROPPED},
	{"later fragment", 4, IPPROTO_UDP, 0, FRAGMENT, 1, FROM_A, REDIRECTED},
};

struct state {
	struct rotate_bpf *rotate;
	int program, empty, flow[2];
	uint32_t ifindex[2];
	struct frame_address a[2], b[2];
	uint16_t denied_port;
};

static int open_pin(const char *directory, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		bench_fail_errno(errno, path);
	return fd;
}

static void clear(int map)
{
	struct flow6_key key, next; /* the larger of the two kinds */
	int r = bpf_map_get_next_key(map, NULL, &key);

	while (!r) {
		r = bpf_map_get_next_key(map, &key, &next);
		bpf_map_delete_elem(map, &key);
		key = next;
	}
}

static void forget_flows(const struct state *state)
{
	clear(state->flow[0]);
	clear(state->flow[1]);
}

/* Average nanoseconds of a run of the program that is the target. */
static double run(struct state *state, const struct frame *frame, uint32_t ifindex, uint32_t runs, int action)
{
	struct __sk_buff context = {.ifindex = ifindex, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes, .data_size_in = sizeof(frame->bytes),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = (int)runs);

	if (bpf_prog_test_run_opts(bpf_program__fd(state->rotate->progs.rotate), &options) < 0)
		bench_fail_errno(errno, "the kernel cannot run the program");
	if (action >= 0 && (int)options.retval != action)
		bench_fail("the program returned %d instead of %d", (int)options.retval, action);
	return options.duration;
}

static void set_frame(struct state *state, const struct frame *frame, uint32_t first, uint32_t flows,
		      bool reply)
{
	struct rotation *rotation = &state->rotate->bss->rotation;

	memcpy(rotation->frame, frame->bytes, sizeof(rotation->frame));
	rotation->port_offset = frame->port_offset + (reply ? 2 : 0);
	rotation->first_port = FIRST_PORT + first;
	rotation->flows = flows;
	rotation->count = 0;
}

static void set_target(const struct state *state, int program)
{
	const uint32_t index = 0;

	if (bpf_map_update_elem(bpf_map__fd(state->rotate->maps.target), &index, &program, BPF_ANY) < 0)
		bench_fail_errno(errno, "the program cannot be called");
}

static struct frame_spec describe(const struct state *state, const struct path *path)
{
	int family = path->family == 6;
	struct frame_spec spec = {.source = state->a[family],
				  .destination = state->b[family],
				  .protocol = path->protocol,
				  .tcp_flags = path->tcp_flags,
				  .source_port = FIRST_PORT,
				  .destination_port = PORT};

	if (path->what == FROM_STRANGER)
		spec.source.bytes[3] = 99;
	if (path->what == TO_DENIED_PORT)
		spec.destination_port = state->denied_port;
	return spec;
}

static void send_once(struct state *state, const struct frame_spec *spec, uint32_t from, uint32_t first,
		      uint32_t flows, bool reply)
{
	struct frame frame;

	frame_make(&frame, spec);
	set_frame(state, &frame, first, flows, reply);
	run(state, &frame, state->ifindex[from], flows, REDIRECTED);
}

/* Opens the flows and answers them, a part at a time: see FRESH. */
static void establish(struct state *state, const struct path *path)
{
	struct frame_spec there = describe(state, path), back = there;

	back.source = there.destination;
	back.destination = there.source;
	back.source_port = there.destination_port;
	back.destination_port = there.source_port;
	for (uint32_t first = 0; first < path->flows; first += FRESH) {
		uint32_t flows = path->flows < FRESH ? path->flows : FRESH;

		there.tcp_flags = SYN;
		back.tcp_flags = SYN | ACK;
		send_once(state, &there, 0, first, flows, false);
		send_once(state, &back, 1, first, flows, true);
		there.tcp_flags = ACK;
		if (!(path->tcp_flags & SYN))
			send_once(state, &there, 0, first, flows, false);
	}
}

static void prepare(struct state *state, const struct path *path, struct frame *frame)
{
	struct frame_spec spec = describe(state, path);

	forget_flows(state);
	if (path->preparation == ESTABLISH)
		establish(state, path);
	if (path->preparation == FRAGMENT) {
		spec.fragment = 0x2000; /* more follow */
		send_once(state, &spec, 0, 0, 1, false);
		spec.fragment = 10; /* times eight bytes */
	}
	frame_make(frame, &spec);
}

/* A fragment's number lies where its port would be: it must stay. */
static uint32_t rotated_offset(const struct path *path, const struct frame *frame)
{
	return path->preparation == FRAGMENT ? ROTATE_LENGTH : frame->port_offset;
}

static double measure(struct state *state, const struct path *path)
{
	uint32_t runs = path->preparation == FORGET ? path->flows : RUNS;
	struct frame frame;
	double empty, full;

	set_target(state, state->program);
	prepare(state, path, &frame);
	set_frame(state, &frame, 0, path->flows, false);
	state->rotate->bss->rotation.port_offset = rotated_offset(path, &frame);
	full = run(state, &frame, state->ifindex[0], runs, path->action);
	set_target(state, state->empty);
	empty = run(state, &frame, state->ifindex[0], runs, 0);
	return full - empty;
}

static void load(struct state *state, char **argv)
{
	bench_enter(argv[1]);
	state->rotate = rotate_bpf__open_and_load();
	if (!state->rotate)
		bench_fail_errno(errno, "the program cannot be loaded");
	state->program = open_pin(argv[2], "programs/from_endpoint");
	state->empty = bpf_program__fd(state->rotate->progs.nothing);
	state->flow[0] = open_pin(argv[2], "flow4");
	state->flow[1] = open_pin(argv[2], "flow6");
	for (int i = 0; i < 2; i++) {
		state->ifindex[i] = if_nametoindex(argv[3 + i]);
		frame_address_parse(&state->a[i], argv[5 + 2 * i]);
		frame_address_parse(&state->b[i], argv[6 + 2 * i]);
	}
	state->denied_port = (uint16_t)atoi(argv[9]);
}

static bool is_wanted(const struct path *path, char **wanted)
{
	if (!*wanted)
		return true;
	for (; *wanted; wanted++) {
		if (!strcmp(path->name, *wanted))
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct state state = {0};
	int rounds;

	if (argc < 11)
		bench_fail(
			"usage: paths_bench NAMESPACE PINS INTERFACE-A INTERFACE-B ADDRESS4-A ADDRESS4-B ADDRESS6-A "
			"ADDRESS6-B DENIED-PORT ROUNDS PATH...");
	load(&state, argv);
	rounds = atoi(argv[10]);
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
			if (is_wanted(&paths[i], argv + 11))
				printf("%d\t%s\t%.1f\n", round, paths[i].name, measure(&state, &paths[i]));
		}
	}
	forget_flows(&state);
	rotate_bpf__destroy(state.rotate);
	return 0;
}
