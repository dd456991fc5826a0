"""Who is compared, one class each. A contender has a lab of its own, in whose router
it balances VIP4 over three servers, and BULK4 to the first of them."""

import os
import pathlib
import shutil
import subprocess

from baseline import jhash_dnat
from engine import Engine, bench
from lab import SERVER4, VIP4, wait_until
from rules import rules

from .bed import BULK4, BULK_PORT, NGINX, SERVER_PORT, VIP_PORT, Bed, nginx

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
RULES = rules(engine="queue_length = 65536", more=f"""
[group.bulk]
servers = [{{ name = "web1", address = "{SERVER4["web1"]}" }}]

[table.bulk]
routes = [{{ prefix = "{BULK4}", group = "bulk" }}]
""")


def children(pid):
    path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


class Contender:
    """Balances nothing by itself."""

    name = ""
    missing = None  # the program without which it cannot be had
    address, port = VIP4, VIP_PORT
    bulk_address = BULK4

    def __init__(self, directory):
        self._directory = directory
        self.bed = Bed()
        self.process = None
        try:
            self.begin()
        except BaseException:
            self.close()
            raise

    def begin(self):
        pass

    def pids(self):
        """The processes that balance."""
        return [self.process.pid, *children(self.process.pid)] if self.process else []

    def close(self):
        self.bed.close()


class Direct(Contender):
    """No balancer: the router forwards to a server that the client names."""

    name = "direct"
    address, port = SERVER4["web1"], SERVER_PORT
    bulk_address = SERVER4["web1"]


class KernelOnly(Contender):
    """DNAT by nftables, to a server by jhash."""

    name = "kernel-only"

    def begin(self):
        self.bed.router.nft(jhash_dnat(list(SERVER4.values()), SERVER_PORT) + f"""
            add rule ip baseline rewrite ip daddr {BULK4} dnat to {SERVER4["web1"]}
            """)


class AcceptAll(Contender):
    """nfsteer's own ruleset with another program at its queues; the fallback in
    the kernel then chooses the servers."""

    name = "accept-all"

    def begin(self):
        engine = Engine(self.bed.router, self._directory, RULES).start()
        engine.kill_both()
        self.process = self.bed.router.start(bench("accept_all"), 0, 2, stdout=subprocess.PIPE,
                                             text=True)
        assert self.process.stdout.readline() == "ready\n"


class Nfsteer(Contender):
    name = "nfsteer"

    def begin(self):
        self._engine = Engine(self.bed.router, self._directory, RULES).start()

    def pids(self):
        return [self._engine.keeper_pid, self._engine.pid]

    def close(self):
        try:
            if hasattr(self, "_engine"):
                self._engine.close()
        finally:
            super().close()


class Proxy(Contender):
    """A program that has the virtual addresses, and connections of its own to the
    servers."""

    def begin(self):
        self.bed.router.ip_all([f"address add {address}/32 dev lo" for address in (VIP4, BULK4)])
        self.process = self.launch()
        wait_until(lambda: f"{VIP4}:{VIP_PORT} " in self.bed.router.run("ss", "-Hltn").stdout,
                   what=f"{self.name} listens")

    def launch(self):
        raise NotImplementedError


class HAProxy(Proxy):
    name = "HAProxy"
    missing = None if HAPROXY else "haproxy"

    def launch(self):
        servers = "\n".join(f"  server {name} {address}:{SERVER_PORT}"
                            for name, address in SERVER4.items())
        file = self._directory / "haproxy.cfg"
        file.write_text(f"""
global
  nbthread {os.cpu_count()}
  maxconn 4000
defaults
  mode tcp
  balance roundrobin
  option splice-auto
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen web
  bind {VIP4}:{VIP_PORT}
{servers}
listen bulk
  bind {BULK4}:{BULK_PORT}
  server web1 {SERVER4["web1"]}:{BULK_PORT}
""")
        return self.bed.router.start(HAPROXY, "-q", "-db", "-f", file)


class Nginx(Proxy):
    name = "nginx"
    missing = None if NGINX else "nginx"

    def launch(self):
        servers = " ".join(f"server {address}:{SERVER_PORT};" for address in SERVER4.values())
        return nginx(self.bed.router, f"""
            stream {{
              access_log off;
              upstream web {{ {servers} }}
              server {{ listen {VIP4}:{VIP_PORT} reuseport backlog=4096; proxy_pass web; }}
              server {{ listen {VIP4}:{VIP_PORT} udp reuseport; proxy_pass web;
                        proxy_requests 1; proxy_responses 0; }}
              server {{ listen {BULK4}:{BULK_PORT} reuseport;
                        proxy_pass {SERVER4["web1"]}:{BULK_PORT}; }}
            }}""")
