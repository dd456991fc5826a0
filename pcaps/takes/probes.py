"""ICMP, fragments, extension headers."""

from clients import send_packets
from lab import CLIENT6, SERVER4, SERVER6, VIP4, VIP6
from scapy.layers.inet import UDP
from scapy.layers.inet6 import (IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting, PadN)
from scapy.packet import Raw
from take import take


@take(12)
def ping(lab):
    for server in (SERVER4["web1"], SERVER6["web1"]):
        lab.client.run("ping", "-c", "3", "-i", "0.02", server)


@take(12)
def ping_fragments(lab):
    for vip in (VIP4, VIP6):
        lab.client.run("ping", "-c", "1", "-s", "4000", vip)


@take(12)
def traceroute(lab):
    """Datagrams to ever other ports whose life ends on the way, and the errors of it."""
    for server in (SERVER4["web1"], SERVER6["web1"]):
        lab.client.run("traceroute", "-n", "-q", "2", "-N", "1", server)


@take(12)
def traceroute_others(lab):
    """By echoes, by TCP, and by UDP to port 53."""
    for method in ("-I", "-T", "-U"):
        lab.client.run("traceroute", "-n", "-q", "2", "-N", "1", method, SERVER4["web1"])


@take(6)
def icmp_errors(lab):
    """No such port; no such host; no such network; too big to be passed on."""
    for address in (VIP4, VIP6):
        lab.client.run("dig", f"@{address}", "-p", "54", "+tries=1", "+time=1", "www.example.net",
                       check=False)
    lab.client.run("ping", "-c", "1", "-W", "4", "10.2.0.77", check=False)
    lab.client.run("ping", "-c", "1", "-W", "1", "10.77.0.1", check=False)
    lab.router.ip("link set servers mtu 1300")
    for address in (SERVER4["web1"], SERVER6["web1"]):
        lab.client.run("ping", "-c", "1", "-W", "1", "-M", "do", "-s", "1400", address,
                       check=False)


@take(4)
def ipv6_extension_headers(lab):
    padding = PadN(optdata=b"\0\0")
    datagram = UDP(sport=9999, dport=5353) / Raw(b"who\nwho\n")
    send_packets(lab.client, "eth0", lab.router_mac, [
        IPv6(src=CLIENT6[0], dst=VIP6) / headers / datagram for headers in (
            IPv6ExtHdrDestOpt(options=padding),
            IPv6ExtHdrHopByHop(options=padding) / IPv6ExtHdrDestOpt(),
            IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(segleft=0) / IPv6ExtHdrDestOpt(),
            IPv6ExtHdrFragment(m=1, id=7),
        )])
