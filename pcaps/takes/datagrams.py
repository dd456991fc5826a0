"""UDP, UDP-Lite and SCTP; what goes to many."""

import socket
import subprocess
import sys
import tempfile

from clients import curl, udp_flows
from lab import REPOSITORY, SERVER4, VIP4, VIP6, wait_until
from take import serve, take

SERVERS = REPOSITORY / "tests/netns/servers.py"

DNSMASQ = ("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--user=root",
           "--conf-file=/dev/null", "--pid-file")


def serve_dns(lab):
    return serve(lab, 53, *DNSMASQ, "--host-record=www.example.net,192.0.2.1,2001:db8:ff::1",
                 "--local=/example.net/")


@take(40, balanced=True)
def udp(lab):
    for vip in (VIP4, VIP6):
        udp_flows(lab.client, vip, 5353, 10)


@take(16)
def dns(lab):
    serve_dns(lab)
    for server in (VIP4, VIP6):
        lab.client.run("dig", f"@{server}", "www.example.net", "A", "www.example.net", "AAAA")
        lab.client.run("dig", f"@{server}", "+tcp", "www.example.net")


@take(9)
def tftp(lab):
    """The server answers from another port than it was asked at."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/file", "wb") as file:
            file.write(bytes(1200))
        lab.servers["web1"].run("chmod", "-R", "a+rX", folder)
        serve(lab, 69, *DNSMASQ, "--port=0", "--enable-tftp", f"--tftp-root={folder}")
        curl(lab.client, f"tftp://{SERVER4['web1']}/file", "-o", "/dev/null")


@take(4, filters="ip and udp")
def dhcp(lab):
    """A client without an address finds one."""
    lab.router.start(*DNSMASQ, "--port=0", "--dhcp-range=10.1.0.100,10.1.0.120,1h",
                     "--dhcp-leasefile=/dev/null", "--interface=clients", "--no-ping",
                     "--dhcp-sequential-ip", stderr=subprocess.DEVNULL)
    wait_until(lambda: lab.router.run("ss", "-Hlnu", "sport = :67").stdout)
    lab.client.ip("address flush dev eth0")
    lab.client.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-s", "/bin/true")


@take(4, filters="ip or (icmp6 and ip6[40] < 130)")
def multicast(lab):
    """A query of multicast DNS, which nobody answers, and a ping that the router answers."""
    lab.client.run("dig", "@224.0.0.251", "-p", "5353", "+tries=2", "+time=1", "printer.local",
                   check=False)
    lab.client.run("ping", "-c", "1", "ff02::2%eth0")


@take(3)
def syslog(lab):
    """Goes one way: nobody answers."""
    serve(lab, 514, "nc", "-lku", "514", stdout=subprocess.DEVNULL)
    for i in range(3):
        lab.client.run("logger", "-d", "-n", VIP4, "-P", "514", "--rfc3164", "-t", "app",
                       f"line {i}")


@take(8)
def ntp_like(lab):
    """From port 123 to port 123, as servers ask each other."""
    for name, server in lab.servers.items():
        serve(lab, 123, sys.executable, SERVERS, name, "123", of=name, stdout=subprocess.DEVNULL)
    with lab.client:
        asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with asking:
        asking.bind(("10.1.0.1", 123))
        asking.settimeout(5)
        for address in (*SERVER4.values(), VIP4):
            asking.sendto(b"\x23" + bytes(47), (address, 123))
            asking.recv(100)


@take(12)
def sctp(lab):
    """By usrsctp, as this kernel has none: an association each with two services."""
    for service, port, said in (("daytime", 13, ""), ("echo", 7, "hello\n")):
        server = lab.servers["web1"].start(f"/usr/lib/usrsctp/{service}_server",
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.client.run("timeout", "2", "/usr/lib/usrsctp/client", VIP4, port, "0", "0", "0",
                       input=said, check=False)
        server.kill()


@take(4)
def udp_lite(lab):
    server = lab.servers["web1"]
    with server:
        listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)
    with listening:
        listening.bind((SERVER4["web1"], 7000))
        listening.settimeout(5)
        for source in ("10.1.0.1", "10.1.0.2"):
            with lab.client:
                asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)
            with asking:
                asking.bind((source, 7001))
                asking.settimeout(5)
                asking.sendto(b"who\n", (SERVER4["web1"], 7000))
                data, peer = listening.recvfrom(100)
                listening.sendto(data, peer)
                asking.recv(100)


@take(20)
def iperf3_udp(lab):
    serve(lab, 5201, "iperf3", "-s", stdout=subprocess.DEVNULL)
    lab.client.run("iperf3", "-c", VIP4, "-u", "-b", "500K", "-n", "4K", "-l", "256")
