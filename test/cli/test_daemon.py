# SPDX-License-Identifier: MIT
"""myriad run -D, stop, status, reload: start-up told by the parent, the lock, the log, rights, successors."""
import contextlib
import ctypes
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import threading

import pytest
from conftest import MYRIAD, read_all, without_openat2
from launching import HOWS, NOBODY, TALK, TALK_APP, ask, connect, folder, needs_root, read_line, until  # noqa: F401

how = pytest.mark.parametrize("how", HOWS, ids=" ".join)
some = pytest.mark.parametrize("how", [h for h in HOWS if h in (["-e", "epoll"], ["-e", "epoll", "-w", "3", "--processes"],
                                                              ["-e", "fork"])], ids=" ".join)
LIBC = ctypes.CDLL(None, use_errno=True)
SANITIZED = "build-asan" in MYRIAD or "build-tsan" in MYRIAD


# --- Start, status, stop --------------------------------------------------------------------------

@how
def test_a_life(folder, how):
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0, *how)
    assert folder.pid() == pid
    address, = folder.says("listen")
    assert ask(address, "hello") == "one: hello\n"
    status, out, err = folder.myriad("status", "talk")
    assert (status, err) == (0, "")
    assert re.fullmatch(rf"talk runs, pid {pid}, since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ, listens on {address}, "
                        rf"log {folder.path}/talk\.log\n", out)
    assert folder.myriad("stop", "talk") == (0, f"stopped talk, pid {pid}\n", "")
    folder.nothing_left()
    assert not (folder.path / "talk.pid").exists()
    assert "stopped: 1 served, 0 refused, 0 cut" in folder.log()
    for line in folder.log().splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line)
    assert folder.myriad("status", "talk") == (1, "talk does not run\n", "")
    status, out, err = folder.myriad("stop", "talk")
    assert (status, out) == (1, "")
    assert "it does not run, or not here: there is no talk.pid" in err


def test_it_is_in_a_session_of_its_own_without_our_files(folder):
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0)
    assert os.getsid(pid) not in (os.getsid(0), pid)
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    assert os.readlink(f"/proc/{pid}/fd/1") == os.readlink(f"/proc/{pid}/fd/2")
    assert os.readlink(f"/proc/{pid}/fd/1").startswith("pipe:")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_signals_stop_it(folder, number):
    folder.write("talk.c", TALK_APP)
    os.kill(folder.start("talk.c", 0), number)
    folder.nothing_left()
    assert not (folder.path / "talk.pid").exists()


def test_stop_waits_for_what_was_begun_and_now_cuts(folder):
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0)
    with connect(folder.says("listen")[0]) as s:
        s.sendall(b"half\nhalf")
        assert read_line(s) == "one: half\n"
        status, out, err = folder.myriad("stop", "talk", "--timeout", "50ms")
        assert (status, out) == (1, "")
        assert f"talk, pid {pid}, has not ended within 50ms: it finishes what was begun" in err
        assert "  try: myriad stop --now, to cut its connections" in err
        s.sendall(b" done\n")
        assert read_all(s) == b"one: half done\n"
    folder.nothing_left()
    pid = folder.start("talk.c", 0)
    with connect(folder.says("listen")[0]) as s:
        s.sendall(b"half\nhalf")
        assert read_line(s) == "one: half\n"
        assert folder.myriad("stop", "--now", "talk.pid")[0] == 0
    folder.nothing_left()


# --- What goes wrong is said where the command was typed -----------------------------------------------

def not_started(folder, *args, status=1, **more):
    got, out, err = folder.myriad("run", "-D", *args, **more)
    assert (got, out) == (status, ""), err
    folder.nothing_left()
    assert not (folder.path / "talk.pid").exists()
    return err


def test_a_port_in_use_is_reported(folder):
    folder.write("talk.c", TALK_APP)
    with socket.create_server(("127.0.0.1", 0)) as ours:
        err = not_started(folder, "talk.c", ours.getsockname()[1])
    assert "myriad run: cannot listen on tcp:127.0.0.1:" in err
    assert "  try: another port: " in err
    assert "cannot listen on" in folder.log()   # and who comes later finds it there


def test_a_compile_error_is_reported(folder):
    folder.write("talk.c", TALK_APP + "int x = ;")
    err = not_started(folder, "talk.c", 0)
    assert "error:" in err
    assert "talk.c is not compiled" in err


START = TALK + """
#include <stdlib.h>
#include <signal.h>
#include <unistd.h>
static int start(struct myr_loop *l, void *arg) { (void)l; (void)arg; DO; }
static const struct myr_service starting = { .name = "talk", .framing = &myr_lines, .handle = handle, .start = start };
MYR_APP("talk", "a", &starting, "0");
"""


@how
def test_a_service_that_does_not_start_is_reported(folder, how):
    """Long after the sockets were opened: in the workers."""
    folder.write("talk.c", START.replace("DO", 'fprintf(stderr, "no key\\n"); return -13'))
    err = not_started(folder, "talk.c", 0, *how)
    assert "no key\n" in err
    assert "myriad run: service talk does not start: permission denied" in err


@pytest.mark.skipif(SANITIZED, reason="the sanitizer has its own word on crashes")
@pytest.mark.parametrize("how", [[], ["-w", "2"]], ids=["one", "threads"])
def test_a_crash_before_it_serves_is_reported(folder, how):
    folder.write("talk.c", START.replace("DO", "raise(SIGSEGV); return 0"))
    got, out, err = folder.myriad("run", "-D", "talk.c", 0, *how)
    assert (got, out) == (1, "")
    assert "myriad run: the daemon was killed before it served: SIGSEGV" in err
    folder.nothing_left()


@pytest.mark.skipif(SANITIZED, reason="the sanitizer has its own word on crashes")
def test_a_worker_that_crashes_before_it_serves_is_reported(folder):
    folder.write("talk.c", START.replace("DO", "raise(SIGSEGV); return 0"))
    err = not_started(folder, "talk.c", 0, "-w", 2, "--processes")
    assert re.search(r"worker \d was killed by signal 11 \(Segmentation fault\) before it was ready", err)


def test_stopped_before_it_serves(folder):
    folder.write("talk.c", START.replace("DO", 'kill(getppid() > 1 ? getpid() : 0, SIGTERM); return -4'))
    got, out, _ = folder.myriad("run", "-D", "talk.c", 0)
    assert (got, out) == (1, "")
    folder.nothing_left()


def test_what_it_says_until_then_reaches_the_terminal_and_the_log(folder):
    folder.write("talk.c", START.replace("DO", 'fprintf(stderr, "unpacking \\033[2J\\n"); return 0'))
    status, out, err = folder.myriad("run", "-D", "talk.c", 0)
    assert status == 0
    assert "unpacking \\x1b[2J\n" in err
    assert "ready tcp:127.0.0.1:" in err
    assert "unpacking \\x1b[2J\n" in folder.log()


@pytest.mark.parametrize("args, said", [
    (["--log-file", "/nowhere/x.log"], "cannot write the log file /nowhere/x.log: no such file or directory"),
    (["--pid-file", "/nowhere/x.pid"], "cannot write the pid file /nowhere/x.pid: no such file or directory"),
    (["--chdir", "/nowhere"], "--chdir: cannot enter /nowhere: no such file or directory"),
])
def test_files_that_cannot_be_had(folder, args, said):
    folder.write("talk.c", TALK_APP)
    assert said in not_started(folder, "talk.c", 0, *args)


def test_folder_and_umask(folder):
    folder.write("talk.c", TALK_APP)
    (folder.path / "run").mkdir()
    folder.start("talk.c", "unix:sock", "--chdir", "run", "--umask", "077")
    assert sorted(p.name for p in (folder.path / "run").iterdir()) == ["sock", "talk.log", "talk.pid"]
    for name in "sock", "talk.log", "talk.pid":
        assert (folder.path / "run" / name).stat().st_mode & 0o077 == 0
    assert folder.myriad("status", "talk")[0] == 1
    assert folder.myriad("status", "run/talk.pid")[0] == 0
    assert folder.myriad("stop", "--pid-file", "run/talk.pid")[0] == 0
    assert sorted(p.name for p in (folder.path / "run").iterdir()) == ["talk.log"]


def test_no_log_file(folder):
    folder.write("talk.c", TALK_APP)
    with open(folder.path / "err", "w") as err:
        done = subprocess.run([MYRIAD, "run", "-D", "talk.c", "0", "--log-file", "-"], cwd=folder.path, stderr=err,
                              stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=folder.environment(), timeout=20)
    assert re.fullmatch(rb"started, pid \d+\n", done.stdout)
    ask(folder.says("listen")[0], "log hello")
    folder.logged("hello", "err")


# --- The lock -------------------------------------------------------------------------------------

def test_a_second_start_is_refused(folder):
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0)
    for way in ["-D"], ["-n", "--pid-file", "talk.pid"]:
        status, out, err = folder.myriad("run", *way, "talk.c", 0)
        assert (status, out) == (1, "")
        assert f"myriad run: another myriad runs this application, pid {pid}   (talk.pid)\n" in err
        assert "  try: myriad stop talk.pid, or another --pid-file\n" in err
    assert folder.pid() == pid
    assert folder.myriad("stop", "talk")[0] == 0


def race(folder):
    """Two starts at once, and the end of the winner."""
    racing = [subprocess.Popen([MYRIAD, "run", "-D", "talk.so", "0"], cwd=folder.path, env=folder.environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
              for _ in range(2)]
    ends = [(p.communicate(timeout=20), p.returncode) for p in racing]
    assert sorted(status for _, status in ends) == [0, 1], ends
    winner = next(out for (out, _), status in ends if status == 0)
    loser = next(err for (_, err), status in ends if status == 1)
    pid = int(re.search(rb"pid (\d+)", winner)[1])
    assert b"another myriad runs this application, pid %d " % pid in loser
    assert folder.pid() == pid
    assert folder.myriad("stop", "talk")[1] == f"stopped talk, pid {pid}\n"
    assert not (folder.path / "talk.pid").exists()


def test_of_two_starts_at_once_exactly_one_wins(folder):
    folder.object("talk.so", TALK_APP)
    for _ in range(20):
        race(folder)


@how
def test_after_a_kill_it_can_start_again(folder, how):
    """Also while children of the killed one still serve: the lock is not theirs."""
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0, *how)
    with connect(folder.says("listen")[0]) as s:
        s.sendall(b"x\n")
        assert read_line(s) == "one: x\n"
        os.kill(pid, signal.SIGKILL)
        until(lambda: folder.myriad("status", "talk")[0] == 1, "the end of the killed one")
        assert folder.myriad("status", "talk")[1] == "talk does not run; its pid file was left by one that crashed or was killed\n"
        again = folder.start("talk.c", 0, *how)
        assert folder.pid() == again != pid
        assert ask(folder.says("listen")[0], "x") == "one: x\n"
        assert folder.myriad("stop", "talk")[1] == f"stopped talk, pid {again}\n"


@contextlib.contextmanager
def locked_for_reading(path):
    """By somebody who may do no more than read it."""
    with open(path) as f:
        fcntl.fcntl(f, 37, struct.pack("hhqqixxxx", fcntl.F_RDLCK, 0, 0, 0, 0))     # F_OFD_SETLK
        yield


def test_a_reader_cannot_keep_it_from_starting(folder):
    folder.write("talk.c", TALK_APP)
    os.kill(folder.start("talk.c", 0), signal.SIGKILL)
    folder.nothing_left()
    with locked_for_reading(folder.path / "talk.pid"):
        assert folder.myriad("status", "talk")[1] == "talk does not run; its pid file was left by one that crashed or was killed\n"
        assert "it does not run: nobody holds talk.pid" in folder.myriad("stop", "talk")[2]
        pid = folder.start("talk.c", 0)
        assert folder.pid() == pid
        assert sorted(p.name for p in folder.path.iterdir()) == ["talk.c", "talk.log", "talk.pid"]
        assert folder.myriad("stop", "talk") == (0, f"stopped talk, pid {pid}\n", "")


def test_of_two_starts_at_once_exactly_one_wins_also_while_somebody_reads(folder):
    folder.object("talk.so", TALK_APP)
    for _ in range(10):
        (folder.path / "talk.pid").write_text("1\nstart=1\n")
        with locked_for_reading(folder.path / "talk.pid"):
            race(folder)


@needs_root
def test_another_user_can_ask_whether_it_runs(folder):
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0)
    with contextlib.suppress(PermissionError):  # nobody may not enter the build folder
        status, out, err = folder.myriad("status", "talk", user=NOBODY, group=NOBODY, extra_groups=[])
        assert (status, err) == (0, "")
        assert out.startswith(f"talk runs, pid {pid}, ")


def test_a_number_in_a_file_is_not_believed(folder):
    """The file names a process that is not the one; it must not be hurt, whoever has the lock."""
    victim = subprocess.Popen(["sleep", "60"])
    try:
        path = folder.path / "talk.pid"
        start = open(f"/proc/{victim.pid}/stat").read().rsplit(")", 1)[1].split()[19]
        path.write_text(f"{victim.pid}\nstart={start}\nfailed=0000000\n")
        status, _, err = folder.myriad("stop", "talk")
        assert status == 1
        assert "it does not run: nobody holds talk.pid" in err
        with open(path, "r+") as f:
            fcntl.fcntl(f, 37, struct.pack("hhqqixxxx", fcntl.F_WRLCK, 0, 0, 0, 0))     # F_OFD_SETLK
            for text in f"{victim.pid}\nstart={start}\n", f"{victim.pid}\nstart=1\n", "-1\nstart=1\n", "1\n", "nonsense", "":
                path.write_text(text)
                for command in "stop", "reload":
                    status, _, err = folder.myriad(command, "talk", "--timeout", "50ms")
                    assert status == 1
                    assert "talk.pid is locked, but not by the process that it names" in err
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()
    folder.write("talk.c", TALK_APP)
    (folder.path / "talk.pid").write_text(f"{os.getpid()}\n")
    folder.start("talk.c", 0)                   # it was stale, whatever it says


def test_only_its_own_pid_file_is_removed(folder):
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0)
    os.rename(folder.path / "talk.pid", folder.path / "other.pid")
    (folder.path / "talk.pid").write_text("another's\n")
    os.kill(pid, signal.SIGTERM)
    folder.nothing_left()
    assert (folder.path / "talk.pid").read_text() == "another's\n"
    (folder.path / "talk.pid").unlink()


@pytest.mark.parametrize("args, said", [
    (["stop"], "myriad stop: which application?"),
    (["status", "a", "b"], 'myriad status: "b" is not expected here'),
    (["reload", "--pid-file", "a", "b"], 'myriad reload: "b" is not expected here'),
    (["stop", "a", "--timeout", "3"], '--timeout: "3" is not a duration'),
])
def test_mistakes(folder, args, said):
    status, out, err = folder.myriad(*args)
    assert (status, out) == (2, "")
    assert said in err


# --- The log --------------------------------------------------------------------------------------

@how
def test_rotation(folder, how):
    """Once the new file is there every line goes to it, whoever writes: connections from before, too."""
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0, *how)
    address, = folder.says("listen")
    old = None
    for i in range(3):
        with connect(address) as s:
            s.sendall(b"log before %d\nprint printed before %d\n" % (i, i))
            read_line(s), read_line(s)
            folder.logged(f"before {i}")
            folder.logged(f"printed before {i}")
            old = folder.path / f"talk.log.{i}"
            os.rename(folder.path / "talk.log", old)
            os.kill(pid, signal.SIGUSR1)
            until((folder.path / "talk.log").exists, "the new log")
            s.sendall(b"log after %d\nprint printed after %d\n" % (i, i))
            read_line(s), read_line(s)
        folder.logged(f"after {i}")
        folder.logged(f"printed after {i}")
        assert "after" not in old.read_text().replace(f"after {i - 1}", "")
    assert folder.myriad("stop", "talk")[0] == 0


def test_what_clients_send_does_not_reach_the_log_as_it_is(folder):
    folder.write("talk.c", TALK_APP)
    folder.start("talk.c", 0)
    hostile = "print \x1b[2J\x07\u202e\r" + "x" * 900
    with connect(folder.says("listen")[0]) as s:
        s.sendall(hostile.encode() + b"\xff\x80\n")
        s.shutdown(socket.SHUT_WR)
        read_all(s)
    folder.logged("\\x1b[2J\\x07\\u{202e}\\x0d" + "x" * 900 + "\\xff\\x80\n")
    raw = (folder.path / "talk.log").read_bytes()
    assert all(byte >= 32 or byte == 10 for byte in raw)


def test_long_lines_are_cut_in_pieces(folder):
    folder.write("talk.c", TALK_APP.replace("line[1024]", "line[65536]").replace("sizeof line", "60000"))
    folder.start("talk.c", 0, "--stack-size", "1M")
    with connect(folder.says("listen")[0]) as s:
        s.sendall(b"print " + b"Y" * 20000 + b"\n")
        s.shutdown(socket.SHUT_WR)
        read_all(s)
    until(lambda: folder.log().count("Y") == 20000, "all of it")
    assert max(len(line) for line in folder.log().splitlines()) <= 4096 + 30


def test_lines_of_many_writers_do_not_mix(folder):
    folder.write("talk.c", TALK_APP)
    folder.start("talk.c", 0, "-e", "fork")
    address, = folder.says("listen")

    def write(letter):
        with connect(address) as s:
            for _ in range(50):
                s.sendall(b"print " + letter * 300 + b"\n")
                read_line(s)
    writers = [threading.Thread(target=write, args=(bytes([c]),)) for c in b"abcdefgh"]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    until(lambda: len(re.findall(r"Z ([a-h])\1{299}\n", folder.log())) == 400, "400 whole lines")


def test_a_log_that_cannot_be_opened_anew_goes_on(folder):
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0)
    os.rename(folder.path / "talk.log", folder.path / "old")
    (folder.path / "talk.log").mkdir()
    os.kill(pid, signal.SIGUSR1)
    folder.logged("error: cannot open the log anew, this one goes on: is a directory", "old")
    ask(folder.says("listen")[0], "log hello")
    folder.logged("hello", "old")
    (folder.path / "talk.log").rmdir()


@pytest.mark.parametrize("read", [False, True], ids=["not read", "read"])
def test_a_pipe_is_no_log_file(folder, read):
    """It would wait for its reader, and the server for it."""
    folder.write("talk.c", TALK_APP)
    os.mkfifo(folder.path / "pipe")
    reader = os.open(folder.path / "pipe", os.O_RDONLY | os.O_NONBLOCK) if read else None
    assert "/pipe: it is neither a file nor a terminal" in not_started(folder, "talk.c", 0, "--log-file", "pipe")
    pid = folder.start("talk.c", 0)
    os.rename(folder.path / "talk.log", folder.path / "old")
    os.rename(folder.path / "pipe", folder.path / "talk.log")
    os.kill(pid, signal.SIGUSR1)
    folder.logged("error: cannot open the log anew, this one goes on: it is neither a file", "old")
    ask(folder.says("listen")[0], "log hello")
    folder.logged("hello", "old")
    assert folder.myriad("stop", "--now", "talk")[0] == 0
    if read:
        os.close(reader)


@pytest.mark.parametrize("where", ["file", "pipe"])
@pytest.mark.parametrize("user", [[], pytest.param(["--user", "nobody"], marks=needs_root)], ids=["us", "nobody"])
def test_standard_error_as_the_log_file(folder, where, user):
    """Whatever it is, and also after a request to open it anew."""
    folder.write("talk.c", TALK_APP)
    theirs, ours = os.pipe() if where == "pipe" else (None, os.open(folder.path / "err", os.O_RDWR | os.O_CREAT, 0o600))
    done = subprocess.run([MYRIAD, "run", "-D", "talk.c", "0", "--log-file", "/dev/stderr", *user], cwd=folder.path,
                          env=folder.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=ours,
                          timeout=20)
    os.close(ours)
    assert done.returncode == 0
    os.kill(folder.pid(), signal.SIGUSR1)
    ask(folder.says("listen")[0], "log hello")
    assert folder.myriad("stop", "talk")[0] == 0
    if where == "pipe":
        assert b"hello" in b"".join(iter(lambda: os.read(theirs, 65536), b""))
        os.close(theirs)
    else:
        folder.logged("hello", "err")


def test_no_file_at_all_as_the_log_file(folder):
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0, "--log-file", "/dev/null")
    os.kill(pid, signal.SIGUSR1)
    assert ask(folder.says("listen")[0], "log hello") == "one: log hello\n"
    assert folder.myriad("stop", "talk")[0] == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_does_not_stop_it(folder):
    folder.write("talk.c", TALK_APP)
    folder.start("talk.c", 0, "--log-file", "/dev/full")
    for i in range(3):
        assert ask(folder.says("listen")[0], f"log {i}") == f"one: log {i}\n"
    assert folder.myriad("stop", "talk")[0] == 0


# --- Rights ---------------------------------------------------------------------------------------

def ids(pid, status="status"):
    text = open(f"/proc/{pid}/{status}").read()
    return {key: value.split() for key, value in re.findall(r"^(Uid|Gid|Groups|NoNewPrivs):[ \t]*(.*)$", text, re.M)}


@needs_root
@some
def test_rights_are_given_up_once_it_listens(folder, how):
    """A port that needs the right; then nobody has it: not the workers, not the children, not the log's writer."""
    folder.write("talk.c", START.replace("DO", 'fprintf(stderr, "uid %d\\n", (int)getuid()); return 0'))
    (folder.path / "run").mkdir()
    os.chown(folder.path / "run", NOBODY, NOBODY)
    with socket.socket() as probe:              # a free port below 1024
        port = next(p for p in range(600, 1000) if probe.connect_ex(("127.0.0.1", p)) != 0)
    folder.start("talk.c", port, "--user", "nobody", "--chdir", "run", *how)
    with connect(f"tcp:127.0.0.1:{port}") as s:
        s.sendall(b"x\n")
        assert read_line(s) == "one: x\n"
        for pid in folder.processes():
            seen = ids(pid)
            assert seen["Uid"] == [str(NOBODY)] * 4
            assert set(seen["Gid"] + seen["Groups"]) == {str(NOBODY)}
            assert seen["NoNewPrivs"] == ["1"]
    assert "uid 65534" in folder.log("run/talk.log")
    os.rename(folder.path / "run" / "talk.log", folder.path / "run" / "old")
    os.kill(int((folder.path / "run" / "talk.pid").read_text().split()[0]), signal.SIGUSR1)
    until((folder.path / "run" / "talk.log").exists, "the new log")
    assert folder.myriad("reload", "run/talk.pid")[0] == 0, folder.log("run/talk.log")
    assert ask(f"tcp:127.0.0.1:{port}", "x") == "one: x\n"
    assert ids(int((folder.path / "run" / "talk.pid").read_text().split()[0]))["Uid"] == [str(NOBODY)] * 4
    assert folder.myriad("stop", "run/talk.pid")[0] == 0
    assert not (folder.path / "run" / "talk.pid").exists()


def logs_of_nobody(folder):
    """A folder in another user's hands, and a file of root's that this user would like to have."""
    for name in "of_nobody", "of_nobody/log", "of_root":
        (folder.path / name).mkdir()
    for name in "of_nobody", "of_nobody/log":
        os.chown(folder.path / name, NOBODY, NOBODY)
    victim = folder.path / "of_root" / "victim"
    victim.write_text("as it was")
    victim.chmod(0o600)
    return folder.path / "of_nobody" / "log", victim


TRAPS = {
    "link": lambda log, victim: (log / "x.log").symlink_to(victim),
    "link to what is not there": lambda log, victim: (log / "x.log").symlink_to(victim.parent / "made"),
    "hard link": lambda log, victim: os.link(victim, log / "x.log"),
    "folder": lambda log, victim: (log.rmdir(), log.symlink_to(victim.parent)),
    "folder's folder": lambda log, victim: (log.rmdir(), log.parent.rmdir(), log.parent.symlink_to(victim.parent),
                                            (victim.parent / "log").mkdir()),
}


@needs_root
@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("user, kernel", [(["--user", "nobody"], None), ([], None), (["--user", "nobody"], without_openat2)],
                         ids=["nobody", "root", "older kernel"])
def test_root_is_not_led_to_another_file_by_the_log(folder, trap, user, kernel):
    log, victim = logs_of_nobody(folder)
    folder.write("talk.c", TALK_APP)
    TRAPS[trap](log, victim)
    if trap == "folder's folder":
        os.chown(folder.path / "of_nobody", NOBODY, NOBODY, follow_symlinks=False)
    elif log.is_symlink():
        os.chown(log, NOBODY, NOBODY, follow_symlinks=False)
    err = not_started(folder, "talk.c", 0, *user, "--log-file", "of_nobody/log/x.log", preexec_fn=kernel)
    assert "cannot write the log file of_nobody/log/x.log: " in err
    assert ("root follows none that others may have made" in err) == (user == [])
    assert victim.read_text() == "as it was"
    assert victim.stat().st_uid == 0
    assert sorted(p.name for p in victim.parent.rglob("*") if p.is_file()) == ["victim"]


@needs_root
@pytest.mark.parametrize("user", [["--user", "nobody"], []], ids=["nobody", "root"])
def test_root_is_not_led_to_another_file_when_the_log_is_opened_anew(folder, user):
    log, victim = logs_of_nobody(folder)
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0, *user, "--log-file", "of_nobody/log/x.log")
    os.rename(log / "x.log", log / "old")
    (log / "x.log").symlink_to(victim)
    os.kill(pid, signal.SIGUSR1)
    folder.logged("error: cannot open the log anew, this one goes on: ", "of_nobody/log/old")
    assert victim.read_text() == "as it was"


@needs_root
def test_the_owner_of_a_log_may_link_to_its_own(folder):
    log, _ = logs_of_nobody(folder)
    folder.write("talk.c", TALK_APP)
    (log / "x.log").symlink_to("elsewhere")
    folder.start("talk.c", 0, "--user", "nobody", "--log-file", "of_nobody/log/x.log")
    folder.logged("ready ", "of_nobody/log/elsewhere")
    assert (log / "elsewhere").stat().st_uid == NOBODY


@needs_root
def test_root_makes_a_log_where_its_owner_cannot(folder):
    """And may have set links there itself."""
    folder.write("talk.c", TALK_APP)
    (folder.path / "real").mkdir(0o700)
    (folder.path / "log").symlink_to("real")
    for _ in range(2):
        folder.start("talk.c", 0, "--user", "nobody", "--log-file", "log/x.log")
        assert folder.myriad("stop", "talk")[0] == 0
    assert (folder.path / "real" / "x.log").stat().st_uid == NOBODY
    assert folder.log("real/x.log").count("stopped: ") == 2


THREAD = TALK + """
#include <pthread.h>
#include <unistd.h>
static void *wait_here(void *p) { for (;;) pause(); return p; }
static int begin(void) { pthread_t t; return -pthread_create(&t, NULL, wait_here, NULL); }
"""


@needs_root
@pytest.mark.parametrize("begin", [
    'static int build(struct myr_server *s, void **arg) { (void)s; (void)arg; return begin(); }\n'
    'MYR_APP("talk", "a", &talk, "0", 0, build);',
    '__attribute__((constructor)) static void load(void) { begin(); }\nMYR_APP("talk", "a", &talk, "0");',
], ids=["build", "constructor"])
def test_threads_of_the_application_give_up_their_rights_too(folder, begin):
    folder.write("talk.c", THREAD + begin)
    pid = folder.start("talk.c", 0, "--user", "nobody")
    tasks = os.listdir(f"/proc/{pid}/task")
    assert len(tasks) > 1
    for task in tasks:
        seen = ids(pid, f"task/{task}/status")
        assert seen["Uid"] == [str(NOBODY)] * 4
        assert set(seen["Gid"] + seen["Groups"]) == {str(NOBODY)}
        assert seen["NoNewPrivs"] == ["1"]


@needs_root
def test_a_pid_file_that_may_not_be_removed_says_nothing_afterwards(folder):
    folder.write("talk.c", TALK_APP)
    folder.start("talk.c", 0, "--user", str(NOBODY), "--group", "nogroup")
    assert folder.myriad("stop", "talk")[0] == 0
    assert (folder.path / "talk.pid").read_text() == ""
    assert folder.myriad("status", "talk")[0] == 1
    folder.start("talk.c", 0)


@needs_root
def test_only_root_may_become_another(folder):
    folder.object("talk.so", TALK_APP)
    status, _, err = folder.myriad("run", "-D", "talk.so", 0, "--user", "root", user=NOBODY, group=NOBODY, extra_groups=[])
    if "Permission denied" in err:
        pytest.skip("nobody may not enter the build folder")
    assert status == 1
    assert "--user needs root: only root may become another user" in err


def has_obeyed(pid):
    """It has taken its signals and sleeps again."""
    text = open(f"/proc/{pid}/status").read()
    return re.search(r"^State:\tS", text, re.M) and re.search(r"^ShdPnd:\t0+$", text, re.M)


# --- Reload ---------------------------------------------------------------------------------------

def answered_anew(address):
    """The old one may still serve who comes in the moment in which it is told."""
    until(lambda: ask(address, "x") == "two: x\n", "an answer of the new one")


class Clients:
    """One connection after the other, one line each: whatever is not answered is kept."""

    def __init__(self, address):
        self.address, self.over, self.wrong, self.answers = address, False, [], []
        self.threads = [threading.Thread(target=self.run) for _ in range(2)]
        for t in self.threads:
            t.start()

    def run(self):
        while not self.over:
            try:
                self.answers.append(ask(self.address, "x"))
                if not re.fullmatch("(one|two|three): x\n", self.answers[-1]):
                    self.wrong.append(self.answers[-1])
            except OSError as e:
                self.wrong.append(repr(e))

    def end(self):
        self.over = True
        for t in self.threads:
            t.join()
        return self.wrong


@how
def test_reload_refuses_nobody(folder, how):
    folder.write("talk.c", TALK_APP)
    first = folder.start("talk.c", 0, *how)
    address, = folder.says("listen")
    clients = Clients(address)
    try:
        until(lambda: "one: x\n" in clients.answers, "an answer of the first")
        pid = first
        for word in "two", "three":
            folder.write("talk.c", TALK_APP.replace('"one"', f'"{word}"'))
            status, out, err = folder.myriad("reload", "talk")
            assert (status, err) == (0, ""), folder.log()
            assert out == f"reloaded talk, pid {folder.pid()} in place of {pid}\n"
            pid = folder.pid()
            until(lambda: f"{word}: x\n" in clients.answers, "an answer of the new one")
    finally:
        wrong = clients.end()
    assert wrong == []
    assert folder.says("listen") == [address]
    until(lambda: ask(address, "x") == "three: x\n", "an answer of the last one")
    assert folder.myriad("stop", "talk") == (0, f"stopped talk, pid {pid}\n", "")
    folder.nothing_left()
    assert not (folder.path / "talk.pid").exists()


@how
def test_who_is_connected_stays_with_the_old_one(folder, how):
    if how[1] == "iterative":
        pytest.skip("one at a time")
    folder.write("talk.c", TALK_APP)
    first = folder.start("talk.c", 0, *how)
    address, = folder.says("listen")
    with connect(address) as old:
        old.sendall(b"a\n")
        assert read_line(old) == "one: a\n"
        folder.write("talk.c", TALK_APP.replace('"one"', '"two"'))
        assert folder.myriad("reload", "talk")[0] == 0, folder.log()
        answered_anew(address)
        old.sendall(b"c\nlog still here\n")     # nothing told it to go
        assert read_line(old) == "one: c\n"
        assert read_line(old) == "one: log still here\n"
        assert first in folder.processes()
    until(lambda: first not in folder.processes(), "the end of the first")
    folder.logged("still here")
    assert folder.myriad("status", "talk")[0] == 0


def test_who_stays_too_long_is_told_to_go(folder):
    folder.write("talk.c", TALK_APP)
    first = folder.start("talk.c", 0, "--drain-timeout", "200ms")
    with connect(folder.says("listen")[0]) as old:
        old.sendall(b"a\n")
        assert read_line(old) == "one: a\n"
        assert folder.myriad("reload", "talk")[0] == 0
        assert old.recv(1) == b""               # idle: that is a good end
    until(lambda: first not in folder.processes(), "the end of the first")


@some
@pytest.mark.parametrize("break_it, said", [
    (lambda text: text + "int x = ;", "talk.c is not compiled"),
    (lambda text: text.replace('"talk", "says it again"', '"", "says it again"'), "the application has no name"),
    (lambda _: START.replace("DO", "return -13"), "service talk does not start: permission denied"),
    (lambda _: START.replace("DO", "abort()"), "the new process has ended"),
], ids=["compile", "load", "start", "crash"])
def test_a_reload_that_fails_changes_nothing(folder, how, break_it, said):
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0, f"unix:{folder.path}/sock", *how)
    address, unix = folder.says("listen")
    for again in range(2):
        folder.write("talk.c", break_it(TALK_APP))
        status, out, err = folder.myriad("reload", "talk")
        assert (status, out) == (1, "")
        assert f"the new talk did not start; the old one goes on, pid {pid}\n  why is in its log: {folder.path}/talk.log" in err
        assert said in folder.log()
        assert f"failed={again + 1:07}\n" in (folder.path / "talk.pid").read_text()
        assert ask(address, "x") == "one: x\n"
        assert ask(unix, "x") == "one: x\n"
    folder.write("talk.c", TALK_APP.replace('"one"', '"two"'))
    assert folder.myriad("reload", "talk")[0] == 0, folder.log()
    answered_anew(address)
    answered_anew(unix)
    assert folder.myriad("stop", "talk")[0] == 0
    assert not (folder.path / "sock").exists()


BUILT = TALK + r"""
static int build(struct myr_server *server, void **arg)
{
	(void)arg;
	return myr_server_add(server, &talk, "unix:built", 0);
}
MYR_APP("talk", "two places", &talk, "0", 0, build);
"""


@some
def test_reload_of_what_the_application_adds_itself(folder, how):
    folder.write("talk.c", BUILT)
    folder.start("talk.c", "localhost:0", "0", *how)
    before = folder.says("listen")
    assert len(before) == 3
    clients = [Clients(address.replace("unix:built", f"unix:{folder.path}/built")) for address in before]
    folder.write("talk.c", BUILT.replace('"one"', '"two"'))
    try:
        assert folder.myriad("reload", "talk")[0] == 0, folder.log()
        for c in clients:
            until(lambda: "two: x\n" in c.answers, "an answer of the new one")
    finally:
        wrong = [c.end() for c in clients]
    assert wrong == [[], [], []]
    assert folder.says("listen") == before


def test_reload_by_hand(folder):
    """SIGHUP alone, also several at once."""
    folder.write("talk.c", TALK_APP)
    first = folder.start("talk.c", 0)
    for _ in range(5):
        os.kill(first, signal.SIGHUP)
    until(lambda: folder.pid() != first, "the new one")
    until(lambda: first not in folder.processes(), "the end of the first")
    assert ask(folder.says("listen")[0], "x") == "one: x\n"


def test_stop_while_a_reload_is_under_way(folder):
    """Whichever comes first, in the end nothing runs."""
    folder.write("talk.c", TALK_APP)
    for _ in range(10):
        first = folder.start("talk.c", 0)
        os.kill(first, signal.SIGHUP)
        os.kill(first, signal.SIGTERM)
        folder.nothing_left()
        assert not (folder.path / "talk.pid").exists()
        assert folder.myriad("status", "talk")[0] == 1


# Somebody waits for ever in start(), and says so.
HANGS = START.replace("DO", 'if (write(2, "waiting\\n", 8) == 8) fopen("gate", "r"); return 0')


def hanging_successor(folder, first):
    """A reload is under way, and will be."""
    if not (folder.path / "gate").exists():
        os.mkfifo(folder.path / "gate")
    folder.write("talk.c", HANGS)
    os.kill(first, signal.SIGHUP)
    folder.logged("waiting")


@some
def test_a_successor_that_hangs_does_not_keep_it_from_stopping(folder, how):
    for now in [], ["--now"]:
        folder.write("talk.c", TALK_APP)
        first = folder.start("talk.c", 0, *how)
        hanging_successor(folder, first)
        assert folder.myriad("stop", "talk", *now, "--timeout", "15s") == (0, f"stopped talk, pid {first}\n", "")
        folder.nothing_left()
        assert not (folder.path / "talk.pid").exists()
        (folder.path / "talk.log").unlink()


# A minute and more have gone by as soon as there is a file "later".
LATER = r"""
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *t)
{
	long err = syscall(SYS_clock_gettime, id, t);

	if (access("later", F_OK) == 0)
		t->tv_sec += 70;
	return (int)err;
}
"""


@pytest.mark.skipif(SANITIZED, reason="the sanitizer wants to be loaded first")
@some
def test_a_successor_that_hangs_does_not_keep_others_from_succeeding(folder, how):
    folder.object("clock.so", LATER)
    folder.write("talk.c", TALK_APP)
    first = folder.start("talk.c", 0, *how, env={"LD_PRELOAD": str(folder.path / "clock.so")})
    hanging_successor(folder, first)
    folder.write("talk.c", TALK_APP.replace('"one"', '"two"'))
    os.kill(first, signal.SIGHUP)
    folder.logged("reload: one is under way")   # it may take its time, but not all of it
    folder.write("later", "")
    status, out, err = folder.myriad("reload", "talk", "--timeout", "15s")
    assert (status, err) == (0, ""), folder.log()
    answered_anew(folder.says("listen")[0])
    assert "failed=0000000\n" in (folder.path / "talk.pid").read_text()
    assert folder.myriad("stop", "talk")[0] == 0
    folder.nothing_left()


# Before anybody is signalled the test is told, and its word is waited for.
HESITATES = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
long syscall(long number, ...)
{
	long (*real)(long, long, long, long, long) = (long (*)(long, long, long, long, long))dlsym(RTLD_NEXT, "syscall");
	static int met;
	__builtin_va_list ap;
	long a[4];

	if (number == SYS_pidfd_send_signal && met++ == 0) {
		open("there", O_WRONLY);
		open("go", O_RDONLY);
	}
	__builtin_va_start(ap, number);
	for (int i = 0; i < 4; i++)
		a[i] = __builtin_va_arg(ap, long);
	__builtin_va_end(ap);
	return real(number, a[0], a[1], a[2], a[3]);
}
"""


@pytest.mark.skipif(SANITIZED, reason="the sanitizer wants to be loaded first")
@pytest.mark.parametrize("ended", [True, False], ids=["ended", "serves_its_last"])
def test_stop_finds_who_took_over_in_the_meantime(folder, ended):
    folder.object("hesitate.so", HESITATES)
    folder.write("talk.c", TALK_APP)
    first = folder.start("talk.c", 0)
    for name in "there", "go":
        os.mkfifo(folder.path / name)
    with connect(folder.says("listen")[0]) as s:
        s.sendall(b"x\n")
        assert read_line(s) == "one: x\n"
        if ended:
            s.close()
        stop = subprocess.Popen([MYRIAD, "stop", "talk"], cwd=folder.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=folder.environment({"LD_PRELOAD": str(folder.path / "hesitate.so")}))
        open(folder.path / "there").close()
        assert folder.myriad("reload", "talk")[0] == 0
        second = folder.pid()
        assert second != first
        if ended:
            until(lambda: first not in folder.processes(), "the end of the first")
        open(folder.path / "go", "w").close()
        assert stop.communicate(timeout=20) == (b"stopped talk, pid %d\n" % second, b"")
        assert stop.returncode == 0
    folder.nothing_left()
    assert not (folder.path / "talk.pid").exists()


@pytest.mark.parametrize("passed_on", [[True, False], [False, True]], ids=str)
def test_a_stop_that_a_predecessor_passes_on_and_a_user_repeats_does_not_cut(folder, passed_on):
    folder.write("talk.c", TALK_APP)
    pid = folder.start("talk.c", 0)
    with connect(folder.says("listen")[0]) as s:
        s.sendall(b"half\nhalf")
        assert read_line(s) == "one: half\n"
        for it in passed_on:
            assert LIBC.sigqueue(pid, signal.SIGTERM, None) == 0 if it else os.kill(pid, signal.SIGTERM) is None
            until(lambda: has_obeyed(pid), "its being taken")
        s.sendall(b" done\n")
        assert read_all(s) == b"one: half done\n"
    folder.nothing_left()


def test_reload_after_the_folder_was_changed(folder):
    """APP is where the command was typed, not where the daemon works."""
    folder.write("talk.c", TALK_APP)
    (folder.path / "run").mkdir()
    folder.start("talk.c", "unix:sock", "--chdir", "run")
    folder.write("talk.c", TALK_APP.replace('"one"', '"two"'))
    assert folder.myriad("reload", "run/talk.pid")[0] == 0, folder.log("run/talk.log")
    answered_anew(f"unix:{folder.path}/run/sock")
    assert folder.myriad("stop", "run/talk.pid")[0] == 0
    assert not (folder.path / "run" / "sock").exists()


def test_rotation_after_a_reload(folder):
    folder.write("talk.c", TALK_APP)
    folder.start("talk.c", 0)
    assert folder.myriad("reload", "talk")[0] == 0
    os.rename(folder.path / "talk.log", folder.path / "old")
    os.kill(folder.pid(), signal.SIGUSR1)
    until((folder.path / "talk.log").exists, "the new log")
    ask(folder.says("listen")[0], "log hello")
    folder.logged("hello")
    assert folder.myriad("stop", "talk")[0] == 0
    folder.nothing_left()
    assert "stopped: " in folder.log()


def test_reload_refuses_nobody_when_the_house_is_full(folder):
    """Those who were let in but not yet served belong to the old one, which serves them."""
    folder.write("talk.c", TALK_APP)
    folder.start("talk.c", 0, "--max-conns", 1)
    address, = folder.says("listen")
    clients = Clients(address)
    try:
        until(lambda: clients.answers, "an answer")
        for _ in range(3):
            assert folder.myriad("reload", "talk")[0] == 0
    finally:
        wrong = clients.end()
    assert wrong == []


@how
def test_reload_of_datagram_endpoints(folder, how):
    """A request that waits in the socket is answered by the new one."""
    folder.write("talk.c", TALK_APP)
    folder.start("talk.c", "udp:0", "unixgram:here", *how)
    port = int(folder.says("listen")[0].rsplit(":", 1)[1])
    with socket.socket(type=socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.connect(("127.0.0.1", port))
        for word in "one", "two":
            s.send(b"x")
            assert s.recv(100) == f"{word}: x\n".encode()
            folder.write("talk.c", TALK_APP.replace('"one"', '"two"'))
            assert folder.myriad("reload", "talk")[0] == 0, folder.log()
    assert (folder.path / "here").exists()
    assert folder.myriad("stop", "talk")[0] == 0
    folder.nothing_left()
    assert not (folder.path / "here").exists()


# An application's own thread takes signals, and the new process ends before its parent knows its number: the
# parent's thread is held up in _Fork() until the other one has taken SIGCHLD.
TAKES = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>
static _Atomic unsigned taken, there;
static void *take(void *arg)
{
	for (there = 1; ; taken++)
		pause();
	return arg;
}
void take_signals(void)
{
	pthread_t t;

	pthread_create(&t, NULL, take, NULL);
	while (!there)
		sched_yield();
}
pid_t _Fork(void)
{
	unsigned before = taken;
	pid_t pid = ((pid_t (*)(void))dlsym(RTLD_NEXT, "_Fork"))();
	siginfo_t info;

	if (pid <= 0 || !there || access("hurry", F_OK) != 0)
		return pid;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	while (taken == before)
		sched_yield();
	return pid;
}
"""
TAKING = TALK + r"""
void take_signals(void);
static int build(struct myr_server *server, void **arg) { (void)server; (void)arg; take_signals(); return 0; }
MYR_APP("talk", "has a thread", &talk, "0", 0, build);
"""


@pytest.mark.skipif(SANITIZED, reason="the sanitizer wants to be loaded first")
@some
def test_a_reload_that_fails_at_once_is_noticed_whichever_thread_takes_the_signal(folder, how):
    folder.object("takes.so", TAKES)
    folder.write("talk.c", TAKING)
    folder.start("talk.c", 0, *how, env={"LD_PRELOAD": str(folder.path / "takes.so")})
    folder.write("hurry", "")
    folder.write("talk.c", "int x = ;")
    for _ in range(2):
        status, out, err = folder.myriad("reload", "talk", "--timeout", "10s")
        assert (status, out) == (1, "")
        assert "the new talk did not start; the old one goes on" in err
    (folder.path / "hurry").unlink()
    folder.write("talk.c", TALK_APP.replace('"one"', '"two"'))
    assert folder.myriad("reload", "talk", "--timeout", "10s")[0] == 0, folder.log()
    answered_anew(folder.says("listen")[0])


def test_the_compiler_of_a_reload_does_not_get_the_sockets(folder):
    """It may leave somebody behind, who would keep them."""
    folder.write("talk.c", TALK_APP)
    folder.write("compiler", '#!/bin/sh\nls -l /proc/$$/fd > files\nexec cc "$@"\n', 0o755)
    folder.start("talk.c", 0, "unix:sock", "udp:0", "-w", 2, env={"CC": "./compiler"})
    for _ in range(2):
        (folder.path / "files").unlink()
        assert folder.myriad("reload", "talk")[0] == 0, folder.log()
        files = (folder.path / "files").read_text()
        assert "/dev/null" in files
        assert "socket:" not in files and "talk.pid" not in files, files
    assert ask(folder.says("listen")[0], "x") == "one: x\n"


def test_an_environment_that_is_left_over_is_not_believed(folder):
    folder.write("talk.c", TALK_APP)
    folder.start("talk.c", 0, env={"MYRIAD_SUCCESSION": "from=1 lock=0 control=1\ntcp:127.0.0.1:0=2\n"})
    assert ask(folder.says("listen")[0], "x") == "one: x\n"
