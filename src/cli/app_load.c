/* SPDX-License-Identifier: MIT
 *
 * app_load.c - is it there, is it safe, does it load, is it an application, is it complete?
 *
 * Each question has its own answer, because "cannot load app.so" helps nobody. */
#include "cli/app_load.h"

#include <ctype.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/opts.h"
#include "cli/say.h"
#include "cli/trust.h"

#define COMMAND  "myriad run"
#define TRIAL_MS 30000
#define NAME_MAX_BYTES 64

/* --- Is it safe? ---------------------------------------------------------------------------------- */

static int trust_failed(const char *path)
{
	say_error(COMMAND, "cannot open %s: %s", path, myr_strerror(-errno));
	return EXIT_FAILED;
}

static int trust_refuse(const char *path, const struct stat *st)
{
	const char *what = S_ISDIR(st->st_mode) ? "the folder " : S_ISLNK(st->st_mode) ? "the link " : "";

	if (st->st_uid != 0) {
		say_error(COMMAND, "%s%s belongs to another user (uid %d): as root, this would run what that user likes", what,
		          path, (int)st->st_uid);
		say_try("chown %sroot %s, or run it as that user", S_ISLNK(st->st_mode) ? "-h " : "", path);
	} else {
		say_error(COMMAND, "%s%s can be written by others (mode %04o): as root, this would run what they like", what,
		          path, (unsigned)(st->st_mode & 07777));
		say_try("chmod go-w %s", path);
	}
	return EXIT_FAILED;
}

/* What has passed is loaded by its name: nobody else can change what that is. */
static int trust_as_root(const char *path)
{
	struct trust t;
	int err = trust_path(&t, path);

	if (err < 0) {
		errno = -err;
		return trust_failed(path);
	}
	if (err == 0 && !trust_is_others(&t.st))
		return OPTS_GO_ON;
	return trust_refuse(err == 0 && t.links == 0 ? path : t.at, &t.st);
}

static int trust_warn(const char *path, const char *what)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return trust_failed(path);
	if ((st.st_mode & 002) && !(S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX)))
		say_more("warning: %s%s can be written by everybody (mode %04o)", what, path, (unsigned)(st.st_mode & 07777));
	return OPTS_GO_ON;
}

int app_trust(const char *path)
{
	char copy[PATH_MAX];
	struct stat st;
	int status;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		say_error(COMMAND, "%s is not a file", path);
		return EXIT_FAILED;
	}
	if (geteuid() == 0)
		return trust_as_root(path);
	snprintf(copy, sizeof copy, "%s", path);
	status = trust_warn(path, "");
	return status == OPTS_GO_ON ? trust_warn(dirname(copy), "the folder ") : status;
}

/* --- Does it load? -------------------------------------------------------------------------------- */

/* Without a slash the dynamic linker would look in the system's folders. */
static const char *load_path(const char *path, char *dst, size_t size)
{
	snprintf(dst, size, "%s%s", strchr(path, '/') ? "" : "./", path);
	return dst;
}

static _Noreturn void trial_child(const char *path, int report)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);       /* what waits while it is loaded does not outlive us */
	if (null >= 0)
		dup2(null, STDOUT_FILENO);      /* what it prints while it is loaded is printed once */
	dlopen(path, RTLD_NOW | RTLD_LOCAL);
	_exit(write(report, "", 1) != 1);
}

static int trial_judge(const char *shown, int status)
{
	if (WIFSIGNALED(status))
		say_error(COMMAND, "%s crashes while it is loaded: SIG%s (%s)", shown, sigabbrev_np(WTERMSIG(status)),
		          strsignal(WTERMSIG(status)));
	else
		say_error(COMMAND, "%s ends the program while it is loaded, with status %d", shown, WEXITSTATUS(status));
	say_more("its constructors run then (__attribute__((constructor)), objects of C++)");
	return EXIT_FAILED;
}

/* Whether dlopen() can find fault with it is seen later; here, whether it comes back at all. */
static int load_try(const char *path, const char *shown)
{
	struct pollfd p = { .events = POLLIN };
	int ends[2], status, ready;
	char byte;
	bool came_back;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		say_error(COMMAND, "cannot try to load %s: %s", shown, myr_strerror(-errno));
		return EXIT_FAILED;
	}
	if (pid == 0)
		trial_child(path, ends[1]);
	close(ends[1]);
	p.fd = ends[0];
	while ((ready = poll(&p, 1, TRIAL_MS)) < 0 && errno == EINTR)
		;
	came_back = ready > 0 && read(ends[0], &byte, 1) == 1;
	close(ends[0]);
	if (ready == 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ready == 0) {
		say_error(COMMAND, "%s does not finish loading within %d s: its constructors wait", shown, TRIAL_MS / 1000);
		return EXIT_FAILED;
	}
	return came_back ? OPTS_GO_ON : trial_judge(shown, status);
}

static int load_failed(const char *shown, const char *path)
{
	const char *why = dlerror();
	size_t n = strlen(path);

	if (why && strncmp(why, path, n) == 0 && strncmp(why + n, ": ", 2) == 0)
		why += n + 2;                   /* it is named already */
	say_error(COMMAND, "cannot load %s: %s", shown, why ? why : "nobody knows why");
	if (why && strstr(why, "undefined symbol"))
		say_try("link what it needs into it: cc -shared ... -lNAME   (libmyriad need not be among them)");
	else if (why && strstr(why, "libmyriad"))
		say_try("leave out -lmyriad: myriad run has the library");
	else if (why && strstr(why, "failed to map segment"))
		say_try("another folder: this one may be mounted noexec   (TMPDIR=... for a .c)");
	else if (why && (strstr(why, "ELF") || strstr(why, "too short")))
		say_try("cc -shared -fPIC app.c -o app.so, or myriad run app.c");
	return EXIT_FAILED;
}

/* --- Is it an application? ------------------------------------------------------------------------ */

/* The bytes that the symbol has, and whether it is data at all; 0: unknown. */
static size_t symbol_size(const void *at, bool *data)
{
	const ElfW(Sym) *symbol;
	void *found = NULL;
	Dl_info info;

	*data = true;
	if (!dladdr1(at, &info, &found, RTLD_DL_SYMENT) || !found)
		return 0;
	symbol = found;
	*data = ELF64_ST_TYPE(symbol->st_info) != STT_FUNC;
	return symbol->st_size;
}

static int check_made(const struct myr_app *theirs, const char *shown)
{
	const size_t least = offsetof(struct myr_app, service) + sizeof theirs->service;
	bool data;
	size_t size = symbol_size(theirs, &data);

	if (!data || (size > 0 && size < least) || theirs->size < least || (size > 0 && theirs->size > size) ||
	    theirs->service_size < offsetof(struct myr_service, setup)) {
		say_error(COMMAND, "%s: its myr_app is not an application's", shown);
		say_try("MYR_APP(\"name\", \"about\", &service, \"7000\"), once, in place of the definition");
		return EXIT_FAILED;
	}
	if (theirs->size > sizeof *theirs || theirs->service_size > sizeof(struct myr_service)) {
		say_error(COMMAND, "%s is made for a newer myriad than this one", shown);
		say_try("this version's <myriad.h> to build it, or a newer myriad");
		return EXIT_FAILED;
	}
	return OPTS_GO_ON;
}

/* It names files (NAME.pid, NAME.log) and stands in logs. */
static bool name_is_fine(const char *name)
{
	if (!isalnum((unsigned char)name[0]) || strlen(name) > NAME_MAX_BYTES)
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			return false;
	return true;
}

static bool service_has_blocking(const struct myr_service *s)
{
	return s->setup || s->handle || s->finish;
}

static bool service_has_callbacks(const struct myr_service *s)
{
	return s->on_open || s->on_data || s->on_frame || s->on_room || s->on_eof || s->on_close || s->on_stop;
}

static int check_content(const struct app_loaded *a, const char *shown)
{
	const struct myr_service *s = &a->service;
	bool blocking = service_has_blocking(s), callbacks = service_has_callbacks(s);

	if (!a->app.name || !*a->app.name)
		say_error(COMMAND, "%s: the application has no name", shown);
	else if (!name_is_fine(a->app.name))
		say_error(COMMAND, "%s: the application's name must be letters, digits, dots and dashes: it names files", shown);
	else if (!a->app.service)
		say_error(COMMAND, "%s: the application %s has no service", shown, a->app.name);
	else if (blocking && callbacks)
		say_error(COMMAND, "%s: its service has both halves, blocking (setup, handle, finish) and callbacks (on_...)", shown);
	else if (!blocking && !callbacks)
		say_error(COMMAND, "%s: its service has neither a handle nor a callback", shown);
	else
		return OPTS_GO_ON;
	say_try("MYR_APP(\"name\", \"about\", &service, \"7000\") with a service that has one half");
	return EXIT_FAILED;
}

int app_load(struct app_loaded *a, const char *path, const char *shown)
{
	const struct myr_app *theirs;
	char slashed[PATH_MAX];
	void *object;
	int status;

	path = load_path(path, slashed, sizeof slashed);
	status = load_try(path, shown);
	if (status != OPTS_GO_ON)
		return status;
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!object)
		return load_failed(shown, path);
	theirs = dlsym(object, "myr_app");
	if (!theirs) {
		say_error(COMMAND, "%s is no application: it has no symbol myr_app", shown);
		say_try("MYR_APP(\"name\", \"about\", &service, \"7000\") at the end of its source   (myriad new writes one)");
		return EXIT_FAILED;
	}
	status = check_made(theirs, shown);
	if (status != OPTS_GO_ON)
		return status;
	memset(a, 0, sizeof *a);
	memcpy(&a->app, theirs, theirs->size);
	if (a->app.service)
		memcpy(&a->service, a->app.service, theirs->service_size);
	status = check_content(a, shown);
	a->app.service = &a->service;
	if (!a->service.name)
		a->service.name = a->app.name;
	return status;
}
