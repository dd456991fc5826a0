"""What only the kernel can tell of a flow: its interface, its mark, its user; and
countries, schedules and routes, on real flows."""

import collections
import datetime
import json

import mmdb
import pytest
from clients import tcp_ask, udp_ask, udp_flows
from lab import CLIENT4, CLIENT6, SERVER4, SERVER6, VIP4, VIP6, wait_until
from rules import rules

# web1 unless a policy says otherwise.
GROUPS = """
  { name = "web1", address = "10.2.0.1", port = 8080 },
  { name = "six1", address = "2001:db8:2::1", port = 8080 },
"""
WEB2 = """
[group.two]
servers = [
  { name = "web2", address = "10.2.0.2", port = 8080 },
  { name = "six2", address = "2001:db8:2::2", port = 8080 },
]
"""


def to_web2(match, more=""):
    """A policy `tested` that sends what matches to web2."""
    return WEB2 + f"""
        [[policy]]
        name = "tested"
        match = {match}
        group = "two"
        {more}
    """


def server_of(namespace, address=VIP4, port=80, **options):
    return tcp_ask(namespace, address, port, **options).server


# ---- interfaces ---------------------------------------------------------------

@pytest.mark.parametrize("value, server", [
    ('"clients"', "web2"), ('"cli*"', "web2"), ('["servers", "clients"]', "web2"),
    ('"servers"', "web1"), ('"!clients"', "web1"), ('"!servers"', "web2"), ('"*"', "web2"),
])
def test_input_interface(lab, steer, value, server):
    steer(rules(servers=GROUPS, more=to_web2(f"{{ iif = {value} }}")))
    assert server_of(lab.client) == server
    assert server_of(lab.client, VIP6) == server


def test_interface_made_and_renamed_later(lab, steer):
    steer(rules(servers=GROUPS, more=to_web2('{ iif = "uplink*" }')))
    assert server_of(lab.client) == "web1"
    lab.router.ip("link set clients down")
    lab.router.ip("link set clients name uplink0")
    lab.router.ip("link set uplink0 up")
    lab.router.ip("address replace 2001:db8:1::fe/64 dev uplink0 nodad")
    wait_until(lambda: server_of(lab.client) == "web2", what="the new name is known")


def test_output_interface(lab, steer):
    """Flows of this machine have an output interface, and no other."""
    lab.router.ip(f"route add {VIP4} via {SERVER4['web1']}")
    engine = 'hooks = ["prerouting", "output"]'
    steer(rules(servers=GROUPS, engine=engine, more=to_web2('{ oif = "servers" }')))
    assert server_of(lab.router) == "web2"
    assert server_of(lab.client) == "web1"


# ---- marks --------------------------------------------------------------------

@pytest.mark.parametrize("value, server", [
    ('"0x10/0xff"', "web2"), ("0x310", "web2"), ("16", "web1"), ('"!0x10/0xff"', "web1"),
    ('["0x1/0xf", "0x300/0xf00"]', "web2"),
])
def test_mark(lab, steer, value, server):
    """Another program's mark, under our own bits."""
    lab.router.nft("""
        table inet other {
          chain foreign { type filter hook prerouting priority raw; meta mark set 0x310; }
        }""")
    steer(rules(servers=GROUPS, more=to_web2(f"{{ mark = {value} }}")))
    assert server_of(lab.client) == server
    assert udp_ask(lab.client, VIP6, 80).server == server


# ---- users --------------------------------------------------------------------

def server_of_user(lab, uid, gid):
    """The server that a process of this user and group on the router gets."""
    asked = lab.router.run("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups",
                           "curl", "-gsS", "--max-time", "10", f"http://{VIP4}/")
    return asked.stdout.split()[0]


@pytest.mark.parametrize("match, expected", [
    # of user and group 0, 12345 and 0, 0 and 23456, nobody and 65534
    ("{ uid = 12345 }", "1211"),
    ('{ uid = "root" }', "2121"),
    ('{ uid = ["12000-12999", "nobody"] }', "1212"),
    ('{ gid = 23456 }', "1121"),
    ('{ uid = "!root" }', "1212"),
    ('{ uid = 0, gid = 0 }', "2111"),
])
def test_users(lab, steer, match, expected):
    lab.router.ip(f"route add {VIP4} via {SERVER4['web1']}")
    steer(rules(servers=GROUPS, engine='hooks = ["prerouting", "output"]', more=to_web2(match)))
    seen = [server_of_user(lab, uid, gid)
            for uid, gid in ((0, 0), (12345, 0), (0, 23456), (65534, 65534))]
    assert "".join(server.removeprefix("web") for server in seen) == expected
    # Flows that are forwarded have no user, whatever is asked.
    assert server_of(lab.client) == "web1"


# ---- countries ----------------------------------------------------------------

@pytest.mark.parametrize("value, expected", [
    # of 10.1.0.1 (DE), 10.1.0.17 (CH), 2001:db8:1::1 (FR) and 10.1.0.32 (none)
    ('"DE"', "2111"), ('"EU"', "2121"), ('"!EU"', "1212"), ('["CH", "FR"]', "1221"),
    ('"dach"', "2211"), ('"--"', "1112"), ('["dach", "!CH"]', "2111"), ('"US"', "1111"),
])
def test_country(lab, steer, tmp_path, value, expected):
    database = mmdb.write(tmp_path / "lab.mmdb", {
        "10.1.0.0/28": "DE", "10.1.0.16/28": "CH", "2001:db8:1::/64": "FR", "192.0.2.0/24": "US"})
    geoip = f'[geoip]\ncountry = "{database}"\ngroups = {{ dach = ["DE", "AT", "CH"] }}\n'
    steer(rules(servers=GROUPS, more=geoip + to_web2(f"{{ scountry = {value} }}")))
    seen = [server_of(lab.client, VIP4, source=CLIENT4[0]),
            server_of(lab.client, VIP4, source=CLIENT4[16]),
            server_of(lab.client, VIP6, source=CLIENT6[0]),
            server_of(lab.client, VIP4, source=CLIENT4[31])]
    assert "".join(server.removeprefix("web") for server in seen) == expected


# ---- schedules ----------------------------------------------------------------

SCHEDULE = """
[schedule.office]
timezone = "Europe/Zurich"
windows = [{ days = "mon-fri", from = "09:00", to = "17:00" }]
except = [2026-11-26]
"""


class FakeClock:
    """The clock that an engine started with `wrapper` reads: it stands still until
    it is set, as if somebody set the machine's."""

    library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

    def __init__(self, directory):
        self._file = directory / "now"
        self.wrapper = ["env", f"LD_PRELOAD={self.library}", "FAKETIME_NO_CACHE=1", "TZ=UTC",
                        f"FAKETIME_TIMESTAMP_FILE={self._file}", "DONT_FAKE_MONOTONIC=1"]

    def set(self, utc):
        new = self._file.with_suffix(".new")
        new.write_text(utc)
        new.rename(self._file)


def test_schedule(lab, steer, tmp_path):
    """A clock that is set takes effect within a second, forward and back."""
    clock = FakeClock(tmp_path)
    clock.set("2026-11-27 07:59:00")  # a Friday, 08:59 in Zurich
    engine = steer(rules(servers=GROUPS, more=SCHEDULE + to_web2('{ schedule = "office" }')),
                   wrapper=clock.wrapper)
    for now, server, next_change in [
        ("2026-11-27 07:59:59", "web1", "2026-11-27T08:00:00Z"),
        ("2026-11-27 08:00:00", "web2", "2026-11-27T16:00:00Z"),
        ("2026-11-27 15:59:59", "web2", "2026-11-27T16:00:00Z"),
        ("2026-11-27 16:00:00", "web1", "2026-11-30T08:00:00Z"),
        ("2026-11-27 10:00:00", "web2", "2026-11-27T16:00:00Z"),  # back
        ("2026-11-26 10:00:00", "web1", "2026-11-27T08:00:00Z"),  # excepted
    ]:
        clock.set(now)

        def told():
            schedule, = engine.status()["schedules"]
            return (schedule["active"], schedule["next_change"]) == (server == "web2", next_change)
        wait_until(told, what=f"the schedule at {now}")
        assert server_of(lab.client) == server, now
        assert server_of(lab.client, VIP6) == server, now


# ---- routes -------------------------------------------------------------------

ONLY_SIX = """
[group.six]
servers = [{ name = "six3", address = "2001:db8:2::3", port = 8080 }]
[group.four]
servers = [{ name = "web3", address = "10.2.0.3", port = 8080 }]
"""


def test_no_server_of_the_family_falls_through(lab, steer):
    """From a policy's group to its next policy, then from table to table."""
    engine = steer(rules(servers=GROUPS, more=ONLY_SIX + """
        [[policy]]
        name = "first"
        priority = 2
        match = { dport = 80 }
        group = "six"
        [[policy]]
        name = "second"
        priority = 1
        match = { dport = [80, 81] }
        table = "hidden"
        [table.hidden]
        priority = -5
        default_group = "four"
        routes = [{ prefix = "10.9.8.0/24", group = "four" }]
    """))
    assert server_of(lab.client, VIP6) == "web3"      # the first
    assert server_of(lab.client, VIP4) == "web3"      # the second, by its table's default
    assert server_of(lab.client, VIP6, 81) == "web1"  # neither: the tables
    assert [engine.policy(name)["packets"] for name in ("first", "second")] == [1, 1]
    assert engine.group("six")["failed"] == 1


def test_route_actions(lab, steer):
    engine = steer(rules(servers=GROUPS, more="""
        [table.before]
        priority = 10
        routes = [
          { prefix = "10.9.9.9", action = "accept" },
          { prefix = "10.9.9.8", action = "drop" },
          { prefix = "10.9.9.7", action = "reject" },
        ]"""))
    lab.router.ip(f"route add {VIP4} via {SERVER4['web3']}")
    lab.servers["web3"].ip(f"address add {VIP4}/32 dev lo")
    assert tcp_ask(lab.client, VIP4, 9000).port == 9000  # not rewritten
    with pytest.raises(ConnectionRefusedError):
        tcp_ask(lab.client, "10.9.9.7", 80)
    with pytest.raises(TimeoutError):
        udp_ask(lab.client, "10.9.9.8", 80, timeout_s=0.2)
    used = {route["prefix"]: (route["target"], route["packets"])
            for table in engine.status()["tables"] for route in table["used"]}
    assert used == {"10.9.9.9/32": ("accept", 1), "10.9.9.8/32": ("drop", 1),
                    "10.9.9.7/32": ("reject", 1)}


def test_equal_routes_share_by_weight(lab, steer):
    engine = steer(WEB2 + ONLY_SIX + """
        [table.main]
        routes = [
          { prefix = "10.9.9.9", group = "two", metric = 5, weight = 3 },
          { prefix = "10.9.9.9", group = "four", metric = 5 },
          { prefix = "10.9.9.9", group = "two", metric = 6 },
        ]""")
    answers = collections.Counter(a.server for a in udp_flows(lab.client, VIP4, 80, 2000))
    assert 0.70 < answers["web2"] / 2000 < 0.80
    assert answers["web2"] + answers["web3"] == 2000
    used = {route["target"]: route["packets"] for route in engine.status()["tables"][0]["used"]}
    assert used == {"two": answers["web2"], "four": answers["web3"]}


@pytest.mark.parametrize("value, error", [
    ("drop", TimeoutError), ("reject", ConnectionRefusedError), ("two", None)])
def test_nothing_fits(lab, steer, value, error):
    """`on_no_route` is for every flow that nothing else takes."""
    steer(rules(servers=GROUPS, engine=f'on_no_route = "{value}"', more=WEB2))
    assert server_of(lab.client) == "web1"
    if error is None:
        assert server_of(lab.client, "10.77.0.1") == "web2"
    else:
        with pytest.raises(error):
            tcp_ask(lab.client, "10.77.0.1", 80, timeout_s=0.3)


def test_routes_of_a_file(lab, steer, tmp_path):
    (tmp_path / "routes.txt").write_text("# of a program\n10.9.9.9/32 two 5\n::/0 two\n")
    steer(f"""{WEB2}
        [table.main]
        files = ["{tmp_path}/routes.txt"]
    """)
    assert server_of(lab.client, VIP4) == server_of(lab.client, VIP6) == "web2"


# ---- policies -----------------------------------------------------------------

def test_dry_run_and_disabled(lab, steer):
    engine = steer(rules(servers=GROUPS, more=to_web2("{ dport = 80 }", "dry_run = true") + """
        [[policy]]
        name = "off"
        enabled = false
        match = [{ dport = 80 }, { dport = 81 }]
        action = "drop"
    """))
    assert server_of(lab.client) == "web1"
    assert engine.policy("tested")["packets"] == 1
    assert engine.policy("tested")["dry_run"] is True
    last = datetime.datetime.fromisoformat(engine.policy("tested")["last_match"])
    assert abs(datetime.datetime.now(datetime.timezone.utc) - last) < datetime.timedelta(minutes=1)
    assert [policy["name"] for policy in engine.status()["policies"]] == ["tested"]


def test_alternatives_and_sets(lab, steer):
    steer(rules(servers=GROUPS, more=to_web2(
        '[{ saddr = "@office", dport = 80 }, { daddr = "10.9.9.0/24", dport = 81 }]') + """
        [set.office]
        prefixes = ["10.1.0.16/28", "2001:db8:1::10/124"]
    """))
    for address, port, source, server in [
        (VIP4, 80, CLIENT4[16], "web2"), (VIP4, 80, CLIENT4[0], "web1"),
        (VIP4, 81, CLIENT4[0], "web2"), (VIP6, 81, CLIENT6[0], "web1"),
        (VIP6, 80, CLIENT6[16], "web2"),
    ]:
        assert server_of(lab.client, address, port, source=source) == server, (address, port)


def test_echo_requests(lab, steer):
    """The type of ICMP, in both families."""
    engine = steer(rules(servers=GROUPS.replace(", port = 8080", ""), more=f"""
        [[policy]]
        name = "pings"
        match = {{ icmp_type = "echo-request" }}
        action = "drop"
    """))
    for vip in (VIP4, VIP6):
        lab.client.run("ping", "-c", "1", "-W", "0.2", vip, check=False)
    assert engine.policy("pings")["packets"] == 2
    assert server_of(lab.client, VIP4, 8080) == "web1"


# ---- explain ------------------------------------------------------------------

def counters(engine):
    """All that an explanation must not move."""
    status = engine.status()
    for policy in status["policies"]:
        del policy["last_match"]
    return json.dumps([status[part] for part in ("groups", "policies", "tables", "cache",
                                                 "route_cache")] +
                      [{k: v for k, v in queue.items() if k != "waiting"}
                       for queue in status["queues"]])


def explain(engine, *words):
    return json.loads(engine.command("explain", *words, "--json").stdout)


def test_explain_the_running_engine(lab, steer):
    """By policy, by one of equal routes, and rejected: as explained, so decided."""
    engine = steer(rules(servers=GROUPS, more=ONLY_SIX + SCHEDULE.replace(
        'windows = [{ days = "mon-fri", from = "09:00", to = "17:00" }]', "windows = [{}]")
        .replace("except = [2026-11-26]", "") + to_web2('{ dport = 81, schedule = "office" }') + """
        [table.shared]
        priority = 9
        routes = [
          { prefix = "10.9.9.8", group = "two", metric = 5 },
          { prefix = "10.9.9.8", group = "four", metric = 5 },
        ]
        [[policy]]
        name = "no-telnet"
        match = { dport = 23 }
        action = "reject"
    """))
    server_of(lab.client)
    before = counters(engine)

    by_policy = explain(engine, "tcp", f"{CLIENT4[0]}:40000", f"{VIP4}:81")
    assert by_policy["action"] == "steer"
    assert (by_policy["policy"], by_policy["server"]) == ("tested", "two/web2")
    assert (by_policy["address"], by_policy["port"]) == (SERVER4["web2"], 8080)

    by_route = explain(engine, "udp", f"{CLIENT4[0]}:40000", "10.9.9.8:80")
    assert by_route["policy"] is None
    assert (by_route["table"], by_route["route"]["prefix"]) == ("shared", "10.9.9.8/32")

    rejected = explain(engine, "tcp", f"[{CLIENT6[0]}]:40000", f"[{VIP6}]:23", "--iif", "clients")
    assert (rejected["action"], rejected["policy"]) == ("reject", "no-telnet")
    assert rejected["server"] is None
    assert counters(engine) == before

    assert server_of(lab.client, VIP4, 81) == "web2"
    answer = udp_ask(lab.client, "10.9.9.8", 80, source=(CLIENT4[0], 40000))
    assert by_route["server"].endswith(answer.server)
    with pytest.raises(ConnectionRefusedError):
        tcp_ask(lab.client, VIP6, 23)
    # Of servers that take turns it names the one whose turn it is.
    assert explain(engine, "tcp", f"{CLIENT4[0]}:1", f"{VIP4}:80")["server"] == "web/web1"
