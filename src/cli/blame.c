/* SPDX-License-Identifier: MIT
 *
 * blame.c - who holds a port: its socket from /proc/net, whose that is from /proc/PID/fd.
 *
 * Of other users' processes only root sees the descriptors; then nobody is named. */
#include "cli/blame.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/say.h"

#define INODES_MAX   16
#define TCP_LISTEN   0x0a
#define UDP_BOUND    0x07
#define COMMAND_SHOW 60

struct sockets {
	unsigned long inodes[INODES_MAX];
	size_t n;
};

/* "7000", ":7000,backlog=9", "tcp:[::1]:7000": 7000; 0: there is none. */
static unsigned endpoint_port(const char *endpoint)
{
	const char *end = strchr(endpoint, ',');
	const char *p = end = end ? end : endpoint + strlen(endpoint);

	while (p > endpoint && isdigit((unsigned char)p[-1]))
		p--;
	return p == end || strncmp(endpoint, "unix", 4) == 0 || strncmp(endpoint, "fd:", 3) == 0 ? 0 :
		(unsigned)strtoul(p, NULL, 10);
}

static void sockets_of_port(struct sockets *s, const char *path, unsigned port, unsigned bound)
{
	FILE *f = fopen(path, "re");
	char line[512];

	while (f && s->n < INODES_MAX && fgets(line, sizeof line, f)) {
		unsigned at, state;

		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %lu",
		           &at, &state, &s->inodes[s->n]) == 3 && at == port && state == bound)
			s->n++;
	}
	if (f)
		fclose(f);
}

static void sockets_of_unix(struct sockets *s, const char *path, size_t len)
{
	FILE *f = fopen("/proc/net/unix", "re");
	char line[512], at[256];

	while (f && s->n < INODES_MAX && fgets(line, sizeof line, f))
		if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu %255s", &s->inodes[s->n], at) == 2 &&
		    strlen(at) == len && strncmp(at, path, len) == 0)
			s->n++;
	if (f)
		fclose(f);
}

static bool process_has(const char *pid, const struct sockets *s)
{
	char path[300], target[64];
	struct dirent *e;
	bool has = false;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%s/fd", pid);
	d = opendir(path);
	while (d && !has && (e = readdir(d))) {
		unsigned long inode;
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);

		target[n > 0 ? n : 0] = '\0';
		if (sscanf(target, "socket:[%lu]", &inode) == 1)
			for (size_t i = 0; i < s->n; i++)
				has |= s->inodes[i] == inode;
	}
	if (d)
		closedir(d);
	return has;
}

/* As it was started; whatever is not plain text in it becomes a question mark. */
static void process_command(const char *pid, char *dst, size_t size)
{
	char path[300];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
	f = fopen(path, "re");
	if (f) {
		n = fread(dst, 1, size - 1, f);
		fclose(f);
	}
	while (n > 0 && dst[n - 1] == '\0')
		n--;
	for (size_t i = 0; i < n; i++)
		dst[i] = dst[i] == '\0' ? ' ' : dst[i] < ' ' || dst[i] > '~' ? '?' : dst[i];
	dst[n] = '\0';
}

static void blame_holder(const struct sockets *s)
{
	char text[COMMAND_SHOW + 1];
	struct dirent *e;
	DIR *d;

	if (s->n == 0 || !(d = opendir("/proc")))
		return;
	while ((e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]) && process_has(e->d_name, s)) {
			process_command(e->d_name, text, sizeof text);
			say_more("held by pid %s (%s)", e->d_name, text);
			break;
		}
	closedir(d);
}

/* A socket that nobody listens on is replaced; anything else is somebody's. */
static void blame_file(const char *path, size_t len)
{
	char name[200];
	struct stat st;

	snprintf(name, sizeof name, "%.*s", (int)len, path);
	if (lstat(name, &st) < 0 || S_ISSOCK(st.st_mode))
		return;
	say_more("there is %s of that name, which is not replaced", S_ISDIR(st.st_mode) ? "a folder" :
	         S_ISLNK(st.st_mode) ? "a link" : "a file");
	say_try("another path");
}

static void blame_in_use(const char *command, const char *subject, const char *endpoint)
{
	unsigned port = endpoint_port(endpoint);
	struct sockets s = { .n = 0 };

	bool udp = strncmp(endpoint, "udp:", 4) == 0;

	if (strncmp(endpoint, "unix", 4) == 0) {
		endpoint = strchr(endpoint, ':') + 1;
		sockets_of_unix(&s, endpoint, strcspn(endpoint, ","));
		blame_file(endpoint, strcspn(endpoint, ","));
	} else if (udp) {
		sockets_of_port(&s, "/proc/net/udp", port, UDP_BOUND);
		sockets_of_port(&s, "/proc/net/udp6", port, UDP_BOUND);
	} else {
		sockets_of_port(&s, "/proc/net/tcp", port, TCP_LISTEN);
		sockets_of_port(&s, "/proc/net/tcp6", port, TCP_LISTEN);
	}
	blame_holder(&s);
	if (port > 0)
		say_try("another port: %s %s %s%u   (0: any that is free)", command, subject, udp ? "udp:" : "",
		        port < 65535 ? port + 1 : port - 1);
}

void blame_listen(const char *command, const char *subject, const char *endpoint, int err)
{
	unsigned port = endpoint_port(endpoint);

	say_error(command, "%s", myr_reason());
	if (err == -EADDRINUSE) {
		blame_in_use(command, subject, endpoint);
	} else if ((err == -EACCES || err == -EPERM) && port > 0 && port < 1024) {
		say_more("ports below 1024 need a right (CAP_NET_BIND_SERVICE)");
		say_try("a port above 1023: %s %s %u", command, subject, port + 50000);
	} else if (err == -EADDRNOTAVAIL) {
		say_try("an address of this machine; :%u is all of them, %u is this machine only", port, port);
	}
}
