/* SPDX-License-Identifier: MIT
 *
 * board.c - limits and statistics in shared memory.
 *
 * A count goes up first and is looked at afterwards, so that two workers at the edge of a limit may
 * both step back but never both step over.  Peers are counted in one small hash table per worker:
 * bounded probes, no deletion, empty places reused. */
#include "serve/board.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/sys.h"

#define PEER_PROBES 32u
#define PEER_SLOTS_MAX (1u << 21)
#define RATE_BURST_NS INT64_C(1000000000)       /* an idle second's worth may come at once */

static unsigned board_peer_slots(unsigned conns_max, unsigned per_peer)
{
	unsigned slots = 64;

	if (per_peer == BOARD_NO_LIMIT)
		return 0;
	while (slots < PEER_SLOTS_MAX && slots / 2 < conns_max)
		slots *= 2;
	return slots;
}

struct board *board_new(unsigned rows, unsigned conns_max, unsigned per_peer, unsigned accept_rate)
{
	unsigned slots = board_peer_slots(conns_max, per_peer);
	size_t head = sizeof(struct board) + rows * sizeof(struct board_row);
	size_t size = head + (size_t)rows * slots * sizeof(struct board_peer);
	struct board *b = sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
	                           -1, 0);

	if (b == MAP_FAILED)
		return NULL;
	b->size = size;
	b->rows = rows;
	b->peer_slots = slots;
	b->conns_max = conns_max;
	b->per_peer = per_peer;
	b->interval_ns = accept_rate == BOARD_NO_LIMIT ? 0 : INT64_C(1000000000) / accept_rate;
	atomic_store(&b->earned_ns, INT64_MIN / 2);
	if (getrandom(&b->seed, sizeof b->seed, GRND_NONBLOCK) < 0)
		b->seed = (uintptr_t)b;         /* early at boot: address randomisation has to do */
	for (unsigned i = 0; i < rows; i++)
		b->row[i].peers = (struct board_peer *)(void *)((char *)b + head) + (size_t)i * slots;
	return b;
}

void board_free(struct board *b)
{
	if (b != NULL)
		munmap(b, b->size);
}

unsigned board_open_conns(const struct board *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->rows; i++)
		n += atomic_load(&b->row[i].stats.conns_open);
	return n;
}

unsigned board_room(const struct board *b)
{
	unsigned open;

	if (b->conns_max == BOARD_NO_LIMIT)
		return BOARD_NO_LIMIT;
	open = board_open_conns(b);
	return open < b->conns_max ? b->conns_max - open : 0;
}

/* --- Rate: one number, the moment up to which it is used up ------------------------------------ */

unsigned board_tokens(struct board *b, int64_t now_ms)
{
	int64_t saved;

	if (b->interval_ns == 0)
		return BOARD_NO_LIMIT;
	saved = now_ms * 1000000 - atomic_load_explicit(&b->earned_ns, memory_order_relaxed);
	if (saved > RATE_BURST_NS)
		saved = RATE_BURST_NS;
	return saved < b->interval_ns ? 0 : (unsigned)(saved / b->interval_ns);
}

int64_t board_next_token(const struct board *b)
{
	int64_t at = atomic_load_explicit(&b->earned_ns, memory_order_relaxed) + b->interval_ns;

	return (at + 999999) / 1000000;
}

void board_take_token(struct board *b, int64_t now_ms)
{
	int64_t floor = now_ms * 1000000 - RATE_BURST_NS, old, next;

	if (b->interval_ns == 0)
		return;
	old = atomic_load_explicit(&b->earned_ns, memory_order_relaxed);
	do {
		next = (old < floor ? floor : old) + b->interval_ns;
	} while (!atomic_compare_exchange_weak(&b->earned_ns, &old, next));
}

/* --- Peers ------------------------------------------------------------------------------------- */

static unsigned peer_hash(const struct board *b, uint64_t key)
{
	key = (key ^ b->seed) * UINT64_C(0x9e3779b97f4a7c15);
	key = (key ^ key >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (unsigned)(key >> 32) & (b->peer_slots - 1);
}

static unsigned peer_probes(const struct board *b)
{
	return b->peer_slots < PEER_PROBES ? b->peer_slots : PEER_PROBES;
}

static struct board_peer *peer_find(const struct board *b, const struct board_row *row, uint64_t key)
{
	unsigned at = peer_hash(b, key), n = peer_probes(b);

	for (unsigned i = 0; i < n; i++) {
		struct board_peer *p = &row->peers[(at + i) & (b->peer_slots - 1)];
		uint64_t k = atomic_load_explicit(&p->key, memory_order_relaxed);

		if (k == key)
			return p;
		if (k == 0)
			return NULL;
	}
	return NULL;
}

/* The peer's place in our own row, or one that can be its.  NULL: the neighbourhood is taken. */
static struct board_peer *peer_place(const struct board *b, const struct board_row *row, uint64_t key)
{
	struct board_peer *p = peer_find(b, row, key);
	unsigned at = peer_hash(b, key), n = peer_probes(b);

	for (unsigned i = 0; p == NULL && i < n; i++) {
		struct board_peer *q = &row->peers[(at + i) & (b->peer_slots - 1)];

		if (atomic_load_explicit(&q->count, memory_order_relaxed) == 0) {
			atomic_store_explicit(&q->key, key, memory_order_relaxed);
			p = q;
		}
	}
	return p;
}

static unsigned peer_count(const struct board *b, uint64_t key)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->rows; i++) {
		const struct board_peer *p = peer_find(b, &b->row[i], key);

		if (p != NULL)
			n += atomic_load(&p->count);
	}
	return n;
}

/* --- In and out -------------------------------------------------------------------------------- */

static bool peer_counts(const struct board *b, uint64_t key)
{
	return b->peer_slots > 0 && key != 0;
}

int board_enter(struct board *b, struct board_row *row, uint64_t key)
{
	struct board_peer *p = NULL;

	if (peer_counts(b, key)) {
		p = peer_place(b, row, key);
		if (p == NULL)
			return -EUSERS;
		atomic_fetch_add(&p->count, 1);
		if (peer_count(b, key) > b->per_peer) {
			atomic_fetch_sub(&p->count, 1);
			return -EUSERS;
		}
	}
	atomic_fetch_add(&row->stats.conns_open, 1);
	if (b->conns_max != BOARD_NO_LIMIT && board_open_conns(b) > b->conns_max) {
		board_leave(b, row, key);
		return -EAGAIN;
	}
	return 0;
}

void board_leave(struct board *b, struct board_row *row, uint64_t key)
{
	struct board_peer *p = peer_counts(b, key) ? peer_find(b, row, key) : NULL;

	assert(atomic_load(&row->stats.conns_open) > 0);
	atomic_fetch_sub(&row->stats.conns_open, 1);
	if (p != NULL && atomic_load(&p->count) > 0)
		atomic_fetch_sub(&p->count, 1);
}

void board_clear(struct board *b, struct board_row *row)
{
	atomic_store(&row->stats.conns_open, 0);
	if (b->peer_slots > 0)
		memset((void *)row->peers, 0, b->peer_slots * sizeof *row->peers);
}

void board_sum(const struct board *b, struct myr_stats *sum)
{
	*sum = (struct myr_stats){ .workers = b->rows };
	for (unsigned i = 0; i < b->rows; i++) {
		const struct board_row *r = &b->row[i];

		sum->conns_open += atomic_load_explicit(&r->stats.conns_open, memory_order_relaxed);
		sum->accepted += atomic_load_explicit(&r->stats.accepted, memory_order_relaxed);
		sum->refused += atomic_load_explicit(&r->stats.refused, memory_order_relaxed);
		sum->cut += atomic_load_explicit(&r->stats.cut, memory_order_relaxed) +
		            atomic_load_explicit(&r->kids_cut, memory_order_relaxed);
		sum->bytes_in += atomic_load_explicit(&r->stats.bytes_in, memory_order_relaxed) +
		                 atomic_load_explicit(&r->kids_in, memory_order_relaxed);
		sum->bytes_out += atomic_load_explicit(&r->stats.bytes_out, memory_order_relaxed) +
		                  atomic_load_explicit(&r->kids_out, memory_order_relaxed);
	}
}
