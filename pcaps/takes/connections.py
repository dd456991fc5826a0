"""TCP connections: how they begin, go on and end."""

import pathlib
import socket
import struct
import subprocess
import sys
import tempfile

from clients import curl, send_packets
from lab import REPOSITORY, SERVER4, VIP4, VIP6, PacketCounter
from scapy.layers.inet import IP, TCP
from take import serve, take


@take(20)
def iperf3_tcp(lab):
    serve(lab, 5201, "iperf3", "-s", stdout=subprocess.DEVNULL)
    lab.client.run("iperf3", "-c", VIP4, "-n", "8K", "-l", "1K")


@take(9)
def netcat(lab):
    """Of either protocol; over TCP the client is done first and waits for the answer."""
    for kind, port in (("", 4000), ("u", 4001)):
        serve(lab, port, "nc", f"-ln{kind}", str(port), stdout=subprocess.DEVNULL)
        lab.client.run("nc", f"-nN{kind}", "-w", "1", VIP4, port, input="hello\n")


@take(40)
def ssh(lab):
    """A login that stays open for three seconds, with a sign of life each second."""
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        key = f"{folder}/key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        serve(lab, 22, "/usr/sbin/sshd", "-D", "-f", "/dev/null", "-h", key, "-o", "UsePAM=no",
              "-o", "StrictModes=no", "-o", f"AuthorizedKeysFile={key}.pub", "-o", "PidFile=none",
              stderr=subprocess.DEVNULL)
        lab.client.run("ssh", "-F", "none", "-i", key, "-o", "StrictHostKeyChecking=no", "-o",
                       f"UserKnownHostsFile={folder}/known", "-o", "ServerAliveInterval=1",
                       f"root@{VIP4}", "sleep 3")


@take(4)
def refused(lab):
    for host in (VIP4, f"[{VIP6}]"):
        lab.client.run("curl", "-gsS", f"http://{host}:81/", check=False)


@take(12, balanced=True)
def reset(lab):
    """The client closes without a farewell."""
    for vip in (VIP4, VIP6):
        with lab.client:
            asking = socket.create_connection((vip, 8080), timeout=5)
        with asking:
            asking.send(b"who\n")
            asking.recv(100)
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@take(4)
def unanswered(lab):
    """SYNs into the dark, one after the other later."""
    PacketCounter(lab.servers["web1"], "tcp dport 82", take=True)
    lab.client.run("curl", "-sS", "--connect-timeout", "8", f"http://{VIP4}:82/", check=False)


@take(16)
def reused_port(lab):
    """A connection's ports again, right after it: the server had closed first."""
    for _ in range(2):
        curl(lab.client, f"http://{VIP4}:8080/", "--local-port", "40000")


@take(16)
def fast_open(lab):
    """The second SYN carries the request."""
    lab.client.run("sysctl", "-q", "net.ipv4.tcp_fastopen=1")
    lab.servers["web1"].run("sysctl", "-q", "net.ipv4.tcp_fastopen=0x402")  # all listeners to come
    serve(lab, 80, sys.executable, REPOSITORY / "tests/netns/servers.py", "web1", "80",
          stdout=subprocess.DEVNULL)
    for _ in range(2):
        curl(lab.client, f"http://{VIP4}/", "--tcp-fastopen")


@take(14)
def multipath(lab):
    """One MPTCP connection, which adds a second path from 10.1.0.2: two flows."""
    lab.client.run("ip", "mptcp", "endpoint", "add", "10.1.0.2", "dev", "eth0", "subflow")
    for namespace in (lab.client, lab.servers["web1"]):
        namespace.run("ip", "mptcp", "limits", "set", "subflow", "2", "add_addr_accepted", "2")
    with lab.servers["web1"]:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
    with lab.client:
        asking = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
    with listening, asking:
        listening.bind((SERVER4["web1"], 5000))
        listening.listen()
        asking.bind(("10.1.0.1", 0))
        asking.connect((VIP4, 5000))
        accepted, _ = listening.accept()
        with accepted:
            for _ in range(5):
                asking.send(b"who\n")
                accepted.send(accepted.recv(100))
                asking.recv(100)


@take(100)
def syn_flood(lab):
    """By scapy, from a hundred sources that are not there."""
    send_packets(lab.client, "eth0", lab.router_mac,
                 [IP(src=f"10.66.{i}.1", dst=VIP4) / TCP(sport=1024 + 7 * i, dport=80, seq=i)
                  for i in range(100)])


@take(80)
def port_scan(lab):
    lab.client.run("nmap", "-n", "-Pn", "-sS", "--top-ports", "40", VIP4)


@take(9)
def strange_flags(lab):
    """Scans by segments that open nothing: FIN; none; FIN, PSH and URG; ACK."""
    for scan in ("-sF", "-sN", "-sX", "-sA"):
        lab.client.run("nmap", "-n", "-Pn", scan, "-p", "80,8080", "--max-retries", "0", VIP4)
