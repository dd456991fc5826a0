"""What breaks, under load, as a table: faults.py [FAULT...]

Each line of the table is a fault of tests/netns/faults.py at its full scale, in a lab of
its own. Exit code 1 where something did not hold.
"""

import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))

from engine import Engine  # noqa: E402
from faults import FAULTS, FULL  # noqa: E402
from lab import Lab, isolate  # noqa: E402


def run(fault):
    lab = Lab()
    with tempfile.TemporaryDirectory() as directory:
        engines = []

        def steer(rules):
            engines.append(Engine(lab.router, pathlib.Path(directory), rules).start())
            return engines[-1]
        try:
            return fault(lab, steer, FULL)
        finally:
            for engine in engines:
                engine.close()
            lab.close()


def main(names):
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        sys.exit(f"no such fault: {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    isolate()
    broken = 0
    for name in names or FAULTS:
        measured = run(FAULTS[name])
        print(f"\n{measured.fault}\n  must hold: {measured.must_hold}")
        for what, value, holds in measured.seen:
            print(f"  {'' if holds else 'NOT '}{what}: {value}", flush=True)
        broken += len(measured.broken)
    print(f"\n{broken} did not hold")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
