"""Servers that fail: what flows tell of them, and what follows."""

import collections
import socket
import threading

import pytest
from clients import Connection, UdpSender, tcp_ask, udp_flows
from lab import SERVER4, VIP4, wait_until
from rules import SERVERS, rules

ALL = {"web1", "web2", "web3"}
FOUR = "".join(line for line in SERVERS.splitlines(True) if "10.2.0" in line)


class Sick:
    """A server that answers nobody, in one way or another, until heal()."""

    def __init__(self, lab, name, verdict, match="meta l4proto { tcp, udp } th dport 8080"):
        self._server = lab.servers[name]
        self._server.nft(f"""
            table inet sick {{
              chain input {{
                type filter hook input priority 0;
                {match} {verdict}
              }}
            }}""")

    def heal(self):
        self._server.nft("delete table inet sick")


REFUSES, IS_SILENT = "reject with tcp reset", "drop"
TCP = "tcp dport 8080"


def try_tcp(lab, timeout_s=0.3):
    """The server that answered, or None."""
    try:
        return tcp_ask(lab.client, VIP4, 80, timeout_s=timeout_s).server
    except OSError:
        return None


def tries(lab, count):
    return collections.Counter(try_tcp(lab) for _ in range(count))


def ejected(engine):
    return {server["name"] for server in engine.group("web")["servers"] if server["ejected"]}


def test_immediate(lab, steer):
    engine = steer(rules(servers=FOUR, group='failover = "immediate"'))
    sick = Sick(lab, "web2", REFUSES, TCP)
    seen = tries(lab, 60)
    assert seen[None] <= 2  # one client learns it, and perhaps one more beside it
    assert ejected(engine) == {"web2"}
    assert seen["web1"] + seen["web3"] >= 58
    sick.heal()
    assert "web/web2 is ejected for 30 s: 1 flow failed [ejected]" in engine.log
    assert engine.status()["failover"]["ejected"] == 1
    assert "web/web2" in engine.command("status").stdout and "ejected" in engine.command(
        "status").stdout


def test_delayed(lab, steer):
    engine = steer(rules(servers=FOUR, group='failover = "delayed"\nfailures = 4'))
    Sick(lab, "web2", REFUSES, TCP)
    seen = tries(lab, 90)
    assert 4 <= seen[None] <= 6
    assert ejected(engine) == {"web2"}
    assert "web/web2 is ejected for 30 s: 4 flows in a row failed" in engine.log


def test_silent(lab, steer):
    """TCP that is not answered within 5 s."""
    engine = steer(rules(servers=FOUR, group='failover = "immediate"'))
    Sick(lab, "web2", IS_SILENT, TCP)
    tries(lab, 6)
    wait_until(lambda: ejected(engine) == {"web2"}, 20)
    assert None not in tries(lab, 30)


def test_reset_at_once(lab, steer):
    """It accepts, and resets without a word."""
    engine = steer(rules(servers='{ name = "web1", address = "10.2.0.1", port = 7000 },'
                                 '{ name = "web2", address = "10.2.0.2", port = 8080 },',
                         group='failover = "immediate"'))
    with lab.servers["web1"], socket.create_server(("10.2.0.1", 7000)) as listener:
        def reset_all():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.close()
        thread = threading.Thread(target=reset_all, daemon=True)
        thread.start()
        assert tries(lab, 4)[None] in (1, 2)
        wait_until(lambda: ejected(engine) == {"web1"}, 30)
        assert None not in tries(lab, 10)
        listener.shutdown(socket.SHUT_RDWR)


def test_none(lab, steer):
    engine = steer(rules(servers=FOUR))
    Sick(lab, "web2", REFUSES, TCP)
    assert tries(lab, 30)[None] == 10
    assert not ejected(engine)


def test_never_too_many_and_never_the_last(lab, steer):
    engine = steer(rules(servers=FOUR, group='failover = "immediate"'))
    for name in SERVER4:
        Sick(lab, name, REFUSES, TCP)
    assert tries(lab, 30)[None] == 30
    assert len(ejected(engine)) == 1
    status = engine.status()["failover"]
    assert status["ejected"] == 1 and status["ejection-limit"] > 1
    assert engine.group("web")["tier"] == 1


def test_udp(lab, steer):
    """Once a server has answered some, silence is a sign, when the entry goes."""
    engine = steer(rules(servers=FOUR, group='failover = "immediate"'))
    lab.router.run("sysctl", "-q", "net.netfilter.nf_conntrack_udp_timeout=1")
    assert len(udp_flows(lab.client, VIP4, 80, 30)) == 30
    Sick(lab, "web2", IS_SILENT, "udp dport 8080")
    udp_flows(lab.client, VIP4, 80, 3, window=3)
    wait_until(lambda: ejected(engine) == {"web2"}, 30)
    assert len(udp_flows(lab.client, VIP4, 80, 30)) == 30


def test_udp_flows_of_a_dead_server_move(lab, steer):
    """A sender that never stops, to a server that is ejected and does not answer."""
    engine = steer(rules(servers=FOUR, group='failover = "immediate"'))
    Sick(lab, "web2", REFUSES, TCP)
    Sick(lab, "web2", IS_SILENT, "udp dport 8080")
    senders = [UdpSender(lab.client, VIP4, 80) for _ in range(3)]
    silent = [sender for sender in senders if not sender.goes_to("web1")
              and not sender.goes_to("web3")]
    assert len(silent) == 1
    tries(lab, 6)
    assert ejected(engine) == {"web2"}
    wait_until(lambda: silent[0].goes_to("web1") or silent[0].goes_to("web3"), 30)
    for sender in senders:
        sender.close()


@pytest.mark.parametrize("on_down", ["keep", "cut"])
def test_connections_of_a_dead_server(lab, steer, on_down):
    engine = steer(rules(servers=FOUR, group=f'failover = "immediate"\non_down = "{on_down}"'))
    connections = [Connection(lab.client, VIP4, 80) for _ in range(3)]
    servers = {connection.ask().server: connection for connection in connections}
    wait_until(lambda: engine.server("web2")["active"] == 1)
    Sick(lab, "web2", REFUSES, "tcp dport 8080 tcp flags syn")
    tries(lab, 6)
    assert ejected(engine) == {"web2"}
    if on_down == "keep":
        assert servers["web2"].ask().server == "web2"
    else:
        wait_until(lambda: engine.server("web2")["active"] == 0, 20)
        assert "the flows of web/web2 were cut: it is down" in engine.log
    for connection in connections:
        connection.close()


def test_backup_and_fallback(lab, steer):
    """Half of the first tier: most flows stay, some go on; the kernel's own choice is the
    same."""
    engine = steer(rules(
        servers='{ name = "web1", address = "10.2.0.1", port = 8080 },'
                '{ name = "web2", address = "10.2.0.2", port = 8080 },'
                '{ name = "web3", address = "10.2.0.3", port = 8080, backup = true },',
        group='failover = "immediate"'))
    Sick(lab, "web2", REFUSES, TCP)
    tries(lab, 4)
    assert ejected(engine) == {"web2"}
    seen = collections.Counter(a.server for a in udp_flows(lab.client, VIP4, 80, 600))
    assert set(seen) == {"web1", "web3"}
    assert seen["web3"] == pytest.approx(180, abs=60)
    wait_until(lambda: engine.status()["engine"]["fallback_updates"] == 1)
    engine.kill_both()
    seen = collections.Counter(a.server for a in udp_flows(lab.client, VIP4, 80, 600))
    assert set(seen) == {"web1", "web3"}
    assert seen["web3"] == pytest.approx(180, abs=60)


def test_explained(lab, steer):
    engine = steer(rules(servers=FOUR, group='failover = "immediate"'))
    Sick(lab, "web2", REFUSES, TCP)
    tries(lab, 6)
    text = engine.command("explain", "tcp", "10.1.0.1:5", f"{VIP4}:80").stdout
    assert "web/web2" in text and "away" in text and "ejected" in text
