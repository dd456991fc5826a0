"""The faults of faults.py at a small scale. At full scale: `./run bench faults`."""

import pytest
from faults import FAULTS, QUICK


@pytest.mark.parametrize("name", FAULTS)
def test_fault(lab, steer, name):
    measured = FAULTS[name](lab, steer, QUICK)
    print(*measured.seen, sep="\n")
    assert not measured.broken
