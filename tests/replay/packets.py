"""Captures for the cases of this folder, byte by byte the same whenever they are made."""

import pathlib
import struct
import sys

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether

START = 1_772_452_800  # 2026-03-02T12:00:00Z, a Monday

# Link types: www.tcpdump.org/linktypes.html
NULL, ETHERNET, RAW, SLL, SLL2 = 0, 1, 101, 113, 276


def ip(src, dst):
    """The network header; what stands behind it, scapy adds with "/"."""
    return IPv6(src=src, dst=dst) if ":" in src else IP(src=src, dst=dst, id=1)


def tcp(src, sport, dst, dport, flags="S", **fields):
    return ip(src, dst) / TCP(sport=sport, dport=dport, flags=flags, **fields)


def udp(src, sport, dst, dport, payload=b"?"):
    return ip(src, dst) / UDP(sport=sport, dport=dport) / payload


def ping(src, dst, identifier, reply=False):
    if ":" in src:
        kind = ICMPv6EchoReply if reply else ICMPv6EchoRequest
        return ip(src, dst) / kind(id=identifier, seq=1)
    return ip(src, dst) / ICMP(type=0 if reply else 8, id=identifier, seq=1)


def connection(client, sport, server, dport, end="fin"):
    """A whole TCP connection with a request and an answer; `end`: "fin", "rst" or None."""
    there = (client, sport, server, dport)
    back = (server, dport, client, sport)
    packets = [tcp(*there, "S"), tcp(*back, "SA"), tcp(*there, "A"), tcp(*there, "PA") / b"GET",
               tcp(*back, "PA") / b"200"]
    if end == "fin":
        packets += [tcp(*there, "FA"), tcp(*back, "FA"), tcp(*there, "A")]
    if end == "rst":
        packets += [tcp(*there, "R")]
    return packets


def ether(packet, *tags):
    """An Ethernet frame; `tags` are pairs of a tag's number (0x8100) and its VLAN."""
    kind = 0x86DD if isinstance(packet, IPv6) else 0x0800
    frame = bytes.fromhex("020000000002 020000000001")
    for number, vlan in tags:
        frame += struct.pack("!HH", number, vlan)
    return frame + struct.pack("!H", kind) + bytes(packet)


def spaced(packets, start=0.0, step=0.001):
    """Pairs of a time and a packet: one each `step` seconds."""
    return [(start + i * step, packet) for i, packet in enumerate(packets)]


def _frame(packet):
    return packet if isinstance(packet, bytes) else ether(packet)


def pcap(records, link=ETHERNET, order="<", nano=False, snaplen=262144):
    """A pcap file. `records` are pairs of seconds from START and a frame (bytes) or a
    packet, which gets an Ethernet header."""
    unit = 1_000_000_000 if nano else 1_000_000
    file = struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snaplen,
                       link)
    for after, packet in records:
        frame = _frame(packet)
        seconds, part = divmod(round(after * unit), unit)
        cut = frame[:snaplen]
        file += struct.pack(order + "IIII", START + seconds, part, len(cut), len(frame)) + cut
    return file


def pcapng(records, link=ETHERNET):
    """A pcapng file of one section and one interface, with times in microseconds."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        length = len(body) + 12
        return struct.pack("<II", kind, length) + body + struct.pack("<I", length)

    file = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    file += block(1, struct.pack("<HHI", link, 0, 262144))
    for after, packet in records:
        frame = _frame(packet)
        stamp = round((START + after) * 1_000_000)
        file += block(6, struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(frame),
                                     len(frame)) + frame)
    return file


def save(file):
    """Writes the capture beside the script that calls this, or where its argument says."""
    script = pathlib.Path(sys.argv[0]).resolve()
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else script.parent / "capture.pcap"
    target.write_bytes(file)
