/* SPDX-License-Identifier: MIT
 *
 * sim.c - the simulated world (its seed, clock and events), and the mover that loops see.
 *
 * Events that are due wait in the loop's list, later ones in its heap.  A turn takes those that are
 * due when it begins; what they cause waits for the next.  A loop that is alone moves the clock when
 * it has nothing to do, to its next event or to the time it would sleep until. */
#include "io/sim_net.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"

#define SIM_EPOCH     1000              /* the clock starts here: 0 is too good at hiding mistakes */
#define SIM_BUFFER    (256u * 1024)
#define SIM_TIE_BITS  20                /* events due at the same millisecond keep their order */

/* --- The world: clock, seed, trace ----------------------------------------------------------- */

struct sim *sim_new(uint64_t seed, const struct sim_faults *faults)
{
	struct sim *w = sys_calloc(1, sizeof *w);

	if (w == NULL)
		return NULL;
	w->seed = w->state = seed;
	w->hash = 0xcbf29ce484222325u;
	w->now = SIM_EPOCH;
	if (faults != NULL) {
		const struct sim_faults none = { .buffer = faults->buffer };

		w->faults = *faults;
		w->faulty = memcmp(&none, faults, sizeof none) != 0;
	}
	if (w->faults.buffer == 0)
		w->faults.buffer = SIM_BUFFER;
	list_init(&w->nets);
	return w;
}

/* Listeners first, for those that wait in their queues. */
void sim_free(struct sim *w)
{
	if (w == NULL)
		return;
	assert(list_empty(&w->nets));
	for (uint32_t i = 0; i < w->used; i++)
		if (w->cells[i].sock != NULL && (w->cells[i].sock->bits & SOCK_LISTENS))
			inlet_close(w->cells[i].sock);
	for (uint32_t i = 0; i < w->used; i++) {
		assert(w->cells[i].sock == NULL || w->cells[i].sock->peer == NULL);
		if (w->cells[i].sock != NULL)
			sim_sock_close(w->cells[i].sock, false);
	}
	free(w->cells);
	free(w);
}

int64_t sim_now(const struct sim *w)
{
	return w->now;
}

uint64_t sim_seed(const struct sim *w)
{
	return w->seed;
}

uint64_t sim_hash(const struct sim *w)
{
	return w->hash;
}

void sim_share(struct sim *w, bool shared)
{
	w->shared = shared;
}

uint64_t sim_random(struct sim *w)              /* splitmix64 */
{
	uint64_t x = w->state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* 0..most.  Draws nothing when there is no choice. */
unsigned sim_upto(struct sim *w, size_t most)
{
	return most == 0 ? 0 : (unsigned)(sim_random(w) % (most + 1));
}

static void sim_mix(struct sim *w, uint64_t word)       /* FNV-1a, a word at a time */
{
	w->hash = (w->hash ^ word) * 0x100000001b3u;
	w->hash ^= w->hash >> 32;
}

void sim_trace(const struct sim_sock *s, char what, const void *bytes, size_t n)
{
	struct sim *w = s->world;
	const uint8_t *p = bytes;

	sim_mix(w, (uint64_t)what << 32 | s->number);
	sim_mix(w, (uint64_t)w->now);
	sim_mix(w, n);
	for (size_t i = 0; i < n; i++)
		sim_mix(w, p[i]);
}

static void sim_set_clock(struct sim *w, int64_t now)
{
	w->now = now;
	for (struct list *n = w->nets.next; n != &w->nets; n = n->next)
		list_of(n, struct net, link)->loop->now = now;
}

/* --- Events ------------------------------------------------------------------------------------ */

void event_init(struct event *e, void (*fire)(struct timer *))
{
	e->timer.fire = fire;
	list_init(&e->link);
}

bool event_is_set(const struct event *e)
{
	return e->timer.at != 0 || !list_empty(&e->link);
}

void event_drop(struct net *net, struct event *e)
{
	heap_remove(&net->later, &e->timer);
	list_remove(&e->link);
}

void event_soon(struct net *net, struct event *e)
{
	list_append(&net->due, &e->link);
}

/* Things that happen at the same time happen in any order: a perfect network keeps theirs. */
void event_set(struct net *net, struct event *e)
{
	struct sim *w = net->world;
	unsigned late;

	if (event_is_set(e))
		return;
	late = sim_upto(w, w->faults.delay_ms);
	if (late > 0)
		heap_set(&net->later, &e->timer,
		         (w->now + late) << SIM_TIE_BITS | (w->ties++ & ((1u << SIM_TIE_BITS) - 1)));
	else if (w->faulty && sim_upto(w, 1) == 1)
		list_append(net->due.next, &e->link);
	else
		event_soon(net, e);
}

static int64_t net_next(const struct net *net)          /* when its next event is due */
{
	const struct timer *t = heap_first(&net->later);

	if (!list_empty(&net->due))
		return net->world->now;
	return t != NULL ? t->due >> SIM_TIE_BITS : CLOCK_NEVER;
}

static void net_collect(struct net *net)
{
	struct timer *t;

	while ((t = heap_first(&net->later)) != NULL && t->due >> SIM_TIE_BITS <= net->world->now) {
		heap_remove(&net->later, t);
		list_append(&net->due, &((struct event *)t)->link);
	}
}

bool sim_has_work(struct sim *w, struct myr_loop *l)
{
	const struct timer *t = heap_first(&l->timers);

	return net_next(l->io) <= w->now || l->dirty != NULL || l->leaving != NULL || !list_empty(&l->ready) ||
	       atomic_load(&l->mail_woken) || (t != NULL && t->due <= w->now);
}

bool sim_advance(struct sim *w, int64_t until)
{
	int64_t next = CLOCK_NEVER;

	for (struct list *n = w->nets.next; n != &w->nets; n = n->next) {
		struct net *net = list_of(n, struct net, link);
		const struct timer *t = heap_first(&net->loop->timers);

		if (net_next(net) < next)
			next = net_next(net);
		if (t != NULL && t->due < next)
			next = t->due;
		if (sim_has_work(w, net->loop))
			next = w->now;
	}
	if (next > until && until != CLOCK_NEVER && until > w->now)
		sim_set_clock(w, until);
	if (next > until || next == CLOCK_NEVER)
		return false;
	if (next > w->now)
		sim_set_clock(w, next);
	return true;
}

/* --- The mover ------------------------------------------------------------------------------------------ */

static int net_open(struct myr_loop *l, const void *arg)
{
	struct net *net = sys_calloc(1, sizeof *net);

	if (net == NULL)
		return fail(-ENOMEM, "out of memory");
	net->world = (struct sim *)(uintptr_t)arg;      /* movers take tables: theirs are const, worlds are not */
	if (net->world == NULL)
		net->world = net->own = sim_new(1, NULL);
	if (net->world == NULL) {
		free(net);
		return fail(-ENOMEM, "out of memory");
	}
	net->loop = l;
	list_init(&net->due);
	list_append(&net->world->nets, &net->link);
	l->io = net;
	l->now = net->world->now;
	return 0;
}

static void net_close(struct myr_loop *l)
{
	struct net *net = l->io;

	assert(net->ports == 0 && list_empty(&net->due));
	list_remove(&net->link);
	heap_done(&net->later);
	sim_free(net->own);
	free(net);
}

static int net_attach(struct port *p)
{
	struct net *net = p->loop->io;
	struct sim_sock *s = sim_sock_find(net->world, p->handle);

	if (s == NULL || ((p->flags & PORT_BORROWED) && !(s->bits & SOCK_LISTENS)))
		return fail(-ENOTSUP, "descriptor %d cannot be watched in a simulated network", (int)p->handle);
	assert(s->port == NULL && s->peer == NULL);
	if (heap_reserve(&net->later, 3 * (net->ports + 1)) < 0)
		return fail(-ENOMEM, "out of memory");
	net->ports++;
	s->net = net;
	s->port = p;
	p->armed = 0;
	return 0;
}

static struct sim_sock *port_sock(const struct port *p)
{
	return sim_sock_find(((const struct net *)p->loop->io)->world, p->handle);
}

static void net_update(struct port *p)
{
	struct sim_sock *s = port_sock(p);

	if (s->bits & SOCK_LISTENS)
		inlet_update(s);
	else if (p->flags & PORT_DIALLING)
		dial_update(s);
	else
		stream_update(s);
}

static void net_detach(struct port *p)
{
	struct sim_sock *s = port_sock(p);

	event_drop(s->net, &s->in);
	event_drop(s->net, &s->out);
	s->turns = s->world->faulty ? sim_upto(s->world, SIM_TURNS - 1) : 0;
	event_soon(s->net, &s->end);
}

/* Events set by events wait for the next turn, behind the mark. */
static void net_wait(struct myr_loop *l, int64_t until)
{
	struct net *net = l->io;
	struct sim *w = net->world;
	int64_t next = net_next(net);
	struct list mark, *n;

	if (next > until)
		next = until;
	if (!w->shared && next > w->now && next != CLOCK_NEVER)
		sim_set_clock(w, next);
	l->now = w->now;
	net_collect(net);
	list_init(&mark);
	list_append(&net->due, &mark);
	for (int i = 0; i < LOOP_EVENTS && (n = list_pop(&net->due)) != &mark; i++) {
		struct timer *t = &list_of(n, struct event, link)->timer;

		t->fire(t);
	}
	list_remove(&mark);
}

static void net_discard(struct myr_loop *l, int32_t handle, uint8_t flags)
{
	(void)flags;
	sim_close(((const struct net *)l->io)->world, handle);
}

static int net_dial(struct myr_loop *l, const struct endpoint *e, struct addr *peer, bool *done)
{
	*done = false;
	if (endpoint_is_datagram(e))
		return fail(-ENOTSUP, "the simulated network has no datagrams: use a tcp: or unix: endpoint");
	return sim_dial(((const struct net *)l->io)->world, e, peer);
}

static size_t net_send_now(struct port *p, const uint8_t *b, size_t n)
{
	struct sim_sock *s = port_sock(p);

	if (p->armed & PORT_SEND || p->flags & PORT_DIALLING || s->other == NULL || s->bits & SOCK_RESET ||
	    (s->world->faulty && sim_upto(s->world, 1) == 1))
		return 0;
	s->iov[0] = (struct iovec){ (void *)(uintptr_t)b, n };
	s->pieces = 1;
	return stream_pass(s);
}

/* A world without delays has none here, either. */
static unsigned net_work_ms(struct myr_loop *l)
{
	const struct net *net = l->io;

	return sim_upto(net->world, net->world->faults.delay_ms);
}

const struct mover mover_sim = {
	.name = "sim", .virtual_time = true, .open = net_open, .close = net_close, .attach = net_attach,
	.update = net_update, .detach = net_detach, .wait = net_wait, .discard = net_discard,
	.dial = net_dial, .send_now = net_send_now, .work_ms = net_work_ms,
};

