# SPDX-License-Identifier: MIT
"""myriad run: an application from its source or from a shared object, its options, its mistakes."""
import os
import re
import signal
import socket
import subprocess

import pytest
from conftest import DEADLINE, MYRIAD, TOP
from launching import BUILD, ENGINES, INCLUDE, TALK, TALK_APP, ask, folder, needs_root, until  # noqa: F401

SANITIZED = "build-asan" in MYRIAD or "build-tsan" in MYRIAD


# --- It runs --------------------------------------------------------------------------------------

@pytest.mark.parametrize("engine", ENGINES)
def test_source_and_object_under_every_engine(folder, engine):
    folder.object("app.so", TALK_APP)
    for app in "app.c", "app.so":
        server = folder.foreground(app, 0, "-e", engine)
        assert ask(server.address, "hello") == "one: hello\n"
        assert server.stop() == 0
        assert server.err.all()[-1].startswith("stopped: 1 served, 0 refused, 0 cut")


def test_the_sample_of_the_examples(folder):
    folder.write("lines.c", (TOP / "examples" / "lines_app.c").read_text())
    server = folder.foreground("lines.c", 0)
    assert ask(server.address, "hello") == "hello\r\n"


def test_its_own_endpoint_unless_another_is_given(folder):
    folder.write("app.c", TALK + f'MYR_APP("talk", "a", &talk, "unix:{folder.path}/own");')
    assert folder.foreground("app.c").address == f"unix:{folder.path}/own"
    assert folder.foreground("app.c", "unix:other").address == "unix:other"


@pytest.mark.skipif(SANITIZED, reason="the library is instrumented")
def test_an_object_that_was_linked_with_the_library(folder):
    """Its calls reach the program's library, or its connections would be unknown there."""
    folder.object("app.so", TALK_APP, f"-L{BUILD}", "-lmyriad")
    server = folder.foreground("app.so", 0, env={"LD_LIBRARY_PATH": str(BUILD)})
    assert ask(server.address, "hello") == "one: hello\n"
    status, _, err = folder.myriad("run", "app.so", 0, "--check", env={"LD_LIBRARY_PATH": "/nowhere"})
    if status != 0:                             # unless a libmyriad is installed on this machine
        assert "libmyriad" in err
        assert "  try: leave out -lmyriad: myriad run has the library\n" in err


def test_check(folder):
    folder.write("app.c", TALK_APP)
    assert folder.myriad("run", "app.c", 0, "--check") == (0, "ok\n", "")
    assert folder.myriad("run", "-D", "app.c", 0, "--check") == (0, "ok\n", "")
    assert not list(folder.path.glob("*.pid"))


def test_simulation(folder):
    folder.write("app.c", TALK_APP)
    first = folder.myriad("run", "app.c", "-e", "sim:7", "--sim-clients", 20)
    assert first[0] == 0
    result, repeat = first[1].splitlines()
    assert re.match(r"sim: seed 7, 20 clients, .* 0 failed, hash ", result)
    assert folder.myriad(*repeat.removeprefix("repeat: myriad ").split()) == first


TWO = TALK + r"""
#include <string.h>
static int upper_base = 0;
static size_t count(struct myr_conn *c, const void *p, size_t n)
{
	(void)p;
	myr_printf(c, "%d bytes, %s\n", (int)n, *(const char **)myr_arg(c));
	return n;
}
static const struct myr_service counter = { .name = "counter", .on_data = count };
static const char *word;
static int build(struct myr_server *server, void **arg)
{
	int n;

	(void)upper_base;
	word = myr_app_value(server, "word");
	*arg = &word;
	n = myr_server_add(server, &counter, myr_app_value(server, "counter"), &word);
	return n < 0 ? n : strcmp(word, "wrong") == 0 ? -22 : 0;
}
static const struct myr_app_option options[] = {
	{ "word", "plain", "said by the counter" },
	{ "counter", "127.0.0.1:0", "where the counter is" },
	{ 0 }
};
MYR_APP("two", "a talk and a counter", &talk, "0", options, build);
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_two_services_in_one_process(folder, engine):
    folder.write("two.c", TWO)
    server = folder.foreground("two.c", "-e", engine, "-O", "word=fine", listeners=2)
    counter, talk = server.addresses
    assert ask(counter, "1234") == "5 bytes, fine\n"
    assert ask(talk, "1234") == "one: 1234\n"
    assert server.stop() == 0


# --- Options of its own ---------------------------------------------------------------------------

def test_help_begins_with_what_the_application_says(folder):
    folder.write("two.c", TWO)
    for how in "--help", "-h":
        status, out, err = folder.myriad("run", "two.c", how)
        assert (status, err) == (0, "")
        assert out.startswith("two  a talk and a counter\n  listens on 0, unless told otherwise\n"
                              "  -O word=plain          said by the counter\n")
        assert "  -e, --engine NAME" in out
        assert "  -D, --daemon" in out
    status, out, err = folder.myriad("run", "nothing.c", "--help")
    assert (status, out) == (1, "")
    assert "cannot open nothing.c: no such file or directory" in err


@pytest.mark.parametrize("given, word", [([], "plain"), (["-O", "word=a b"], "a b"), (["-Oword=x", "-O", "word=y=z"], "y=z"),
                                         (["--option", "word="], "")])
def test_options(folder, given, word):
    folder.write("two.c", TWO)
    server = folder.foreground("two.c", *given, listeners=2)
    assert ask(server.addresses[0], "1") == f"2 bytes, {word}\n"


@pytest.mark.parametrize("given, said", [
    (["-O", "wrod=x"], 'unknown option of the application "wrod". Did you mean "word"?   (myriad run two.c --help shows all)'),
    (["-O", "colour=x"], 'unknown option of the application "colour"   (myriad run two.c --help shows all)'),
    (["-O", "word"], "-O word: that is no NAME=VALUE"),
    (["-O", "word=wrong"], "two.c could not be prepared: invalid argument"),
    (["-O", "counter=70000"], "two.c could not be prepared"),
])
def test_wrong_options(folder, given, said):
    folder.write("two.c", TWO)
    status, out, err = folder.myriad("run", "two.c", *given)
    assert (status, out) == (2, "")
    assert said in err


def test_wrong_option_in_the_environment_is_bad_configuration(folder):
    folder.write("two.c", TWO)
    assert folder.myriad("run", "two.c", env={"MYRIAD_OPTION": "word=x wrod=y"})[0] == 78
    folder.write("app.c", TALK_APP)
    status, _, err = folder.myriad("run", "app.c", "-O", "a=b")
    assert status == 2
    assert "-O a=b: talk has no options" in err


# --- The compiler ---------------------------------------------------------------------------------

def test_a_compile_error_is_shown_as_it_is(folder):
    folder.write("app.c", TALK_APP.replace("char line[1024];", "char line[1024]"))
    (folder.path / "tmp").mkdir()
    status, out, err = folder.myriad("run", "app.c", 0, env={"TMPDIR": str(folder.path / "tmp")})
    assert (status, out) == (1, "")
    assert re.search(r"^app\.c:\d+:\d+: error: ", err, re.M)
    assert re.fullmatch(r"myriad run: app\.c is not compiled: cc ended with status \d+", err.splitlines()[-1])
    assert not list((folder.path / "tmp").iterdir())


def test_nothing_is_left_of_the_compilation(folder):
    folder.write("app.c", TALK_APP)
    (folder.path / "tmp").mkdir()
    folder.foreground("app.c", 0, env={"TMPDIR": str(folder.path / "tmp")})
    assert not list((folder.path / "tmp").iterdir())
    status, _, err = folder.myriad("run", "app.c", 0, env={"TMPDIR": "/nowhere"})
    assert status == 1
    assert "cannot make a temporary folder /nowhere/myriad-" in err


def ended_early(folder, until_file, number, **env):
    """Ended by a signal once this file is there: nothing is left, neither processes nor files; the exit status."""
    (folder.path / "tmp").mkdir()
    process = subprocess.Popen([MYRIAD, "run", "app.c", "0"], cwd=folder.path, stdin=subprocess.DEVNULL,
                               env=folder.environment({"TMPDIR": str(folder.path / "tmp"), **env}))
    until((folder.path / until_file).exists, until_file)
    assert list((folder.path / "tmp").iterdir())
    process.send_signal(number)
    status = process.wait(DEADLINE)
    folder.nothing_left()
    assert not list((folder.path / "tmp").iterdir())
    return status


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP),
                                            (signal.SIGQUIT, -signal.SIGQUIT), (signal.SIGINT, 130)])
def test_nothing_is_left_when_it_is_ended_during_the_compilation(folder, number, status):
    """The compiler's own children end, too: they would finish the object."""
    folder.write("app.c", TALK_APP)
    folder.write("cc.sh", """#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
: > "$out"
(: > compiling; exec sleep 1000) &
wait
""", 0o755)
    assert ended_early(folder, "compiling", number, CC="./cc.sh") == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_it_is_ended_while_it_loads(folder, number):
    folder.write("app.c", TALK_APP + """
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void wait_here(void) { close(creat("loading", 0600)); for (;;) pause(); }
""")
    assert ended_early(folder, "loading", number) == -number


def test_no_compiler(folder):
    folder.write("app.c", TALK_APP)
    status, _, err = folder.myriad("run", "app.c", 0, env={"CC": "no-such-cc"})
    assert status == 1
    assert err.startswith('myriad run: cannot run the compiler "no-such-cc": no such file or directory\n  try: ')


def test_flags_for_the_compiler(folder):
    folder.write("app.c", TALK_APP)
    server = folder.foreground("app.c", 0, env={"CFLAGS": '-DWORD="two" -O0', "CC": "env cc"})
    assert ask(server.address, "x") == "two: x\n"
    server = folder.foreground("app.c", 0, "--cflags", '-UWORD -DWORD="three"', env={"CFLAGS": '-DWORD="two"'})
    assert ask(server.address, "x") == "three: x\n"


# --- What cannot be loaded ------------------------------------------------------------------------

def refused(folder, app, *said, status=1):
    got, out, err = folder.myriad("run", app, 0)
    assert (got, out) == (status, ""), err
    for part in said:
        assert part in err, err
    assert err.startswith("myriad run: ")
    assert len(err.splitlines()) <= 4


@pytest.mark.skipif(SANITIZED, reason="the sanitizer has its own word on crashes")
def test_a_constructor_that_crashes(folder):
    folder.object("app.so", TALK_APP + "__attribute__((constructor)) static void c(void) { *(volatile int *)0 = 0; }")
    refused(folder, "app.so", "app.so crashes while it is loaded: SIGSEGV (Segmentation fault)")


CRASHES = """#include <myriad.h>
#include <stdlib.h>
#include <string.h>
static void deep(struct myr_conn *c) { char big[1 << 20]; memset(big, 1, sizeof big); myr_write(c, big, 1); }
static void handle(struct myr_conn *c)
{
	char line[20];

	while (myr_recv(c, line, sizeof line) >= 0) {
		if (strcmp(line, "null") == 0)
			*(volatile int *)0 = 1;
		else if (strcmp(line, "deep") == 0)
			deep(c);
		else if (strcmp(line, "abort") == 0)
			abort();
		else if (strcmp(line, "exit") == 0)
			exit(3);
	}
}
static const struct myr_service crashes = { .name = "crashes", .framing = &myr_lines, .handle = handle };
MYR_APP("crashes", "what not to do", &crashes, "0");
"""


@pytest.mark.skipif(SANITIZED, reason="the sanitizer has its own word on crashes")
@pytest.mark.parametrize("how, status, said", [
    ("null", -signal.SIGSEGV, "the application has crashed: segmentation fault"),
    ("deep", -signal.SIGSEGV, "the application has crashed: segmentation fault, its handler's stack is full"),
    ("abort", -signal.SIGABRT, "the application has crashed: abort"),
    ("exit", 3, "the application has called exit()")])
@pytest.mark.parametrize("engine", [e for e in ENGINES if e not in ("thread", "fork")])
def test_a_handler_that_crashes_is_the_last_thing_said(folder, engine, how, status, said):
    folder.write("app.c", CRASHES)
    server = folder.foreground("app.c", 0, "-e", engine)
    with pytest.raises((OSError, AssertionError)):
        ask(server.address, how)
        raise ConnectionError
    assert server.process.wait(DEADLINE) == status
    assert said in server.err.all()[-1]


@pytest.mark.parametrize("call, status", [("exit(3)", 3), ("exit(0)", 0)])
def test_a_constructor_that_ends_the_program(folder, call, status):
    folder.object("app.so", "#include <stdlib.h>\n" + TALK_APP +
                  f"__attribute__((constructor)) static void c(void) {{ {call}; }}")
    refused(folder, "app.so", f"app.so ends the program while it is loaded, with status {status}")


def test_a_constructor_that_prints_prints_once(folder):
    folder.object("app.so", TALK_APP + '__attribute__((constructor)) static void c(void) { puts("built"); }')
    assert folder.myriad("run", "app.so", 0, "--check") == (0, "built\nok\n", "")


def test_an_undefined_symbol(folder):
    folder.object("app.so", TALK_APP + "void nowhere(void); void f(void); void f(void) { nowhere(); }")
    refused(folder, "app.so", "cannot load app.so: undefined symbol: nowhere", "  try: link what it needs into it")


def test_no_object_at_all(folder):
    folder.write("app.so", "echo hello\n", 0o755)
    refused(folder, "app.so", "cannot load app.so: ", "  try: cc -shared -fPIC app.c -o app.so, or myriad run app.c")
    folder.write("empty.so", "", 0o755)
    refused(folder, "empty.so", "cannot load empty.so: file too short")
    refused(folder, "none.so", "cannot open none.so: no such file or directory")
    (folder.path / "folder.so").mkdir()
    refused(folder, "folder.so", "folder.so is not a file")


def test_only_here_and_not_in_the_folders_of_the_system(folder):
    refused(folder, "libc.so.6", "cannot open libc.so.6")


NO_APP = TALK + "const struct myr_service *unused = &talk; "


@pytest.mark.parametrize("text, said", [
    ("", "app.so is no application: it has no symbol myr_app"),
    ("MYR_API int myr_app = 7;", "app.so: its myr_app is not an application's"),
    ("MYR_API int myr_app(void); int myr_app(void) { return 7; }", "app.so: its myr_app is not an application's"),
    ('MYR_API const struct { struct myr_app a; void *more; } myr_app = { { sizeof myr_app, sizeof(struct myr_service), "talk",'
     ' "a", &talk } };', "app.so is made for a newer myriad than this one"),
    ('MYR_API const struct myr_app myr_app = { sizeof myr_app, sizeof(struct myr_service) + 8, "talk", "a", &talk };',
     "app.so is made for a newer myriad than this one"),
    ('MYR_API const struct myr_app myr_app = { 4096, sizeof(struct myr_service), "talk", "a", &talk };',
     "app.so: its myr_app is not an application's"),
    ('MYR_APP(0, "a", &talk, "0");', "app.so: the application has no name"),
    ('MYR_APP("../talk", "a", &talk, "0");', "app.so: the application's name must be letters, digits, dots and dashes"),
    ('MYR_APP("talk", "a", 0, "0");', "app.so: the application talk has no service"),
    ('static void eof(struct myr_conn *c) { myr_close(c); } static const struct myr_service both = { .handle = handle, '
     '.on_eof = eof }; MYR_APP("talk", "a", &both, "0");', "app.so: its service has both halves"),
    ('static const struct myr_service none = { .name = "none" }; MYR_APP("talk", "a", &none, "0");',
     "app.so: its service has neither a handle nor a callback"),
])
def test_what_is_no_application(folder, text, said):
    folder.object("app.so", NO_APP + text)
    refused(folder, "app.so", said, "  try: ")


def test_an_application_made_for_an_older_myriad(folder):
    """Structs that ended earlier: what they lack is as if it were zero, whatever follows them in memory."""
    folder.object("app.so", NO_APP + """
	#include <stddef.h>
	static struct { char service[offsetof(struct myr_service, start)]; long after[4]; } old = { .after = { -1, -1, -1, -1 } };
	MYR_API struct { size_t size, service_size; const char *name, *about; const void *service; const char *endpoint; } myr_app = {
		sizeof myr_app, sizeof old.service, "old", "a", &old, "0" };
	__attribute__((constructor)) static void c(void) { memcpy(&old, &talk, sizeof old.service); }
	""")
    server = folder.foreground("app.so")
    assert ask(server.address, "x") == "one: x\n"


@pytest.mark.parametrize("args, said", [
    ([], "which application?"),
    (["echo"], "echo is neither a shared object (.so) nor a source (.c)"),
    (["app.c", "more.c"], "more.c: one file is an application, and app.c is one already"),
    (["app.c", "-n", "-D"], "--daemon and --no-daemon exclude each other"),
    (["app.c", "-D", "-e", "sim:1"], "a simulation ends by itself: it is no daemon"),
    (["app.c", "--umask", "9"], '--umask: "9" is no mode: three octal digits, as 027'),
    (["app.c", "--user", "no-such-user"], '--user: there is no user "no-such-user"'),
    (["app.c", "--group", "no-such-group"], '--group: there is no group "no-such-group"'),
    (["app.c", "70000"], 'port "70000" is out of range (1-65535)'),
])
def test_mistakes(folder, args, said):
    folder.write("app.c", TALK_APP)
    status, out, err = folder.myriad("run", *args)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) <= 3


def test_a_port_in_use_names_the_command_to_try(folder):
    folder.write("app.c", TALK_APP)
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        status, _, err = folder.myriad("run", "app.c", port)
    assert status == 1
    assert f"cannot listen on tcp:127.0.0.1:{port}: address already in use" in err
    assert f"try: another port: myriad run app.c {port + 1 if port < 65535 else port - 1}   (0: any that is free)" in err


# --- Whom root trusts -----------------------------------------------------------------------------

@needs_root
@pytest.mark.parametrize("name", ["app.c", "app.so"])
def test_root_does_not_run_what_others_can_write(folder, name):
    folder.object("app.so", TALK_APP)
    path = folder.path / name
    path.chmod(0o666)
    refused(folder, name, f"{name} can be written by others (mode 0666): as root, this would run what they like",
            f"  try: chmod go-w {name}")
    path.chmod(0o644)
    os.chown(path, 65534, 0)
    refused(folder, name, f"{name} belongs to another user (uid 65534)")
    os.chown(path, 0, 0)
    folder.path.chmod(0o777)
    refused(folder, name, f"the folder {folder.path} can be written by others (mode 0777)",
            f"  try: chmod go-w {folder.path}")
    folder.path.chmod(0o1777)                   # as /tmp: nobody can replace another's file there
    assert folder.myriad("run", name, 0, "--check")[0] == 0
    folder.path.chmod(0o755)


def way(folder):
    """root/app.so leads over other/link.so to root/real.so; all of it is root's, until a test says otherwise."""
    for name in "root", "other", "other/sub":
        (folder.path / name).mkdir()
    folder.object("real.so", TALK_APP)
    os.rename(folder.path / "real.so", folder.path / "root" / "real.so")
    (folder.path / "other" / "sub" / "real.so").write_bytes((folder.path / "root" / "real.so").read_bytes())
    (folder.path / "root" / "app.so").symlink_to("../other/link.so")
    (folder.path / "other" / "link.so").symlink_to(f"{folder.path}/other/./sub/../../root/real.so")


@needs_root
@pytest.mark.parametrize("app", ["root/app.so", "other/sub/real.so", "other/../root/real.so", "other/link.so"])
def test_root_does_not_run_what_a_folder_further_up_or_a_link_leads_to(folder, app):
    way(folder)
    assert folder.myriad("run", app, 0, "--check") == (0, "ok\n", "")
    os.chown(folder.path / "other", 65534, 0)
    refused(folder, app, f"the folder {folder.path}/other belongs to another user (uid 65534)")
    os.chown(folder.path / "other", 0, 0)
    (folder.path / "other").chmod(0o775)
    refused(folder, app, f"the folder {folder.path}/other can be written by others (mode 0775)")


@needs_root
def test_root_follows_no_link_of_others_in_a_folder_for_all(folder):
    way(folder)
    (folder.path / "other").chmod(0o1777)
    assert folder.myriad("run", "root/app.so", 0, "--check") == (0, "ok\n", "")
    os.chown(folder.path / "other" / "link.so", 65534, 0, follow_symlinks=False)
    refused(folder, "root/app.so", f"the link {folder.path}/other/link.so belongs to another user (uid 65534)",
            f"  try: chown -h root {folder.path}/other/link.so")
    os.chown(folder.path / "other" / "link.so", 0, 0, follow_symlinks=False)
    os.chown(folder.path / "other", 65534, 0)   # its owner may replace all in it
    refused(folder, "root/app.so", f"the folder {folder.path}/other belongs to another user (uid 65534)")


def test_links_without_end(folder):
    (folder.path / "app.so").symlink_to("app.so")
    refused(folder, "app.so", "cannot open app.so: too many levels of symbolic links")


@needs_root
def test_others_are_warned(folder):
    folder.object("app.so", TALK_APP)
    (folder.path / "app.so").chmod(0o777)
    status, out, err = folder.myriad("run", "app.so", 0, "--check", user=65534, group=65534)
    if status == 1 and "Permission denied" in err:
        pytest.skip("nobody may not enter the build folder")
    assert (status, out) == (0, "ok\n")
    assert "warning: app.so can be written by everybody (mode 0777)" in err


# --- In the foreground ----------------------------------------------------------------------------

def test_log_file_in_the_foreground(folder):
    """Until it serves on both, then in the file alone; standard output is as it was."""
    folder.write("app.c", TALK_APP)
    server = folder.foreground("app.c", 0, "--log-file", "x.log", "-n")
    ask(server.address, "log hello")
    folder.logged("hello", "x.log")
    os.rename(folder.path / "x.log", folder.path / "x.log.1")
    server.process.send_signal(signal.SIGUSR1)
    folder.logged("", "x.log")
    ask(server.address, "log again")
    folder.logged("again", "x.log")
    assert "again" not in folder.log("x.log.1")
    assert server.stop() == 0
    assert server.out.all() == ["ready " + server.address]
    assert not [line for line in server.err.all() if "again" in line or "stopped" in line]
    assert "stopped: 2 served" in folder.log("x.log")


def test_signals_of_the_launcher_do_no_harm_in_the_foreground(folder):
    folder.write("app.c", TALK_APP)
    server = folder.foreground("app.c", 0)
    for number in signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD:
        server.process.send_signal(number)
    assert ask(server.address, "x") == "one: x\n"
    assert server.stop(signal.SIGHUP) == 0


def test_pid_file_in_the_foreground(folder):
    folder.write("app.c", TALK_APP)
    server = folder.foreground("app.c", 0, "--pid-file", "talk.pid")
    assert folder.pid() == server.process.pid
    status, _, err = folder.myriad("reload", "talk")
    assert status == 1
    assert f"talk, pid {server.process.pid}, runs in the foreground: only a daemon (-D) can be replaced" in err
    assert folder.myriad("stop", "talk") == (0, f"stopped talk, pid {server.process.pid}\n", "")
    assert server.process.wait() == 0


@pytest.mark.skipif(SANITIZED, reason="the compiler is not the one of the build")
def test_header_of_the_program(folder):
    """Found from where the program is, not from where it is called."""
    folder.write("app.c", TALK_APP)
    subprocess.run(["cc", "-fsyntax-only", INCLUDE, "app.c"], cwd=folder.path, check=True)
    assert folder.myriad("run", "app.c", 0, "--check", env={"C_INCLUDE_PATH": "", "PATH": os.environ["PATH"]})[0] == 0
