"""Real flows get the servers that the rules say."""

import collections

import pytest
from clients import Connection, curl, tcp_ask, udp_ask, udp_flows
from lab import (CLIENT4, CLIENT6, ROUTER_TO_SERVERS4, ROUTER_TO_SERVERS6, SERVER4, VIP4, VIP6,
                 PacketCounter, wait_until)
from rules import rules


def test_tcp4(lab, steer):
    engine = steer(rules())
    answers = [tcp_ask(lab.client, VIP4, 80, source=CLIENT4[4]) for _ in range(6)]
    assert collections.Counter(a.server for a in answers) == {"web1": 2, "web2": 2, "web3": 2}
    assert {(a.port, a.client) for a in answers} == {(8080, CLIENT4[4])}
    assert curl(lab.client, f"http://{VIP4}/").startswith("web1 8080")
    assert engine.total("accepted") == engine.total("received") == 7


def test_tcp6(lab, steer):
    engine = steer(rules())
    answers = [tcp_ask(lab.client, VIP6, 80, source=CLIENT6[4]) for _ in range(6)]
    assert collections.Counter(a.server for a in answers) == {"web1": 2, "web2": 2, "web3": 2}
    assert {(a.port, a.client) for a in answers} == {(8080, CLIENT6[4])}
    assert curl(lab.client, f"http://[{VIP6}]/").startswith("web1 8080")
    assert engine.total("accepted") == engine.total("received") == 7


def test_udp4(lab, steer):
    steer(rules())
    answers = udp_flows(lab.client, VIP4, 53, 60)
    assert collections.Counter(a.server for a in answers) == {"web1": 20, "web2": 20, "web3": 20}
    assert {a.port for a in answers} == {8080}
    assert {a.client for a in answers} <= set(CLIENT4)


def test_udp6(lab, steer):
    steer(rules())
    answers = udp_flows(lab.client, VIP6, 53, 60)
    assert collections.Counter(a.server for a in answers) == {"web1": 20, "web2": 20, "web3": 20}
    assert {a.port for a in answers} == {8080}
    assert {a.client for a in answers} <= set(CLIENT6)


def test_keep_port(lab, steer):
    """A server without a port gets each flow on the flow's own."""
    steer(rules(servers="""
        { name = "any4", address = "10.2.0.3" },
        { name = "any6", address = "2001:db8:2::3" },
    """))
    for ask in (tcp_ask, udp_ask):
        for vip in (VIP4, VIP6):
            for port in (5353, 9000):
                answer = ask(lab.client, vip, port)
                assert (answer.server, answer.port) == ("web3", port)


def test_ping(lab, steer):
    """ICMP has no ports, so a server that keeps the port serves it."""
    engine = steer(rules(servers="""
        { name = "any4", address = "10.2.0.3" },
        { name = "any6", address = "2001:db8:2::3" },
    """))
    for vip in (VIP4, VIP6):
        lab.client.run("ping", "-c", "3", "-i", "0.01", "-W", "2", vip)
    assert engine.selected("web") == {"any4": 1, "any6": 1}


def test_weighted(lab, steer):
    """The ratio is exact over both workers together."""
    engine = steer(rules(group='algorithm = "weighted"', servers="""
        { name = "web1", address = "10.2.0.1", port = 8080, weight = 100 },
        { name = "web2", address = "10.2.0.2", port = 8080, weight = 50 },
    """))
    answers = udp_flows(lab.client, VIP4, 80, 3000)
    assert collections.Counter(a.server for a in answers) == {"web1": 2000, "web2": 1000}
    assert engine.selected("web") == {"web1": 2000, "web2": 1000}
    assert all(queue["received"] > 0 for queue in engine.status()["queues"])


FOUR_THEN_SIX = """
[group.four]
servers = [ { name = "web1", address = "10.2.0.1", port = 8080 } ]
[group.six]
servers = [ { name = "web2", address = "2001:db8:2::2", port = 8080 } ]
[[policy]]
name = "four"
priority = 2
match = { dport = 80 }
group = "four"
[[policy]]
name = "six"
priority = 1
match = { dport = 80, proto = "tcp" }
group = "six"
"""


def test_families_are_apart(lab, steer):
    """A policy whose group has no server of the flow's family is passed over."""
    engine = steer(FOUR_THEN_SIX)
    assert tcp_ask(lab.client, VIP4, 80).server == "web1"
    assert tcp_ask(lab.client, VIP6, 80).server == "web2"
    assert engine.selected("four") == {"web1": 1}
    assert engine.selected("six") == {"web2": 1}


def test_no_server_of_the_family(lab, steer):
    """The flow goes where it would have gone without nfsteer."""
    engine = steer(FOUR_THEN_SIX)
    with pytest.raises(TimeoutError):  # the router knows no way to the virtual address
        udp_ask(lab.client, VIP6, 80, timeout_s=0.2)
    assert engine.total("passed") == engine.total("received") == 1


def test_longest_prefix_then_metric(lab, steer):
    steer("""
        [group.one]
        servers = [ { name = "web1", address = "10.2.0.1", port = 8080 } ]
        [group.two]
        servers = [ { name = "web2", address = "10.2.0.2", port = 8080 } ]
        [group.three]
        servers = [ { name = "web3", address = "10.2.0.3", port = 8080 } ]
        [table.main]
        routes = [
          { prefix = "10.9.0.0/16", group = "one" },
          { prefix = "10.9.9.0/24", group = "two", metric = 20 },
          { prefix = "10.9.9.0/24", group = "three", metric = 10 },
        ]""")
    for destination, server in (("10.9.8.1", "web1"), ("10.9.9.1", "web3"), ("10.9.10.1", "web1")):
        assert tcp_ask(lab.client, destination, 80).server == server


def test_tables_by_priority(lab, steer):
    steer("""
        [group.one]
        servers = [ { name = "web1", address = "10.2.0.1", port = 8080 } ]
        [group.two]
        servers = [ { name = "web2", address = "10.2.0.2", port = 8080 } ]
        [table.low]
        priority = 10
        routes = [ { prefix = "10.9.9.9/32", group = "one" } ]
        [table.high]
        priority = 20
        routes = [ { prefix = "10.9.0.0/16", group = "two" } ]""")
    assert tcp_ask(lab.client, VIP4, 80).server == "web2"


POLICIES = """
[group.api]
servers = [ { name = "web2", address = "10.2.0.2", port = 9000 } ]
[group.lan]
servers = [ { name = "web3", address = "10.2.0.3", port = 9050 } ]
[table.lan]
priority = -1
routes = [ { prefix = "10.9.9.0/24", group = "lan" } ]

[[policy]]
name = "lan"
priority = 100
match = { saddr = "10.1.0.16/28" }
table = "lan"
[[policy]]
name = "api"
priority = 200
match = { proto = "tcp", dport = [8080, "9000-9100"], daddr = "10.9.9.0/24" }
group = "api"
[[policy]]
name = "direct"
priority = 300
match = { daddr = "10.2.0.1" }
action = "accept"
"""


@pytest.mark.parametrize("ask, source, port, server", [
    pytest.param(tcp_ask, CLIENT4[1], 80, ("web1", 8080), id="no policy: the tables"),
    pytest.param(tcp_ask, CLIENT4[1], 8080, ("web2", 9000), id="one port"),
    pytest.param(tcp_ask, CLIENT4[1], 9000, ("web2", 9000), id="first of the range"),
    pytest.param(tcp_ask, CLIENT4[1], 9100, ("web2", 9000), id="last of the range"),
    pytest.param(tcp_ask, CLIENT4[1], 9101, ("web1", 8080), id="behind the range"),
    pytest.param(udp_ask, CLIENT4[1], 9000, ("web1", 8080), id="another protocol"),
    pytest.param(tcp_ask, CLIENT4[20], 80, ("web3", 9050), id="a table"),
    pytest.param(tcp_ask, CLIENT4[20], 8080, ("web2", 9000), id="the higher priority"),
])
def test_policy(lab, steer, ask, source, port, server):
    engine = steer(rules(more=POLICIES))
    answer = ask(lab.client, VIP4, port, source=source)
    assert (answer.server, answer.port) == server
    counted = {policy["name"]: policy["packets"] for policy in engine.status()["policies"]}
    hit = {9000: "api", 9050: "lan"}.get(server[1])
    assert counted == {name: int(name == hit) for name in ("direct", "api", "lan")}


def test_many_policies(lab, steer):
    """The last of a thousand is found; the counters are each policy's own."""
    policies = "".join(f"""
        [[policy]]
        name = "port-{port}"
        match = {{ proto = "udp", dport = {port} }}
        group = "{'api' if port % 2 else 'web'}"
    """ for port in range(20000, 21000))
    engine = steer(rules(more=POLICIES + policies))
    assert udp_ask(lab.client, VIP4, 20999).server == "web2"
    assert engine.policy("port-20999")["packets"] == 1
    assert engine.policy("port-20999")["bytes"] == 20 + 8 + 4
    assert sum(policy["packets"] for policy in engine.status()["policies"]) == 1


def test_output(lab, steer):
    """Flows that start on the router itself."""
    steer(rules(engine='hooks = ["prerouting", "output"]'))
    lab.router.ip(f"route add {VIP4} via {SERVER4['web1']}")
    lab.router.ip(f"route add {VIP6} via 2001:db8:2::1")
    for vip, router in ((VIP4, ROUTER_TO_SERVERS4), (VIP6, ROUTER_TO_SERVERS6)):
        for ask in (tcp_ask, udp_ask):
            answers = [ask(lab.router, vip, 80) for _ in range(3)]
            assert {a.server for a in answers} == {"web1", "web2", "web3"}
            assert {(a.port, a.client) for a in answers} == {(8080, router)}
    assert tcp_ask(lab.client, VIP4, 80).client in CLIENT4


def test_output_only(lab, steer):
    engine = steer(rules(engine='hooks = ["output"]'))
    lab.router.ip(f"route add {VIP4} via {SERVER4['web1']}")
    assert tcp_ask(lab.router, VIP4, 80).server == "web1"
    assert tcp_ask(lab.client, SERVER4["web2"], 9000).server == "web2"
    assert engine.total("received") == 1


def test_hairpin(lab, steer):
    """A server that calls the virtual address reaches each server of its own
    network, itself too."""
    steer(rules())
    for vip, router in ((VIP4, ROUTER_TO_SERVERS4), (VIP6, ROUTER_TO_SERVERS6)):
        for ask in (tcp_ask, udp_ask):
            answers = [ask(lab.servers["web1"], vip, 80) for _ in range(6)]
            assert collections.Counter(a.server for a in answers) == \
                {"web1": 2, "web2": 2, "web3": 2}
            assert {a.client for a in answers} == {router}


def test_snat(lab, steer):
    steer(rules(group="snat = true"))
    for vip, router in ((VIP4, ROUTER_TO_SERVERS4), (VIP6, ROUTER_TO_SERVERS6)):
        for ask in (tcp_ask, udp_ask):
            assert ask(lab.client, vip, 80).client == router


def test_second_packet_is_never_queued(lab, steer):
    engine = steer(rules())
    with Connection(lab.client, VIP4, 80) as connection:
        for _ in range(50):
            connection.ask()
    assert engine.total("received") == 1
    source = (CLIENT4[0], 9999)
    for _ in range(10):
        udp_ask(lab.client, VIP4, 80, source=source)
    assert engine.total("received") == 2


def test_unanswered_flow_is_queued_once(lab, steer):
    """To the kernel a flow without a reply stays new; it is decided all the same."""
    engine = steer(rules(servers='{ name = "web1", address = "10.2.0.1", port = 8080 }'))
    silent = PacketCounter(lab.servers["web1"], "udp dport 8080", take=True)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            udp_ask(lab.client, VIP4, 80, source=(CLIENT4[0], 9999), timeout_s=0.01)
    wait_until(lambda: silent.packets == 5)
    assert engine.total("received") == 1


def test_long_transfer_is_not_queued(lab, steer):
    engine = steer(rules())
    assert len(curl(lab.client, f"http://{VIP4}/bytes/20000000")) == 20_000_000
    assert engine.total("received") == 1
