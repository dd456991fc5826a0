"""The benchmark on the wire can be run; its figures are no matter here."""

import re
import subprocess
import sys

import pytest
from lab import PATIENCE, REPOSITORY


def wire(*arguments):
    return subprocess.run([sys.executable, REPOSITORY / "tests/bench/wire.py", *arguments],
                          capture_output=True, text=True, timeout=100 * PATIENCE)


def test_a_quick_round(tmp_path):
    """new-flows has all kinds of contenders: without a balancer, in the kernel,
    behind queues, and a program of others where that is installed."""
    picture = tmp_path / "wire.svg"
    done = wire("new-flows", "--rounds", "1", "--quick", "--plot", picture)
    assert done.returncode == 0, done.stderr
    rows = dict(re.findall(r"^\| (\S+) \| ([\d,]+) \| 0 \|", done.stdout, re.MULTILINE))
    assert {"direct", "kernel-only", "accept-all", "nfsteer"} <= rows.keys(), done.stdout
    assert "new flows/s: nfsteer / accept-all" in done.stdout
    assert picture.read_text().count("<rect") > len(rows)


@pytest.mark.parametrize("arguments, said", [
    (["new-flow"], "there is no measure new-flow"),
    (["--rounds", "0"], "--rounds must be 1 or more"),
])
def test_wrong_arguments(arguments, said):
    done = wire(*arguments)
    assert done.returncode == 2 and said in done.stderr
