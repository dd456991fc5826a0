"""Benchmarks on the wire, beside the kernel alone, in one run: wire.py CASE

new-flows    new UDP flows a second: nfsteer, an accept-all loop behind the same
             ruleset, and DNAT by jhash in the kernel
established  iperf3 through nfsteer and through the same DNAT without it, and
             the engine's CPU time meanwhile
"""

import contextlib
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))

from baseline import jhash_dnat  # noqa: E402
from engine import Engine, bench, cpu_ticks  # noqa: E402
from lab import SERVER4, VIP4, Lab, PacketCounter, isolate, wait_until  # noqa: E402
from rules import rules  # noqa: E402

ROUNDS = 5
FLOWS, SOURCES = 200_000, 200
IPERF_S = 3
RULES = rules(engine="queue_length = 65536")
QUIET_S = 0.5  # nothing has arrived for so long: nothing more will


class Arrivals:
    """Packets that the router has sent to the servers, read without a process."""

    def __init__(self, lab):
        with lab.router:
            self._devices = open("/proc/thread-self/net/dev", encoding="ascii")

    def packets(self):
        self._devices.seek(0)
        for line in self._devices:
            name, _, fields = line.partition(":")
            if name.strip() == "servers":
                return int(fields.split()[9])
        raise AssertionError("no such device")


class NewFlows:
    """One way of balancing, in a lab of its own."""

    def __init__(self, lab):
        self._lab, self._arrivals = lab, Arrivals(lab)
        self._counters = [PacketCounter(server, "udp dport 8080", take=True)
                          for server in lab.servers.values()]
        self.flows_per_s, self.lost = [], 0

    def _arrived(self):
        return sum(counter.packets for counter in self._counters)

    def round(self):
        self._lab.router.run("conntrack", "-F")
        arrived_before, before = self._arrived(), self._arrivals.packets()
        start = last = time.monotonic()
        sender = self._lab.client.start(bench("udp_flood"), VIP4, 80, FLOWS, "10.1.0.1", SOURCES,
                                        stdout=-1)
        seen = 0
        while seen < FLOWS and time.monotonic() - last < QUIET_S:
            time.sleep(0.002)
            now = self._arrivals.packets() - before
            if now != seen:
                seen, last = now, time.monotonic()
        sender.communicate()
        arrived = self._arrived() - arrived_before
        self.lost += FLOWS - arrived
        self.flows_per_s.append(arrived / (last - start))


def kernel_only(lab, _stack, _directory):
    lab.router.nft(jhash_dnat(list(SERVER4.values()), 8080))


def accept_all(lab, _stack, directory):
    """nfsteer's own ruleset with another program at its queues; the fallback in
    the kernel then chooses the servers."""
    engine = Engine(lab.router, directory, RULES).start()
    engine.kill_both()
    process = lab.router.start(bench("accept_all"), 0, 2, stdout=-1, text=True)
    assert process.stdout.readline() == "ready\n"


def nfsteer(lab, stack, directory):
    stack.callback(Engine(lab.router, directory, RULES).start().close)


@contextlib.contextmanager
def labs(*ways):
    """A lab for each way of balancing, at the same time."""
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(tempfile.TemporaryDirectory(prefix="nfsteer-bench-"))
        made = []
        for way in ways:
            lab = stack.enter_context(contextlib.closing(Lab()))
            directory = pathlib.Path(root, way.__name__)
            directory.mkdir()
            way(lab, stack, directory)
            made.append(lab)
        yield made


def machine():
    cpus = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.partition(": ")[2] for line in cpus.splitlines()
                  if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}"


def row(name, figures, unit_digits=0):
    return (f"{name:14} {statistics.median(figures):10.{unit_digits}f} "
            f"{min(figures):10.{unit_digits}f} {max(figures):10.{unit_digits}f}")


def new_flows():
    ways = (kernel_only, accept_all, nfsteer)
    with labs(*ways) as made:
        measured = [NewFlows(lab) for lab in made]
        for _ in range(ROUNDS):
            for one in measured:
                one.round()
    print(f"{'new UDP flows/s':14} {'median':>9} {'min':>10} {'max':>10} {'lost':>9}")
    for way, one in zip(ways, measured):
        print(row(way.__name__, one.flows_per_s), f"{one.lost:9}")
    kernel, loop, ours = (statistics.median(one.flows_per_s) for one in measured)
    print(f"nfsteer / kernel_only  {ours / kernel:.2f}   (goal 1.0)")
    print(f"nfsteer / accept_all   {ours / loop:.2f}   (goal 0.9)")


def gbit_per_s(lab):
    """One run of iperf3 from the client to the virtual address."""
    server = lab.servers["web1"]
    serving = server.start("iperf3", "-s", "-1", stdout=subprocess.DEVNULL)
    wait_until(lambda: "5201" in server.run("ss", "-Hltn").stdout, what="iperf3 listens")
    report = json.loads(lab.client.run("iperf3", "-J", "-c", VIP4, "-t", IPERF_S).stdout)
    serving.wait(timeout=10)
    return report["end"]["sum_received"]["bits_per_second"] / 1e9


def established():
    kernel, ours, ticks = [], [], 0
    with contextlib.ExitStack() as stack:
        kernel_lab, our_lab = (stack.enter_context(contextlib.closing(Lab())) for _ in range(2))
        kernel_lab.router.nft(jhash_dnat([SERVER4["web1"]], 5201))
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="nfsteer-bench-"))
        only = rules(servers=f'{{ name = "web1", address = "{SERVER4["web1"]}" }}')
        engine = Engine(our_lab.router, pathlib.Path(directory), only).start()
        stack.callback(engine.close)
        for _ in range(ROUNDS):
            kernel.append(gbit_per_s(kernel_lab))
            before = cpu_ticks(engine.pid)
            ours.append(gbit_per_s(our_lab))
            ticks += cpu_ticks(engine.pid) - before
    print(f"{'Gbit/s':14} {'median':>10} {'min':>10} {'max':>10}")
    print(row("kernel_only", kernel, 2))
    print(row("nfsteer", ours, 2))
    print(f"nfsteer / kernel_only  {statistics.median(ours) / statistics.median(kernel):.2f}"
          "   (goal 0.97)")
    print(f"engine's CPU time: {ticks * 10} ms in {ROUNDS * IPERF_S} s")


CASES = {"new-flows": new_flows, "established": established}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in CASES:
        sys.exit(__doc__)
    isolate()
    print(machine())
    CASES[sys.argv[1]]()


if __name__ == "__main__":
    main()
