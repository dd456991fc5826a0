"""Balancers on real flows, and what the kernel tells of those."""

import collections
import contextlib
import json
import subprocess

import pytest
from clients import Connection, UdpSender, tcp_ask, udp_ask, udp_flows
from lab import CLIENT4, SERVER4, VIP4, wait_until
from rules import rules

THREE = """
    { name = "web1", address = "10.2.0.1", port = 8080, weight = 1 },
    { name = "web2", address = "10.2.0.2", port = 8080, weight = 2 },
    { name = "web3", address = "10.2.0.3", port = 8080, weight = 3 },
"""
EVEN, BY_WEIGHT = (1, 1, 1), (1, 2, 3)


def server(name, rest="", port=8080):
    rest = f", {rest}" if rest else ""
    return f'{{ name = "{name}", address = "{SERVER4[name]}", port = {port}{rest} }},'


def open_flows(lab, count):
    """So many flows at once, each answered once, all from one address and held."""
    stack = contextlib.ExitStack()
    held = [stack.enter_context(Connection(lab.client, VIP4, 80)) for _ in range(count)]
    return stack, collections.Counter(each.ask().server for each in held)


# What the shares may miss: nothing where the algorithm is exact.
@pytest.mark.parametrize("algorithm, shares, tolerance", [
    ("round-robin", EVEN, 0), ("weighted", BY_WEIGHT, 0),
    ("random", EVEN, 0.2), ("weighted-random", BY_WEIGHT, 0.2),
    ("maglev", BY_WEIGHT, 0.2), ("rendezvous", BY_WEIGHT, 0.2), ("bounded-hash", BY_WEIGHT, 0.2),
    ("least-connections", BY_WEIGHT, 0.05), ("two-random", BY_WEIGHT, 0.4),
])
def test_shares(lab, steer, algorithm, shares, tolerance):
    engine = steer(rules(servers=THREE, group=f'algorithm = "{algorithm}"'))
    answers = collections.Counter(a.server for a in udp_flows(lab.client, VIP4, 80, 3000))
    for name, share in zip(SERVER4, shares, strict=True):
        expected = 3000 * share / sum(shares)
        assert answers[name] == pytest.approx(expected, rel=tolerance), answers
    assert answers == engine.selected("web")


@pytest.mark.parametrize("group", [
    'algorithm = "hash"',
    'algorithm = "rendezvous"\nhash = "saddr"',
    'affinity = { key = "saddr" }',
])
def test_a_client_stays(lab, steer, group):
    """All flows of one client go to one server, from whichever port."""
    steer(rules(servers=THREE, group=group))
    by_client = collections.defaultdict(set)
    for answer in udp_flows(lab.client, VIP4, 80, 1000):
        by_client[answer.client].add(answer.server)
    assert len(by_client) == len(CLIENT4)
    assert all(len(servers) == 1 for servers in by_client.values())
    assert set().union(*by_client.values()) == set(SERVER4)


def test_affinity_is_visible_and_can_be_forgotten(lab, steer):
    engine = steer(rules(servers=THREE, group='affinity = { key = "saddr", v4 = 31 }'))
    for client in CLIENT4[1:5]:  # .2 to .5: two pairs
        udp_ask(lab.client, VIP4, 80, source=client)
    listed = json.loads(engine.command("affinity", "--json").stdout)
    assert listed["total"] == 2
    assert {entry["client"] for entry in listed["entries"]} == {"10.1.0.2/31", "10.1.0.4/31"}
    assert engine.group("web")["affinity"] == {"clients": 2, "evictions": 0}
    forgotten = engine.command("flush", "affinity", "--client", "10.1.0.2/31").stdout
    assert forgotten == "1 client forgotten\n"
    assert engine.command("flush", "affinity", "--group", "web").stdout == "1 client forgotten\n"
    assert json.loads(engine.command("affinity", "--json").stdout)["total"] == 0


def test_max_connections_and_backup(lab, steer):
    engine = steer(rules(servers=server("web1", "max_connections = 2") +
                         server("web2", "backup = true, max_connections = 3")))
    first, servers = open_flows(lab, 5)
    assert servers == {"web1": 2, "web2": 3}
    assert wait_until(lambda: engine.figures("active") == {"web1": 2, "web2": 3})
    with pytest.raises(OSError):  # nobody is left: accepted as it is, to an address of nobody
        tcp_ask(lab.client, VIP4, 80, timeout_s=0.5)
    first.close()
    wait_until(lambda: engine.figures("active") == {"web1": 0, "web2": 0})
    again, servers = open_flows(lab, 2)
    assert servers == {"web1": 2}
    again.close()


def test_drain(lab, steer):
    """A server that drains keeps its flows, gets no new ones, and ends with none."""
    both = server("web1") + server("web2")
    engine = steer(rules(servers=both))
    old = [Connection(lab.client, VIP4, 80) for _ in range(6)]
    on_web1 = [each for each in old if each.ask().server == "web1"]
    assert len(on_web1) == 3
    engine.restart(rules(servers=server("web1", 'state = "drain"') + server("web2")))
    wait_until(lambda: engine.figures("active") == {"web1": 3, "web2": 3})
    assert engine.server("web1")["state"] == "drain"
    for _ in range(10):
        assert tcp_ask(lab.client, VIP4, 80).server == "web2"
    for each in on_web1:
        assert each.ask().server == "web1"
        each.close()
    wait_until(lambda: engine.server("web1")["active"] == 0)
    for each in old:
        each.close()


def test_latency_of_a_slow_server(lab, steer):
    lab.delay("web2", 0.2)
    engine = steer(rules(servers=THREE))
    for _ in range(30):
        tcp_ask(lab.client, VIP4, 80)
    latency = wait_until(lambda: {name: each for name, each in engine.figures("latency_us").items()
                                  if each["samples"] == 10}, what="all replies were seen")
    assert set(latency) == set(SERVER4)
    assert latency["web2"]["p50"] == pytest.approx(200_000, rel=0.1)
    assert latency["web2"]["min"] >= 150_000
    assert latency["web1"]["p50"] < 100_000


@pytest.mark.parametrize("algorithm", ["least-latency", "peak-ewma"])
def test_a_slow_server_gets_little(lab, steer, algorithm):
    lab.delay("web2", 0.2)
    engine = steer(rules(servers=server("web1") + server("web2") + server("web3"),
                         group=f'algorithm = "{algorithm}"'))
    for _ in range(30):
        tcp_ask(lab.client, VIP4, 80)
    wait_until(lambda: engine.server("web2")["latency_us"]["samples"] > 0)
    before = engine.selected("web")["web2"]
    for _ in range(300):
        tcp_ask(lab.client, VIP4, 80)
    assert engine.selected("web")["web2"] - before <= 0.1 * 300


def test_failed_connections(lab, steer):
    """Refused at once, or silent: both fail, and are told from those that answer."""
    lab.servers["web3"].nft("""
        table inet silent { chain input {
            type filter hook input priority 0
            tcp dport 8080 drop
        }
        }
    """)
    engine = steer(rules(servers=server("web1") + server("web2", port=9999) + server("web3")))
    held, failed = [], 0
    for _ in range(9):
        try:
            held.append(tcp_ask(lab.client, VIP4, 80, timeout_s=2))
        except OSError:
            failed += 1
    assert failed == 6
    wait_until(lambda: engine.figures("failed") == {"web1": 0, "web2": 3, "web3": 3}, 30)
    assert engine.figures("total") == {"web1": 3, "web2": 3, "web3": 3}
    assert engine.server("web2")["active"] == 0


def test_bytes_are_those_of_iperf3(lab, steer):
    engine = steer(rules(servers='{ name = "web1", address = "10.2.0.1" }'))
    # An entry goes, with its counts, when the connection has ended.
    lab.router.run("sysctl", "-q", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=1",
                   "net.netfilter.nf_conntrack_tcp_timeout_close=1")
    web1 = lab.servers["web1"]
    web1.start("iperf3", "-s", "-1", stdout=subprocess.DEVNULL)
    wait_until(lambda: "5201" in web1.run("ss", "-Hltn").stdout, what="iperf3 listens")
    done = json.loads(lab.client.run("iperf3", "-c", VIP4, "-n", "2G", "-J").stdout)
    received = done["end"]["sum_received"]["bytes"]
    wait_until(lambda: engine.server("web1")["bytes"] >= received, 60, "the bytes are counted")
    counted = wait_until(lambda: (web := engine.server("web1"))["active"] == 0 and web)
    headers = 52 * counted["packets"]  # of IPv4 and of TCP with time stamps
    assert counted["bytes"] - headers == pytest.approx(received, rel=0.01)


def test_clients_stay_after_a_crash(lab, steer):
    engine = steer(rules(servers=THREE, group='affinity = { key = "saddr" }'))
    before = {client: udp_ask(lab.client, VIP4, 80, source=client).server for client in CLIENT4}
    engine.kill_engine()
    after = {client: udp_ask(lab.client, VIP4, 80, source=client).server for client in CLIENT4}
    assert after == before


def test_max_connections_hold_after_a_crash(lab, steer):
    engine = steer(rules(servers=server("web1", "max_connections = 5") +
                         server("web2", "backup = true")))
    held, servers = open_flows(lab, 6)
    assert servers == {"web1": 5, "web2": 1}
    engine.kill_engine()
    more, servers = open_flows(lab, 10)
    assert servers == {"web2": 10}
    held.close()
    more.close()


def test_round_robin_goes_on_after_a_crash(lab, steer):
    engine = steer(rules(servers=THREE))
    seen = [tcp_ask(lab.client, VIP4, 80).server for _ in range(4)]
    engine.kill_engine()
    seen += [tcp_ask(lab.client, VIP4, 80).server for _ in range(3)]
    assert seen == ["web1", "web2", "web3", "web1", "web2", "web3", "web1"]


def test_restart_with_many_open_connections(lab, steer):
    engine = steer(rules(servers=THREE))
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(Connection(lab.client, VIP4, 80))
        active = wait_until(lambda: (figures := engine.figures("active")) and
                            sum(figures.values()) == 1000 and figures, 20)
        engine.kill_engine()
        wait_until(lambda: engine.figures("active") == active, what="the counts are right again")
        assert tcp_ask(lab.client, VIP4, 80)
    wait_until(lambda: sum(engine.figures("active").values()) == 0, 20)


def test_least_connections_knows_who_has_them(lab, steer):
    engine = steer(rules(servers=server("web1") + server("web2"),
                         group='algorithm = "least-connections"'))
    stack, servers = open_flows(lab, 10)
    assert servers == {"web1": 5, "web2": 5}
    wait_until(lambda: engine.figures("active") == {"web1": 5, "web2": 5})
    stack.close()
    wait_until(lambda: engine.figures("active") == {"web1": 0, "web2": 0})


def test_a_sender_that_never_stops_leaves_a_server_that_is_gone(lab, steer):
    engine = steer(rules(servers=server("web1") + server("web2")))
    with contextlib.closing(UdpSender(lab.client, VIP4, 80)) as sender:
        first = sender.ask().server
        other = {"web1": "web2", "web2": "web1"}[first]
        engine.restart(rules(servers=server(other)))
        wait_until(lambda: sender.goes_to(other), 40, "the flow has moved")
        assert f"its server web/{first} is gone" in engine.log


def test_stale_flows_are_listed_before_they_are_deleted(lab, steer):
    engine = steer(rules(servers=server("web1") + server("web2")))
    web2 = engine.figures("id")["web2"]
    engine.restart(rules(servers=server("web1")))
    with contextlib.closing(UdpSender(lab.client, VIP4, 80)) as sender:
        sender.ask()

        def mark_as(number):
            lab.router.run("conntrack", "-U", "-p", "udp", "-d", VIP4,
                           "-m", f"{number << 20:#x}/0xfff00000")
        assert engine.command("flush", "stale").stdout == "0 flows deleted\n"
        mark_as(0x7fb)  # no server of ours ever was that
        assert engine.command("flush", "stale").stdout == "0 flows deleted\n"
        mark_as(web2)
        dry = engine.command("flush", "stale", "--dry-run").stdout
        assert "its server web/web2 is gone" in dry and dry.endswith("1 flow would be deleted\n")
        assert lab.conntrack("-d", VIP4)
        assert engine.command("flush", "stale").stdout == dry.replace("would be ", "")
        assert not lab.conntrack("-d", VIP4)
        wait_until(lambda: sender.goes_to("web1"))
        assert engine.status()["conntrack"]["deleted"] == 1


def test_maintenance_moves_udp(lab, steer):
    both = server("web1") + server("web2")
    engine = steer(rules(servers=both))
    with contextlib.closing(UdpSender(lab.client, VIP4, 80)) as sender:
        assert sender.ask().server == "web1"
        engine.restart(rules(servers=server("web1", 'state = "maintenance"') + server("web2")))
        wait_until(lambda: sender.goes_to("web2"), 40, "the flow has moved")
        assert "its server web/web1 is in maintenance" in engine.log


def test_counts_agree_under_all_names(lab, steer):
    """What came in is what went out, whoever counted it."""
    engine = steer(rules(servers=THREE, more="""
        [[policy]]
        name = "some"
        match = { saddr = "10.1.0.16/28" }
        group = "web"
    """))
    udp_flows(lab.client, VIP4, 80, 1000)
    status = wait_until(lambda: (now := engine.status())["traffic"]["total"] == 1000 and now)
    group, = status["groups"]
    routes = sum(route["packets"] for table in status["tables"] for route in table["used"])
    assert engine.total("received") == engine.total("accepted") == 1000
    assert group["requests"] == group["selected"] == 1000 and group["failed"] == 0
    assert sum(each["selected"] for each in group["servers"]) == 1000
    assert status["policies"][0]["packets"] + routes == 1000
    assert group["traffic"]["total"] == sum(each["total"] for each in group["servers"]) == 1000
    assert status["cache"]["misses"] == 1000
    for each in group["servers"]:
        assert each["selected"] == each["total"] and each["failed"] == 0


def test_foreign_flows_are_not_ours(lab, steer):
    """Entries with other bits in their marks are neither counted nor touched."""
    lab.router.nft("""
        table inet foreign { chain marks {
            type filter hook prerouting priority -200
            ip daddr 10.2.0.3 ct mark set 0x77
        }
        }
    """)
    engine = steer(rules(servers=server("web1") + server("web2")))
    with Connection(lab.client, SERVER4["web3"], 8080) as direct:
        assert direct.ask().server == "web3"
        udp_ask(lab.client, VIP4, 80)
        wait_until(lambda: sum(engine.figures("total").values()) == 1)
        engine.command("flush", "stale")
        assert direct.ask().server == "web3"
        assert engine.status()["conntrack"]["flows"] == 1
