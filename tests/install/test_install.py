"""A program builds against the installed library, by CMake and by pkg-config, and
runs without privilege."""

import os
import pathlib
import shlex
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / "tests/install"
BUILD = REPOSITORY / "build/release"


def run(*argv, **options):
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    installed = tmp_path_factory.mktemp("installed")
    run("cmake", "--install", BUILD, "--prefix", installed)
    return installed


def runs_unprivileged(program):
    program.chmod(0o755)
    for folder in program.parents:
        if folder == pathlib.Path("/tmp"):
            break
        folder.chmod(0o755)
    assert run(program, user=65534, group=65534, extra_groups=[]) == "ok\n"


def test_cmake_package(prefix, tmp_path):
    run("cmake", "-G", "Ninja", "-S", PROGRAM, "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", tmp_path)
    runs_unprivileged(tmp_path / "program")


def test_pkg_config(prefix, tmp_path):
    folder, = prefix.glob("lib/**/pkgconfig")
    flags = run("pkg-config", "--cflags", "--libs", "nfsteer",
                env={**os.environ, "PKG_CONFIG_PATH": str(folder)})
    run("g++", "-std=c++20", PROGRAM / "program.cpp", "-o", tmp_path / "program",
        *shlex.split(flags))
    runs_unprivileged(tmp_path / "program")


def test_every_public_header_stands_alone(prefix, tmp_path):
    for header in (prefix / "include/nfsteer").rglob("*.hpp"):
        source = tmp_path / "header.cpp"
        source.write_text(f"#include <{header.relative_to(prefix / 'include')}>\n")
        run("g++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", f"-I{prefix}/include", source)


def test_the_program_and_its_files(prefix):
    assert "nfsteer" in run(prefix / "sbin/nfsteer", "--version")
    for file in ("share/nfsteer/nfsteer.nft", "share/nfsteer/example.toml",
                 "lib/systemd/system/nfsteer.service"):
        assert (prefix / file).exists()
    for module in ("netlink", "replay", "engine", "cli"):
        assert not (prefix / f"include/nfsteer/{module}.hpp").exists()
