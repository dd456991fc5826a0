"""The order of the modules, and who may include which library."""

import pathlib
import re

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# A module includes itself and modules of earlier rows only.
ORDER = [
    {"base"},
    {"flow", "failover"},
    {"rule", "route", "balance", "geo", "schedule", "health"},
    {"feedback"},
    {"policy"},
    {"steering"},
    {"explain"},
    {"config", "netlink", "replay"},
    {"engine"},
    {"cli"},
    {"main"},
]
RANK = {module: rank for rank, modules in enumerate(ORDER) for module in modules}

# The modules that may include the library's headers.
LIBRARIES = {
    r"toml\+\+/": {"config"},
    r"libmnl/": {"netlink"},
    r"libnetfilter_queue/": {"netlink"},
    r"libnftnl/": {"netlink"},
    r"libnetfilter_conntrack/": {"netlink"},
    r"pcap": {"replay"},
    r"boost/": {"health", "engine"},
    r"openssl/": {"health"},
    r"nlohmann/": {"engine"},
    r"CLI/": {"cli"},
    r"maxminddb": {"geo"},
    r"date/": {"schedule"},
    r"spdlog/": {"base"},
    r"fmt/": {"base"},
    r"tl/": {"base"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^">]+)[">]', re.MULTILINE)


def module_of(file):
    """`src/flow/parse.cpp`, `include/nfsteer/flow.hpp` and
    `include/nfsteer/base/fd.hpp` are of the modules flow, flow and base."""
    inside = file.relative_to(REPOSITORY / ("src" if REPOSITORY / "src" in file.parents
                                            else "include/nfsteer"))
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def sources():
    return sorted(file for folder in ("src", "include/nfsteer")
                  for file in (REPOSITORY / folder).rglob("*")
                  if file.suffix in (".cpp", ".hpp", ".def"))


def includes(file):
    return INCLUDE.findall(file.read_text())


def target_of(file, quote, included):
    """The module that an #include of `file` reaches, or None for what is not ours."""
    if included.startswith("nfsteer/"):
        return module_of(REPOSITORY / "include" / included)
    if quote == '"':
        beside = (file.parent / included).resolve()
        return module_of(beside if beside.exists() else REPOSITORY / "src" / included)
    return None


def wrong_order(file):
    own = module_of(file)
    for quote, included in includes(file):
        target = target_of(file, quote, included)
        if target is not None and target != own and RANK[target] >= RANK[own]:
            yield f"{own} includes {included}"


def wrong_library(file):
    own = module_of(file)
    for _, included in includes(file):
        for library, modules in LIBRARIES.items():
            if re.match(library, included) and own not in modules:
                yield f"{own} includes {included}, which is for {', '.join(sorted(modules))} alone"


def private_headers(file):
    """A header in src is private to its module's folder."""
    for quote, included in includes(file):
        if quote == '"' and not included.startswith("nfsteer/"):
            if target_of(file, quote, included) != module_of(file):
                yield f"{file.name} includes {included}"


@pytest.mark.parametrize("rule", [wrong_order, wrong_library, private_headers])
def test_includes(rule):
    files = sources()
    assert len(files) > 20
    wrong = [f"{file.relative_to(REPOSITORY)}: {found}" for file in files for found in rule(file)]
    assert wrong == []


def test_every_module_has_a_row():
    assert {module_of(file) for file in sources()} <= RANK.keys()


@pytest.mark.parametrize("text, rule", [
    ('#include "nfsteer/policy.hpp"', wrong_order),
    ('#include "nfsteer/balance.hpp"', wrong_order),  # beside it, not before it
    ("#include <toml++/toml.h>", wrong_library),
    ("#include <boost/asio/io_context.hpp>", wrong_library),
    ('#include "netlink/table.hpp"', private_headers),
])
def test_the_rules_catch(text, rule, tmp_path, monkeypatch):
    """A file of the module route that breaks the rule."""
    monkeypatch.setattr("test_modules.REPOSITORY", tmp_path)
    file = tmp_path / "src/route/table.cpp"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert list(rule(file))


def test_files_are_short():
    long = {str(file.relative_to(REPOSITORY)): lines for file in sources()
            if (lines := len(file.read_text().splitlines())) > 500}
    assert long == {}
