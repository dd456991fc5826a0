"""The unit tests that speak to the kernel."""

import re
import subprocess

import pytest
from engine import BINARY


@pytest.mark.parametrize("module", ["netlink", "engine"])
def test_unit_tests(module):
    done = subprocess.run([BINARY.with_name("nfsteer_tests"), f"-sf=*tests/{module}/*"],
                          capture_output=True, text=True, timeout=1700)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search("MESSAGE: skipped", done.stdout, re.I), done.stdout
    assert int(re.search(r"test cases: +(\d+)", done.stdout).group(1)) > 10
