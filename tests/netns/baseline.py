"""Load balancing by the kernel alone: what nfsteer is compared with."""

from lab import VIP4, VIP6


def jhash_dnat(servers, port):
    """nft text: behind the virtual address of the servers' family, each new flow
    gets a server by the hash of its source."""
    family, vip = ("ip6", VIP6) if ":" in servers[0] else ("ip", VIP4)
    choice = ", ".join(f"{i} : {address} . {port}" for i, address in enumerate(servers))
    return fr"""
        table {family} baseline {{
          chain rewrite {{
            type nat hook prerouting priority dstnat;
            {family} daddr {vip} meta l4proto {{ tcp, udp }} dnat to \
              jhash {family} saddr . th sport mod {len(servers)} map {{ {choice} }}
          }}
        }}"""
