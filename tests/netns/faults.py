"""What breaks, under load, and what must hold meanwhile. Each fault is a function of a
lab, a way to start nfsteer in it, and a scale; it returns what was measured.

The clients and servers are real ones: tests/bench/tcp_clients.cpp opens TCP connections
at a steady rate, whether or not the last were answered, and tells what became of each.
"""

import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

from engine import bench, gone
from lab import CLIENT4, SERVER4, VIP4, wait_until

PORT = 7000


@dataclasses.dataclass
class Scale:
    """How hard it is tried. Faults say of what they take more or less."""

    rate: int = 500  # new connections a second
    high_rate: int = 1000  # where a fault is about much traffic
    times: int = 3  # that something is killed
    reloads: int = 60  # in 3 s
    flap_s: float = 6
    patience: int = 3  # what is to happen at once may take so much longer on a busy machine


QUICK, FULL = Scale(), Scale(rate=2000, high_rate=5000, times=20, reloads=1000, flap_s=60,
                      patience=1)


@dataclasses.dataclass
class Measured:
    fault: str
    must_hold: str
    seen: list  # of (what, value, holds)

    def add(self, what, value, holds=True):
        self.seen.append((what, value, bool(holds)))

    @property
    def broken(self):
        return [f"{what}: {value}" for what, value, holds in self.seen if not holds]


FAULTS = {}


def fault(title, must_hold):
    """Registers a fault; the function gets a Measured to fill in."""
    def register(function):
        def run(lab, steer, scale):
            made = Measured(title, must_hold, [])
            with contextlib.ExitStack() as ends:
                function(Scene(lab, steer, scale, ends), made)
            return made
        FAULTS[function.__name__] = run
        return run
    return register


# ---- the scene ----------------------------------------------------------------


def rules_of(names=tuple(SERVER4), group="", engine="", more=""):
    servers = "\n".join(f'  {{ name = "{name}", address = "{SERVER4[name]}", port = {PORT} }},'
                        for name in names)
    return f"""
[engine]
queues = 2
{engine}

[group.web]
{group}
servers = [
{servers}
]

[table.main]
routes = [{{ prefix = "{VIP4}/32", group = "web" }}]
{more}
"""


@dataclasses.dataclass
class Outcome:
    """What became of a connection; times are of time.monotonic()."""

    start: float
    took: float
    said: str  # the server's name, or why there was none

    @property
    def failed(self):
        return self.said not in SERVER4


class Load:
    """Connections at a steady rate, from the moment that the first was answered."""

    def __init__(self, lab, rate, seconds, timeout_ms=3000):
        self.rate, self.seconds = rate, seconds
        self._process = lab.client.start(
            bench("tcp_clients"), VIP4, 80, rate, seconds, timeout_ms, *CLIENT4,
            stdout=subprocess.PIPE, text=True)
        self.began = time.monotonic()

    def wait(self, until_s):
        """Until so many seconds after its start."""
        time.sleep(max(0.0, self.began + until_s - time.monotonic()))

    def outcomes(self):
        """All, after their end."""
        printed, _ = self._process.communicate(timeout=self.seconds + 120)
        assert self._process.returncode == 0, printed
        lines = [line.split() for line in printed.splitlines()]
        return [Outcome(int(start) / 1e6, int(took) / 1e6, said) for start, took, said in lines]


class Scene:
    """The servers of a fault, its engine, and its load."""

    def __init__(self, lab, steer, scale, ends):
        self.lab, self.scale = lab, scale
        self._steer, self._ends = steer, ends
        self._servers = {}
        for name in SERVER4:
            self.start_server(name)

    def start_server(self, name):
        process = self.lab.servers[name].start(bench("tcp_server"), name, PORT,
                                               stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline().strip() == "ready"
        self._servers[name] = process

    def kill_server(self, name):
        """From now on its host refuses connections; returns when it was."""
        self._servers[name].kill()
        when = time.monotonic()
        self._servers[name].wait()
        return when

    def silence(self, name):
        self.lab.servers[name].nft(f"""
            table inet silent {{
              chain input {{ type filter hook input priority 0; tcp dport {PORT} drop; }}
            }}""")
        return time.monotonic()

    def heal(self, name):
        self.lab.servers[name].nft("delete table inet silent")

    def forget_flows(self):
        """The kernel's, and the engine's count of them."""
        self.lab.router.run("conntrack", "-F")
        wait_until(lambda: not any(self.engine.figures("active").values()), 30)

    def steer(self, *arguments, **options):
        self.engine = self._steer(rules_of(*arguments, **options))
        return self.engine

    def resteer(self, *arguments, **options):
        """The same engine, started again with other rules."""
        return self.engine.restart(rules_of(*arguments, **options))

    def load(self, seconds, rate=None, **options):
        return Load(self.lab, rate or self.scale.rate, seconds, **options)


# ---- what is measured ------------------------------------------------------------


def failed(outcomes, after=0.0):
    return [each for each in outcomes if each.failed and each.start >= after]


def told(failures):
    """How many, and what they were told."""
    counted = collections.Counter(each.said for each in failures)
    return f"{len(failures)}" + "".join(f", {n} {what}" for what, n in counted.items())


def spread(outcomes):
    """How far the servers' shares are from equal ones, in percent of such a share."""
    counted = collections.Counter(each.said for each in outcomes if not each.failed)
    equal = counted.total() / len(counted)
    return 100 * max(abs(count - equal) for count in counted.values()) / equal


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def milliseconds(seconds):
    return f"{1000 * seconds:.1f} ms"


def check_account(engine, made):
    """Each packet got exactly one verdict, and no queue had an error."""
    queues = engine.status()["queues"]
    received = sum(queue["received"] for queue in queues)
    answered = sum(queue[outcome] for queue in queues
                   for outcome in ("accepted", "dropped", "rejected", "passed"))
    made.add("packets received and answered", f"{received}, {answered}", received == answered)
    errors = engine.errors()
    made.add("errors of queues", errors or "none", not errors)


def rss_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


class Control:
    """One connection to the control socket, for more requests than programs can be
    started."""

    def __init__(self, engine):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(str(engine.socket))

    def call(self, method):
        self._socket.sendall(json.dumps({"method": f"nfsteer.{method}"}).encode() + b"\0")
        answer = b""
        while not answer.endswith(b"\0"):
            got = self._socket.recv(1 << 16)
            assert got, "the engine has closed its control socket"
            answer += got
        return json.loads(answer[:-1])

    def close(self):
        self._socket.close()


# ---- servers -----------------------------------------------------------------------


@fault("server killed (RST), immediate",
       "at most one failed client a worker; shares of the others within 5 % of weights")
def killed_immediate(scene, made):
    engine = scene.steer(group='failover = "immediate"')
    load = scene.load(8)
    load.wait(3)
    killed = scene.kill_server("web2")
    outcomes = load.outcomes()
    made.add("connections", len(outcomes))
    made.add("failed", told(failed(outcomes)),
             len(failed(outcomes)) <= 2 * scene.scale.patience)
    after = [each for each in outcomes if each.start > killed + 1]
    made.add("shares after it, from equal", f"{spread(after):.1f} %", spread(after) <= 5)
    check_account(engine, made)


def probed(every_ms=200, fall=3, more=""):
    return {"group": 'check = "web"\nfailover = "probe"', "more": f"""
[check.web]
interval = "{every_ms}ms"
interval_down = "{every_ms}ms"
timeout = "{every_ms}ms"
fall = {fall}
{more}"""}


@fault("server killed (RST), probe of 200 ms × 3",
       "no failed client after 1 s; shares of the others within 5 % of weights")
def killed_probe(scene, made):
    engine = scene.steer(**probed())
    load = scene.load(8)
    load.wait(3)
    killed = scene.kill_server("web2")
    outcomes = load.outcomes()
    made.add("connections", len(outcomes))
    made.add("failed before it was seen", len(failed(outcomes)))
    late = failed(outcomes, killed + scene.scale.patience)
    made.add(f"failed after {scene.scale.patience} s", told(late), not late)
    after = [each for each in outcomes if each.start > killed + 1]
    made.add("shares after it, from equal", f"{spread(after):.1f} %", spread(after) <= 5)
    check_account(engine, made)


@fault("server silent (packets dropped), probe of 200 ms × 3",
       "noticed within time-out × fall + 20 %; no failed client after that")
def silent(scene, made):
    engine = scene.steer(**probed())
    load = scene.load(8, timeout_ms=2000)
    load.wait(3)
    since = scene.silence("web2")
    wait_until(lambda: engine.server("web2")["health"] == "down")
    took = time.monotonic() - since
    # From one interval before the first probe that fails, as probes begin at any time.
    limit = 0.2 * 3 * 1.2 + 0.2
    outcomes = load.outcomes()
    made.add("connections", len(outcomes))
    made.add("noticed within", milliseconds(took),
             took <= limit * scene.scale.patience)
    made.add("failed before it was noticed", len(failed(outcomes)))
    late = failed(outcomes, since + took)
    made.add("failed after that", told(late), not late)
    check_account(engine, made)


@fault("a server that flaps every 0.3 s",
       "states obey rise and fall; at most 10 transactions and one line of its log a second")
def flapping(scene, made):
    engine = scene.steer(**probed(every_ms=50, fall=2))
    seconds = scene.scale.flap_s
    load = scene.load(seconds + 1, timeout_ms=1000)
    began, flaps = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        scene.silence("web2")
        time.sleep(0.3)
        scene.heal("web2")
        time.sleep(0.3)
        flaps += 1
    took = time.monotonic() - began
    outcomes = load.outcomes()
    status = engine.status()
    updates = status["engine"]["fallback_updates"]
    lines = [line for line in engine.log.splitlines() if "web/web2" in line]
    changes = status["failover"].get("check-failed", 0)
    made.add("flaps", f"{flaps} in {took:.1f} s")
    made.add("times down", changes, 0 < changes <= flaps + 1)
    made.add("transactions a second", f"{updates / took:.1f}", updates <= 10 * took)
    made.add("lines of its log", len(lines), len(lines) <= took + 2)
    made.add("connections, failed", f"{len(outcomes)}, {len(failed(outcomes))}")
    check_account(engine, made)


# Headers without end, or one byte a second.
TARPIT = """
import socketserver, sys, time
name, port = sys.argv[1:]
class Tarpit(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"HTTP/1.1 200 OK\\r\\n")
        while True:
            self.request.sendall(b"x-more: of the same\\r\\n" if name == "endless" else b"x")
            if name == "slow": time.sleep(1)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("", int(port)), Tarpit).serve_forever()
"""

BOMB = """
[check.bomb]
kind = "exec"
command = ["/usr/bin/perl", "-e", "fork while 1"]
user = "games"
interval = "500ms"
timeout = "200ms"

[group.bombed]
check = "bomb"
servers = [{ name = "a", address = "10.2.0.1", port = 9 }]
"""


@fault("tarpits and a fork bomb as checks",
       "their time-outs hold; memory bounded; delay of decisions unchanged")
def hostile_checks(scene, made):
    tarpits = {"endless": 7101, "slow": 7102}
    for name, port in tarpits.items():
        scene.lab.servers["web1"].start(sys.executable, "-c", TARPIT, name, port,
                                        stderr=subprocess.DEVNULL)
    checks = "".join(f"""
[check.{name}]
kind = "http"
port = {port}
interval = "200ms"
timeout = "200ms"

[group.{name}]
check = "{name}"
servers = [{{ name = "a", address = "10.2.0.1", port = 80 }}]
""" for name, port in tarpits.items())

    def p99(engine):
        outcomes = scene.load(4).outcomes()
        assert not failed(outcomes)
        return percentile([each.took for each in outcomes], 99)

    engine = scene.steer()
    calm = p99(engine)
    engine = scene.resteer(more=checks + BOMB)
    wait_until(lambda: all(engine.server("a", group)["health"] == "down"
                           for group in ("endless", "slow", "bombed")), 60)
    before = rss_kib(engine.pid)
    busy = p99(engine)
    after = rss_kib(engine.pid)
    made.add("reasons", "; ".join(engine.server("a", group)["check"]["reason"]
                                  for group in ("endless", "slow", "bombed")))
    made.add("p99 of a connection without, with", f"{milliseconds(calm)}, {milliseconds(busy)}")
    made.add("memory before, after", f"{before} KiB, {after} KiB", after <= before * 1.1 + 2048)
    check_account(engine, made)


@fault("drain of one server under load", "no failed flow; its count falls to 0")
def drained(scene, made):
    engine = scene.steer()
    load = scene.load(6)
    load.wait(2)
    assert engine.command("drain", "web/web2").returncode == 0
    done = time.monotonic()
    outcomes = load.outcomes()
    late = [each for each in outcomes if each.said == "web2" and each.start > done]
    made.add("connections", len(outcomes))
    made.add("failed", told(failed(outcomes)), not failed(outcomes))
    made.add("of the drained server after `drain`", len(late), not late)
    wait_until(lambda: engine.server("web2")["active"] == 0, 150)
    made.add("its flows at the end", 0)
    check_account(engine, made)


# ---- the engine -------------------------------------------------------------------


# Engines that live for less than a second are started with a pause.
KILL_EACH_S = 2.5


@fault("kill -9 of the engine, again and again",
       "no flow lost; established ones untouched; delay of the first packet printed")
def killed_engine(scene, made):
    engine = scene.steer()
    seconds = 2 + KILL_EACH_S * scene.scale.times
    load = scene.load(seconds, timeout_ms=10_000)
    load.wait(1)
    kills = []
    for i in range(scene.scale.times):
        load.wait(1 + KILL_EACH_S * i)
        kills.append(time.monotonic())
        engine.kill_engine()
    outcomes = load.outcomes()
    made.add("connections", len(outcomes))
    made.add("kills", len(kills))
    made.add("lost or failed", told(failed(outcomes)), not failed(outcomes))
    near = [each.took for each in outcomes
            if any(0 <= each.start + each.took - kill and each.start - kill < 0.3
                   for kill in kills)]
    calm = [each.took for each in outcomes if each.start < kills[0] - 0.1]
    made.add("p50, p99 of all that time", f"{milliseconds(percentile(calm, 50))}, "
             f"{milliseconds(percentile(calm, 99))} in calm")
    made.add("p50, p99, most within 0.3 s of a kill",
             ", ".join(milliseconds(percentile(near, percent)) for percent in (50, 99, 100)))
    made.add("SYNs sent again", sum(each.took > 0.9 for each in outcomes))
    status = engine.status()["engine"]
    made.add("engines", status["starts"], status["starts"] == 1 + len(kills))


@fault("kill -9 of keeper and engine; start again",
       "the kernel serves new flows by itself; accounting true")
def killed_both(scene, made):
    engine = scene.steer()
    load = scene.load(6)
    load.wait(2)
    killed = time.monotonic()
    engine.kill_both()
    gone_at = time.monotonic()
    load.wait(4)
    engine.start()
    outcomes = load.outcomes()
    made.add("connections", len(outcomes))
    lost = failed(outcomes)
    made.add("failed", told(lost), not lost)
    slow = [each for each in outcomes if each.took > 0.9]
    out = [each for each in slow if not killed - 1 <= each.start <= gone_at]
    made.add("SYNs sent again, of the moment of the kill", len(slow) - len(out))
    made.add("SYNs sent again, of others", len(out), not out)
    check_account(engine, made)


@fault("SIGSTOP of the engine for 5 s",
       "new flows wait or are served by the kernel; accounting true")
def stopped_engine(scene, made):
    engine = scene.steer(engine="queue_length = 65536")
    load = scene.load(9, timeout_ms=10_000)
    load.wait(2)
    pid = engine.pid
    os.kill(pid, signal.SIGSTOP)
    load.wait(7)
    restarted = gone(pid)
    if restarted:
        engine.note_kill()
    else:
        os.kill(pid, signal.SIGCONT)
    outcomes = load.outcomes()
    made.add("connections", len(outcomes))
    made.add("failed", told(failed(outcomes)), not failed(outcomes))
    made.add("longest wait", milliseconds(max(each.took for each in outcomes)))
    made.add("the keeper", "started another engine" if restarted else "let it be")
    check_account(engine, made)


@fault("foreign `nft flush ruleset`",
       "repaired within 1 s; established flows untouched; loss counted")
def flushed_ruleset(scene, made):
    engine = scene.steer()
    load = scene.load(5, timeout_ms=4000)
    load.wait(2)
    scene.lab.router.run("nft", "flush", "ruleset")
    flushed = time.monotonic()
    wait_until(lambda: scene.lab.router.run("nft", "list", "table", "inet", "nfsteer",
                                            check=False).returncode == 0)
    repaired = time.monotonic() - flushed
    outcomes = load.outcomes()
    made.add("repaired within", milliseconds(repaired), repaired <= scene.scale.patience)
    lost = failed(outcomes)
    outside = [each for each in lost if not -1 < each.start - flushed < repaired]
    made.add("failed meanwhile, without a table", len(lost) - len(outside))
    made.add("failed at other times", told(outside), not outside)
    status = engine.status()["engine"]
    made.add("repairs counted", status["ruleset_repairs"], status["ruleset_repairs"] == 1)


# ---- rules that change --------------------------------------------------------------


@fault("reloads, half of them invalid, under load",
       "no flow lost, each decided once; memory back within 5 %; no snapshot left over")
def reloads(scene, made):
    engine = scene.steer()
    file = engine.rules_file
    good = [rules_of(), rules_of(names=("web1", "web3"))]
    bad = "[group.web]\nnonsense = 1\n"

    def reload(control, text):
        new = file.with_suffix(".new")
        new.write_text(text)
        new.rename(file)
        return "error" not in control.call("Reload")

    count = scene.scale.reloads
    seconds = 2 + max(2, count / 100)

    def load_up():
        return scene.load(seconds, rate=scene.scale.high_rate)

    # What the first reloads take for good is no leak, nor what so many flows need.
    load_up().outcomes()
    with contextlib.closing(Control(engine)) as control:
        for i in range(10):
            assert reload(control, good[(i + 1) % 2])
    scene.forget_flows()
    before = rss_kib(engine.pid)
    load = load_up()
    load.wait(1)
    began, results = time.monotonic(), collections.Counter()
    with contextlib.closing(Control(engine)) as control:
        for i in range(count):
            time.sleep(max(0.0, began + i / 100 - time.monotonic()))
            results[reload(control, bad if i % 2 else good[i // 2 % 2])] += 1
    took = time.monotonic() - began
    outcomes = load.outcomes()
    made.add("reloads taken, refused", f"{results[True]}, {results[False]} in {took:.1f} s",
             results[True] == results[False])
    made.add("connections", len(outcomes))
    made.add("failed", told(failed(outcomes)), not failed(outcomes))
    made.add("p99 of a connection", milliseconds(percentile([e.took for e in outcomes], 99)))
    wait_until(lambda: engine.status()["engine"]["snapshots"] == 1)
    made.add("snapshots left over", 0)
    scene.forget_flows()
    after = rss_kib(engine.pid)
    made.add("memory before, after", f"{before} KiB, {after} KiB", after <= before * 1.05)
    decided = sum(group["requests"] for group in engine.status()["groups"])
    check_account(engine, made)
    made.add("decisions", decided, decided == engine.total("received"))
