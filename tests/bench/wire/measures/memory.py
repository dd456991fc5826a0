"""Memory of the balancers' processes, after the first flows."""

from wire.bed import memory_mb
from wire.contenders import AcceptAll, HAProxy, Nfsteer, Nginx
from wire.measure import Figure, Goal, Measure


class Memory(Measure):
    name = "memory"
    title = "Memory of all processes (PSS), after a thousand flows"
    figures = (Figure("mb", "MB", 1),)
    contenders = (AcceptAll, Nfsteer, HAProxy, Nginx)
    goals = (Goal("mb", "nfsteer", at_most=20),)

    def sample(self, lane):
        lane.bed.flood(lane.address, lane.port, 1000)
        return {"mb": memory_mb(lane.pids())}
