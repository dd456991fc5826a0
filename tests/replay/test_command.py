"""replay among other programs: pipes, readers that leave, terminals."""

import os
import pty
import subprocess

import pytest
from cases import BINARY, HERE
from packets import pcap, spaced, udp

RULES = HERE / "curl-ipv4/rules.toml"
CAPTURE = HERE / "curl-ipv4/capture.pcap"
FLOW = udp("10.1.0.1", 5000, "10.9.9.9", 53)


def replay(*arguments, **options):
    return subprocess.run([BINARY, "replay", *arguments], timeout=100, capture_output=True,
                          **options)


@pytest.fixture(scope="module")
def long_capture(tmp_path_factory):
    """600,000 packets of one flow, so that there is something to wait for."""
    file = tmp_path_factory.mktemp("captures") / "long.pcap"
    one = pcap(spaced([FLOW]))
    file.write_bytes(one[:24] + 600_000 * one[24:])
    return file


def test_standard_input_is_a_file_like_any():
    from_file = replay("-c", RULES, "--flows", CAPTURE)
    assert from_file.returncode == 0 and b"3 new flows" in from_file.stdout
    from_pipe = replay("-c", RULES, "--flows", "-", input=CAPTURE.read_bytes())
    assert (from_pipe.stdout, from_pipe.stderr) == (from_file.stdout, b"")
    with CAPTURE.open("rb") as file:
        assert replay("-c", RULES, "--flows", "-", stdin=file).stdout == from_file.stdout
    rules_from_pipe = replay("-c", "-", "--flows", CAPTURE, input=RULES.read_bytes())
    assert rules_from_pipe.stdout == from_file.stdout


def test_standard_input_that_ends_early():
    done = replay("-c", RULES, "-", input=CAPTURE.read_bytes()[:-1])
    assert done.returncode == 1
    assert b"standard input cannot be read further" in done.stderr
    assert b"3 new flows" in done.stdout


def test_a_reader_that_has_seen_enough(tmp_path):
    flows = [udp("10.1.0.1", port, "10.9.9.9", 53) for port in range(1, 3000)]
    (tmp_path / "flows.pcap").write_bytes(pcap(spaced(flows)))
    done = subprocess.run(f"{BINARY} replay -c {RULES} --flows {tmp_path}/flows.pcap | head -1;"
                          "exit ${PIPESTATUS[0]}", shell=True, executable="/bin/bash", timeout=100,
                          capture_output=True, text=True)
    assert done.stdout.startswith("#1  ") and done.stdout.count("\n") == 1
    assert (done.returncode, done.stderr) == (0, "")


def test_progress_is_for_terminals(long_capture):
    silent = replay("-c", RULES, long_capture)
    assert silent.stderr == b"" and b"600000 packets" in silent.stdout
    terminal, end = pty.openpty()
    shown = subprocess.run([BINARY, "replay", "-c", RULES, long_capture], stdout=subprocess.PIPE,
                           stderr=end, timeout=100)
    os.close(end)
    text = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert shown.stdout == silent.stdout
    assert "\r[=" in text and "] 87 %  524288 packets" in text
    assert text.endswith(" \r")  # gone in the end


def test_progress_of_a_pipe_has_no_share(long_capture):
    terminal, end = pty.openpty()
    subprocess.run([BINARY, "replay", "-c", RULES, "-"], input=long_capture.read_bytes(),
                   stdout=subprocess.DEVNULL, stderr=end, timeout=100, check=True)
    os.close(end)
    text = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert "\r262144 packets" in text and "[" not in text
