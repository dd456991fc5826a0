"""The control socket: what it answers, and what cannot disturb it."""

import json
import pathlib
import shutil
import socket

from clients import SteadyFlows, tcp_ask, udp_flows
from lab import VIP4, wait_until
from rules import rules


def connect(engine):
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened.settimeout(20)
    opened.connect(str(engine.socket))
    return opened


def closed_by_engine(connection):
    """Reads to the end of what the engine has to say."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def send_all(connection, data):
    """Sends until done or disconnected."""
    try:
        connection.sendall(data)
    except (ConnectionError, TimeoutError):
        pass


def test_status_has_what_it_promises(lab, steer):
    engine = steer(rules(more="""
        [[policy]]
        name = "api"
        priority = 200
        match = { proto = "tcp", dport = [8080, "9000-9100"], daddr = "10.9.9.0/24" }
        group = "web"
    """))
    udp_flows(lab.client, VIP4, 80, 6)
    status = engine.status()
    assert status["schema"] == 1
    assert status["engine"].keys() >= {"pid", "generation", "uptime_s", "state"}
    assert status["engine"]["state"] == "steering"
    assert [queue["queue"] for queue in status["queues"]] == [0, 1]
    for queue in status["queues"]:
        assert queue.keys() >= {"queue", "received", "accepted", "dropped", "rejected", "passed",
                                "errors", "waiting"}
    (group,) = status["groups"]
    assert group.keys() >= {"name", "algorithm", "requests", "selected", "failed", "servers"}
    assert (group["requests"], group["selected"], group["failed"]) == (6, 6, 0)
    assert [server["name"] for server in group["servers"]] == \
        ["web1", "web2", "web3", "six1", "six2", "six3"]
    for server in group["servers"]:
        assert server.keys() >= {"name", "address", "port", "id", "weight", "state", "selected"}
    (policy,) = status["policies"]
    assert policy == {"name": "api", "priority": 200, "dry_run": False, "packets": 0, "bytes": 0,
                      "last_match": None}
    (table,) = status["tables"]
    (used,) = table.pop("used")
    assert table == {"name": "main", "priority": 0, "routes": 2}
    assert used.keys() == {"prefix", "target", "metric", "weight", "packets", "bytes"}
    assert (used["prefix"], used["target"], used["packets"]) == (f"{VIP4}/32", "web", 6)
    assert status["schedules"] == []
    for cache in (status["cache"], status["route_cache"]):
        assert cache.keys() == {"entries", "hits", "misses", "evictions"}


def test_status_for_people(lab, steer):
    engine = steer(rules())
    tcp_ask(lab.client, VIP4, 80)
    shown = engine.command("status").stdout
    for word in ("web1", "10.2.0.1:8080", "six1", "[2001:db8:2::1]:8080", "round-robin"):
        assert word in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_garbage(lab, steer):
    engine = steer(rules())
    flows = SteadyFlows(lab.client, VIP4, 80, flows_per_s=200)
    for request in (b"\0", b"garbage\0", b"{\0", b"[]\0", b'{"method": 7}\0',
                    b'{"method": "no.Such"}\0', b'{"method": null, "x": {}}\0',
                    b"\xff\xfe" * 1000 + b"\0", b"[" * 100_000 + b"\0"):
        with connect(engine) as connection:
            send_all(connection, request)
            connection.shutdown(socket.SHUT_WR)
            assert closed_by_engine(connection)
        assert engine.command("status", "--json", check=False).returncode == 0, request
    assert flows.stop()[1] == 0


def resident_kb(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def test_request_without_an_end(lab, steer):
    """100 MB: the engine hangs up instead of collecting them."""
    engine = steer(rules())
    flows = SteadyFlows(lab.client, VIP4, 80, flows_per_s=200)
    before_kb = resident_kb(engine.pid)
    with connect(engine) as connection:
        send_all(connection, b"x" * 100_000_000)
        assert closed_by_engine(connection)
    assert resident_kb(engine.pid) - before_kb < 20_000
    assert flows.stop()[1] == 0


def test_half_a_request(lab, steer):
    """Who does not go on is disconnected; others are served meanwhile."""
    engine = steer(rules())
    with connect(engine) as connection:
        connection.sendall(b'{"method": "nfsteer.Sta')
        assert engine.status()["engine"]["state"] == "steering"
        assert closed_by_engine(connection)
    assert tcp_ask(lab.client, VIP4, 80).server == "web1"


def test_many_idle_clients(lab, steer):
    """They cannot lock the operator out for longer than they may be idle."""
    engine = steer(rules())
    idle = [connect(engine) for _ in range(100)]
    try:
        wait_until(lambda: engine.command("status", "--json", check=False).returncode == 0, 20,
                   "status is answered")
        assert tcp_ask(lab.client, VIP4, 80).server == "web1"
    finally:
        for connection in idle:
            connection.close()


def test_answer_that_nobody_takes(lab, steer):
    engine = steer(rules())
    with connect(engine) as connection:
        send_all(connection, b'{"method": "nfsteer.Status", "parameters": {}}\0' * 5000)
        assert engine.status()["engine"]["state"] == "steering"


def test_others_may_look_only(lab, steer):
    engine = steer(rules())
    # Where anybody may run it, wherever this repository lies.
    program = shutil.copy(engine.binary, engine.socket.with_name("nfsteer"))
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program]
    asked = lab.router.run(*nobody, "status", "--json", "--socket", engine.socket)
    assert json.loads(asked.stdout)["schema"] == 1
    for what in ("stats", "cache", "flows"):
        refused = lab.router.run(*nobody, "flush", what, "--socket", engine.socket, check=False)
        assert refused.returncode == 4, (what, refused.stderr)
