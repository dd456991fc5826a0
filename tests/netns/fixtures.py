"""Fixtures of tests that steer in a lab, for conftest.py of several folders."""

import signal

import pytest

import lab as lab_module
from engine import BINARY, DEFAULT_SOCKET, Engine


def pytest_configure(config):
    # A termination cleans up as ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    lab_module.isolate()


@pytest.fixture
def lab():
    built = lab_module.Lab()
    yield built
    built.close()


@pytest.fixture
def second_lab():
    built = lab_module.Lab()
    yield built
    built.close()


@pytest.fixture
def steer(lab, tmp_path):
    """steer(RULES) runs nfsteer with these rules in the router; more than one may
    be run. What it logged is shown where the test fails."""
    if not BINARY.exists():
        pytest.fail(f"{BINARY} is not built")
    engines = []

    def make(rules, namespace=None, start=True, wrapper=(), default_socket=False):
        directory = tmp_path / f"engine{len(engines)}"
        directory.mkdir()
        engine = Engine(namespace or lab.router, directory, rules, wrapper,
                        DEFAULT_SOCKET if default_socket else None)
        engines.append(engine)
        return engine.start() if start else engine

    yield make
    for engine in engines:
        print(f"---- {engine.log_file}\n{engine.log if engine.log_file.exists() else ''}")
        engine.close()
