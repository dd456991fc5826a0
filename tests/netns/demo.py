"""The show of `./run demo`: real clients and servers around a real engine, in
namespaces that are gone afterwards. Ends with 0 only if all of it held."""

import collections
import pathlib
import signal
import sys
import tempfile

from clients import SteadyFlows, curl, tcp_ask, udp_ask, udp_flows
from engine import Engine
from lab import REPOSITORY, VIP4, VIP6, Lab, isolate, wait_until

TRANSFER_BYTES, TRANSFER_BYTES_PER_S = 6_000_000, 2_000_000


def title(text):
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}{text}{plain}", flush=True)


def must(held, what):
    if not held:
        raise AssertionError(what)


def show_curl(lab):
    for url in (f"http://{VIP4}/", f"http://[{VIP6}]/"):
        title(f"$ curl {url}        (eight times)")
        servers = [curl(lab.client, url).split()[0] for _ in range(8)]
        print("  answered by", " ".join(servers))
        must(collections.Counter(servers) == {"web1": 4, "web2": 2, "web3": 2}, "the weights 2:1:1")


def show_udp(lab):
    for vip in (VIP4, VIP6):
        title(f"400 UDP flows to {vip} port 80")
        share = collections.Counter(a.server for a in udp_flows(lab.client, vip, 80, 400))
        for server in sorted(share):
            print(f"  {server} {share[server]:4}  {'#' * (share[server] // 5)}")
        must(share == {"web1": 200, "web2": 100, "web3": 100}, "the weights 2:1:1, exactly")


def show_policies(lab):
    title("Policies: UDP port 5353 goes to web2 and keeps its port, telnet is refused")
    answer = udp_ask(lab.client, VIP4, 5353)
    print(f"  5353: answered by {answer.server}, port {answer.port}")
    must((answer.server, answer.port) == ("web2", 5353), "the policy dns")
    try:
        tcp_ask(lab.client, VIP4, 23)
    except ConnectionRefusedError:
        print("  23: connection refused")
    else:
        raise AssertionError("telnet is not refused")


def start_transfer(lab):
    return lab.client.start("curl", "-sSf", "--limit-rate", TRANSFER_BYTES_PER_S, "-o", "/dev/null",
                            "-w", "%{size_download}", f"http://{VIP4}/bytes/{TRANSFER_BYTES}",
                            stdout=-1, text=True)


def show_kill(lab, engine):
    title("kill -9 of the engine: under 500 new flows a second, and during a transfer")
    transfer, flows = start_transfer(lab), SteadyFlows(lab.client, VIP4, 80, flows_per_s=500)
    wait_until(lambda: flows.answered > 300)
    before = engine.pid
    engine.kill_engine()
    print(f"  engine {before} is dead, engine {engine.pid} goes on")
    answered = flows.answered
    wait_until(lambda: flows.answered > answered + 300)
    answers, lost = flows.stop()
    print(f"  new flows: {len(answers)} answered, {lost} lost")
    received = transfer.communicate(timeout=30)[0]
    print(f"  transfer: {received} of {TRANSFER_BYTES} bytes arrived")
    must(lost == 0, "no new flow is lost")
    must(received == str(TRANSFER_BYTES), "the transfer goes on")


def show_fallback(lab, engine):
    title("kill -9 of everything: the kernel goes on with what it was given")
    engine.kill_both()
    share = collections.Counter(a.server for a in udp_flows(lab.client, VIP4, 80, 400))
    print("  400 new flows:", ", ".join(f"{server} {share[server]}" for server in sorted(share)))
    must(sum(share.values()) == 400 and len(share) == 3, "all are answered, by all servers")


def show(lab, engine):
    show_curl(lab)
    show_udp(lab)
    show_policies(lab)
    title("$ nfsteer status")
    print(engine.command("status").stdout, end="")
    show_kill(lab, engine)
    show_fallback(lab, engine)


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    isolate()
    rules = (REPOSITORY / "rules/demo.toml").read_text()
    with tempfile.TemporaryDirectory(prefix="nfsteer-demo-") as directory:
        print("client -- router (nfsteer) -- web1, web2, web3: namespaces of this demo alone")
        lab = Lab()
        try:
            engine = Engine(lab.router, pathlib.Path(directory), rules).start()
            show(lab, engine)
            engine.close()
        finally:
            lab.close()
    title("All of it held. The namespaces are gone.")


if __name__ == "__main__":
    main()
