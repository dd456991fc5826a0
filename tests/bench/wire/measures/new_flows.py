"""New UDP flows at full speed, and the machine's CPU time for each."""

from wire.bed import busy_s
from wire.contenders import AcceptAll, Direct, KernelOnly, Nfsteer, Nginx
from wire.measure import Figure, Goal, Measure


class NewFlows(Measure):
    name = "new-flows"
    title = "New UDP flows at full speed"
    figures = (Figure("flows", "new flows/s"), Figure("lost", "lost"),
               Figure("cpu", "CPU µs a flow above direct", 2, added=True))
    contenders = (Direct, KernelOnly, AcceptAll, Nfsteer, Nginx)
    goals = (Goal("flows", "nfsteer", "accept-all", at_least=0.95),
             Goal("flows", "nfsteer", "kernel-only", at_least=1.0),
             Goal("lost", "nfsteer", at_most=0),
             Goal("cpu", "nfsteer", "kernel-only"))

    def sample(self, lane):
        flows = 20_000 if self.quick else 200_000
        lane.bed.forget_flows()
        before = busy_s()
        arrived, took_s = lane.bed.flood(lane.address, lane.port, flows)
        used_s = busy_s() - before
        return {"flows": arrived / took_s, "lost": flows - arrived,
                "cpu": used_s / arrived * 1e6}
