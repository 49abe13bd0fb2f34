# SPDX-License-Identifier: MIT
"""What is said, and with which exit status, when something is wrong - or when help is asked for."""
import os
import re
import shutil
import socket
import subprocess

import pytest
from conftest import MYRIAD, TOP, run, without_io_uring

COMMANDS = ["serve", "connect", "multi", "send", "engines", "services"]


@pytest.mark.parametrize("args, status, said", [
    (["sevre"], 2, 'myriad: unknown command "sevre". Did you mean "serve"?'),
    (["--vresion"], 2, 'myriad: unknown option "--vresion"'),
    (["serve"], 2, "myriad serve: which service?"),
    (["serve", "ecko"], 2,
     'myriad serve: unknown service "ecko". Did you mean "echo"?   (myriad serve --list shows all)'),
    (["serve", "xylophone"], 2, 'myriad serve: unknown service "xylophone"   (myriad serve --list shows all)'),
    (["serve", "echo", "70000"], 2, 'myriad serve: port "70000" is out of range (1-65535)'),
    (["serve", "echo", "-e", "epol"], 2, 'myriad serve: unknown engine "epol". Did you mean "epoll"?'),
    (["serve", "echo", "-e", "sim:x"], 2, 'myriad serve: engine "sim:x": the seed must be a number'),
    (["serve", "echo", "--idle-timout", "3s"], 2, 'unknown option "--idle-timout". Did you mean "--idle-timeout"?'),
    (["serve", "echo", "--idle"], 2, 'unknown option "--idle"'),
    (["serve", "echo", "-x"], 2, 'unknown option "-x"'),
    (["serve", "echo", "--idle-timeout", "3"], 2,
     'myriad serve: --idle-timeout: "3" is not a duration (250us, 10ms, 3s, 5m) or none'),
    (["serve", "echo", "--idle-timeout", "3y"], 2, '"3y" is not a duration'),
    (["serve", "echo", "--idle-timeout", "-3s"], 2, '"-3s" is not a duration'),
    (["serve", "echo", "--idle-timeout", "0s"], 2, '"0s" is out of range (1ms to 168h, or none)'),
    (["serve", "echo", "--idle-timeout=99999999999999999999s"], 2, "is out of range"),
    (["serve", "echo", "--in-max", "1.5k"], 2, '"1.5k" is not a size (64, 4k, 1M) or none'),
    (["serve", "echo", "--max-conns", "0"], 2, '"0" is out of range (1 to 10,000,000, or none)'),
    (["serve", "echo", "-w", "two"], 2, '--workers: "two" is not a number (250, 10k, 1M) or auto'),
    (["serve", "echo", "-w", "2000"], 2, '--workers: "2000" is out of range (1 to 1,024, or auto)'),
    (["serve", "echo", "-w"], 2, "--workers needs a value: --workers N|auto"),
    (["serve", "echo", "--check=yes"], 2, "--check takes no value"),
    (["serve", "echo", "--out-low", "2k", "--out-high", "1k"], 2, "--out-low 2k is above --out-high 1k"),
    (["serve", "echo", "fd:77"], 1, "cannot listen on fd:77"),
    (["serve", "echo", "fd:0"], 1, "cannot listen on fd:0"),
    (["serve", "echo", "unix:/nowhere/echo.sock"], 1, "cannot listen on unix:/nowhere/echo.sock: no such file"),
    (["serve", "echo", "192.0.2.1:7000"], 1, "cannot listen on tcp:192.0.2.1:7000: cannot assign requested address"),
    (["connect"], 2, "myriad connect: connect to what?"),
    (["connect", "1", "2"], 2, '"2" is not expected after "1"'),
    (["connect", "70000"], 2, 'port "70000" is out of range (1-65535)'),
    (["connect", "1", "--eol", "cr"], 2, '--eol: "cr" is not one of: lf crlf none'),
    (["connect", "unix:/nowhere/echo.sock"], 1, "cannot connect to unix:/nowhere/echo.sock: no such file"),
    (["engines", "epoll"], 2, '"epoll" is not expected here'),
    (["services", "--all"], 2, 'unknown option "--all"'),
    (["help", "serve", "echo"], 2, '"echo" is not expected after "serve"'),
    (["version", "2"], 2, '"2" is not expected'),
    (["connect", "0"], 2, "port 0 is nobody's"),
    (["a\x1b[31mb"], 2, r'unknown command "a\x1b[31mb"'),
    (["run", "a\nb.c"], 1, r"a\nb.c"),
    (["serve", "x" * 5000], 2, 'xxx"   (myriad serve --list shows all)'),
], ids=lambda v: " ".join(v) if isinstance(v, list) else None)
def test_mistakes(args, status, said):
    got, out, err = run(*args)
    assert said in err
    assert got == status
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("myriad")
    assert len(lines) <= 4, "a usage dump?"
    assert sum(line.startswith("  try: ") for line in lines) <= 2


@pytest.mark.parametrize("name, value", [("IDLE_TIMEOUT", "soon"), ("ENGINE", "epol"), ("LISTEN", "70000"),
                                         ("PROCESSES", "perhaps"), ("WORKERS", "0"), ("OUT_LOW", "1G")])
def test_a_bad_environment_is_bad_configuration(name, value):
    status, _, err = run("serve", "echo", env={f"MYRIAD_{name}": value})
    assert status == 78
    assert value in err


def test_no_arguments_is_usage():
    status, out, err = run()
    assert (status, out) == (2, "")
    assert "Commands:" in err


def test_port_in_use_names_the_holder(serve):
    server = serve("echo", 0)
    port = server.address.rsplit(":", 1)[1]
    status, out, err = run("serve", "reverse", port)
    assert (status, out) == (1, "")
    first, held, hint = err.splitlines()
    assert first == f"myriad serve: cannot listen on tcp:127.0.0.1:{port}: address already in use"
    assert held.startswith(f"  held by pid {server.process.pid} (")
    assert "serve echo" in held
    assert hint.startswith("  try: another port: myriad serve reverse ")


def test_unix_socket_in_use_names_the_holder(serve, tmp_path):
    server = serve("echo", f"unix:{tmp_path}/s")
    status, _, err = run("serve", "echo", f"unix:{tmp_path}/s")
    assert status == 1
    assert f"  held by pid {server.process.pid} (" in err
    assert server.ask(b"x") == b"x"             # and it still has its socket


def test_control_characters_of_a_holder_are_not_shown(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as s:
        os.set_inheritable(s.fileno(), True)
        holder = subprocess.Popen(["sh", "-c", "cat; exit 0 # \033[2J"], stdin=subprocess.PIPE, close_fds=False)
        try:
            port = s.getsockname()[1]
            assert "\033" not in run("serve", "echo", port)[2]
        finally:
            holder.communicate()


def unprivileged():
    """How to run as nobody here, or why not."""
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as start:
        if int(start.read()) <= 79:
            return None, "low ports need no right here"
    if os.geteuid() != 0:
        return [], ""
    if not shutil.which("setpriv"):
        return None, "needs setpriv(1)"
    wrap = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
    if subprocess.run([*wrap, MYRIAD, "version"], capture_output=True).returncode != 0:
        return None, "the program cannot be run as another user"
    return wrap, ""


def test_low_port_without_the_right():
    wrap, why = unprivileged()
    if wrap is None:
        pytest.skip(why)
    status, _, err = run("serve", "echo", "79", wrap=wrap)
    assert status == 1
    assert "cannot listen on tcp:127.0.0.1:79: permission denied" in err
    assert "  ports below 1024 need a right" in err
    assert "  try: a port above 1023: myriad serve echo 50079" in err


def test_engine_that_is_not_available():
    rows = run("engines", preexec_fn=without_io_uring)[1].splitlines()
    assert re.fullmatch(r"io_uring .* no", rows[1])
    assert re.fullmatch(r"epoll .* yes", rows[2])
    assert re.match(r"not io_uring: \S", rows[-1])
    status, _, err = run("serve", "echo", 0, "-e", "io_uring", preexec_fn=without_io_uring)
    assert status == 1
    assert "myriad serve: engine io_uring is not available: " in err
    assert "  try: no --engine, for the best one here" in err


def test_engine_taken_instead_is_told_with_the_reason(serve):
    server = serve("echo", 0, preexec_fn=without_io_uring)
    assert re.match(r"engine epoll; not io_uring: \S", server.err.next())
    assert server.ask(b"x") == b"x"


# --- Help ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("command", COMMANDS)
def test_short_help_begins_with_two_examples(command):
    status, out, err = run(command, "-h")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith(f"myriad {command}")
    assert lines[3] == "Examples:"
    assert all(line.startswith("  ") for line in lines[4:6])
    assert all(len(line) <= 100 for line in lines)
    assert len(lines) < 45


def test_help_works_beside_mistakes():
    assert run("serve", "--help", "--nonsense")[0] == 0


def test_full_help_names_every_option_with_range_default_and_variable():
    _, out, _ = run("serve", "--help")
    text = " ".join(out.split())
    assert "--idle-timeout TIME without a byte, either way; 1ms to 168h, or none; default 5m [MYRIAD_IDLE_TIMEOUT]" in text
    short = set(re.findall(r"--[a-z-]+", run("serve", "-h")[1]))
    assert short <= set(re.findall(r"--[a-z-]+", out))


@pytest.mark.parametrize("args", [["help", "serve"], ["serve", "--help"]], ids=" ".join)
def test_help_command(args):
    assert "Limits" in run(*args)[1]


def test_main_help_lists_every_command():
    for args in (["help"], ["-h"], ["--help"]):
        status, out, _ = run(*args)
        assert status == 0
        for command in [*COMMANDS, "help", "version"]:
            assert re.search(rf"^  {command} ", out, re.M)


def test_version():
    with open(TOP / "meson.build") as build:
        number = re.search(r"version: '([^']+)'", build.read())[1]
    for args in (["-V"], ["--version"], ["version"]):
        assert run(*args)[:2] == (0, f"myriad {number}\n")


# --- What is set, and by whom ---------------------------------------------------------------------

def configuration(*args, env=None):
    status, out, err = run("serve", *args, "--print-config", env=env)
    assert (status, err) == (0, "")
    return {line.split()[0]: line.split()[1:] for line in out.splitlines()}


def test_print_config_tells_where_each_value_is_from():
    rows = configuration("echo", "--idle-timeout", "90s", "-l", ":7000", "-l", "7001",
                         env={"MYRIAD_IDLE_TIMEOUT": "1s", "MYRIAD_WORKERS": "auto"})
    assert rows["idle-timeout"] == ["90s", "command", "line"]
    assert rows["workers"] == ["auto", "environment", "MYRIAD_WORKERS"]
    assert rows["out-high"] == ["256k", "default"]
    assert rows["max-conns"] == ["auto", "default"]
    assert rows["listen"] == ["7001", "command", "line"]


def test_check_does_everything_but_serve(serve):
    assert run("serve", "echo", 0, "--check")[:2] == (0, "ok\n")
    port = serve("echo", 0).address.rsplit(":", 1)[1]
    assert run("serve", "echo", port, "--check")[0] == 1


def test_list_and_services_agree():
    assert run("serve", "--list")[:2] == run("services")[:2]


def test_engines_work_or_give_a_reason():
    rows, *reasons = run("engines")[1].split("\n\n")
    rows = rows.splitlines()
    assert [row.split()[0] for row in rows] == ["ENGINE", "io_uring", "epoll", "poll", "select", "thread", "fork",
                                                "iterative", "sim"]
    for row in rows[1:]:
        assert re.search(" (yes|no)$", row), row
    assert len(reasons) == sum(row.endswith(" no") for row in rows)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("args", [["services"], ["engines"], ["help"], ["version"], ["serve", "--help"],
                                  ["serve", "echo", "--print-config"]], ids=" ".join)
def test_output_that_cannot_be_written_is_no_success(args):
    with open("/dev/full", "w") as full:
        done = subprocess.run([MYRIAD, *args], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == f"myriad {args[0]}: cannot write to standard output: no space left on device\n"


@pytest.mark.parametrize("name, args", [("MYRIAD_CHECK", ["send", "1", "-m", "x"]), ("MYRIAD_MESSAGE", ["multi", "1"]),
                                        ("MYRIAD_LIST", ["serve", "ecko"])])
def test_what_is_about_one_call_is_not_taken_from_the_environment(name, args):
    """MYRIAD_CHECK=1, meant for send, made serve serve nothing."""
    assert run(*args, env={name: "1"}) == run(*args)
    assert f"[{name}]" not in run(args[0], "--help")[1]


def test_a_path_that_is_no_socket_is_said_to_be_none(tmp_path):
    (tmp_path / "notes").write_text("mine")
    status, _, err = run("serve", "echo", f"unix:{tmp_path}/notes")
    assert status == 1
    assert err.splitlines()[1:] == ["  there is a file of that name, which is not replaced", "  try: another path"]
    assert (tmp_path / "notes").read_text() == "mine"
