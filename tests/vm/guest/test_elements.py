"""`manage = "elements"`: the table is the operator's, what it holds the engine's."""

import collections
import re

import pytest
from clients import Connection, SteadyFlows, tcp_ask, udp_ask, udp_flows
from lab import CLIENT4, PATIENCE, REPOSITORY, SERVER4, VIP4, VIP6, wait_until
from managed import managed_rules, start_managed
from rules import SERVERS, rules
from test_reload import WITHOUT_WEB2, reload

DROP_IN = REPOSITORY / "rules/nfsteer.nft"
ELEMENTS = 'manage = "elements"'


def base_chains(namespace):
    """Their rules, with the handles by which the kernel tells old ones from new ones."""
    listed = namespace.run("nft", "-a", "list", "table", "inet", "nfsteer").stdout
    chains = re.findall(r"^\tchain .*?^\t\}", listed, re.S | re.M)
    return [chain for chain in chains if " hook " in chain]


def elements(namespace, name, kind="map"):
    listed = namespace.run("nft", "list", kind, "inet", "nfsteer", name).stdout
    return re.search(r"elements = \{(.*?)\}", listed, re.S)


def shares(answers):
    return collections.Counter(answer.server for answer in answers)


def test_over_the_drop_in(lab, steer):
    """The static file is enough for rules with its queue, mask and hook."""
    lab.router.run("nft", "-f", DROP_IN)
    loaded = base_chains(lab.router)
    engine = steer(rules(queues=1, engine=ELEMENTS))
    for vip in (VIP4, VIP6):
        assert shares(udp_flows(lab.client, vip, 53, 30)) == \
            {"web1": 10, "web2": 10, "web3": 10}
        assert shares(tcp_ask(lab.client, vip, 80) for _ in range(3)) == \
            {"web1": 1, "web2": 1, "web3": 1}
    assert engine.total("accepted") == engine.total("received") == 66
    assert base_chains(lab.router) == loaded
    assert engine.status()["engine"]["state"] == "steering"


def test_stop_and_start(lab, steer):
    """The table stays, flows go on, and new ones take the fallback meanwhile."""
    engine = start_managed(lab, steer, "elements")
    loaded = base_chains(lab.router)
    with Connection(lab.client, VIP4, 80) as connection:
        before = connection.ask()
        assert engine.terminate() == 0
        assert base_chains(lab.router) == loaded
        assert not elements(lab.router, "scope4", "set")
        assert connection.ask() == before
        assert min(shares(udp_flows(lab.client, VIP4, 80, 150))[server]
                   for server in SERVER4) > 20
        engine.start()
        assert connection.ask() == before
        assert shares(udp_flows(lab.client, VIP4, 80, 30)) == \
            {"web1": 10, "web2": 10, "web3": 10}
    assert base_chains(lab.router) == loaded


def test_restart_with_other_rules(lab, steer):
    """Servers and fallbacks that are no longer there leave nothing behind."""
    engine = start_managed(lab, steer, "elements")
    passing = ["chain server_6 ", "chain fallback_web_6 "]
    chains = lab.router.run("nft", "list", "chains", "inet").stdout
    assert [chain for chain in passing if chain in chains] == passing
    engine.restart(rules(engine=ELEMENTS, servers='{ name = "one", address = "10.2.0.2" }'))
    chains = lab.router.run("nft", "list", "chains", "inet").stdout
    assert [chain for chain in passing if chain in chains] == []
    assert {udp_ask(lab.client, VIP4, 9000).server for _ in range(3)} == {"web2"}
    assert not elements(lab.router, "server6")


FOREIGN = f"""
    table inet nfsteer {{
      set trusted {{ type ipv4_addr; elements = {{ {CLIENT4[6]} }} }}
      chain operators {{
        ip saddr @trusted counter ct mark set ct mark | 0x1
      }}
    }}
    insert rule inet nfsteer steer ip saddr @trusted jump operators
    insert rule inet nfsteer steer ip saddr {CLIENT4[7]} accept
"""


def test_what_the_operator_added_stays(lab, steer):
    engine = start_managed(lab, steer, "elements")
    lab.router.nft(FOREIGN)
    changed = base_chains(lab.router)

    def holds():
        assert base_chains(lab.router) == changed
        assert elements(lab.router, "trusted", "set").group(1).strip() == CLIENT4[6]
        before = engine.total("received")
        assert udp_ask(lab.client, VIP4, 80, source=CLIENT4[7]).server in SERVER4  # by the fallback
        assert engine.total("received") == before
        assert udp_ask(lab.client, VIP4, 80, source=CLIENT4[6]).server in SERVER4
        assert engine.total("received") == before + 1
    holds()
    engine.kill_engine()
    holds()
    engine.terminate()
    engine.start()
    holds()


CHANGES = [
    "add table ip other { map m { type ipv4_addr : ipv4_addr; }; }",
    "add chain ip other late { type filter hook prerouting priority 10; }",
    "add rule ip other late counter",
    "add element ip other m { 10.0.0.1 : 10.0.0.2 }",
    "delete element inet nfsteer masqueraded { 0x00100000 }",
    "flush map inet nfsteer server4",
]


@pytest.mark.parametrize("manage", ["table", "elements"])
def test_changes_by_others(lab, steer, manage):
    """What is theirs stays, what is ours comes back, and no flow is lost while it is there."""
    engine = start_managed(lab, steer, manage, group="snat = true")
    flows = SteadyFlows(lab.client, VIP4, 80, flows_per_s=30)
    for change in CHANGES[:-1]:
        lab.router.nft(change)
        answered = flows.answered
        wait_until(lambda: flows.answered > answered + 10)
    assert flows.stop()[1] == 0
    lab.router.nft(CHANGES[-1])
    wait_until(lambda: elements(lab.router, "server4"))
    wait_until(lambda: "0x00100000" in elements(lab.router, "masqueraded", "set").group(1))
    assert tcp_ask(lab.client, VIP4, 80).port == 8080
    engine.kill_engine()
    assert udp_ask(lab.client, VIP4, 80).server in SERVER4
    assert lab.router.run("nft", "list", "table", "ip", "other").stdout.count("10.0.0.2") == 1


def test_table_that_is_loaded_anew_is_filled_in(lab, steer):
    """As by `systemctl reload nftables`."""
    lab.router.run("nft", "-f", DROP_IN)
    engine = steer(rules(queues=1, engine=ELEMENTS))
    lab.router.nft(f"flush ruleset\n{DROP_IN.read_text()}")
    wait_until(lambda: elements(lab.router, "server4"))
    assert shares(udp_flows(lab.client, VIP4, 53, 30)) == {"web1": 10, "web2": 10, "web3": 10}
    lab.router.run("nft", "delete", "table", "inet", "nfsteer")
    wait_until(lambda: "cannot be repaired" in engine.log)
    lab.router.run("nft", "-f", DROP_IN)
    wait_until(lambda: elements(lab.router, "server4"))
    assert engine.log.count("cannot be repaired") == 1
    assert tcp_ask(lab.client, VIP4, 80).server in SERVER4


@pytest.mark.parametrize("manage", ["table", "elements"])
def test_reload(lab, steer, manage):
    """New rules lose no flow, and leave the base chains as they are."""
    engine = start_managed(lab, steer, manage)
    loaded = base_chains(lab.router)
    flows = SteadyFlows(lab.client, VIP4, 80, flows_per_s=30)
    for servers in (WITHOUT_WEB2, SERVERS, WITHOUT_WEB2):
        answered = flows.answered
        wait_until(lambda: flows.answered > answered + 10)
        reload(engine, managed_rules(manage, servers=servers))
    assert flows.stop()[1] == 0
    assert set(shares(udp_flows(lab.client, VIP4, 80, 30))) == {"web1", "web3"}
    assert base_chains(lab.router) == loaded
    refused = reload(engine, managed_rules("elements" if manage == "table" else "table"),
                     check=False)
    assert refused.returncode == 1 and "manage of [engine] cannot change" in refused.stderr


@pytest.mark.parametrize("manage", ["table", "elements"])
def test_killed_engine_loses_no_flow(lab, steer, manage):
    engine = start_managed(lab, steer, manage)
    flows = SteadyFlows(lab.client, VIP4, 80, flows_per_s=50)
    for _ in range(3):
        answered = flows.answered
        wait_until(lambda: flows.answered > answered + 30)
        engine.kill_engine()
    answers, lost = flows.stop()
    assert lost == 0, f"{lost} of {flows.sent}"
    assert min(shares(answers).values()) > 0.8 * len(answers) / 3


@pytest.mark.parametrize("manage", ["table", "elements"])
def test_fallback(lab, steer, manage):
    """With keeper and engine gone the kernel goes on balancing by itself."""
    engine = start_managed(lab, steer, manage)
    with Connection(lab.client, VIP4, 80) as connection:
        before = connection.ask()
        engine.kill_both()
        assert connection.ask() == before
    for vip in (VIP4, VIP6):
        answers = udp_flows(lab.client, vip, 80, 150)
        assert len(answers) == 150
        assert min(shares(answers)[server] for server in SERVER4) > 20
        assert {answer.port for answer in answers} == {8080}
        assert tcp_ask(lab.client, vip, 80).server in SERVER4


REFUSALS = [
    ("delete table inet nfsteer", "there is no such table"),
    ("add rule inet nfsteer steer udp dport 53 queue to 7", "`queue to 7`"),
]


@pytest.mark.parametrize("change, word", REFUSALS)
def test_another_table_is_refused(lab, steer, change, word):
    """With a word that says how it differs, and how to get the right one."""
    engine = start_managed(lab, steer, "elements")
    engine.terminate()
    lab.router.nft(change)
    before = lab.router.run("nft", "list", "ruleset").stdout
    assert engine.launch().wait(timeout=20 * PATIENCE) == 1
    assert word in engine.log and "nfsteer ruleset FILE | nft -f -" in engine.log
    assert engine.log.count("\n") == 1, engine.log
    assert lab.router.run("nft", "list", "ruleset").stdout == before
    assert engine.bound_queues() == []


@pytest.mark.parametrize("keys, word", [
    ({"queues": 1}, "chain steer has `queue flags bypass to 0-1`, and should have "
                    "`queue flags bypass to 0`"),
    ({"engine": "mark_mask = 0x0000ff00"}, "`ct mark & 0x0000ff00`"),
    ({"engine": 'hooks = ["output", "prerouting"]'}, "there is no chain steer_local"),
])
def test_rules_for_another_table_are_refused(lab, steer, keys, word):
    engine = start_managed(lab, steer, "elements")
    engine.terminate()
    text = rules(**{**keys, "engine": f'{ELEMENTS}\n{keys.get("engine", "")}'})
    engine.rules_file.write_text(text)
    assert engine.launch().wait(timeout=20 * PATIENCE) == 1
    assert word in engine.log, engine.log
