"""Starting, stopping, being killed, being restarted: what flows notice of it."""

import collections
import os
import re
import signal
import socket
import struct

import pytest
from clients import Connection, SteadyFlows, tcp_ask, udp_ask, udp_flows
from engine import gone
from lab import SERVER4, VIP4, VIP6, wait_until
from rules import SERVERS, rules

NETLINK_NETFILTER = 12


def table_exists(lab):
    return lab.router.run("nft", "list", "table", "inet", "nfsteer", check=False).returncode == 0


def test_killed_engine_loses_no_flow(lab, steer):
    """kill -9 of the engine under 500 new flows a second. Each datagram is sent
    once: what waits in the queue is decided by the next engine."""
    engine = steer(rules())
    flows = SteadyFlows(lab.client, VIP4, 80, flows_per_s=500)
    for _ in range(4):
        answered = flows.answered
        wait_until(lambda: flows.answered > answered + 200)
        engine.kill_engine()
    answered = flows.answered
    wait_until(lambda: flows.answered > answered + 200)
    answers, lost = flows.stop()
    assert lost == 0, f"{lost} of {flows.sent}"
    share = collections.Counter(a.server for a in answers)
    assert min(share.values()) > 0.8 * len(answers) / 3, share
    assert engine.status()["engine"]["starts"] == 5


def test_next_engine_leaves_the_table_as_it_is(lab, steer):
    """A packet that is in a chain while its sets are replaced may find nothing in them.
    What is written anew has other handles."""
    engine = steer(rules())
    listed = lab.router.run("nft", "-a", "list", "table", "inet", "nfsteer").stdout
    for others in ("", "add table inet others"):
        lab.router.nft(others)
        engine.status()  # by then it has seen that this is not about its own
        engine.kill_engine()
        udp_ask(lab.client, VIP4, 80)
        assert lab.router.run("nft", "-a", "list", "table", "inet", "nfsteer").stdout == listed


def test_next_start_replaces_no_set(lab, steer):
    """As above, of another keeper, and of other rules: elements come and go, sets stay."""
    def sets():
        listed = lab.router.run("nft", "-a", "list", "table", "inet", "nfsteer").stdout
        return re.findall(r"^\t(?:set|map) .*", listed, re.MULTILINE)
    engine = steer(rules())
    before = sets()
    assert len(before) == 11 and all("# handle" in line for line in before)
    engine.restart(rules())
    assert sets() == before
    engine.restart(rules(servers="".join(SERVERS.splitlines(True)[:3])))
    assert sets() == before
    listed = lab.router.run("nft", "list", "table", "inet", "nfsteer").stdout
    assert "web2" in listed and "web3" not in listed and "2001:" not in listed
    assert {udp_ask(lab.client, VIP4, 80).server for _ in range(8)} == {"web1", "web2"}
    engine.restart(rules())
    assert sets() == before
    assert {udp_ask(lab.client, VIP6, 80).server for _ in range(9)} == {"web1", "web2", "web3"}


def test_killed_engine_hurts_no_established_flow(lab, steer):
    engine = steer(rules())
    with Connection(lab.client, VIP4, 80) as four, Connection(lab.client, VIP6, 80) as six:
        before = four.ask(), six.ask()
        engine.kill_engine()
        assert (four.ask(), six.ask()) == before
    assert tcp_ask(lab.client, VIP4, 80).server in SERVER4


def test_both_killed(lab, steer):
    """With keeper and engine gone the kernel goes on balancing by itself."""
    engine = steer(rules())
    with Connection(lab.client, VIP4, 80) as connection:
        before = connection.ask()
        engine.kill_both()
        assert connection.ask() == before
    for vip in (VIP4, VIP6):
        answers = udp_flows(lab.client, vip, 80, 300)
        assert len(answers) == 300
        share = collections.Counter(a.server for a in answers)
        assert min(share[server] for server in SERVER4) > 50, share
        assert {a.port for a in answers} == {8080}
        assert tcp_ask(lab.client, vip, 80).server in SERVER4


def test_fallback_keeps_the_weights(lab, steer):
    engine = steer(rules(group='algorithm = "weighted"', servers="""
        { name = "web1", address = "10.2.0.1", port = 8080, weight = 100 },
        { name = "web2", address = "10.2.0.2", port = 8080, weight = 50 },
        { name = "any", address = "10.2.0.3", weight = 50 },
    """))
    engine.kill_both()
    answers = udp_flows(lab.client, VIP4, 5353, 1000)
    share = collections.Counter((a.server, a.port) for a in answers)
    assert len(answers) == 1000
    assert share[("web1", 8080)] == pytest.approx(500, abs=80)
    assert share[("web2", 8080)] == pytest.approx(250, abs=80)
    assert share[("web3", 5353)] == pytest.approx(250, abs=80)


def test_engine_ends_with_its_keeper(lab, steer):
    """No engine without a keeper: it could not be restarted, nor be stopped."""
    engine = steer(rules())
    pid = engine.pid
    os.kill(engine.keeper_pid, signal.SIGKILL)
    wait_until(lambda: gone(pid), what="the engine is gone too")


TRANSFER_BYTES = 20_000_000  # more than the client's receive buffer can hold


def slow_transfer(lab, size=TRANSFER_BYTES, bytes_per_s=10_000_000):
    """A transfer by curl that takes about size / bytes_per_s seconds."""
    return lab.client.start("curl", "-sSf", "--max-time", "30", "--limit-rate", bytes_per_s, "-o",
                            "/dev/null", "-w", "%{size_download}", f"http://{VIP4}/bytes/{size}",
                            stdout=-1, stderr=-1, text=True)


def finish(transfer):
    out, err = transfer.communicate(timeout=30)
    assert (transfer.returncode, out) == (0, str(TRANSFER_BYTES)), err


@pytest.mark.parametrize("end", ["terminate", "kill_both"])
def test_restart_over_what_was_left(lab, steer, end):
    """A second start over the table of the first hurts no established flow."""
    engine = steer(rules())
    transfer = slow_transfer(lab)
    wait_until(lambda: lab.conntrack("-p", "tcp", "-d", VIP4))
    with Connection(lab.client, VIP4, 80) as connection:
        before = connection.ask()
        getattr(engine, end)()
        engine.start()
        assert connection.ask() == before
        assert transfer.poll() is None, "the transfer goes on meanwhile"
        answers = udp_flows(lab.client, VIP4, 80, 30)
        assert collections.Counter(a.server for a in answers) == \
            {"web1": 10, "web2": 10, "web3": 10}
        assert engine.total("accepted") == engine.total("received") == 30
        finish(transfer)
        assert connection.ask() == before


def test_restart_with_other_rules(lab, steer):
    """The new rules hold from then on; nothing of the old ones is left."""
    engine = steer(rules())
    assert tcp_ask(lab.client, VIP4, 80).server in SERVER4
    engine.terminate()
    engine.rules_file.write_text(rules(servers='{ name = "other", address = "10.2.0.2" }'))
    engine.start()
    assert {tcp_ask(lab.client, VIP4, 9000).server for _ in range(3)} == {"web2"}
    with pytest.raises(OSError):
        tcp_ask(lab.client, VIP6, 80)


def test_restart_keeps_the_ids(lab, steer):
    """A server's mark stays its own while flows carry it, wherever it then stands
    in the file, and the mark of one that is gone is not given to another."""
    one, two = ('{ name = "web1", address = "10.2.0.1" },', '{ name = "web2", address = "10.2.0.2" },')
    engine = steer(rules(servers=one))
    with Connection(lab.client, VIP4, 8080) as connection:
        before = connection.ask()
        for servers in (two + one, two):
            engine.terminate()
            engine.rules_file.write_text(rules(servers=servers))
            engine.start()
            for server in engine.group("web")["servers"]:
                assert server["id"] == {"web1": 1, "web2": 2}[server["name"]]
            deleted = engine.command("flush", "flows", "--server", "web/web2").stdout
            assert deleted == "0 flows of web/web2 deleted\n"
            assert connection.ask() == before


def test_ids_after_the_table_was_taken_away(lab, steer):
    """Then nobody knows whose the marks are that flows carry: no server gets one."""
    engine = steer(rules(servers='{ name = "web1", address = "10.2.0.1" },'))
    with Connection(lab.client, VIP4, 8080) as connection:
        connection.ask()
        engine.kill_both()
        lab.router.nft("delete table inet nfsteer")
        engine.start()
        assert [server["id"] for server in engine.group("web")["servers"]] == [2]
    assert tcp_ask(lab.client, VIP4, 8080).server == "web1"


def test_flushed_flow_is_decided_anew_at_once(lab, steer):
    """The engine remembers no server of a flow that was flushed."""
    engine = steer(rules())
    with lab.client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
        flow.settimeout(5)
        seen = []
        for _ in range(6):
            flow.sendto(b"?", (VIP4, 80))
            seen.append(flow.recv(1000).split()[0])
            engine.command("flush", "flows")
    assert seen[0:3] == seen[3:6] and len(set(seen)) == 3, seen


def test_second_engine_with_other_queues(lab, steer):
    """The table is one: nobody takes it from a running engine."""
    first = steer(rules())
    second = steer(rules(engine="", queues='"8-9"'), start=False)
    assert second.launch().wait(timeout=20) == 1
    assert f"another nfsteer (pid {first.keeper_pid})" in second.log, second.log
    removed = lab.router.run(first.binary, "ruleset", "--remove", check=False)
    assert removed.returncode == 1 and str(first.keeper_pid) in removed.stderr
    assert tcp_ask(lab.client, VIP4, 80).server == "web1"
    assert first.total("received") == 1


def test_sigterm_leaves_the_flows(lab, steer):
    engine = steer(rules())
    with Connection(lab.client, VIP4, 80) as connection:
        before = connection.ask()
        assert engine.terminate() == 0
        assert connection.ask() == before
        assert table_exists(lab)
        share = collections.Counter(a.server for a in udp_flows(lab.client, VIP4, 80, 300))
        assert min(share[server] for server in SERVER4) > 50, share

    lab.router.run(engine.binary, "ruleset", "--remove")
    assert not table_exists(lab)
    with pytest.raises(OSError):
        tcp_ask(lab.client, VIP4, 80)
    lab.router.run(engine.binary, "ruleset", "--remove")  # there is none: as good


def test_status_without_an_engine(lab, steer):
    engine = steer(rules())
    engine.terminate()
    asked = engine.command("status", check=False)
    assert asked.returncode == 3
    assert str(engine.socket) in asked.stderr


def test_two_engines_do_not_disturb_each_other(lab, second_lab, steer):
    one = steer(rules())
    two = steer(rules(servers='{ name = "only", address = "10.2.0.2", port = 8080 }'),
                namespace=second_lab.router)
    with (Connection(lab.client, VIP4, 80) as in_one,
          Connection(second_lab.client, VIP4, 80) as in_two):
        before = in_one.ask(), in_two.ask()
        assert before[0].server == "web1" and before[1].server == "web2"
        two.command("flush", "flows")
        assert len(lab.conntrack("-d", VIP4)) == 1
        two.terminate()
        second_lab.router.run(two.binary, "ruleset", "--remove")
        assert in_one.ask() == before[0]
    assert tcp_ask(lab.client, VIP4, 80).server == "web2"
    assert one.total("received") == 2


def test_second_engine_in_one_namespace(lab, steer):
    """It says that the first runs, and leaves it in peace."""
    first = steer(rules())
    second = steer(rules(), start=False)
    process = second.launch()
    assert process.wait(timeout=20) == 1
    assert str(first.keeper_pid) in second.log or str(first.pid) in second.log, second.log
    assert tcp_ask(lab.client, VIP4, 80).server == "web1"
    assert first.total("received") == 1


def bind_queue(number):
    """Binds a queue to a new netlink socket of this process."""
    owner = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    owner.bind((0, 0))
    command = struct.pack("=HHBxH", 8, 1, 1, 0)              # NFQA_CFG_CMD: bind
    header = struct.pack("=BBH", 0, 0, socket.htons(number))  # nfgenmsg
    config, request_ack = 3 << 8 | 2, 5
    owner.send(struct.pack("=IHHII", 28, config, request_ack, 1, 0) + header + command)
    error = struct.unpack_from("=i", owner.recv(200), 16)[0]
    assert error == 0, os.strerror(-error)
    return owner


def test_queue_of_another_process(lab, steer):
    """The message names the process that holds the queue."""
    with lab.router:
        owner = bind_queue(1)
    with owner:
        engine = steer(rules(), start=False)
        process = engine.launch()
        assert process.wait(timeout=20) == 1
        assert "queue 1" in engine.log and str(os.getpid()) in engine.log, engine.log
    assert not table_exists(lab), "nothing was installed"


def test_without_cap_net_admin(lab, steer):
    engine = steer(rules(), start=False,
                   wrapper=["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"])
    process = engine.launch()
    assert process.wait(timeout=20) == 4
    assert "CAP_NET_ADMIN" in engine.log
    assert not table_exists(lab)


def test_wrong_rules(lab, steer):
    engine = steer(rules(more="[tabel.x]"), start=False)
    process = engine.launch()
    assert process.wait(timeout=20) == 5
    assert "rules.toml:" in engine.log and "tabel" in engine.log
    assert not table_exists(lab)


def test_service_manager_is_told(lab, steer, tmp_path):
    """As systemd's Type=notify asks: READY=1, from the main process."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(20)
    manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    manager.bind(str(tmp_path / "notify"))
    with manager:
        engine = steer(rules(), wrapper=["env", f"NOTIFY_SOCKET={tmp_path}/notify"])
        credentials = struct.calcsize("=iII")
        message, ((_, _, sender),), _, _ = manager.recvmsg(4096, socket.CMSG_SPACE(credentials))
    assert b"READY=1" in message.split(b"\n")
    assert struct.unpack("=iII", sender)[0] == engine.keeper_pid


def test_on_engine_down_drop(lab, steer):
    """Who asks for it gets no undecided flow through; what is decided goes on."""
    engine = steer(rules(engine='on_engine_down = "drop"'))
    with Connection(lab.client, VIP4, 80) as connection:
        before = connection.ask()
        engine.kill_both()
        with pytest.raises(TimeoutError):
            udp_ask(lab.client, VIP4, 80, timeout_s=0.2)
        assert connection.ask() == before
        engine.start()
        assert udp_ask(lab.client, VIP4, 80).server in SERVER4
