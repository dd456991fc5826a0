"""How nfsteer's figures change with what it has to know, one thing varied at a time."""

import dataclasses
import pathlib
import random

from engine import Engine
from lab import VIP4
from wire.bed import (MANY4, SERVER_PORT, VIP_PORT, Bed, memory_mb, percentile)
from wire.measure import Figure, Goal, Measure

CONNTRACK_MAX = pathlib.Path("/proc/sys/net/netfilter/nf_conntrack_max")
FLOWS = 100_000
LIVE_SOURCE = "10.72.0.1"  # apart from those of probes and flood


@dataclasses.dataclass(frozen=True)
class Size:
    policies: int = 10
    routes: int = 10
    servers: int = 30
    live_flows: int = 1_000
    workers: int = 2

    @property
    def name(self):
        """What is not as usual."""
        usual = Size()
        unusual = [f"{value:,} {field.replace('_', ' ')}" for field, value in vars(self).items()
                   if value != getattr(usual, field)]
        return ", ".join(unusual).replace("1 workers", "1 worker") or "usual"


BIG = Size(policies=100_000, routes=1_000_000)
SIZES = (Size(), Size(policies=1_000), Size(policies=100_000), Size(routes=10_000),
         Size(routes=1_000_000), BIG, Size(servers=2), Size(servers=1_000),
         Size(live_flows=100_000), Size(live_flows=1_000_000), Size(workers=1))
QUICK_SIZES = (Size(), Size(policies=1_000), Size(routes=10_000))


def policies(count):
    """Policies near the flows that come: each of their criteria often holds, but all
    of one never do."""
    drawn = random.Random(count)
    for number in range(count):
        source = f"10.{drawn.randrange(256)}.{drawn.randrange(256)}.0/{drawn.randint(20, 24)}"
        target = f"10.9.{drawn.randrange(256)}.{drawn.randrange(256)}/{drawn.randint(20, 32)}"
        yield f"""
[[policy]]
name = "p{number}"
match = {{ saddr = "{network(source)}", daddr = "{network(target)}", dport = {drawn.randint(81, 9999)} }}
group = "web"
"""


def network(prefix):
    """The prefix without bits of a host."""
    address, _, bits = prefix.partition("/")
    number = int.from_bytes(bytes(map(int, address.split("."))), "big")
    kept = number >> (32 - int(bits)) << (32 - int(bits))
    return f"{'.'.join(map(str, kept.to_bytes(4, 'big')))}/{bits}"


def routes(count):
    """Prefixes of 24 bits outside 10.0.0.0/8, and the one that is asked for."""
    yield f"{VIP4}/32 web\n"
    for number in random.Random(count).sample(range(11 << 16, 200 << 16), count - 1):
        yield f"{number >> 16}.{number >> 8 & 255}.{number & 255}.0/24 web\n"


def rules(size, directory):
    """Writes the files of one size; returns the text of the rules file."""
    file = directory / "routes.txt"
    file.write_text("".join(routes(size.routes)))
    base = MANY4.rpartition(".")[0].rpartition(".")[0]
    servers = ",\n".join(
        f'{{ name = "s{i}", address = "{base}.{i >> 8}.{(i & 255)}", port = {SERVER_PORT} }}'
        for i in range(1, size.servers + 1))
    return f"""
[engine]
queues = {size.workers}
queue_length = 65536

[group.web]
servers = [{servers}]

[table.main]
files = ["{file}"]
{"".join(policies(size.policies))}"""


class Lane:
    def __init__(self, size, bed, directory):
        self.name, self.size, self.bed = size.name, size, bed
        self.address, self.port = VIP4, VIP_PORT
        directory.mkdir()
        self._engine = Engine(bed.router, directory, rules(size, directory))

    def __enter__(self):
        self._engine.start()
        return self

    def __exit__(self, *_):
        self._engine.close()

    def pids(self):
        return [self._engine.keeper_pid, self._engine.pid]


class Growth(Measure):
    name = "growth"
    title = ("nfsteer as it grows; usual are 10 policies, 10 routes, 30 servers, 1,000 live flows, "
             "2 workers")
    figures = (Figure("flows", "new flows/s"), Figure("lost", "lost"),
               Figure("p50", "first packet, µs, p50", 1), Figure("p99", "first packet, µs, p99", 1),
               Figure("mb", "memory, MB", 1))
    goals = (Goal("flows", BIG.name, "usual", at_least=0.95),
             Goal("mb", "usual", at_most=20), Goal("mb", BIG.name, at_most=150))

    def lanes(self, field):
        bed, root = field.bed(), field.directory("growth")
        room = int(CONNTRACK_MAX.read_text()) - FLOWS - 10_000
        made = []
        for number, size in enumerate(QUICK_SIZES if self.quick else SIZES):
            if size.live_flows > room:
                field.note(f"{size.name}: left out, as net.netfilter.nf_conntrack_max is "
                           f"{CONNTRACK_MAX.read_text().strip()}")
            else:
                made.append(Lane(size, bed, root / str(number)))
        return made

    def sample(self, lane):
        bed = lane.bed
        bed.forget_flows()
        with lane:
            self._make_live(lane)
            memory = memory_mb(lane.pids())
            arrived, took_s = bed.flood(VIP4, VIP_PORT, self._flows)
            probes = 200 if self.quick else 3000
            round_trips, _ = bed.first_packets(VIP4, VIP_PORT, probes, 3000)
            bed.forget_flows()
        return {"flows": arrived / took_s, "lost": self._flows - arrived,
                "p50": percentile(round_trips, 0.5), "p99": percentile(round_trips, 0.99),
                "mb": memory}

    @property
    def _flows(self):
        return FLOWS // 10 if self.quick else FLOWS

    def _make_live(self, lane):
        lane.bed.flood(VIP4, VIP_PORT, lane.size.live_flows, LIVE_SOURCE)

