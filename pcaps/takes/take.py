"""What a capture is: a function that makes real programs talk, and how tcpdump listens to them."""

import dataclasses
import typing

from lab import SERVER4, SERVER6, VIP4, VIP6, wait_until

LAB_ONLY = "((ip and net 10.0.0.0/8) or net 2001:db8::/32)"
NO_NEIGHBOURS = f"{LAB_ONLY} and not (icmp6 and ip6[40] >= 133)"

TAKES = {}


@dataclasses.dataclass(frozen=True)
class Take:
    act: typing.Callable
    packets_min: int                    # it is complete when it has so many
    at: tuple = ("client", "eth0")      # the namespace, and its interface
    listener: tuple = ()                # more options of tcpdump
    filters: str = NO_NEIGHBOURS
    prepare: typing.Callable = None     # is done before it begins
    balanced: bool = False              # by the source, over port 8080 of all; or all to web1
    dumpcap: bool = False               # not tcpdump but dumpcap, which writes pcapng


def take(packets_min, **how):
    """Makes a function that is given the lab a capture of its name."""
    def register(act):
        TAKES[act.__name__.replace("_", "-")] = Take(act, packets_min, **how)
        return act
    return register


def web1_dnat():
    """nft text: what goes to the virtual addresses goes to web1, its port is kept."""
    return "".join(f"""
        table {family} baseline {{
          chain rewrite {{
            type nat hook prerouting priority dstnat;
            {family} daddr {vip} dnat to {server}
          }}
        }}""" for family, vip, server in (("ip", VIP4, SERVER4["web1"]),
                                          ("ip6", VIP6, SERVER6["web1"])))


def serve(lab, port, *command, of="web1", **options):
    """Starts a server program and waits until it has its port."""
    server = lab.servers[of]
    process = server.start(*command, **options)
    wait_until(lambda: server.run("ss", "-HlntuS", f"sport = :{port}").stdout,
               what=f"{command[0]} serves port {port}")
    return process
