"""Clients of the lab: single requests, held connections, and many new flows."""

import contextlib
import dataclasses
import itertools
import selectors
import socket
import threading
import time

from lab import CLIENT4, CLIENT6, PATIENCE, family_of
from scapy.layers.l2 import Ether


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a server says of a flow: who it is, on which port, and whom it sees."""
    server: str
    port: int
    client: str
    client_port: int

    @classmethod
    def parse(cls, line):
        server, port, client, client_port = line.split()
        return cls(server, int(port), client, int(client_port))


def _open(namespace, kind, address, source, timeout_s):
    with namespace:
        opened = socket.socket(family_of(address), kind)
    opened.settimeout(timeout_s)
    if source is not None:
        opened.bind(source if isinstance(source, tuple) else (source, 0))
    return opened


def udp_ask(namespace, address, port, source=None, timeout_s=5 * PATIENCE):
    """One datagram, sent once, and its answer."""
    with _open(namespace, socket.SOCK_DGRAM, address, source, timeout_s) as asking:
        asking.connect((address, port))
        asking.send(b"who\n")
        return Answer.parse(asking.recv(200).decode())


def tcp_ask(namespace, address, port, source=None, timeout_s=5 * PATIENCE):
    with Connection(namespace, address, port, source, timeout_s) as connection:
        return connection.ask()


class Connection:
    """A TCP connection on which one asks again and again."""

    def __init__(self, namespace, address, port, source=None, timeout_s=5 * PATIENCE):
        self._socket = _open(namespace, socket.SOCK_STREAM, address, source, timeout_s)
        try:
            self._socket.connect((address, port))
        except BaseException:
            self._socket.close()
            raise
        self._lines = self._socket.makefile("rwb")

    def ask(self):
        self._lines.write(b"who\n")
        self._lines.flush()
        return Answer.parse(self._lines.readline().decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._lines.close()
        self._socket.close()


class UdpSender:
    """One UDP flow on which one asks again and again."""

    def __init__(self, namespace, address, port, timeout_s=PATIENCE):
        self._socket = _open(namespace, socket.SOCK_DGRAM, address, None, timeout_s)
        self._socket.connect((address, port))

    def ask(self):
        self._socket.send(b"who\n")
        return Answer.parse(self._socket.recv(200).decode())

    def goes_to(self, server):
        """Whether that server answers now; a datagram may be lost."""
        try:
            return self.ask().server == server
        except TimeoutError:
            return False

    def close(self):
        self._socket.close()


def curl(namespace, url, *options):
    """What curl prints; the option -g lets it take [IPv6] in a URL."""
    return namespace.run("curl", "-gsS", "--max-time", 20 * PATIENCE, *options, url).stdout


# Source ports that the kernel gives nobody by itself (it starts at 32768): no two
# flows of a test run are the same, so each is new.
_flow_numbers = itertools.count()
_FIRST_PORT, _PORTS = 10000, 22000


def _new_source(sources):
    number = next(_flow_numbers)
    return sources[number % len(sources)], _FIRST_PORT + number // len(sources) % _PORTS


class UdpFlows:
    """Opens UDP flows of one datagram each and collects the answers. A flow is
    sent once: who gets no answer was lost."""

    def __init__(self, namespace, address, port):
        self._namespace, self._destination = namespace, (address, port)
        self._sources = CLIENT6 if ":" in address else CLIENT4
        self._waiting = selectors.DefaultSelector()
        self.sent = 0
        self.answers = []

    @property
    def waiting(self):
        return len(self._waiting.get_map())

    def open(self):
        flow = _open(self._namespace, socket.SOCK_DGRAM, self._destination[0],
                     _new_source(self._sources), 0)
        flow.connect(self._destination)
        flow.send(b"who\n")
        self._waiting.register(flow, selectors.EVENT_READ)
        self.sent += 1

    def collect(self, limit_s):
        """Takes the answers that have come, and waits up to limit_s for the first."""
        for key, _ in self._waiting.select(limit_s):
            self._waiting.unregister(key.fileobj)
            with key.fileobj as flow, contextlib.suppress(OSError):  # refused: no answer
                self.answers.append(Answer.parse(flow.recv(200).decode()))

    def close(self, limit_s=0.0):
        """Waits for the answers that are missing; returns how many never came."""
        end = time.monotonic() + limit_s
        while self.waiting and time.monotonic() < end:
            self.collect(0.05)
        for key in list(self._waiting.get_map().values()):
            key.fileobj.close()
        self._waiting.close()
        return self.sent - len(self.answers)


def udp_flows(namespace, address, port, count, window=128):
    """Opens count flows, at most `window` of them unanswered; returns the answers.
    Gives up when none comes for five seconds."""
    flows = UdpFlows(namespace, address, port)
    end = time.monotonic() + 5 * PATIENCE
    while flows.sent < count and time.monotonic() < end:
        if flows.waiting < window:
            flows.open()
        before = len(flows.answers)
        flows.collect(0 if flows.waiting < window else 0.05)
        if len(flows.answers) > before:
            end = time.monotonic() + 5 * PATIENCE
    flows.close(limit_s=5 * PATIENCE)
    return flows.answers


class SteadyFlows(threading.Thread):
    """Opens new UDP flows at a steady rate until stop()."""

    def __init__(self, namespace, address, port, flows_per_s=500):
        super().__init__(daemon=True)
        self._flows = UdpFlows(namespace, address, port)
        self._gap_s = 1 / flows_per_s
        self._stopping = threading.Event()
        self._error = None
        self.start()

    def run(self):
        try:
            self._steadily()
        except Exception as error:  # told to the caller of stop()
            self._error = error

    def _steadily(self):
        due = time.monotonic()
        while not self._stopping.is_set():
            if due <= time.monotonic():
                self._flows.open()
                due += self._gap_s
            self._flows.collect(max(0.0, due - time.monotonic()))

    @property
    def sent(self):
        return self._flows.sent

    @property
    def answered(self):
        return len(self._flows.answers)

    def stop(self, limit_s=10):
        """Returns the answers, and how many flows got none."""
        self._stopping.set()
        self.join()
        lost = self._flows.close(limit_s * PATIENCE)
        if self._error:
            raise self._error
        return self._flows.answers, lost


def send_packets(namespace, interface, to_mac, packets):
    """Sends scapy's packets as they are, in Ethernet frames."""
    with namespace:
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with link:
        link.bind((interface, 0))
        for packet in packets:
            link.send(bytes(Ether(src="02:00:00:00:00:01", dst=to_mac) / packet))
