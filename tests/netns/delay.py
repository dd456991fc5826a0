"""A cable with a delay: delay.py ONE OTHER SECONDS

Passes frames between the interfaces ONE and OTHER, those towards OTHER after so
many seconds. Prints "ready" when it does. Frames keep what the kernel knows of
them (unfinished checksums, segments to be cut): the header of virtio_net.
"""

import collections
import select
import socket
import sys
import time

ETH_P_ALL, SOL_PACKET, PACKET_VNET_HDR, PACKET_OUTGOING = 3, 263, 15, 4


def attach(interface):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    raw.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
    raw.bind((interface, ETH_P_ALL))
    raw.setblocking(False)
    return raw


def frames(raw):
    while True:
        try:
            frame, (_, _, kind, *_) = raw.recvfrom(1 << 17)
        except BlockingIOError:
            return
        if kind != PACKET_OUTGOING:
            yield frame


def main():
    one, other = attach(sys.argv[1]), attach(sys.argv[2])
    delay_s = float(sys.argv[3])
    late = collections.deque()
    print("ready", flush=True)
    while True:
        wait_s = max(late[0][0] - time.monotonic(), 0) if late else None
        select.select([one, other], [], [], wait_s)
        for frame in frames(other):
            one.send(frame)
        late.extend((time.monotonic() + delay_s, frame) for frame in frames(one))
        while late and late[0][0] <= time.monotonic():
            other.send(late.popleft()[1])


main()
