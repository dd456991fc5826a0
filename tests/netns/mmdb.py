"""Writes small country databases in MaxMind's format.

https://maxmind.github.io/MaxMind-DB/ (version 2.0): a binary tree over the bits of
IPv6 addresses, IPv4 under ::/96, with records of 28 bits; then the data.
"""

import ipaddress
import struct

_METADATA = b"\xab\xcd\xefMaxMind.com"
_U16, _U32, _U64 = 5, 6, 9  # kinds of integers, which come as (kind, number)


def _sized(kind, size):
    """The control bytes of a value; kinds above 7 are written in a second byte."""
    assert size < 29
    return bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])


def _encode(value):
    if isinstance(value, bool):
        return _sized(14, int(value))
    if isinstance(value, str):
        return _sized(2, len(value.encode())) + value.encode()
    if isinstance(value, tuple):
        kind, number = value
        packed = struct.pack(">Q", number).lstrip(b"\0")
        return _sized(kind, len(packed)) + packed
    if isinstance(value, list):
        return _sized(11, len(value)) + b"".join(map(_encode, value))
    return _sized(7, len(value)) + b"".join(
        _encode(key) + _encode(each) for key, each in value.items())


def _bits(prefix):
    network = ipaddress.ip_network(prefix)
    if network.version == 4:
        return f"{int(network.network_address):0128b}"[:96 + network.prefixlen]
    return f"{int(network.network_address):0128b}"[:network.prefixlen]


def write(file, countries):
    """`countries`: by prefix, the code; disjoint prefixes."""
    data, places = b"", {}
    for code in sorted(set(countries.values())):
        places[code] = len(data)
        data += _encode({"country": {"iso_code": code}})

    nodes = [[None, None]]  # each side: None, the number of a node, or a code
    for prefix, code in countries.items():
        node, bits = 0, _bits(prefix)
        for bit in bits[:-1]:
            if nodes[node][int(bit)] is None:
                nodes.append([None, None])
                nodes[node][int(bit)] = len(nodes) - 1
            node = nodes[node][int(bit)]
        nodes[node][int(bits[-1])] = code

    def record(side):
        if side is None:
            return len(nodes)
        return len(nodes) + 16 + places[side] if isinstance(side, str) else side

    tree = b""
    for node in nodes:
        left, right = map(record, node)
        tree += struct.pack(">I", left)[1:]
        tree += bytes([(left >> 24) << 4 | right >> 24]) + struct.pack(">I", right)[1:]
    metadata = _encode({
        "binary_format_major_version": (_U16, 2), "binary_format_minor_version": (_U16, 0),
        "build_epoch": (_U64, 1), "database_type": "Lab-Country", "description": {"en": "lab"},
        "ip_version": (_U16, 6), "languages": ["en"], "node_count": (_U32, len(nodes)),
        "record_size": (_U16, 28)})
    file.write_bytes(tree + bytes(16) + data + _METADATA + metadata)
    return file
