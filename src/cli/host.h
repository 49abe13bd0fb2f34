/* SPDX-License-Identifier: MIT
 *
 * host.h - an application served: what `myriad serve` and `myriad run` have in common.
 *
 * Options to a configuration, listeners, readiness, signals, the end.  A client may connect once its
 * `ready` line is out, and a signal sent then drains. */
#ifndef CLI_HOST_H
#define CLI_HOST_H

#include <myriad.h>
#include <sys/resource.h>

#include "cli/opts.h"
#include "cli/simulate.h"
#include "service/services.h"

/* The options, first in the table of each command that serves; its own follow. */
enum {
	H_LISTEN, H_ENGINE, H_WORKERS, H_PROCESSES, H_MAX_CONNS, H_MAX_PER_PEER, H_ACCEPT_RATE, H_DRAIN,
	H_IN_MAX, H_OUT_HIGH, H_OUT_LOW, H_OUT_MAX, H_OPEN, H_FRAME, H_IDLE, H_CLOSE, H_STACK,
	H_STDIN_EXIT, H_SIM_CLIENTS, H_QUIET, H_VERBOSE, H_CHECK, H_COUNT
};
extern const struct opt host_table[H_COUNT];

/* The end of --help: endpoints, readiness, signals. */
#define HOST_HELP \
	"An ENDPOINT is PORT (this machine only), :PORT (all addresses), HOST:PORT, [::1]:PORT,\n" \
	"the same after udp:, unix:PATH, unixgram:PATH (both with ,mode=0660) or fd:N.  Port 0 is any\n" \
	"that is free.  A datagram is answered with at most 3 times its size (udp:PORT,amplify=N), and\n" \
	"not if another server seems to have sent it (,from=any).  When it accepts, a line\n" \
	"`ready tcp:127.0.0.1:50007` goes to standard output for each.\n" \
	"SIGINT and SIGTERM: finish what was begun, then end; twice: cut.  SIGQUIT: cut at once.\n"

#define HOST_APP_OPTIONS_MAX 256        /* that an application may have */

struct host {
	/* set by the command */
	const struct command *command;
	const struct opt_value *values; /* of command->opts */
	const char *subject;            /* what follows the command's name to do the same again: "echo", "app.so" */
	const struct myr_app *app;
	const struct edition *edition;  /* NULL: the service itself */
	const char *endpoint;           /* unless others are given */
	bool verify;                    /* under sim: what comes back must be what was sent */
	const char *const *inherited;   /* struct myr_config.inherited */
	/* Each may be NULL: round the service; when it listens and nothing has started (OPTS_GO_ON or an exit
	 * status); once clients can connect. */
	struct myr_service (*wrap)(const struct myr_service *);
	int  (*bound)(struct host *, void *arg);
	void (*serving)(struct host *, void *arg);
	void *hook_arg;
	/* host.c's */
	const char *const *app_values;  /* struct myr_config.values */
	struct myr_server *server;
	struct myr_service service;     /* the application's, as it is or wrapped */
	void *arg;                      /* what build() made of it */
	const char *engine;             /* NULL: the best */
	char seeded[32];                /* "sim:42" */
	const char **endpoints;
	size_t endpoints_n;
	rlim_t files, files_before;
	struct simulation sim;
};

/* --quiet, --verbose */
void host_level(const struct opt_value *);
/* What the application's options are; value: of one, from what was asked for, else its default.  OPTS_GO_ON, or
 * the exit status.  Once in a process, after all that is set by the command and before host_serve(). */
int host_app_values(struct host *, const char *(*value)(const struct host *, const struct myr_app_option *));
/* Serve until stopped; args: the endpoints on the command line.  Returns the exit status. */
int host_serve(struct host *, char **args, size_t args_n);

#endif
