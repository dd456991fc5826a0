"""What the kernel has to say after all tests: this file is the last one."""

import pathlib
import subprocess

# What it says of a processor that is emulated, and gets no time of its host for long.
OF_TIME = ("hrtimer: interrupt took", "clocksource:", "perf: interrupt took too long")


def test_kernel_is_not_tainted():
    assert pathlib.Path("/proc/sys/kernel/tainted").read_text() == "0\n"


def test_kernel_log_has_no_warning():
    said = subprocess.run(["dmesg", "--notime", "--level", "emerg,alert,crit,err,warn"],
                          check=True, capture_output=True, text=True).stdout
    assert [line for line in said.splitlines() if not line.startswith(OF_TIME)] == []
