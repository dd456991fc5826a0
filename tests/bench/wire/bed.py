"""The lab of the benchmarks: servers that are fast enough, and what one reads of it
and of the machine without disturbing either."""

import os
import pathlib
import shutil
import subprocess
import time

from engine import bench, cpu_ticks
from lab import Lab, PacketCounter, wait_until

BULK4 = "10.9.9.10"  # a virtual address with one server, for iperf3
VIP_PORT, SERVER_PORT, BULK_PORT = 80, 8080, 5201
PROBES4 = "10.64.0.0"  # a /12 of addresses that the client has
MANY4 = "10.3.0.0"  # a /16 of addresses that web1 has
FLOOD_SOURCES = 200  # from 10.1.0.1 on
# By its length a datagram of the flood is told from all others.
FLOOD_MATCH = f"udp dport {SERVER_PORT} udp length 12"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
QUIET_S = 1.0  # nothing has arrived for so long: nothing more will
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")

HTTP = f"""
http {{
  access_log off;
  server {{
    listen {SERVER_PORT} reuseport backlog=4096;
    location / {{ return 200 "web\\n"; }}
  }}
}}"""


def nginx(namespace, text):
    """Starts nginx in the foreground with a configuration of its own."""
    home = pathlib.Path(f"/run/{namespace.name}")
    home.mkdir(parents=True, exist_ok=True)
    modules = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    load = f"load_module {modules};" if modules.exists() else ""
    file = home / "nginx.conf"
    file.write_text(f"""
        {load}
        daemon off; user root; worker_processes {os.cpu_count()}; pid {home}/nginx.pid;
        error_log stderr crit;
        events {{ worker_connections 8192; }}
        {text}""")
    return namespace.start(NGINX, "-p", home, "-c", file, "-e", "stderr")


def listening(namespace, kind, port):
    return f":{port} " in namespace.run("ss", f"-Hln{kind}").stdout


class Bed(Lab):
    def _build(self):
        super()._build()
        self.client.run("sysctl", "-q", "net.ipv4.ip_local_port_range=1024 65535")
        self.router.run("sysctl", "-q", "net.ipv4.ip_local_port_range=1024 65535")
        self.client.ip(f"route add local {PROBES4}/12 dev lo")
        self.router.ip(f"route add {PROBES4}/12 via 10.1.0.1")
        web1 = self.servers["web1"]
        web1.ip(f"route add local {MANY4}/16 dev lo")
        self.router.ip(f"route add {MANY4}/16 via 10.2.0.1")
        self._counters = [PacketCounter(server, FLOOD_MATCH, take=True)
                          for server in self.servers.values()]
        with self.router:
            self._devices = open("/proc/thread-self/net/dev", encoding="ascii")

    @staticmethod
    def _serve(name, server):
        server.start(bench("udp_echo"), SERVER_PORT, stdout=subprocess.DEVNULL)
        server.start("iperf3", "-s", "-p", BULK_PORT, stdout=subprocess.DEVNULL)
        if NGINX:
            nginx(server, HTTP)
        for kind, port in (("u", SERVER_PORT), ("t", BULK_PORT), ("t", SERVER_PORT)):
            if NGINX or port == BULK_PORT or kind == "u":
                wait_until(lambda kind=kind, port=port: listening(server, kind, port),
                           what=f"{name} serves")

    def forget_flows(self):
        """Empties the router's table of connections, if it has one."""
        self.router.run("conntrack", "-F", check=False)

    def _sent_to_servers(self):
        self._devices.seek(0)
        for line in self._devices:
            name, _, fields = line.partition(":")
            if name.strip() == "servers":
                return int(fields.split()[9])
        raise AssertionError("no such device")

    def _taken(self):
        return sum(counter.packets for counter in self._counters)

    def start_flood(self, address, port, flows, first_source="10.1.0.1", rate=()):
        return self.client.start(bench("udp_flood"), address, port, flows, first_source,
                                 FLOOD_SOURCES, *rate, stdout=subprocess.DEVNULL)

    def flood(self, address, port, flows, first_source="10.1.0.1"):
        """Sends so many new flows at full speed; returns how many arrived at servers,
        and in how many seconds."""
        taken, before = self._taken(), self._sent_to_servers()
        start = last = time.monotonic()
        sender = self.start_flood(address, port, flows, first_source)
        seen = 0
        while seen < flows and time.monotonic() - last < QUIET_S:
            time.sleep(0.002)
            now = self._sent_to_servers() - before
            if now != seen:
                seen, last = now, time.monotonic()
        sender.wait()
        arrived = self._taken() - taken
        assert arrived > 0, "no flow arrived at any server"
        return arrived, last - start

    def first_packets(self, address, port, probes, per_s):
        """Round trips of first packets in microseconds, ascending, and how many
        probes were not answered."""
        out = self.client.run(bench("first_packet"), address, port, probes, per_s,
                              PROBES4).stdout.split()
        return sorted(int(line) / 1e3 for line in out if line != "lost"), out.count("lost")

    def close(self):
        if hasattr(self, "_devices"):
            self._devices.close()
        super().close()


def percentile(ascending, share):
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


def busy_s():
    """CPU time that the machine has spent so far, all CPUs together."""
    user, nice, system, _idle, _wait, irq, softirq = map(
        int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8])
    return (user + nice + system + irq + softirq) * TICK_S


def cpu_s(pids):
    """CPU time that these processes have spent so far."""
    return sum(map(cpu_ticks, pids)) * TICK_S


def memory_mb(pids):
    """What these processes have of the machine's memory, in megabytes of 10^6 bytes;
    pages that several share are divided among them (PSS)."""
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total * 1024 / 1e6


