"""Bytes on established TCP connections."""

import json

from wire.bed import busy_s, cpu_s
from wire.contenders import Direct, HAProxy, KernelOnly, Nfsteer, Nginx
from wire.measure import Figure, Goal, Measure

STREAMS = (1, 8)


class Established(Measure):
    name = "established"
    title = "Established TCP connections: iperf3"
    figures = tuple(figure for streams in STREAMS for figure in (
        Figure(f"gbit{streams}", f"Gbit/s, {streams} stream{'s' * (streams > 1)}", 2),
        Figure(f"cpu{streams}", f"CPU ms a gigabyte above direct, {streams}", added=True))) + (
        Figure("own", "CPU ms of the balancer's processes"),)
    contenders = (Direct, KernelOnly, Nfsteer, HAProxy, Nginx)
    goals = tuple(goal for streams in STREAMS for goal in (
        Goal(f"gbit{streams}", "nfsteer", "kernel-only", at_least=0.98),
        Goal(f"gbit{streams}", "nfsteer", "HAProxy", at_least=2.0)))

    def sample(self, lane):
        found = {}
        own_before = cpu_s(lane.pids())
        for streams in STREAMS:
            before = busy_s()
            bytes_received, took_s = self._iperf(lane, streams)
            used_s = busy_s() - before
            found[f"gbit{streams}"] = bytes_received * 8 / took_s / 1e9
            found[f"cpu{streams}"] = used_s / bytes_received * 1e12
        if lane.pids():
            found["own"] = 1e3 * (cpu_s(lane.pids()) - own_before)
        return found

    def _iperf(self, lane, streams):
        said = lane.bed.client.run("iperf3", "-J", "-c", lane.bulk_address, "-P", streams, "-t",
                                   1 if self.quick else 3)
        received = json.loads(said.stdout)["end"]["sum_received"]
        return received["bytes"], received["seconds"]
