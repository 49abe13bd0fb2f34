# SPDX-License-Identifier: MIT
"""What the documents show is what happens: every ```console block is typed, and its screen compared.

A block is a terminal: `console` the first, `console 2` one beside it.  The blocks under one heading are
a scene, played in the order in which they stand, in a folder of its own (with the examples as
examples/) and, where that is allowed, in a network of its own: the ports are those that are written.

    $ COMMAND       typed; `> ` goes on with it.  It must end, unless it serves (shows a `ready` line) or
                    ^C ends it: it may stay until the scene is over.
    < TEXT          typed to the command that runs
    ^C              pressed
    anything else   what must be seen next; `…` in a line is any text, alone any lines
"""
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
MYRIAD = pathlib.Path(os.environ.get("MYRIAD", TOP / "build" / "myriad"))
DEADLINE = 30           # for what takes milliseconds
DOCUMENTS = [TOP / "README.md", TOP / "examples" / "README.md", *sorted((TOP / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\S*) ?(.*)$")
LOOPBACK_UP = """
import fcntl, socket, struct
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
print(flush=True)
input()
"""


class Step:
    def __init__(self, kind, text, line):
        self.kind, self.text, self.line, self.expected = kind, text, line, []
        self.stays = self.typed = False         # a command: until later; is something typed to it?


def add_line(steps, text, number):
    kind = {"$ ": "command", "< ": "type"}.get(text[:2])
    if kind:
        steps.append(Step(kind, text[2:], number))
    elif text == "^C":
        steps.append(Step("interrupt", "", number))
    elif text.startswith("> ") and steps and not steps[-1].expected:
        steps[-1].text += "\n" + text[2:]
    else:
        assert steps, f"line {number}: a screen before any command"
        steps[-1].expected.append(text.rstrip())


def scenes(text):
    """Yield (title, [(terminal, steps)]) for each heading with console blocks under it."""
    title, blocks, steps, fenced = "", [], None, False
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if fence and not fenced:
            fenced, steps = True, [] if fence[1] == "console" else None
            if steps is not None:
                blocks.append((fence[2] or "1", steps))
        elif fence:
            fenced, steps = False, None
        elif steps is not None:
            add_line(steps, line, number)
        elif not fenced and line.startswith("#"):
            if blocks:
                yield title, blocks
            title, blocks = line.lstrip("# "), []
    if blocks:
        yield title, blocks


class Terminal:
    """Runs one command after the other."""

    def __init__(self, **how):
        self.how, self.process = how, None

    def start(self, step):
        wrap = self.how["wrap"]
        self.step, self.rest, self.seen = step, b"", []
        self.process = subprocess.Popen([*wrap, "bash", "-c", step.text], cwd=self.how["folder"], env=self.how["env"],
                                        stdin=subprocess.PIPE if step.typed else subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def line(self, deadline):
        while b"\n" not in self.rest:
            left = max(0, deadline - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                return None
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                break
            self.rest += more
        if not self.rest:
            return None
        line, _, self.rest = self.rest.partition(b"\n")
        self.seen.append(line.decode(errors="replace").rstrip())
        return self.seen[-1]

    def wrong(self, step, what):
        seen = "".join(f"\n    {line}" for line in self.seen)
        return f"line {step.line}: {step.text or '^C'}\n  {what}; seen:{seen}"

    def expect(self, step):
        deadline, anything = time.monotonic() + DEADLINE, False
        for expected in step.expected:
            if expected == "…":
                anything = True
                continue
            pattern = re.compile(re.escape(expected).replace("…", ".*"))
            while (got := self.line(deadline)) is None or not pattern.fullmatch(got):
                assert got is not None and anything, self.wrong(step, f"expected {expected!r}, got {got!r}")
            anything = False
        return anything

    def end(self, step, anything):
        """It ends by itself, and says no more."""
        deadline = time.monotonic() + DEADLINE
        if self.process.stdin:
            self.process.stdin.close()
        while (got := self.line(deadline)) is not None:
            assert anything, self.wrong(step, f"more than expected: {got!r}")
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pytest.fail(self.wrong(step, "it does not end"))
        self.process.stdout.close()
        self.process = None

    def clear(self):
        """The scene is over."""
        if not self.process:
            return
        for number, patience in ((signal.SIGINT, 5), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(patience)
                break
            except (subprocess.TimeoutExpired, ProcessLookupError):
                continue
        self.process.stdout.close()


def act(terminal, steps, i):
    step = steps[i]
    following = steps[i + 1].kind if i + 1 < len(steps) else None
    if step.kind == "command":
        assert not terminal.process, f"line {step.line}: the command before has not ended"
        terminal.start(step)
    elif step.kind == "type":
        terminal.process.stdin.write(step.text.encode() + b"\n")
        terminal.process.stdin.flush()
    else:
        os.killpg(terminal.process.pid, signal.SIGINT)
    anything = terminal.expect(step)
    serves = any(line.startswith("ready ") for line in step.expected) or terminal.step.stays
    terminal.step.stays = serves and step.kind != "interrupt"
    if following in (None, "command") and not terminal.step.stays:
        terminal.end(step, anything)


def play(blocks, **how):
    terminals = {}
    command = {}
    for name, steps in blocks:
        for step in steps:
            if step.kind == "command":
                command[name] = step
            elif step.kind == "type":
                command[name].typed = True
    for at, (name, steps) in enumerate(blocks):     # what a later block types to, or ends, stays until then
        later = next((s for n, s in blocks[at + 1:] if n == name), [])
        if steps and later and later[0].kind != "command":
            next(s for s in reversed(steps) if s.kind == "command").stays = True
    try:
        for name, steps in blocks:
            terminal = terminals.setdefault(name, Terminal(**how))
            for i in range(len(steps)):
                act(terminal, steps, i)
    finally:
        for terminal in terminals.values():
            terminal.clear()


@pytest.fixture
def own_network():
    """A command under which a network of its own is seen, or nothing where that is not allowed."""
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        yield []
        return
    keeper = subprocess.Popen(["unshare", "--net", sys.executable, "-c", LOOPBACK_UP], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    yield ["nsenter", f"--net=/proc/{keeper.pid}/ns/net"] if keeper.stdout.readline() else []
    keeper.communicate()


def all_scenes():
    for path in DOCUMENTS:
        if path.exists():
            for title, blocks in scenes(path.read_text(encoding="utf-8")):
                yield pytest.param(blocks, id=f"{path.relative_to(TOP)}: {title}")


def environment(folder):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MYRIAD")}
    env.update(PATH=f"{MYRIAD.parent}:{env['PATH']}", HOME=str(folder), LC_ALL="C.UTF-8", PYTHONUNBUFFERED="1")
    return env


@pytest.mark.parametrize("blocks", all_scenes())
def test_console(blocks, tmp_path, own_network):
    shutil.copytree(TOP / "examples", tmp_path / "examples")
    play(blocks, folder=tmp_path, env=environment(tmp_path), wrap=own_network)


# --- The player itself: it sees what is wrong -------------------------------------------------------

@pytest.mark.parametrize("text, wrong", [
    ("```console\n$ echo a\na\n```", None),
    ("```console\n$ echo a; echo b; echo c\n…\nc\n```", None),
    ("```console\n$ echo one two\none …\n$ cat /dev/null\n```", None),
    ("```console\n$ sleep 60\n^C\n```", None),
    ("```console\n$ cat\n< x\nx\n< y\ny\n```", None),
    ("```console\n$ echo a\nb\n```", "expected 'b', got 'a'"),
    ("```console\n$ echo a\n```", "more than expected: 'a'"),
    ("```console\n$ true\nb\n```", "expected 'b', got None"),
])
def test_player(text, wrong, tmp_path):
    (title, blocks), = scenes("# Title\n" + text)
    how = {"folder": tmp_path, "env": environment(tmp_path), "wrap": []}
    if not wrong:
        play(blocks, **how)
        return
    with pytest.raises(AssertionError, match=re.escape(wrong)):
        play(blocks, **how)


def test_two_terminals(tmp_path):
    text = "```console\n$ echo ready now; cat pipe\nready now\n```\n```console 2\n$ echo through >pipe\n```\n```console\n^C\n```\n"
    (tmp_path / "pipe").mkdir()
    os.rmdir(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe")
    (title, blocks), = scenes(text)
    blocks[2][1][0].expected.append("…")
    play(blocks, folder=tmp_path, env=environment(tmp_path), wrap=[])
