# SPDX-License-Identifier: MIT
"""myriad new: what it writes builds, passes its own test and runs."""
import os
import subprocess

import pytest
from conftest import MYRIAD
from launching import BUILD, INCLUDE, ask, folder  # noqa: F401

PKG_CONFIG = BUILD / "meson-uninstalled"


def test_what_it_writes_builds_tests_and_runs(folder):
    status, out, err = folder.myriad("new", "lines")
    assert (status, err) == (0, "")
    assert out.startswith("lines/lines.c  test_lines.c  Makefile\n\nNext:\n  cd lines\n")
    place = folder.path / "lines"
    assert sorted(os.listdir(place)) == ["Makefile", "lines.c", "test_lines.c"]
    assert len((place / "lines.c").read_text().splitlines()) == 12
    server = folder.foreground("lines/lines.c", 0)
    assert ask(server.address, "hello") == "hello\r\n"
    if "san" in MYRIAD:
        pytest.skip("the library is instrumented")
    made = subprocess.run(["make"], cwd=place, capture_output=True, text=True, timeout=60,
                          env={**folder.environment(), "PKG_CONFIG_PATH": str(PKG_CONFIG), "LD_LIBRARY_PATH": str(BUILD),
                               "CFLAGS": INCLUDE})    # the uninstalled myriad.pc does not know the header
    assert made.returncode == 0, made.stderr
    assert "ok      each line comes back\n" in made.stdout
    assert "warning" not in made.stderr
    server = folder.foreground("lines/lines.so", 0)
    assert ask(server.address, "hello") == "hello\r\n"


def test_nothing_is_overwritten(folder):
    (folder.path / "lines").mkdir()
    status, out, err = folder.myriad("new", "lines")
    assert (status, out) == (1, "")
    assert err == "myriad new: cannot write lines: file exists\n  try: another name: what exists is not overwritten\n"
    assert not os.listdir(folder.path / "lines")


@pytest.mark.parametrize("args", [[], ["a", "b"], ["../a"], ["1a"], ["a-b"], ["a b"], ["a" * 41], [""]], ids=str)
def test_names(folder, args):
    status, out, err = folder.myriad("new", *args)
    assert (status, out) == (2, "")
    assert err.startswith("myriad new: ")
    assert not os.listdir(folder.path)
