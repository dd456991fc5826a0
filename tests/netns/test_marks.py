"""Our bits of the marks are ours, all others are not: neither written nor read,
and only flows that carry ours are flushed."""

import contextlib
import re
import socket

import pytest
from clients import Connection, tcp_ask, udp_ask, udp_flows
from lab import CLIENT4, SERVER4, VIP4, PacketCounter, wait_until
from rules import rules

# Sets marks of its own before our chains see the packet.
def foreign_marks(packet_mark=0x00012345, ct_mark=0x000abcde):
    return f"""
        table inet foreign {{
          chain before {{
            type filter hook prerouting priority mangle - 10;
            ct state new meta mark set {packet_mark:#x} ct mark set {ct_mark:#x}
          }}
        }}"""


def ct_marks(lines):
    return {int(re.search(r"mark=(\d+)", line)[1]) for line in lines}


def test_foreign_mark_bits_are_untouched(lab, steer):
    engine = steer(rules())
    lab.router.nft(foreign_marks())
    kept = PacketCounter(
        lab.router, hook="forward",
        match="ct state new meta mark 0x00012345 ct mark & 0x000fffff == 0x000abcde")
    answers = udp_flows(lab.client, VIP4, 80, 9)
    assert {a.server for a in answers} == {"web1", "web2", "web3"}
    assert kept.packets == 9
    ids = {server["id"] for server in engine.group("web")["servers"] if server["selected"]}
    assert ct_marks(lab.conntrack("-p", "udp", "-d", VIP4)) == {id << 20 | 0xabcde for id in ids}


def test_foreign_mark_bits_of_flows_that_are_not_steered(lab, steer):
    steer(rules(more="""
        [[policy]]
        name = "direct"
        match = { daddr = "10.2.0.0/24" }
        action = "accept"
    """))
    lab.router.nft(foreign_marks())
    kept = PacketCounter(lab.router, hook="forward",
                         match="ip daddr 10.2.0.1 meta mark 0x00012345")
    udp_ask(lab.client, SERVER4["web1"], 8080)
    assert kept.packets == 1
    assert ct_marks(lab.conntrack("-p", "udp", "-d", SERVER4["web1"])) == {0xfffabcde}


def test_mark_mask(lab, steer):
    engine = steer(rules(engine="mark_mask = 0x0000ff00"))
    lab.router.nft(foreign_marks(0x12340056, 0x777700ee))
    udp_flows(lab.client, VIP4, 80, 9)
    ids = {server["id"] for server in engine.group("web")["servers"] if server["selected"]}
    assert len(ids) == 3
    assert ct_marks(lab.conntrack("-p", "udp", "-d", VIP4)) == {0x777700ee | id << 8 for id in ids}


def test_already_marked_is_left_alone(lab, steer):
    """Who sets our bits himself has decided for us."""
    engine = steer(rules())
    lab.router.nft(foreign_marks(0x00200000, 0))
    web2 = next(s for s in engine.group("web")["servers"] if s["name"] == "web2")
    assert web2["id"] == 2
    assert [udp_ask(lab.client, VIP4, 80).server for _ in range(3)] == ["web2"] * 3
    assert engine.total("received") == 0


def steered(lab, server):
    """The router's flows that were steered to the server."""
    return [line for line in lab.conntrack("-d", VIP4) if f"src={SERVER4[server]} " in line]


def test_flush_flows(lab, steer):
    engine = steer(rules())
    lab.router.nft("""
        table inet foreign {
          chain before {
            type filter hook prerouting priority mangle - 10;
            udp sport 9999 ct mark set 0x00000007
          }
        }""")
    udp_ask(lab.client, SERVER4["web1"], 8080, source=(CLIENT4[0], 9999))
    udp_flows(lab.client, VIP4, 80, 30)
    assert [len(steered(lab, server)) for server in SERVER4] == [10, 10, 10]

    engine.command("flush", "flows", "--server", "web/web1")
    assert [len(steered(lab, server)) for server in SERVER4] == [0, 10, 10]
    engine.command("flush", "flows", "--group", "web")
    assert [len(steered(lab, server)) for server in SERVER4] == [0, 0, 0]
    udp_flows(lab.client, VIP4, 80, 30)
    engine.command("flush", "flows")
    assert lab.conntrack("-d", VIP4) == []
    assert len(lab.conntrack("-d", SERVER4["web1"])) == 1, "not one of ours"


def test_flush_flows_of_nobody(lab, steer):
    engine = steer(rules())
    udp_flows(lab.client, VIP4, 80, 9)
    for wrong in (["--server", "web/web9"], ["--group", "wep"], ["--server", "web1"]):
        assert engine.command("flush", "flows", *wrong, check=False).returncode != 0
    assert len(lab.conntrack("-d", VIP4)) == 9


def test_flush_stats(lab, steer):
    engine = steer(rules())
    udp_flows(lab.client, VIP4, 80, 9)
    assert engine.total("received") == 9
    engine.command("flush", "stats")
    assert engine.total("received") == engine.total("accepted") == 0
    assert engine.selected("web")["web1"] == 0


def test_flushed_cache_decides_anew(lab, steer):
    engine = steer(rules())
    with Connection(lab.client, VIP4, 80) as connection:
        before = connection.ask()
        engine.command("flush", "cache")
        assert connection.ask() == before
    assert tcp_ask(lab.client, VIP4, 80).server in SERVER4


def test_unknown_mark_is_left_alone(lab, steer):
    """Our bits, but of no server that we know: neither steered nor fallen back on."""
    engine = steer(rules())
    lab.router.nft(foreign_marks(0x12300005, 0))
    with pytest.raises(OSError):
        udp_ask(lab.client, VIP4, 80, timeout_s=0.3)
    assert engine.total("received") == 0
    assert ct_marks(lab.conntrack("-p", "udp", "-d", VIP4)) <= {0}


def test_local_packets_are_routed_by_their_own_mark(lab, steer):
    """With the output hook, also the first packet of a flow that is not steered
    is routed by the mark that other programs gave it."""
    steer(rules(engine='hooks = ["output"]', more="""
        [[policy]]
        name = "not-ours"
        match = { daddr = "10.2.0.0/24" }
        action = "accept"
    """))
    lab.router.ip("rule add fwmark 0x1 table 100")
    lab.router.ip("route add blackhole 10.2.0.1 table 100")
    with lab.router, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1)
        arrived = PacketCounter(lab.servers["web1"], "udp dport 8080")
        for _ in range(3):
            with contextlib.suppress(OSError):  # the blackhole says EINVAL
                sender.sendto(b"x", (SERVER4["web1"], 8080))
    assert udp_ask(lab.router, SERVER4["web1"], 8080).server == "web1"
    assert arrived.packets == 1


def test_loopback_is_not_prerouting(lab, steer):
    """What starts here is for the output hook alone, also where it ends here."""
    engine = steer(rules(more="""
        [[policy]]
        name = "no-telnet"
        match = { proto = "tcp", dport = 23 }
        action = "reject"
    """))
    lab.router.start("/usr/bin/python3", "-c",
                     "import socket; s = socket.create_server(('127.0.0.1', 23)); s.accept()")
    wait_until(lambda: ":23 " in lab.router.run("ss", "-Hltn").stdout, what="port 23 is open")
    with lab.router:
        socket.create_connection(("127.0.0.1", 23), timeout=5).close()
    assert engine.total("received") == 0
