#!/usr/bin/python3
"""The cases of this folder. Without arguments of pytest: tests/replay/cases.py NAME...
writes what they print now to their files `expected`."""

import os
import pathlib
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BINARY = HERE.parents[1] / os.environ.get("NFSTEER_BIN", "build/release/nfsteer")
USUAL = "replay -c rules.toml --flows capture.pcap"


def names():
    return sorted(folder.name for folder in HERE.iterdir() if (folder / "rules.toml").exists())


def listing(name):
    """What the case prints, as a terminal would show it."""
    folder = HERE / name
    file = folder / "arguments"
    arguments = file.read_text().strip() if file.exists() else USUAL
    done = subprocess.run([BINARY, *shlex.split(arguments)], cwd=folder, timeout=100,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return f"$ nfsteer {arguments}\n{done.stdout}{done.stderr}exit {done.returncode}\n"


if __name__ == "__main__":
    for each in sys.argv[1:] or names():
        (HERE / each / "expected").write_text(listing(each))
