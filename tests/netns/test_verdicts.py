"""Flows that are not steered: dropped, refused, left alone; and packets that
cannot be read."""

import errno
import time

import pytest
from clients import send_packets, tcp_ask, udp_ask
from lab import CLIENT6, SERVER4, SERVER6, VIP4, VIP6, PacketCounter, wait_until
from rules import rules
from scapy.layers.inet import UDP
from scapy.layers.inet6 import (IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting,
                                PadN)
from scapy.packet import Raw


def one_policy(action):
    return rules(more=f"""
        [[policy]]
        name = "other"
        match = {{ dport = 7777 }}
        action = "{action}"
    """)


@pytest.mark.parametrize("vip, servers", [(VIP4, SERVER4), (VIP6, SERVER6)], ids=["v4", "v6"])
def test_drop(lab, steer, vip, servers):
    engine = steer(one_policy("drop"))
    passed = PacketCounter(lab.servers["web1"], "th dport 7777")
    for destination in (vip, servers["web1"]):
        with pytest.raises(TimeoutError):
            udp_ask(lab.client, destination, 7777, timeout_s=0.2)
    assert engine.policy("other")["packets"] == engine.total("dropped") > 0
    assert passed.packets == 0
    assert udp_ask(lab.client, vip, 80).server == "web1"


@pytest.mark.parametrize("vip, kinds", [
    pytest.param(VIP4, {errno.EHOSTUNREACH}, id="v4"),
    pytest.param(VIP6, {errno.EACCES}, id="v6"),
])
def test_reject(lab, steer, vip, kinds):
    """The client learns at once: a reset, or "administratively prohibited"."""
    engine = steer(one_policy("reject"))
    start = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        tcp_ask(lab.client, vip, 7777)
    with pytest.raises(OSError) as refused:
        udp_ask(lab.client, vip, 7777)
    assert time.monotonic() - start < 1
    assert refused.value.errno in kinds
    assert engine.total("rejected") == engine.total("received") == 2
    assert lab.conntrack("--dport", "7777", "-p", "udp") == []
    assert udp_ask(lab.client, vip, 80).server == "web1"


def test_accept(lab, steer):
    """Accepted flows go where they wanted, and are not asked about again."""
    engine = steer(one_policy("accept") + """
        [[policy]]
        name = "direct"
        match = { daddr = "10.2.0.0/24" }
        action = "accept"
    """)
    for _ in range(3):
        answer = udp_ask(lab.client, SERVER4["web2"], 9000, source=("10.1.0.1", 9999))
        assert (answer.server, answer.port) == ("web2", 9000)
    assert engine.total("passed") == engine.total("received") == 1


def test_out_of_scope_is_not_queued(lab, steer):
    """No route and no policy speaks of these destinations."""
    engine = steer(rules())
    for server in (SERVER4["web2"], SERVER6["web2"]):
        assert tcp_ask(lab.client, server, 9000).server == "web2"
    assert engine.total("received") == 0


@pytest.mark.parametrize("headers", [
    pytest.param(IPv6ExtHdrDestOpt(options=PadN(optdata=bytes(2))), id="destination options"),
    pytest.param(IPv6ExtHdrHopByHop(options=PadN(optdata=bytes(2))) / IPv6ExtHdrDestOpt(),
                 id="hop-by-hop, destination options"),
    pytest.param(IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(segleft=0) / IPv6ExtHdrDestOpt(),
                 id="destination options, routing, destination options"),
])
def test_extension_headers(lab, steer, headers):
    """They are read through, up to the ports."""
    engine = steer(rules(more="""
        [[policy]]
        name = "udp"
        match = { proto = "udp", dport = 53 }
        group = "web"
    """))
    steered = f"ip6 daddr {SERVER6['web1']} udp dport 8080"
    arrived = PacketCounter(lab.servers["web1"], steered, take=True)
    packet = IPv6(src=CLIENT6[0], dst=VIP6) / headers / UDP(sport=9999, dport=53) / Raw(b"hi")
    send_packets(lab.client, "eth0", lab.router_mac, [packet])
    wait_until(lambda: arrived.packets == 1)
    assert engine.policy("udp")["packets"] == 1
    assert engine.selected("web")["six1"] == 1


def padded_headers(count, padding_bytes):
    chain = IPv6(src=CLIENT6[0], dst=VIP6)
    for _ in range(count):
        chain /= IPv6ExtHdrDestOpt(options=PadN(optdata=bytes(padding_bytes)))
    return chain / UDP(sport=9999, dport=53) / Raw(b"hi")


@pytest.mark.parametrize("on_bad_packet, outcome", [("accept", "passed"), ("drop", "dropped")])
@pytest.mark.parametrize("packet, error", [
    pytest.param(padded_headers(100, 4), "too_many_headers", id="100 headers"),
    pytest.param(padded_headers(3, 200), "truncated_options", id="longer than what is copied"),
])
def test_bad_packet(lab, steer, packet, error, on_bad_packet, outcome):
    """What cannot be read is answered as the rules say, and counted by its cause."""
    engine = steer(rules(engine=f'on_bad_packet = "{on_bad_packet}"'))
    send_packets(lab.client, "eth0", lab.router_mac, [packet])
    wait_until(lambda: engine.total("received") == 1)
    assert engine.total(outcome) == 1
    assert engine.errors() == {error: 1}
