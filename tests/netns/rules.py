"""Rules files for the tests."""

# Each with what the addresses of its servers begin with.
VIPS = [("10.9.9.9/32", "10.2."), ("2001:db8:9::9/128", "2001:db8:2:")]

SERVERS = """
  { name = "web1", address = "10.2.0.1", port = 8080 },
  { name = "web2", address = "10.2.0.2", port = 8080 },
  { name = "web3", address = "10.2.0.3", port = 8080 },
  { name = "six1", address = "2001:db8:2::1", port = 8080 },
  { name = "six2", address = "2001:db8:2::2", port = 8080 },
  { name = "six3", address = "2001:db8:2::3", port = 8080 },
"""


def rules(servers=SERVERS, queues=2, engine="", group="", more=""):
    """One group, web, behind the virtual addresses of its servers' families.
    `engine` and `group` are further keys of [engine] and [group.web]; `more`
    comes at the end."""
    routes = [f'{{ prefix = "{prefix}", group = "web" }}' for prefix, own in VIPS if own in servers]
    return f"""
[engine]
queues = {queues}
{engine}

[group.web]
{group}
servers = [{servers}]

[table.main]
routes = [ {", ".join(routes)} ]
{more}
"""
