"""nfsteer with `manage` as it is in a rules file."""

import contextlib
import os
import pathlib
import signal

from engine import run_offline
from lab import wait_until
from rules import rules


def text_of(engine):
    """The table for the engine's rules file, as nfsteer prints it."""
    printed = run_offline("ruleset", engine.rules_file)
    assert printed.returncode == 0, printed.stderr
    return printed.stdout


def managed_rules(manage, engine="", **options):
    return rules(engine=f'manage = "{manage}"\n{engine}', **options)


def start_managed(lab, steer, manage, **options):
    """Runs nfsteer with managed_rules() of these arguments. Before "elements" nft loads
    the table that nfsteer prints."""
    made = steer(managed_rules(manage, **options), start=False)
    if manage == "elements":
        lab.router.nft(text_of(made))
    return made.start()


def is_stopped(pid):
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/stat")
    return all(task.read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)


@contextlib.contextmanager
def paused(engine):
    """The engine decides nothing meanwhile, and the keeper does not mind."""
    keeper, pid = engine.keeper_pid, engine.pid
    os.kill(keeper, signal.SIGSTOP)
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: is_stopped(pid), what="all threads of the engine stand still")
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        engine.status()
        os.kill(keeper, signal.SIGCONT)


def packets_waiting(namespace):
    queues = namespace.run("cat", "/proc/net/netfilter/nfnetlink_queue").stdout
    return sum(int(line.split()[2]) for line in queues.splitlines())
