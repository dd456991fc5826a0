"""Golden replays: what nfsteer makes of a capture and a rules file is what the case's
file `expected` says. README.md says how to add a case."""

import subprocess

import pytest
from cases import BINARY, HERE, listing, names


@pytest.fixture(scope="session", autouse=True)
def built():
    if not BINARY.exists():
        pytest.fail(f"{BINARY} is not built")


def test_there_are_cases():
    assert len(names()) >= 60


@pytest.mark.parametrize("name", names())
def test_case(name):
    assert listing(name) == (HERE / name / "expected").read_text()


@pytest.mark.parametrize("name", [each for each in names() if (HERE / each / "make").exists()])
def test_capture_is_what_its_script_makes(name, tmp_path):
    made = tmp_path / "capture.pcap"
    subprocess.run([HERE / name / "make", made], check=True, timeout=100)
    assert made.read_bytes() == (HERE / name / "capture.pcap").read_bytes()
