"""A network in a box: a client, a router and three servers, each a network
namespace of its own.

    client ── router ── switch ─┬─ web1
                                ├─ web2
                                └─ web3

The client reaches the virtual addresses VIP4 and VIP6 through the router, where
the engine runs. Nothing here touches the host's own network: isolate() first
moves this process into namespaces of its own, and they end with it.
"""

import ctypes
import itertools
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid

VIP4 = "10.9.9.9"
VIP6 = "2001:db8:9::9"
# More addresses than one, so that the flows of one client spread over queues.
CLIENT4 = [f"10.1.0.{host}" for host in range(1, 33)]
CLIENT6 = [f"2001:db8:1::{host:x}" for host in range(1, 33)]
ROUTER_TO_CLIENT4, ROUTER_TO_SERVERS4 = "10.1.0.254", "10.2.0.254"
ROUTER_TO_CLIENT6, ROUTER_TO_SERVERS6 = "2001:db8:1::fe", "2001:db8:2::fe"
SERVER4 = {"web1": "10.2.0.1", "web2": "10.2.0.2", "web3": "10.2.0.3"}
SERVER6 = {"web1": "2001:db8:2::1", "web2": "2001:db8:2::2", "web3": "2001:db8:2::3"}
SERVER_PORTS = [5353, 8080, 9000, 9050]

# So many times longer than otherwise one waits for what is to come, on a slow machine.
PATIENCE = float(os.environ.get("NFSTEER_PATIENCE", 1))

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


_isolated = False


def isolate():
    """Moves this process into a mount and a network namespace of its own, with
    an empty /run, and lets it open as many sockets as it may. Root only; no
    thread may have been started before."""
    global _isolated
    if _isolated:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _checked(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "nfsteer-lab", "/run"], check=True)
    _isolated = True


def wait_until(condition, limit_s=10.0, what=None):
    """Returns the first true value of condition(); fails after limit_s."""
    limit_s *= PATIENCE
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not so after {limit_s} s: {what or condition.__name__}")
        time.sleep(0.005)


def _end_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Namespace:
    """One network namespace. `with namespace:` makes the sockets opened inside
    the block belong to it; they go on belonging to it afterwards."""

    def __init__(self, name):
        self.name = name
        self._outer = threading.local()
        self.processes = []
        subprocess.run(["ip", "netns", "add", name], check=True)
        # No duplicate address detection: addresses are usable at once.
        self.run("sysctl", "-q", "net.ipv6.conf.all.accept_dad=0",
                 "net.ipv6.conf.default.accept_dad=0")
        self.ip("link set lo up")

    def command(self, *argv):
        return ["ip", "netns", "exec", self.name, *map(str, argv)]

    def run(self, *argv, check=True, **options):
        """Runs a program to its end; returns subprocess.CompletedProcess."""
        options = {"capture_output": True, "text": True, "timeout": 60 * PATIENCE,
                   "stdin": None if "input" in options else subprocess.DEVNULL, **options}
        done = subprocess.run(self.command(*argv), check=False, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: {' '.join(map(str, argv))}: exit "
                                 f"{done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, *argv, **options):
        """Starts a program that close() will end; returns subprocess.Popen."""
        options = {"stdin": subprocess.DEVNULL, "preexec_fn": _end_with_parent, **options}
        process = subprocess.Popen(self.command(*argv), **options)
        self.processes.append(process)
        return process

    def ip(self, command):
        return subprocess.run(["ip", "-n", self.name, *command.split()], check=True,
                              capture_output=True, text=True).stdout

    def ip_all(self, commands):
        """Carries out many commands of ip(8) at once."""
        subprocess.run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(commands),
                       check=True, capture_output=True, text=True)

    def nft(self, text):
        return self.run("nft", "-f", "-", input=text).stdout

    def __enter__(self):
        self._outer.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        inner = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _checked(_libc.setns(inner, _CLONE_NEWNET))
        finally:
            os.close(inner)
        return self

    def __exit__(self, *_):
        _checked(_libc.setns(self._outer.fd, _CLONE_NEWNET))
        os.close(self._outer.fd)

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        # What our processes left behind; the namespace is ours, so are they.
        left = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True)
        for pid in left.stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        subprocess.run(["ip", "netns", "del", self.name], check=True)


class Lab:
    def __init__(self):
        isolate()
        self._prefix = f"nfsteer-{uuid.uuid4().hex[:6]}-"
        self._namespaces = []
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def namespace(self, name):
        """Makes one more namespace, which close() takes away."""
        made = Namespace(self._prefix + name)
        self._namespaces.append(made)
        return made

    def _build(self):
        self.client, self.router, switch = map(self.namespace, ("client", "router", "switch"))
        self._switch = switch
        self.servers = {name: self.namespace(name) for name in SERVER4}

        self._link(self.client, "eth0", self.router, "clients")
        self._link(self.router, "servers", switch, "router")
        # A plain switch: what it forwards is no business of netfilter's there.
        switch.run("sysctl", "-e", "-q", "net.bridge.bridge-nf-call-iptables=0",
                   "net.bridge.bridge-nf-call-ip6tables=0")
        switch.ip("link add bridge0 type bridge")
        switch.ip("link set bridge0 up")
        switch.ip("link set router master bridge0")
        for name, server in self.servers.items():
            self._link(server, "eth0", switch, name)
            switch.ip(f"link set {name} master bridge0")

        self._address(self.client, "eth0", CLIENT4, CLIENT6)
        self._address(self.router, "clients", [ROUTER_TO_CLIENT4], [ROUTER_TO_CLIENT6])
        self._address(self.router, "servers", [ROUTER_TO_SERVERS4], [ROUTER_TO_SERVERS6])
        self._default_route(self.client, ROUTER_TO_CLIENT4, ROUTER_TO_CLIENT6)
        for name, server in self.servers.items():
            self._address(server, "eth0", [SERVER4[name]], [SERVER6[name]])
            self._default_route(server, ROUTER_TO_SERVERS4, ROUTER_TO_SERVERS6)
        self.router.run("sysctl", "-q", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for name, server in self.servers.items():
            self._serve(name, server)

    @staticmethod
    def _link(one, one_name, other, other_name):
        one.ip(f"link add {one_name} type veth peer name {other_name} netns {other.name}")
        one.ip(f"link set {one_name} up")
        other.ip(f"link set {other_name} up")

    @staticmethod
    def _address(namespace, interface, addresses4, addresses6):
        namespace.ip_all([f"address add {address}/24 dev {interface}" for address in addresses4] +
                         [f"address add {address}/64 dev {interface} nodad"
                          for address in addresses6])

    @staticmethod
    def _default_route(namespace, gateway4, gateway6):
        namespace.ip(f"route add default via {gateway4}")
        namespace.ip(f"-6 route add default via {gateway6}")

    @staticmethod
    def _serve(name, server):
        program = pathlib.Path(__file__).with_name("servers.py")
        process = server.start(sys.executable, program, name, *SERVER_PORTS,
                               stdout=subprocess.PIPE, text=True)
        if process.stdout.readline().strip() != "ready":
            raise AssertionError(f"{name} does not serve")

    def delay(self, name, seconds):
        """From now on, what goes to that server arrives so much later."""
        switch = self._switch
        self._link(switch, f"{name}-in", switch, f"{name}-out")
        switch.ip(f"link set {name} nomaster")
        program = pathlib.Path(__file__).with_name("delay.py")
        process = switch.start(sys.executable, program, f"{name}-out", name, seconds,
                               stdout=subprocess.PIPE, text=True)
        if process.stdout.readline().strip() != "ready":
            raise AssertionError(f"{name} is not delayed")
        switch.ip(f"link set {name}-in master bridge0")

    @property
    def router_mac(self):
        """The router's link address, as the client sees it."""
        return json.loads(self.router.ip("-j link show clients"))[0]["address"]

    def conntrack(self, *filters):
        """The router's conntrack entries, one line each."""
        listed = self.router.run("conntrack", "-L", *filters, check=False)
        return listed.stdout.splitlines()

    def capture(self, namespace, interface, file, *filters):
        """Starts tcpdump; returns once it captures. stop_capture() ends it."""
        process = namespace.start("tcpdump", "-i", interface, "-w", file, "-U", "--immediate-mode",
                                  "-Z", "root", *filters, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if line.startswith("tcpdump: listening"):
                return process
        raise AssertionError(f"tcpdump does not start on {interface}")

    @staticmethod
    def stop_capture(process):
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)

    def close(self):
        while self._namespaces:
            self._namespaces.pop().close()


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class PacketCounter:
    """Counts the packets of a namespace that match, where they arrive or at
    another hook. With take=True they go no further."""

    _numbers = itertools.count()

    def __init__(self, namespace, match, take=False, hook="prerouting"):
        self._namespace, self._name = namespace, f"seen{next(self._numbers)}"
        namespace.nft(f"""
            table inet {self._name} {{
              chain see {{
                type filter hook {hook} priority raw - 10;
                {match} counter {"drop" if take else ""}
              }}
            }}""")

    @property
    def packets(self):
        listed = self._namespace.run("nft", "-j", "list", "table", "inet", self._name).stdout
        for item in json.loads(listed)["nftables"]:
            for expression in item.get("rule", {}).get("expr", []):
                if "counter" in expression:
                    return expression["counter"]["packets"]
        raise AssertionError(f"no counter in {listed}")
