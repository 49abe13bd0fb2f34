/* SPDX-License-Identifier: MIT
 *
 * server.h - a server: its configuration, its sites, its workers, and where this process stands.
 *
 * A site is a service at an address: what myr_server_add() made.  Sites, board and listening sockets
 * are made before the first worker and outlive the last one; forked processes inherit them all.
 * Home is the process that calls myr_server_run(): the supervisor, or the only worker. */
#ifndef MYR_SERVER_H
#define MYR_SERVER_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/log.h"
#include "conn/conn.h"
#include "io/sock.h"
#include "serve/board.h"
#include "serve/engine.h"

#define SERVER_WORKERS 1024             /* at most */
#define SITES_MAX 1024
#define SITE_ALL (-1)                   /* for tells: the connections of all sites */
#define NAMES_NOWHERE 0xfffe            /* slots.worker of loops that nobody can send tells to */

struct site {
	struct origin origin;
	struct origin refusal;          /* of those above conns_max when service.full is set */
	struct myr_server *server;
	struct endpoint endpoint;
	struct sock_name name;
	int    *handles;                /* listening: one, or one for each worker */
	unsigned n_handles;
	unsigned inherited;             /* 1 + which of config.inherited; 0: opened here */
};

enum place {                            /* of this process, in the server */
	PLACE_HOME,
	PLACE_WORKER,                   /* a worker process */
	PLACE_KID                       /* a forked child with one connection */
};

struct myr_server {
	const struct engine *engine;
	struct myr_config config;       /* resolved, but for the limits of a connection */
	struct log_sink log;
	struct sim *world;              /* under sim */
	struct site **sites;
	unsigned n_sites;
	struct board *board;
	struct worker *workers;         /* one for each row of the board */
	unsigned n_workers;
	bool   processes;               /* several workers are processes */
	bool   signals;                 /* myr_serve() has installed handlers: forked children undo that */
	bool   has_run;
	bool   haunted;                 /* a handler or its work still runs after the cut: nothing may be freed */
	int    bell;                    /* an eventfd, rung by myr_server_stop() in any process; -1: sim */
	enum place place;
	struct crew *crew;              /* PLACE_HOME with several workers, while they run */
	struct worker *self;            /* PLACE_WORKER: the one we are */
	myr_id self_id;                 /* PLACE_KID: the connection we serve */
	struct myr_loop *self_loop;     /* PLACE_KID: its loop */
	int    uplink;                  /* not PLACE_HOME: the channel to whoever forked us */
	pthread_mutex_t door;           /* guards the crew's coming and going */
};

/* resolve.c: check and complete a configuration.  0 or an error, with the reason said. */
int  server_resolve(struct myr_server *, const struct myr_config *, size_t);

/* stop.c */
struct bell {                           /* the server's eventfd in a loop */
	struct port port;               /* first */
	void (*rung)(struct bell *, int level);         /* 1: drain, 2: cut */
	bool gone;
};
int  bell_hang(struct bell *, struct myr_server *, struct myr_loop *);
void bell_take_down(struct bell *);
int  server_stop_level(const struct myr_server *);      /* 0, 1 drain, 2 cut */
bool server_is_handed(const struct myr_server *);       /* the sockets live on in another process */

/* From now on nobody can connect.  All sockets at once, so that no worker lets in whom another has refused;
 * not the user's own (fd:N), with which somebody else may go on; and datagrams are just not read any more. */
void sites_refuse(struct myr_server *);
void sites_free(struct myr_server *);    /* site.c */
/* inherit.c: the sockets that were inherited for this site, if there are `want` of them.  How many it has got:
 * 0, there are none for it; or an error. */
int  inherit_listen(struct site *, unsigned want);

/* home.c, crew.c, simulate.c: the three ways to run.  0 or an error. */
int  home_run(struct myr_server *);
int  crew_run(struct myr_server *);
int  simulate_run(struct myr_server *);

#endif
