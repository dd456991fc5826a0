"""The wire beside its rivals, in labs of network namespaces on this machine.

Contenders: a server without a balancer, DNAT in the kernel, the least loop that
answers NFQUEUE, nfsteer, HAProxy and nginx. In each round each is measured once,
one after the other. Tables and goals go to stdout, in Markdown: medians (from the
least to the most).
"""

import argparse
import os
import pathlib
import platform
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))

from lab import isolate  # noqa: E402
from wire import plot, report  # noqa: E402
from wire.bed import busy_s  # noqa: E402
from wire.field import Field  # noqa: E402
from wire.measure import Result  # noqa: E402
from wire.measures import MEASURES  # noqa: E402

ROUNDS = 5


def arguments():
    parser = argparse.ArgumentParser(prog="./run bench wire", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measures", nargs="*", metavar="MEASURE",
                        help=f"which, of {', '.join(MEASURES)}; default all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N",
                        help=f"how often each contender is measured, default {ROUNDS}")
    parser.add_argument("--quick", action="store_true",
                        help="little of everything: to see that it works, not for figures")
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE.svg",
                        help="draws the same results")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds must be 1 or more")
    for name in given.measures:
        if name not in MEASURES:
            parser.error(f"there is no measure {name}; there are {', '.join(MEASURES)}")
    return given


def machine():
    cpus = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.partition(": ")[2] for line in cpus.splitlines()
                  if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}"


def busy_percent():
    """How busy others keep the machine; they disturb what is measured."""
    before = busy_s()
    time.sleep(1)
    return 100 * (busy_s() - before) / os.cpu_count()


def run(measure, field, rounds):
    lanes = measure.lanes(field)
    return Result(measure, [{lane.name: measure.sample(lane) for lane in lanes}
                            for _ in range(rounds)])


def main():
    given = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    isolate()
    print(f"{machine()}; {given.rounds} rounds; busy before the start: {busy_percent():.0f} %",
          flush=True)
    results = []
    with Field() as field:
        for name in given.measures or MEASURES:
            measure = MEASURES[name](given.quick)
            if missing := measure.missing():
                field.note(f"{name}: left out, as there is no {' and no '.join(missing)}")
                continue
            results.append(run(measure, field, given.rounds))
            print(*report.table(results[-1]), *report.goals(results[-1]), sep="\n", flush=True)
    if given.plot:
        given.plot.write_text(plot.svg(results, machine()))


if __name__ == "__main__":
    main()
