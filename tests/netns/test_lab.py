"""The lab itself, with the kernel alone as the balancer: what fails here is no
fault of nfsteer's."""

import collections

import pytest
from baseline import jhash_dnat
from clients import Connection, SteadyFlows, curl, tcp_ask, udp_ask, udp_flows
from lab import CLIENT4, CLIENT6, SERVER4, SERVER6, VIP4, VIP6, PacketCounter, wait_until

FAMILIES = [pytest.param(VIP4, SERVER4, CLIENT4, id="v4"),
            pytest.param(VIP6, SERVER6, CLIENT6, id="v6")]
FORWARD_NOTHING = """
    table inet off {
      chain off {
        type filter hook forward priority filter; policy drop;
      }
    }"""


@pytest.mark.parametrize("vip, servers, clients", FAMILIES)
def test_servers_tell_who_they_are(lab, vip, servers, clients):
    for name, address in servers.items():
        for ask in (tcp_ask, udp_ask):
            answer = ask(lab.client, address, 9000, source=clients[2])
            assert (answer.server, answer.port, answer.client) == (name, 9000, clients[2])


@pytest.mark.parametrize("vip, servers, clients", FAMILIES)
def test_kernel_balances(lab, vip, servers, clients):
    lab.router.nft(jhash_dnat(list(servers.values()), 8080))
    answers = udp_flows(lab.client, vip, 80, 300)
    assert len(answers) == 300
    assert collections.Counter(a.server for a in answers).keys() == servers.keys()
    host = f"[{vip}]" if ":" in vip else vip
    assert curl(lab.client, f"http://{host}/").split()[0] in servers
    assert len(curl(lab.client, f"http://{host}/bytes/100000")) == 100000
    with Connection(lab.client, vip, 80) as connection:
        assert len({connection.ask() for _ in range(10)}) == 1


def test_flows_without_a_server_are_lost(lab):
    """None may be lost elsewhere: here it shows that a loss would be seen."""
    lab.router.nft(FORWARD_NOTHING)
    flows = SteadyFlows(lab.client, SERVER4["web1"], 8080)
    wait_until(lambda: flows.sent >= 20)
    answers, lost = flows.stop(limit_s=0.1)
    assert (len(answers), lost) == (0, flows.sent)


def test_packet_counter(lab):
    counter = PacketCounter(lab.servers["web2"], "udp dport 9000", take=True)
    other = PacketCounter(lab.servers["web1"], "udp dport 9000", take=True)
    with pytest.raises(TimeoutError):
        udp_ask(lab.client, SERVER4["web2"], 9000, timeout_s=0.1)
    assert (counter.packets, other.packets) == (1, 0)


def test_two_labs_are_apart(lab, second_lab):
    lab.router.nft(FORWARD_NOTHING)
    assert udp_ask(second_lab.client, SERVER4["web1"], 8080).server == "web1"
    with pytest.raises(TimeoutError):
        udp_ask(lab.client, SERVER4["web1"], 8080, timeout_s=0.1)
