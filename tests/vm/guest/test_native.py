"""The table in nft's own language, of which kernels without the statement `queue`
take only a part."""

import re

import pytest
from clients import UdpFlows, udp_ask
from lab import PATIENCE, REPOSITORY, VIP4, wait_until
from managed import packets_waiting, paused, start_managed, text_of
from rules import rules

LIST = ("nft", "list", "table", "inet", "nfsteer")
DROP_IN = REPOSITORY / "rules/nfsteer.nft"


def chains(text):
    """The chains of a text or listing by name, each with its lines."""
    found = re.findall(r"^\tchain (\S+) \{\n(.*?)^\t\}", text, re.S | re.M)
    return {name: body.split("\n") for name, body in found}


def listed(namespace):
    return namespace.run(*LIST).stdout


def test_drop_in_loads_and_lists_back(lab):
    """nft lists masks in another notation; no chain and no rule is missing."""
    for _ in range(2):
        lab.router.run("nft", "-f", DROP_IN)
        text, listing = chains(DROP_IN.read_text()), chains(listed(lab.router))
        assert {name: len(lines) for name, lines in listing.items()} == \
            {name: len(lines) for name, lines in text.items()}
        assert listing["steer"][-3:] == text["steer"][-3:]
        assert "queue flags bypass to 0" in listing["steer"][-3]


def test_listing_loads_again(lab):
    """What nft lists of the table is the table."""
    lab.router.run("nft", "-f", DROP_IN)
    listing = listed(lab.router)
    lab.router.run("nft", "delete", "table", "inet", "nfsteer")
    lab.router.nft(listing)
    assert listed(lab.router) == listing


@pytest.mark.parametrize("engine", ["", 'hooks = ["prerouting", "output"]\non_engine_down = "drop"',
                                    "mark_mask = 0x0000ff00"])
def test_what_is_printed_is_what_is_installed(lab, steer, engine):
    running = steer(rules(engine=engine, queues=3))
    installed = chains(listed(lab.router))
    text = text_of(running)
    running.terminate()
    lab.router.run("nft", "delete", "table", "inet", "nfsteer")
    lab.router.nft(text)
    assert chains(listed(lab.router)) == installed


def loaded_modules():
    with open("/proc/modules") as modules:
        return {line.split()[0] for line in modules}


def test_queue_is_the_native_statement(lab, steer):
    steer(rules(queues=2))
    steering = "\n".join(chains(listed(lab.router))["steer"])
    assert steering.count("queue flags bypass to 0-1") == 2, steering
    assert udp_ask(lab.client, VIP4, 80).server == "web1"
    assert "nft_queue" in loaded_modules()
    assert "xt_NFQUEUE" not in loaded_modules()


@pytest.mark.parametrize("manage", ["table", "elements"])
def test_loaded_over_itself_while_packets_wait(lab, steer, manage):
    """The text takes away no base chain: what waits in the queue is not dropped."""
    running = start_managed(lab, steer, manage, queues=1)
    flows = UdpFlows(lab.client, VIP4, 80)
    with paused(running):
        for _ in range(20):
            flows.open()
        wait_until(lambda: packets_waiting(lab.router) == 20)
        lab.router.nft(text_of(running))
        assert packets_waiting(lab.router) == 20
    assert flows.close(limit_s=20 * PATIENCE) == 0
