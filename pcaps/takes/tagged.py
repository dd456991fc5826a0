"""An interface whose frames go over another one with tags: tagged.py INTERFACE TAG...

For kernels without 802.1Q. A TAG is NUMBER:VLAN, the outer one first (88a8:20 8100:10). Makes the
interface `tagged` and prints "ready".
"""

import fcntl
import os
import select
import socket
import struct
import sys

ETH_P_ALL, PACKET_OUTGOING = 3, 4
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
TAGS = (0x8100, 0x88A8)
ADDRESSES = 12  # bytes of the frame before its tags


def make_tap(name):
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def untagged(frame):
    while int.from_bytes(frame[ADDRESSES:ADDRESSES + 2], "big") in TAGS:
        frame = frame[:ADDRESSES] + frame[ADDRESSES + 4:]
    return frame


def main():
    tap = make_tap("tagged")
    own = b"\2\5"  # the frames of tagged interfaces, by their addresses' begin
    tags = b"".join(struct.pack("!HH", int(number, 16), int(vlan))
                    for number, vlan in (each.split(":") for each in sys.argv[2:]))
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    raw.bind((sys.argv[1], ETH_P_ALL))
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([tap, raw], [], [])
        if tap in readable:
            frame = os.read(tap, 65536)
            raw.send(frame[:ADDRESSES] + tags + frame[ADDRESSES:])
        if raw in readable:
            frame, (_, _, kind, *_) = raw.recvfrom(65536)
            if kind != PACKET_OUTGOING and frame[6:8] == own:  # the kernel may have taken a tag
                os.write(tap, untagged(frame))


main()
