/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What it costs to drop a packet that arrives at an interface. The kernel makes frames as a driver does and
 * hands them to an XDP program: the one that is pinned, or one that lets all of them pass to the stack.
 *
 * usage: drop_bench NAMESPACE INTERFACE SOURCE DESTINATION udp|syn PORT CPU BATCHES [PROGRAM]
 * Prints for each batch, in CPU nanoseconds per packet: "frames", what making one costs, of which an empty
 * XDP program drops all; "flood", what making one costs and what becomes of it; and for a PROGRAM that drops
 * it "alone", its own time, less what an empty program takes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "bench/bench.h"
#include "bench/frame.h"

#define PACKETS 65536 /* of a batch */
#define RUNS	20000
#define AT_ONCE 64 /* as drivers poll */

enum { SYN = 2 };

struct state {
	int program, empty;
	struct frame frame;
	struct xdp_md context;
};

static int load(enum xdp_action action)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = action},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "bench", "GPL", program, 2, NULL);

	if (fd < 0)
		bench_fail_errno(errno, "an XDP program cannot be loaded");
	return fd;
}

/* To the interface itself: other frames the stack leaves alone. */
static void address_frame(struct frame *frame, const char *interface)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq request = {0};

	strncpy(request.ifr_name, interface, sizeof(request.ifr_name) - 1);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		bench_fail_errno(errno, interface);
	memcpy(frame->bytes, request.ifr_hwaddr.sa_data, 6);
	close(fd);
}

static double flood(const struct state *state, int program)
{
	struct xdp_md context = state->context;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = state->frame.bytes,
		    .data_size_in = sizeof(state->frame.bytes), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = PACKETS, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = AT_ONCE);
	uint64_t before = bench_cpu_ns();

	if (bpf_prog_test_run_opts(program, &options) < 0)
		bench_fail_errno(errno, "the kernel cannot make frames");
	return (double)(bench_cpu_ns() - before) / PACKETS;
}

/* Average nanoseconds of a run of the program. */
static double alone(const struct state *state, int program, enum xdp_action *ret_action)
{
	struct xdp_md context = state->context;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = state->frame.bytes,
		    .data_size_in = sizeof(state->frame.bytes), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = RUNS);

	if (bpf_prog_test_run_opts(program, &options) < 0)
		bench_fail_errno(errno, "the kernel cannot run the program");
	*ret_action = options.retval;
	return options.duration;
}

static void measure(const struct state *state, bool pinned)
{
	enum xdp_action action;
	double full, empty;

	printf("frames\t%.1f\n", flood(state, state->empty));
	printf("flood\t%.1f\n", flood(state, state->program));
	if (!pinned)
		return;
	empty = alone(state, state->empty, &action);
	full = alone(state, state->program, &action);
	if (action == XDP_DROP)
		printf("alone\t%.1f\n", full - empty);
}

int main(int argc, char **argv)
{
	struct frame_spec spec = {.source_port = 1024, .tcp_flags = SYN};
	struct state state = {0};
	bool pinned = argc == 10;

	if (argc != 9 && !pinned)
		bench_fail(
			"usage: drop_bench NAMESPACE INTERFACE SOURCE DESTINATION udp|syn PORT CPU BATCHES "
			"[PROGRAM]");
	bench_enter(argv[1]);
	bench_pin(atoi(argv[7]));
	frame_address_parse(&spec.source, argv[3]);
	frame_address_parse(&spec.destination, argv[4]);
	spec.protocol = strcmp(argv[5], "syn") ? IPPROTO_UDP : IPPROTO_TCP;
	spec.destination_port = (uint16_t)atoi(argv[6]);
	frame_make(&state.frame, &spec);
	address_frame(&state.frame, argv[2]);
	state.context.ingress_ifindex = if_nametoindex(argv[2]);
	state.context.data_end = sizeof(state.frame.bytes);
	state.empty = load(XDP_DROP);
	state.program = pinned ? bpf_obj_get(argv[9]) : load(XDP_PASS);
	if (state.program < 0)
		bench_fail_errno(errno, argv[9]);
	/* The kernel makes frames only where an XDP program is, or was; this one goes with the process. */
	if (!pinned && bpf_link_create(state.program, (int)state.context.ingress_ifindex, BPF_XDP, NULL) < 0)
		bench_fail_errno(errno, "XDP cannot be put on the interface");
	for (int batch = 0; batch < atoi(argv[8]); batch++)
		measure(&state, pinned);
	return 0;
}
