"""Web: HTTP/1.1, HTTP/2, TLS, what is like QUIC."""

import pathlib
import socket
import subprocess
import tempfile

from clients import curl
from lab import VIP4, VIP6
from take import NO_NEIGHBOURS, serve, take


@take(24, balanced=True)
def curl_ipv4(lab):
    for _ in range(3):
        curl(lab.client, f"http://{VIP4}/")


@take(24, balanced=True)
def curl_ipv6(lab):
    for _ in range(3):
        curl(lab.client, f"http://[{VIP6}]/")


@take(40, balanced=True)
def curl_parallel(lab):
    curl(lab.client, f"http://{VIP4}/", "--parallel", "--parallel-immediate",
         *(f"http://{VIP4}/{i}" for i in range(5)))


@take(14)
def http2(lab):
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "index.html").write_text("hello\n")
        serve(lab, 80, "nghttpd", "--no-tls", "-d", folder, "80", stdout=subprocess.DEVNULL)
        for host in (VIP4, f"[{VIP6}]"):
            curl(lab.client, f"http://{host}/index.html?[1-3]", "--http2-prior-knowledge")


@take(16)
def https(lab):
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
        lab.client.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                       "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=www.example.net",
                       "-keyout", key, "-out", certificate)
        serve(lab, 443, "openssl", "s_server", "-accept", "443", "-www", "-quiet", "-key", key,
              "-cert", certificate, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for version in ("--tls-max 1.2", "--tlsv1.3"):
            curl(lab.client, f"https://{VIP4}/", "-k", *version.split())


@take(12)
def quic_like(lab):
    """A client whose address changes in the middle, as a telephone's does: for QUIC that is one
    connection, for everybody on the way there are two flows."""
    initial, short = b"\xc3\0\0\0\1\x08nfsteer1\0".ljust(1200, b"\0"), b"\x40nfsteer1".ljust(90)
    for source, first in (("10.1.0.1", initial), ("10.1.0.2", short)):
        with lab.client:
            sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sending:
            sending.bind((source, 50443))
            sending.connect((VIP4, 8080))
            sending.settimeout(5)
            for datagram in (first, short, short):
                sending.send(datagram)
                sending.recv(2000)


# The same requests, otherwise listened to.

@take(24, balanced=True, listener=("-s", "60"))
def short_snaplen(lab):
    curl_ipv4(lab)
    curl_ipv6(lab)


@take(24, balanced=True, listener=("--time-stamp-precision=nano",))
def nanoseconds(lab):
    curl_ipv4(lab)


@take(12, balanced=True, filters=f"src net 10.1.0.0/24 and {NO_NEIGHBOURS}")
def requests_only(lab):
    curl_ipv4(lab)


@take(12, balanced=True, filters=f"dst net 10.1.0.0/24 and {NO_NEIGHBOURS}")
def answers_only(lab):
    curl_ipv4(lab)


@take(12, balanced=True, filters="host 10.9.9.9 and tcp[tcpflags] & tcp-syn == 0")
def without_syn(lab):
    curl_ipv4(lab)


@take(24, balanced=True, at=("router", "servers"))
def behind_the_balancer(lab):
    curl_ipv4(lab)
    curl_ipv6(lab)


@take(48, balanced=True, at=("router", "any"))
def any_interface(lab):
    curl_ipv4(lab)


@take(48, balanced=True, at=("router", "any"), listener=("-y", "LINUX_SLL"))
def any_interface_before(lab):
    curl_ipv4(lab)


@take(80, dumpcap=True, balanced=True)
def dumpcap(lab):
    curl_ipv4(lab)
    curl_ipv6(lab)


@take(80, dumpcap=True, balanced=True, at=("router", "clients", "servers"))
def dumpcap_two_interfaces(lab):
    curl_ipv4(lab)
