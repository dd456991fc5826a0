"""The systemd unit: as locked up as we say."""

import pathlib
import shutil
import subprocess

import pytest

UNIT = pathlib.Path(__file__).resolve().parents[2] / "systemd/nfsteer.service"
EXPOSURE_MAX_TENTHS = 20


def test_exposure():
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed: the unit's exposure is NOT checked")
    analysed = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager",
         f"--threshold={EXPOSURE_MAX_TENTHS}", str(UNIT)],
        capture_output=True, text=True)
    assert analysed.returncode == 0, analysed.stdout[-2000:] + analysed.stderr
