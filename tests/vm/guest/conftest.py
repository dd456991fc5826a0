"""One lab for all tests: to build one takes long in an emulated machine."""

import pytest
from fixtures import pytest_configure, steer  # noqa: F401
from lab import REPOSITORY, Lab


@pytest.fixture(scope="session")
def only_lab():
    built = Lab()
    # The kernel loads its modules, which takes its time.
    built.router.run("nft", "-f", REPOSITORY / "rules/nfsteer.nft")
    built.router.run("conntrack", "-L")
    built.router.run("nft", "flush", "ruleset")
    yield built
    built.close()


def routing(namespace):
    """The routes and rules that somebody has added, as arguments of ip(8)."""
    listed = [(family, kind, line) for family in ("-4", "-6") for kind in ("route", "rule")
              for line in namespace.ip(f"{family} {kind}").splitlines()]
    return [(family, kind, line.partition(":\t")[2] or line) for family, kind, line in listed]


@pytest.fixture
def lab(only_lab):
    before = routing(only_lab.router)
    yield only_lab
    for namespace in (only_lab.client, only_lab.router, *only_lab.servers.values()):
        namespace.run("nft", "flush", "ruleset")
    for family, kind, added in routing(only_lab.router):
        if (family, kind, added) not in before:
            only_lab.router.ip(f"{family} {kind} del {added}")
    only_lab.router.run("conntrack", "-F")


def pytest_runtest_logreport(report):
    """Says at once what went wrong: the guest may not live to the end."""
    if report.failed:
        print(f"\n{report.longreprtext}")
