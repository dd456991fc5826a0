"""What a measure is, and what it yields."""

import dataclasses
import shutil
import statistics


@dataclasses.dataclass(frozen=True)
class Figure:
    key: str
    title: str
    digits: int = 0
    # What the same round measured of `direct` is taken off.
    added: bool = False


@dataclasses.dataclass(frozen=True)
class Goal:
    """One lane's figure over another lane's, or as it is."""

    figure: str
    of: str
    over: str | None = None
    at_least: float | None = None
    at_most: float | None = None

    def met(self, value):
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is None or value <= self.at_most

    @property
    def wanted(self):
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most is not None else "for comparison"


class Measure:
    """One way to measure. `lanes` are those compared; a round samples each once."""

    name = ""
    title = ""
    figures = ()
    goals = ()
    contenders = ()
    programs = ()  # that it needs

    def __init__(self, quick):
        self.quick = quick

    def missing(self):
        return [program for program in self.programs if not shutil.which(program)]

    def others(self):
        """The names of lanes that are not nfsteer."""
        return {cls.name for cls in self.contenders} - {"nfsteer"}

    def lanes(self, field):
        """What has a name and can be sampled; kept open by the field."""
        return [field.contender(cls) for cls in self.contenders if not cls.missing]

    def sample(self, lane):
        """{key of a figure: value}; figures that a lane does not have are left out."""
        raise NotImplementedError


class Result:
    """The samples of one measure, round by round."""

    def __init__(self, measure, rounds):
        self.measure = measure
        self.rounds = [self._less_direct(one) for one in rounds]
        self.lanes = list(rounds[0])

    def _less_direct(self, one):
        direct = one.get("direct", {})
        taken_off = {figure.key for figure in self.measure.figures if figure.added}
        return {lane: {key: value - direct.get(key, 0) if key in taken_off and lane != "direct"
                       else value for key, value in sample.items()}
                for lane, sample in one.items()}

    def values(self, lane, key):
        return [one[lane][key] for one in self.rounds if key in one[lane]]

    def value_of(self, goal):
        """None where its lanes were not measured. Of ratios the median over rounds,
        as both sides of one met the same machine."""
        if not self._has(goal.of, goal.figure):
            return None
        if goal.over is None:
            return statistics.median(self.values(goal.of, goal.figure))
        if not self._has(goal.over, goal.figure):
            return None
        pairs = zip(self.values(goal.of, goal.figure), self.values(goal.over, goal.figure))
        ratios = [value / other for value, other in pairs if other]
        return statistics.median(ratios) if ratios else None

    def _has(self, lane, key):
        return lane in self.lanes and bool(self.values(lane, key))
