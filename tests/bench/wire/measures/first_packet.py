"""What a balancer adds to the round trip of a flow's first packet, while nothing else
happens, and while new flows come at half the rate that the accept-all loop takes."""

from wire.bed import percentile
from wire.contenders import AcceptAll, Direct, KernelOnly, Nfsteer
from wire.measure import Figure, Goal, Measure

SHARES = (("50", 0.5), ("99", 0.99), ("99.9", 0.999))
LOADS = ("idle", "half")


class FirstPacket(Measure):
    name = "first-packet"
    title = "Round trip of a flow's first packet; but for direct: what is added to it"
    figures = tuple(Figure(f"{load}{name}", f"µs, {load}{' load' * (load == 'half')}, p{name}", 1,
                           added=True) for load in LOADS for name, _ in SHARES) + (
        Figure("lost", "lost"),)
    contenders = (Direct, KernelOnly, AcceptAll, Nfsteer)
    goals = tuple(Goal(f"{load}50", "nfsteer", "accept-all", at_most=1.15) for load in LOADS)

    def __init__(self, quick):
        super().__init__(quick)
        self._probes, self._per_s = (500, 1000) if quick else (6000, 4000)

    def lanes(self, field):
        made = super().lanes(field)
        loop = field.contender(AcceptAll)
        loop.bed.forget_flows()
        arrived, took_s = loop.bed.flood(loop.address, loop.port, 20_000 if self.quick else 200_000)
        self._half = arrived / took_s / 2
        return made

    def sample(self, lane):
        found = {"lost": 0}
        for load in LOADS:
            lane.bed.forget_flows()
            flood = self._load(lane) if load == "half" else None
            round_trips, lost = lane.bed.first_packets(lane.address, lane.port, self._probes,
                                                       self._per_s)
            if flood:
                flood.kill()
                flood.wait()
            found["lost"] += lost
            if round_trips:
                found |= {f"{load}{name}": percentile(round_trips, share)
                          for name, share in SHARES}
        return found

    def _load(self, lane):
        """Flows for longer than the probes take."""
        flows = int(2 * self._half * self._probes / self._per_s)
        return lane.bed.start_flood(lane.address, lane.port, flows, rate=(int(self._half),))
