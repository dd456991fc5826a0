"""nfsteer itself, as a user runs it: keeper and engine in a namespace."""

import json
import os
import pathlib
import re
import signal
import subprocess

from lab import PATIENCE, REPOSITORY, wait_until

BINARY = pathlib.Path(os.environ.get("NFSTEER_BIN", REPOSITORY / "build/release/nfsteer")).resolve()
DEFAULT_SOCKET = pathlib.Path("/run/nfsteer/control.sock")
OUTCOMES = ("accepted", "dropped", "rejected", "passed")


def bench(name):
    """A program of tests/bench, from the build that the engine is from."""
    return BINARY.with_name(f"bench_{name}")


def gone(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def cpu_ticks(pid):
    """CPU time of a process so far, in ticks of 10 ms."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


class Engine:
    """One `nfsteer run`. `wrapper` is put before the command."""

    binary = BINARY

    def __init__(self, namespace, directory, rules, wrapper=(), socket=None):
        self._namespace, self._wrapper = namespace, wrapper
        self.rules_file = directory / "rules.toml"
        # /run is the lab's own; unlike `directory` it is open to every user.
        self.socket = socket or pathlib.Path(f"/run/{namespace.name}/{directory.name}/control.sock")
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self.log_file = directory / "nfsteer.log"
        self.state_directory = directory / "state"
        self.rules_file.write_text(rules)
        self._kills = 0
        self._process = None

    def launch(self, file=None, **options):
        """Starts it, without waiting; returns the process, which is the keeper. `file` is
        its rules file, if it is not the usual one."""
        self.log_file.touch()
        self._log_start = self.log_file.stat().st_size
        self._kills = 0
        with self.log_file.open("ab") as log:
            self._process = self._namespace.start(
                *self._wrapper, BINARY, "run", file or self.rules_file, "--socket", self.socket,
                "--state", self.state_directory, stderr=log, **options)
        return self._process

    def start(self):
        """Starts it; returns self when flows are being steered."""
        process = self.launch()
        wait_until(lambda: self.is_ready() or process.poll() is not None, 20, "nfsteer is ready")
        if process.poll() is not None:
            raise AssertionError(f"nfsteer run: exit {process.returncode}\n{self.log}")
        return self

    def is_ready(self):
        return "ready" in self.log.splitlines()

    @property
    def log(self):
        """What this run wrote to stderr."""
        return self.log_file.read_bytes()[self._log_start:].decode(errors="replace")

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    def command(self, *arguments, check=True):
        """`nfsteer ARGUMENTS` to this engine; returns subprocess.CompletedProcess."""
        return self._namespace.run(BINARY, *arguments, "--socket", self.socket, check=check)

    def status(self):
        return json.loads(self.command("status", "--json").stdout)

    def total(self, counter):
        """A counter of the queues, summed."""
        return sum(queue[counter] for queue in self.status()["queues"])

    def errors(self):
        """All errors of all queues that are not zero, by name."""
        counted = {}
        for queue in self.status()["queues"]:
            for name, count in queue["errors"].items():
                counted[name] = counted.get(name, 0) + count
        return {name: count for name, count in counted.items() if count}

    def group(self, name):
        return next(group for group in self.status()["groups"] if group["name"] == name)

    def selected(self, group):
        """How many flows each server of the group was given, by name."""
        return {server["name"]: server["selected"] for server in self.group(group)["servers"]}

    def server(self, name, group="web"):
        return next(server for server in self.group(group)["servers"] if server["name"] == name)

    def figures(self, key, group="web"):
        """One figure of each server of the group, by name."""
        return {server["name"]: server[key] for server in self.group(group)["servers"]}

    def restart(self, rules):
        """Ends it and starts it again with other rules."""
        self.close()
        self.rules_file.write_text(rules)
        return self.start()

    def policy(self, name):
        return next(policy for policy in self.status()["policies"] if policy["name"] == name)

    @property
    def keeper_pid(self):
        return self._process.pid

    @property
    def pid(self):
        return self.status()["engine"]["pid"]

    def kill_engine(self):
        """kill -9 of the engine process; returns when the keeper's next one answers."""
        old = self.pid
        self._kills += 1
        os.kill(old, signal.SIGKILL)

        def another_answers():
            asked = self.command("status", "--json", check=False)
            return asked.returncode == 0 and json.loads(asked.stdout)["engine"]["pid"] != old
        wait_until(another_answers, what="the keeper has started another engine")

    def kill_both(self):
        """kill -9 of the keeper and of the engine; returns when their queues are gone.
        What was queued until then is gone too."""
        engine = self.pid
        os.kill(self.keeper_pid, signal.SIGKILL)
        self._process.wait()
        if not gone(engine):
            os.kill(engine, signal.SIGKILL)
        wait_until(lambda: not self.bound_queues(), what="the queues are gone")

    def bound_queues(self):
        """The numbers of the queues that somebody reads in this namespace."""
        listed = self._namespace.run("cat", "/proc/net/netfilter/nfnetlink_queue").stdout
        return [int(line.split()[0]) for line in listed.splitlines()]

    def note_kill(self):
        """The keeper has killed the engine, and was right."""
        self._kills += 1

    def terminate(self):
        """SIGTERM; returns the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=20 * PATIENCE)

    def close(self):
        """Ends it, and checks what must hold for every run at its end."""
        if self.running:
            status = self.status()
            code = self.terminate()
            assert code == 0, f"nfsteer run: exit {code}\n{self.log}"
            for queue in status["queues"]:
                assert queue["received"] == sum(queue[outcome] for outcome in OUTCOMES), queue
            assert status["engine"]["starts"] == 1 + self._kills, "the engine died by itself"
        if self._process is not None:
            assert not re.search("Sanitizer|runtime error:", self.log), self.log


def run_offline(*arguments, **options):
    """`nfsteer ARGUMENTS`, for commands that need no engine and no network."""
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True,
                          timeout=60 * PATIENCE, stdin=subprocess.DEVNULL, **options)
