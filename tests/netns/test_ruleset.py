"""The table of nftables: its text and the kernel's are one, it comes and goes
without harm to others, and established flows cost one rule a chain."""

import collections
import re

from clients import Connection, udp_ask
from engine import BINARY, run_offline
from lab import REPOSITORY, VIP4, wait_until
from rules import rules

LIST = ("nft", "list", "table", "inet", "nfsteer")


def without_queues(text):
    """Without the rules that queue: not every kernel can load them from text."""
    return "".join(line for line in text.splitlines(keepends=True)
                   if "daddr @scope" not in line and not line.startswith("#"))


def parts(listing):
    """The sets and chains of a listing, in alphabetical order."""
    return sorted(re.findall(r"^\t\S+ \S+ \{\n.*?^\t\}", without_queues(listing), re.S | re.M))


def text_of(path):
    done = run_offline("ruleset", path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_drop_in_is_what_the_program_prints():
    assert run_offline("ruleset").stdout == (REPOSITORY / "rules/nfsteer.nft").read_text()


def test_text_is_what_the_kernel_has(lab, steer):
    engine = steer(rules(engine='hooks = ["prerouting", "output"]'))
    other = lab.namespace("other")
    text = without_queues(text_of(engine.rules_file))
    for _ in range(2):
        other.nft(text)
    assert parts(other.run(*LIST).stdout) == parts(lab.router.run(*LIST).stdout)


def test_over_the_drop_in(lab, steer):
    lab.router.nft(without_queues((REPOSITORY / "rules/nfsteer.nft").read_text()))
    steer(rules())
    assert udp_ask(lab.client, VIP4, 80).port == 8080


def test_other_tables_stay(lab, steer):
    foreign = """
        table inet other {
          chain steer { type filter hook prerouting priority 0; ct state new; }
        }
        table ip nfsteer {
          map decided { type mark : verdict; }
        }"""
    lab.router.nft(foreign)
    before = lab.router.run("nft", "list", "ruleset").stdout

    def others():
        listing = lab.router.run("nft", "list", "ruleset").stdout
        return re.sub(r"^table inet nfsteer \{\n.*?^\}\n", "", listing, flags=re.S | re.M)
    engine = steer(rules())
    assert others() == before != lab.router.run("nft", "list", "ruleset").stdout
    engine.terminate()
    for _ in range(2):  # the second time there is nothing to remove
        lab.router.run(BINARY, "ruleset", "--remove")
        assert lab.router.run("nft", "list", "ruleset").stdout == before


def rules_met(trace):
    """How often each rule of ours was met by what `nft monitor trace` saw."""
    return collections.Counter(re.findall(r"inet nfsteer (\S+) rule (.*) \(verdict", trace))


def test_established_packets_meet_the_first_rule_only(lab, steer, tmp_path):
    steer(rules())
    trace = tmp_path / "trace"
    with Connection(lab.client, VIP4, 80) as connection, trace.open("w") as output:
        connection.ask()
        lab.router.nft("""
            table inet trace {
              chain every {
                type filter hook prerouting priority raw
                meta l4proto tcp meta nftrace set 1
              }
            }""")
        lab.router.start("nft", "monitor", "trace", stdout=output)

        def traced():
            connection.ask()
            return rules_met(trace.read_text()).total() > 40
        wait_until(traced)
    met = rules_met(trace.read_text())
    assert {chain for chain, _ in met} == {"steer", "keep"}
    assert {rule.split(" != ")[0] for _, rule in met} == {"ct mark"}
