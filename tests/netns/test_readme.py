"""The console blocks of the README are true.

Each `$ command` of a ```console block is run at the top of the repository, in
the router, while the engine of rules/demo.toml serves at its usual socket. What
the README shows below it is what it prints; "…" stands for any text. Commands
of ./run, git and apt are for a machine of one's own and are not run."""

import os
import re
import subprocess

import pytest
from clients import udp_flows
from engine import BINARY
from lab import REPOSITORY, VIP4

README = REPOSITORY / "README.md"
NOT_RUN = ("./run", "git", "cd", "apt", "apt-get", "systemctl")


def commands():
    """Yields command and expected output."""
    text = README.read_text() if README.exists() else ""
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            command = command.removeprefix("sudo ")
            if not command.startswith(NOT_RUN):
                yield command, output


def pattern(output):
    return r".*".join(re.escape(part) for part in output.strip().split("…"))


@pytest.mark.skipif(not README.exists(), reason="there is no README.md")
def test_readme(lab, steer):
    rules = (REPOSITORY / "rules/demo.toml").read_text()
    steer(rules, default_socket=True)
    udp_flows(lab.client, VIP4, 80, 400)
    environment = {**os.environ, "PATH": f"{BINARY.parent}:{os.environ['PATH']}"}
    shown = list(commands())
    assert shown
    for command, output in shown:
        done = lab.router.run("bash", "-c", command, check=False, env=environment, cwd=REPOSITORY,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              capture_output=False)
        assert re.fullmatch(pattern(output), done.stdout.strip(), re.DOTALL), \
            f"$ {command}\n{done.stdout}"
