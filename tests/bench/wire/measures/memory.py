"""Memory of the balancers' processes, after the first connections."""

from engine import bench
from lab import CLIENT4
from wire.bed import memory_mb
from wire.contenders import AcceptAll, HAProxy, Nfsteer, Nginx
from wire.measure import Figure, Goal, Measure


class Memory(Measure):
    name = "memory"
    title = "Memory of all processes (PSS), after a thousand connections and more"
    figures = (Figure("mb", "MB", 1),)
    contenders = (AcceptAll, Nfsteer, HAProxy, Nginx)
    goals = (Goal("mb", "nfsteer", at_most=20),)

    def sample(self, lane):
        per_s, seconds, timeout_ms = 1000, 1, 2000
        lane.bed.client.run(bench("tcp_clients"), lane.address, lane.port, per_s, seconds,
                            timeout_ms, *CLIENT4)
        return {"mb": memory_mb(lane.pids())}
