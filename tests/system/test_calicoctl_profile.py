# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""calicoctl profile: profiles, tags, and rules in both forms. Names of Docker networks need Docker: elsewhere."""

import concurrent.futures
import json

import pytest

from calicoctl import HOST

NAME_TEXT = ("Profile names must be < 40 character long and can only contain numbers, letters,\n"
             "dots, dashes and underscores.\n\n")


def rules(ctl, profile="A"):
    return json.loads(ctl.get(f"/calico/v1/policy/profile/{profile}/rules"))


def shown(ctl, profile="A", direction="Inbound"):
    """Texts of the rules of one direction, and the check that each line is numbered as it must be."""
    inbound, outbound = ctl("profile", profile, "rule", "show").split("Outbound rules:\n")
    assert inbound.startswith("Inbound rules:\n")
    lines = {"Inbound": inbound.splitlines()[1:], "Outbound": outbound.splitlines()}[direction]
    for number, line in enumerate(lines, 1):
        assert line.startswith(f" {number:3} ")
    return [line[5:] for line in lines]


@pytest.fixture
def profile(ctl):
    """calicoctl with a profile A whose inbound rules are empty."""
    ctl("profile", "add", "A")
    ctl("profile", "A", "rule", "remove", "inbound", "--at=1")
    return ctl


def test_add_show_remove(ctl):
    assert ctl("profile", "show") == "+------+\n| Name |\n+------+\n+------+\n"
    assert ctl("profile", "add", "WEB") == "Created profile WEB\n"
    assert json.loads(ctl.get("/calico/v1/policy/profile/WEB/tags")) == ["WEB"]
    assert json.loads(ctl.get("/calico/v1/policy/profile/WEB/labels")) == {}
    assert rules(ctl, "WEB") == {"id": "WEB", "inbound_rules": [{"action": "allow", "src_tag": "WEB"}],
                                 "outbound_rules": [{"action": "allow"}]}
    assert ctl("profile", "add", "APP") == "Created profile APP\n"
    assert ctl.rows("profile", "show") == ["APP", "WEB"]
    ctl("profile", "WEB", "tag", "add", "x")
    assert ctl("profile", "add", "WEB") == "Profile WEB already exists.\n"
    assert json.loads(ctl.get("/calico/v1/policy/profile/WEB/tags")) == ["WEB", "x"]
    assert ctl("profile", "remove", "WEB") == "Deleted profile WEB\n"
    assert ctl("profile", "remove", "WEB") == "Profile WEB not found.\n"
    assert ctl.rows("profile", "show") == ["APP"]
    assert ctl.get("/calico/v1/policy/profile/WEB/rules") is None


def test_detailed(etcd_ctl):
    etcd_ctl("profile", "add", "A")
    etcd_ctl("profile", "add", "B")
    etcd_ctl.put_endpoint("e2", profile_ids=["A"])
    etcd_ctl.put_endpoint("e1", profile_ids=["x", "A"])
    assert etcd_ctl("profile", "show", "--detailed") == """\
+------+--------+-----------------+-------------+-------------+--------+
| Name |  Host  | Orchestrator ID | Workload ID | Endpoint ID | State  |
+------+--------+-----------------+-------------+-------------+--------+
|  A   | host-a |    libnetwork   |  libnetwork |      e1     | active |
|  A   | host-a |    libnetwork   |  libnetwork |      e2     | active |
|  B   |  None  |       None      |     None    |     None    |  None  |
+------+--------+-----------------+-------------+-------------+--------+
"""


def test_remove_in_use(etcd_ctl):
    etcd_ctl("profile", "add", "A")
    etcd_ctl.put_endpoint("e", profile_ids=["A"])
    assert etcd_ctl("profile", "remove", "A") == \
        "Cannot remove profile - profile in use by endpoint(s).\n" \
        "Use the '--no-check' flag to remove the profile anyway.\n"
    assert etcd_ctl.rows("profile", "show") == ["A"]
    assert etcd_ctl("profile", "remove", "A", "--no-check") == "Deleted profile A\n"
    etcd_ctl("profile", "add", "A")
    # The legacy form of the list counts too.
    etcd_ctl.put(f"/calico/v1/host/{HOST}/workload/o/w/endpoint/e2",
                 {"state": "active", "name": "calie2", "mac": "ee:ee:ee:ee:ee:ee", "profile_id": "B"})
    etcd_ctl("profile", "add", "B")
    assert etcd_ctl("profile", "remove", "B").startswith("Cannot remove profile")


@pytest.mark.parametrize("line", [
    "add Tag~1", "remove a/b", "A~ tag show", "A~ tag add x", "A~ rule show", "A~ rule json",
    "A~ rule add inbound allow", "A~ rule remove inbound --at=1", "A~ rule update",
])
def test_bad_names(sqlite_ctl, line):
    assert sqlite_ctl.fails("profile", *line.split()) == NAME_TEXT


@pytest.mark.parametrize("line", [
    "tag show", "tag add x", "tag remove x", "rule show", "rule json", "rule add inbound allow",
    "rule remove inbound --at=1", "rule update",
])
def test_unknown_profile(ctl, line):
    """Docker does not answer here: that is the same as not knowing the name."""
    assert ctl.fails("profile", "A", *line.split()) == "Profile A not found.\n"


def test_tags(ctl):
    ctl("profile", "add", "WEB")
    assert ctl("profile", "WEB", "tag", "add", "APP_7890") == "Tag APP_7890 added to profile WEB\n"
    assert ctl("profile", "WEB", "tag", "add", "APP_7890") == "Tag APP_7890 added to profile WEB\n"
    assert ctl("profile", "WEB", "tag", "show") == "WEB\nAPP_7890\n"
    assert ctl("profile", "WEB", "tag", "remove", "WEB") == "Tag WEB removed from profile WEB\n"
    assert ctl.fails("profile", "WEB", "tag", "remove", "WEB") == "Tag WEB is not on profile WEB\n"
    assert ctl("profile", "WEB", "tag", "show") == "APP_7890\n"
    assert ctl.json("profile", "WEB", "tag", "show") == {"tags": ["APP_7890"]}
    ctl("profile", "WEB", "tag", "remove", "APP_7890")
    assert ctl("profile", "WEB", "tag", "show") == ""
    assert json.loads(ctl.get("/calico/v1/policy/profile/WEB/tags")) == []


def test_tutorial(ctl):
    """Section 4.5: two silent additions and the listing."""
    ctl("profile", "add", "databases")
    assert ctl("profile", "databases", "rule", "add", "inbound", "allow", "tcp", "from", "tag", "applications", "to",
               "ports", "3306") == ""
    assert ctl("profile", "databases", "rule", "show") == """\
Inbound rules:
   1 allow from tag databases
   2 allow tcp from tag applications to ports 3306
Outbound rules:
   1 allow
"""
    assert rules(ctl, "databases")["inbound_rules"][1] == \
        {"action": "allow", "protocol": "tcp", "src_tag": "applications", "dst_ports": [3306]}


def test_no_rules(profile):
    assert profile("profile", "A", "rule", "remove", "outbound", "allow") == ""
    assert profile("profile", "A", "rule", "show") == "Inbound rules:\nOutbound rules:\n"


@pytest.mark.parametrize("text", [
    "allow", "deny", "allow tcp", "deny icmp type 8 code 0 from cidr 10.0.0.0/8",
    "allow udp from ports 53,1000:2000 tag A cidr 10.0.0.0/8 to ports 53 tag B cidr 11.0.0.0/8",
    "allow icmpv6 type 128 to cidr fd80::/64", "allow to tag WEB", "deny from cidr 10.0.0.1/8",
    "allow icmp type 100", "allow tcp from tag Tag-1 to ports 6,9,10", "allow tcp to ports 53:99",
])
def test_rule_added_shown_and_removed(profile, text):
    assert profile("profile", "A", "rule", "add", "inbound", *text.split()) == ""
    assert shown(profile) == [text]
    assert profile("profile", "A", "rule", "add", "inbound", *text.split()) == "Rule already present, skipping.\n"
    assert shown(profile) == [text]
    assert profile("profile", "A", "rule", "remove", "inbound", *text.split()) == ""
    assert shown(profile) == []
    assert profile.fails("profile", "A", "rule", "remove", "inbound", *text.split()) == "Rule not found.\n"


@pytest.mark.parametrize("text, message", [
    ("allow from tag Tag~1", "Tags names can only contain numbers, letters, dots, dashes and underscores.\n\n"),
    ("allow from cidr 10.0.0.0/33", "Invalid CIDR specified.\n"),
    ("allow icmp type 255", "Invalid ICMP type or ICMP code specified.\n"),
    ("allow tcp to ports 6,9,-10", "Invalid SRCPORTS or DSTPORTS specified.\n"),
    ("allow from cidr 10.0.0.0/8 to cidr fd80::/64", "Invalid or unmatching IP versions for SRCCIDR/DSTCIDR.\n"),
    ("--at=first allow", ""),
    ("--at= allow", ""),
])
def test_rule_refused(profile, text, message):
    assert profile.fails("profile", "A", "rule", "add", "inbound", *text.split()) == message
    assert shown(profile) == []


def test_positions(profile):
    def add(position, tag):
        at = [f"--at={position}"] if position is not None else []
        return profile("profile", "A", "rule", "add", "inbound", *at, "allow", "from", "tag", tag)

    assert add(None, "a") == "" and add(2, "b") == "" and add(1, "c") == "" and add(2, "d") == ""
    assert [rule.split()[-1] for rule in shown(profile)] == ["c", "d", "a", "b"]
    assert add(6, "end") == "Position 6 is out-of-range.\n"
    assert add(0, "front") == "Position 0 is out-of-range.\n"
    assert add(-5, "first") == "Position -5 is out-of-range.\n"
    assert [rule.split()[-1] for rule in shown(profile)] == ["first", "front", "c", "d", "a", "b", "end"]

    def remove(position):
        return profile("profile", "A", "rule", "remove", "inbound", "--at", position)

    assert remove(7) == "" and remove(1) == "" and remove(2) == ""
    assert [rule.split()[-1] for rule in shown(profile)] == ["front", "d", "a", "b"]
    for position in (0, 5, -1):
        assert remove(position) == "Rule position out-of-range.\n"
    assert len(shown(profile)) == 4
    assert profile.fails("profile", "A", "rule", "remove", "inbound", "--at=x") == ""


def test_equal_rules_are_compared_by_meaning(profile):
    def change(verb, *words):
        return profile("profile", "A", "rule", verb, "inbound", "allow", *words)

    change("add", "from", "cidr", "10.0.0.1/8")
    assert change("add", "from", "cidr", "10.0.0.0/8") == "Rule already present, skipping.\n"
    change("add", "tcp", "to", "ports", "1,2")
    assert change("add", "tcp", "to", "ports", "2,1") == ""
    assert change("remove", "from", "cidr", "10.9.9.9/8") == ""
    assert shown(profile) == ["allow tcp to ports 1,2", "allow tcp to ports 2,1"]
    # the other direction has rules of its own
    assert profile("profile", "A", "rule", "add", "outbound", "allow", "tcp", "to", "ports", "1,2") == ""
    assert shown(profile, direction="Outbound") == ["allow", "allow tcp to ports 1,2"]


def test_rules_of_other_writers(etcd_ctl):
    """What the command line cannot say is shown, kept when other rules change, and left out where it must be."""
    foreign = [{"action": "next-tier", "src_selector": "role == 'x'"},
               {"action": "deny", "protocol": "udp", "!src_tag": "b", "dst_ports": ["1:5"]}]
    etcd_ctl.put("/calico/v1/policy/profile/A/rules",
                 {"id": "A", "inbound_rules": foreign, "outbound_rules": [], "more": [1]})
    assert shown(etcd_ctl)[0] == "next-tier"
    assert etcd_ctl("profile", "A", "rule", "add", "inbound", "allow") == ""
    stored = rules(etcd_ctl)
    assert stored["inbound_rules"] == [*foreign, {"action": "allow"}]
    assert stored["more"] == [1]


def test_json_is_idempotent(profile):
    for words in ("allow tcp from tag a to ports 80,443,8000:8099", "deny icmp type 8", "allow from cidr 10.0.0.1/8"):
        profile("profile", "A", "rule", "add", "inbound", *words.split())
    text = profile("profile", "A", "rule", "json")
    before = rules(profile)
    assert text.endswith("}\n\n") and not text.endswith("}\n\n\n")
    assert list(json.loads(text)) == ["id", "inbound_rules", "outbound_rules"]
    assert profile("profile", "A", "rule", "update", input=text) == "Successfully updated rules on profile A\n"
    assert rules(profile) == before
    assert profile("profile", "A", "rule", "json") == text


def test_json_form(ctl):
    """Section 4.6, and the tutorial: silent removals, additions, the JSON of the result."""
    ctl("profile", "add", "WEB")
    assert ctl("profile", "WEB", "rule", "remove", "inbound", "--at=1") == ""
    assert ctl("profile", "WEB", "rule", "add", "inbound", "allow", "tcp", "to", "ports", "80,443") == ""
    assert ctl("profile", "WEB", "rule", "json") == """\
{
  "id": "WEB",
  "inbound_rules": [
    {
      "action": "allow",
      "protocol": "tcp",
      "dst_ports": [
        80,
        443
      ]
    }
  ],
  "outbound_rules": [
    {
      "action": "allow"
    }
  ]
}

"""


def update(profile, **changes):
    document = {"id": "A", "inbound_rules": [{"action": "deny"}], "outbound_rules": []} | changes
    return json.dumps({name: value for name, value in document.items() if value is not None})


def test_update(profile):
    document = update(profile, inbound_rules=[{"action": "allow", "dst_ports": [7890], "protocol": "tcp",
                                               "src_tag": "APP_7890", "src_selector": "has(x)"}])
    assert profile("profile", "A", "rule", "update", input=document) == "Successfully updated rules on profile A\n"
    assert rules(profile) == json.loads(document)


@pytest.mark.parametrize("changes", [
    {"id": None}, {"id": 5}, {"inbound_rules": None}, {"outbound_rules": None}, {"inbound_rules": {}},
    {"inbound_rules": [{"action": "maybe"}]}, {"inbound_rules": [{"unknown": 1}]}, {"inbound_rules": ["allow"]},
    {"inbound_rules": [{"dst_ports": [70000], "protocol": "tcp"}]}, {"inbound_rules": [{"src_net": "10.0.0.0/40"}]},
    {"inbound_rules": [{"src_tag": "~"}]}, {"inbound_rules": [{"src_selector": "a =="}]},
])
def test_update_refuses_bad_rules(profile, changes):
    before = rules(profile)
    done = profile.run("profile", "A", "rule", "update", input=update(profile, **changes))
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done
    assert rules(profile) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\0", '{"id": "A"', "x" * 100000, "[" * 100000],
                         ids=["empty", "open", "list", "null", "zero", "unfinished", "long", "deep"])
def test_update_refuses_what_is_no_document(profile, text):
    before = rules(profile)
    done = profile.run("profile", "A", "rule", "update", input=text)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done
    assert rules(profile) == before


def test_update_of_another_profile(profile):
    assert profile.fails("profile", "A", "rule", "update", input=update(profile, id="B")) == \
        "Rules JSON \"id\"=B doesn't match profile name A.\n"


def test_concurrent_changes_are_not_lost(ctl):
    """Of commands that meet, each is either stored or tells that it lost; none undoes another."""
    ctl("profile", "add", "A")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda port: ctl.run("profile", "A", "rule", "add", "inbound", "allow", "tcp", "to",
                                                   "ports", port), range(1, 41)))
    done = [f"allow tcp to ports {port}" for port, command in enumerate(added, 1) if command.returncode == 0]
    assert done and sorted(shown(ctl)[1:]) == sorted(done)
    for command in added:
        if command.returncode:
            assert "Error accessing" in command.stdout
