"""New TCP connections of real HTTP clients, one request each."""

import re

from wire.bed import busy_s
from wire.contenders import AcceptAll, Direct, HAProxy, KernelOnly, Nfsteer, Nginx
from wire.measure import Figure, Goal, Measure

CLIENTS = 64


class Connections(Measure):
    name = "connections"
    title = f"New TCP connections: wrk with {CLIENTS} clients, `Connection: close`"
    figures = (Figure("rate", "connections/s"), Figure("failed", "failed"),
               Figure("cpu", "CPU µs a connection above direct", 1, added=True))
    contenders = (Direct, KernelOnly, AcceptAll, Nfsteer, HAProxy, Nginx)
    programs = ("wrk", "nginx")
    goals = (Goal("rate", "nfsteer", "kernel-only", at_least=0.97),
             Goal("rate", "nfsteer", "HAProxy", at_least=1.05),
             Goal("cpu", "nfsteer", "HAProxy", at_most=0.35),
             Goal("cpu", "nfsteer", "nginx", at_most=0.35),
             Goal("cpu", "kernel-only", "HAProxy"))

    def sample(self, lane):
        seconds = 1 if self.quick else 3
        lane.bed.forget_flows()
        before = busy_s()
        said = lane.bed.client.run("wrk", "-t2", f"-c{CLIENTS}", f"-d{seconds}s", "-H",
                                   "Connection: close", f"http://{lane.address}:{lane.port}/")
        used_s = busy_s() - before
        requests, took_s = re.search(r"(\d+) requests in ([\d.]+)s", said.stdout).groups()
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)",
                           said.stdout)
        return {"rate": int(requests) / float(took_s),
                "failed": sum(map(int, errors.groups())) if errors else 0,
                "cpu": used_s / int(requests) * 1e6}
