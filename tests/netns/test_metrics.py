"""GET /metrics, as Prometheus and as others ask for it."""

import socket

import pytest
from clients import curl, udp_flows
from lab import VIP4, wait_until
from prometheus_client.parser import text_string_to_metric_families
from rules import rules

LISTEN = '[metrics]\nlisten = "127.0.0.1:9477"\n'


def scrape(lab, address="127.0.0.1:9477", *options):
    return curl(lab.router, f"http://{address}/metrics", *options)


def test_scraped(lab, steer):
    steer(rules(more=LISTEN))
    udp_flows(lab.client, VIP4, 80, 30)
    families = {family.name: family for family in text_string_to_metric_families(scrape(lab))}
    selected = {sample.labels["server"]: sample.value
                for sample in families["nfsteer_server_selected"].samples}
    assert [selected[server] for server in ("web1", "web2", "web3")] == [10, 10, 10]
    accepted = [sample.value for sample in families["nfsteer_packets"].samples
                if sample.labels["outcome"] == "accepted"]
    assert sum(accepted) == 30
    assert all(family.documentation and family.type != "unknown" for family in families.values())


@pytest.mark.parametrize("options, path, status", [
    ((), "/metrics", "200"), (("-I",), "/metrics", "200"), ((), "/", "404"),
    (("-X", "POST", "-d", "x"), "/metrics", "405"), (("-H", "X: " + "y" * 9000), "/metrics", "000"),
])
def test_statuses(lab, steer, options, path, status):
    steer(rules(more=LISTEN))
    done = lab.router.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *options,
                          f"http://127.0.0.1:9477{path}", check=False)
    assert done.stdout == status


def test_those_who_say_nothing_keep_nobody_out_for_long(lab, steer):
    engine = steer(rules(more=LISTEN))
    with lab.router:
        silent = [socket.create_connection(("127.0.0.1", 9477)) for _ in range(40)]
    for each in silent[:8]:
        each.sendall(b"GET /met")
    wait_until(lambda: "nfsteer_info" in (lab.router.run(
        "curl", "-s", "http://127.0.0.1:9477/metrics", check=False).stdout), 30)
    assert len(udp_flows(lab.client, VIP4, 80, 30)) == 30
    assert engine.status()["engine"]["starts"] == 1
    for each in silent:
        each.close()


def test_reload_moves_it(lab, steer):
    engine = steer(rules(more=LISTEN))
    scrape(lab)
    engine.rules_file.write_text(rules(more='[metrics]\nlisten = "[::1]:9478"\n'))
    assert "~ metrics.listen 127.0.0.1:9477 -> [::1]:9478" in engine.command("reload").stdout
    assert "nfsteer_configuration_generation 2" in scrape(lab, "[::1]:9478")
    assert lab.router.run("curl", "-s", "http://127.0.0.1:9477/metrics", check=False).returncode


def test_an_address_that_is_taken_is_said(lab, steer):
    with lab.router, socket.create_server(("127.0.0.1", 9477)):
        engine = steer(rules(more=LISTEN))
    assert "no metrics: 127.0.0.1:9477: Address already in use" in engine.log
    assert len(udp_flows(lab.client, VIP4, 80, 30)) == 30
