"""Other links: 802.1Q and 802.1ad tags, a tunnel without Ethernet."""

import pathlib
import subprocess
import sys

from clients import curl
from lab import REPOSITORY, wait_until
from take import take

HERE = pathlib.Path(__file__).resolve().parent
SERVERS = REPOSITORY / "tests/netns/servers.py"


def tagged_link(lab, *tags):
    """Between client and router, 10.5.0.1 and 10.5.0.2, over the link that is there."""
    ends = ((lab.client, "eth0", "1"), (lab.router, "clients", "2"))
    for namespace, interface, host in ends:
        process = namespace.start(sys.executable, HERE / "tagged.py", interface, *tags,
                                  stdout=subprocess.PIPE, text=True)
        if process.stdout.readline().strip() != "ready":
            raise AssertionError("there is no tagged link")
        namespace.run("sysctl", "-q", "net.ipv6.conf.tagged.disable_ipv6=1")
        namespace.ip(f"link set tagged address 02:05:00:00:00:0{host}")
        namespace.ip(f"address add 10.5.0.{host}/24 dev tagged")
        namespace.ip("link set tagged up")
    serve_on_router(lab)


def serve_on_router(lab):
    lab.router.start(sys.executable, SERVERS, "router", "8080", stdout=subprocess.DEVNULL)
    wait_until(lambda: lab.router.run("ss", "-Hlnt", "sport = :8080").stdout)


def tunnel_of_socat(lab):
    """Between client and router, 10.6.0.1 and 10.6.0.2, by datagrams of port 4789."""
    for namespace, host, far in ((lab.client, 1, "10.1.0.254"), (lab.router, 2, "10.1.0.1")):
        namespace.start("socat", f"TUN:10.6.0.{host}/24,tun-name=tunnel,iff-no-pi,iff-up",
                        f"UDP4-DATAGRAM:{far}:4789,bind=:4789")
        wait_until(lambda at=namespace: "tunnel" in at.ip("link show up"), what="there is a tunnel")


@take(24, filters="vlan")
def vlan(lab):
    tagged_link(lab, "8100:10")
    for _ in range(3):
        curl(lab.client, "http://10.5.0.2:8080/")


@take(24, filters="vlan")
def qinq(lab):
    tagged_link(lab, "88a8:20", "8100:10")
    for _ in range(3):
        curl(lab.client, "http://10.5.0.2:8080/")


@take(24, at=("client", "tunnel"), filters="ip", prepare=tunnel_of_socat)
def tunnel(lab):
    """Three requests, seen inside the tunnel: IP without Ethernet."""
    serve_on_router(lab)
    for _ in range(3):
        curl(lab.client, "http://10.6.0.2:8080/")
