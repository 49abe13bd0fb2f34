/* SPDX-License-Identifier: MIT
 *
 * matrix_script.c - what scripts share: servers of their own, and where services are. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "engines/matrix.h"
#include "engines/matrix_main.h"
#include "support/clock.h"

#define END_MS 8000

static const struct myr_service *find_service(const struct run *run, const char *name)
{
	for (unsigned i = 0; i < N_TOPICS; i++)
		for (unsigned j = 0; j < topics[i]->n_hostings; j++)
			if (strcmp(topics[i]->hostings[j].name, name) == 0)
				return topics[i]->hostings[j].in[run->style];
	return NULL;
}

void serve_at(struct script *s, const struct myr_config *limits, const struct place *places, unsigned n,
              unsigned fds_max)
{
	struct myr_config config = *limits;
	struct hosted list[SERVER_SITES];

	config.engine = s->run->engine;
	config.workers = s->run->workers;
	config.workers_are = s->run->processes ? MYR_PROCESSES : MYR_THREADS;
	for (unsigned i = 0; i < n; i++) {
		s->own_names[i] = places[i].service;
		list[i] = (struct hosted){ find_service(s->run, places[i].service), places[i].endpoint };
	}
	s->n_own = n;
	s->has_own = true;
	if (!server_start(&s->own, &config, list, n, fds_max))
		note(&s->talk, "the server does not start");
}

void serve(struct script *s, const struct myr_config *limits, const char *service)
{
	serve_at(s, limits, &(struct place){ .service = service }, 1, 0);
}

void serve_stop(struct script *s)
{
	server_stop(&s->own);
}

void serve_ends(struct script *s)
{
	struct server_end end;

	talk_go_home(&s->talk);
	server_wait(&s->own, &end, END_MS);
	if (!end.over)
		note(&s->talk, "server: still there");
	else if (end.signal != 0)
		note(&s->talk, "server: killed by signal %d", end.signal);
	else if (end.cut > 0)
		note(&s->talk, "server: exit %d, %d cut", end.status, end.cut);
	else
		note(&s->talk, "server: exit %d", end.status);
	if (end.leaks[0] != '\0')
		note(&s->talk, "server: %s", end.leaks);
}

void wait_for_log(struct script *s, const char *text)
{
	int64_t deadline = test_now() + END_MS;

	while (!server_has_said(&s->own, text))
		if (test_now() >= deadline || poll(NULL, 0, 2) != 0) {
			note(&s->talk, "the server does not say: %s", text);
			return;
		}
}

const char *where(struct script *s, const char *service)
{
	for (unsigned i = 0; i < s->n_own; i++)
		if (strcmp(s->own_names[i], service) == 0)
			return s->own.address[i];
	return main_address(service);
}

struct client *meet(struct script *s, const char *name, const char *service)
{
	return client_dial(&s->talk, name, where(s, service), NULL);
}

void hear_if_served(struct script *s, struct client *c)
{
	if (s->in_turn)
		hear_nothing(c, SOON_MS);
	else
		hear_line(c);
}

void ask_until(struct script *s, const char *service, const char *question, const char *answer)
{
	int64_t deadline = test_now() + TALK_PATIENCE_MS;
	struct client *c = client_dial(&s->talk, "", where(s, service), &(struct client_opts){ .quiet = true });
	const char *heard;

	do {
		client_hears(c, 3);
		say(c, question);
		heard = hear_line(c);
	} while (strcmp(heard, answer) != 0 && heard[0] != '\0' && test_now() < deadline);
	hang_up(c);
	note(&s->talk, "%.*s: %s", (int)strcspn(question, "\n"), question, heard);
}
