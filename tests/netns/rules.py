"""Rules files for the tests."""

SERVERS = """
  { name = "web1", address = "10.2.0.1", port = 8080 },
  { name = "web2", address = "10.2.0.2", port = 8080 },
  { name = "web3", address = "10.2.0.3", port = 8080 },
  { name = "six1", address = "2001:db8:2::1", port = 8080 },
  { name = "six2", address = "2001:db8:2::2", port = 8080 },
  { name = "six3", address = "2001:db8:2::3", port = 8080 },
"""


def rules(servers=SERVERS, engine="", group="", more=""):
    """One group, web, behind both virtual addresses. `engine` and `group` are
    further keys of [engine] and [group.web]; `more` comes at the end."""
    return f"""
[engine]
queues = 2
{engine}

[group.web]
{group}
servers = [{servers}]

[table.main]
routes = [
  {{ prefix = "10.9.9.9/32", group = "web" }},
  {{ prefix = "2001:db8:9::9/128", group = "web" }},
]
{more}
"""
