# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Profiles of Docker networks: ids in the datastore, names on the screen. With a real engine; any driver will do."""

import json

import pytest

PROFILES = "/calico/v1/policy/profile"


@pytest.fixture
def networks(network):
    """A machine with Docker on etcd, two networks with profiles, and a profile under a name of its own."""
    with network.etcd() as etcd, network.machine("host-a", etcd=etcd) as machine:
        machine.start_docker()
        ids = {name: machine.docker("network", "create", name) for name in ("databases", "applications")}
        for name in (*ids.values(), "own"):
            machine.calicoctl("profile", "add", name)
        yield machine, ids


def stored(machine, profile, part):
    return json.loads(machine.etcd.get(f"{PROFILES}/{profile}/{part}"))


def fails(machine, *arguments, **options):
    done = machine.calicoctl(*arguments, check=False, **options)
    assert done.returncode == 1, done.stdout
    return done.stdout


def test_tutorial(networks):
    machine, ids = networks
    databases, applications = ids["databases"], ids["applications"]
    machine.calicoctl("profile", "databases", "rule", "add", "inbound", "allow", "tcp", "from", "tag", "applications",
                      "to", "ports", "3306")
    assert machine.calicoctl("profile", "databases", "rule", "show") == """\
Inbound rules:
   1 allow from tag databases
   2 allow tcp from tag applications to ports 3306
Outbound rules:
   1 allow
"""
    rules = stored(machine, databases, "rules")
    assert rules["id"] == databases
    assert [rule["src_tag"] for rule in rules["inbound_rules"]] == [databases, applications]
    assert machine.etcd.get(f"{PROFILES}/databases/rules") is None
    # The profile's id works too, and is not translated.
    assert f"   1 allow from tag {databases}\n" in machine.calicoctl("profile", databases, "rule", "show")


def test_rules_as_json(networks):
    machine, ids = networks
    document = json.loads(machine.calicoctl("profile", "databases", "rule", "json"))
    assert (document["id"], document["inbound_rules"][0]["src_tag"]) == ("databases", "databases")
    document["inbound_rules"] += [{"action": "deny", "!src_tag": "applications"}]
    assert machine.calicoctl("profile", "databases", "rule", "update", input=json.dumps(document)) == \
        "Successfully updated rules on profile databases\n"
    rules = stored(machine, ids["databases"], "rules")
    assert rules["id"] == ids["databases"]
    assert rules["inbound_rules"] == [{"action": "allow", "src_tag": ids["databases"]},
                                      {"action": "deny", "!src_tag": ids["applications"]}]
    shown = fails(machine, "profile", "databases", "rule", "update",
                  input=json.dumps(document | {"id": ids["databases"]}))
    assert shown == f"Rules JSON \"id\"={ids['databases']} doesn't match profile name databases.\n"


def test_tags(networks):
    machine, ids = networks
    assert machine.calicoctl("profile", "databases", "tag", "show") == "databases\n"
    assert machine.calicoctl("profile", "databases", "tag", "add", "applications") == \
        "Tag applications added to profile databases\n"
    assert stored(machine, ids["databases"], "tags") == [ids["databases"], ids["applications"]]
    assert machine.calicoctl("profile", "databases", "tag", "show") == "databases\napplications\n"
    assert machine.calicoctl("profile", "databases", "tag", "remove", "databases") == \
        "Tag databases removed from profile databases\n"
    assert stored(machine, ids["databases"], "tags") == [ids["applications"]]


def test_unknown_network_as_tag(networks):
    machine, ids = networks
    before = stored(machine, ids["databases"], "rules"), stored(machine, ids["databases"], "tags")
    document = machine.calicoctl("profile", "databases", "rule", "json").replace('"src_tag": "databases"',
                                                                                 '"src_tag": "nowhere"')
    for arguments, options in ((["tag", "add", "nowhere"], {}),
                               (["rule", "add", "inbound", "allow", "from", "tag", "nowhere"], {}),
                               (["rule", "update"], {"input": document})):
        shown = fails(machine, "profile", "databases", *arguments, **options)
        assert shown.startswith("Docker network (nowhere) does not exist.")
    assert before == (stored(machine, ids["databases"], "rules"), stored(machine, ids["databases"], "tags"))


def test_network_that_is_gone(networks):
    """Its id is shown, survives other changes, and can be removed."""
    machine, ids = networks
    gone = ids["applications"]
    machine.calicoctl("profile", "databases", "rule", "add", "inbound", "allow", "tcp", "from", "tag", "applications")
    machine.calicoctl("profile", "databases", "tag", "add", "applications")
    machine.docker("network", "rm", "applications")
    assert f"   2 allow tcp from tag {gone}\n" in machine.calicoctl("profile", "databases", "rule", "show")
    assert machine.calicoctl("profile", "databases", "tag", "show") == f"databases\n{gone}\n"
    document = machine.calicoctl("profile", "databases", "rule", "json")
    machine.calicoctl("profile", "databases", "rule", "update", input=document)
    machine.calicoctl("profile", "databases", "rule", "add", "inbound", "deny", "udp")
    assert stored(machine, ids["databases"], "rules")["inbound_rules"][1]["src_tag"] == gone
    machine.calicoctl("profile", "databases", "rule", "remove", "inbound", "allow", "tcp", "from", "tag", gone)
    machine.calicoctl("profile", "databases", "tag", "remove", gone)
    assert gone not in json.dumps(stored(machine, ids["databases"], "rules"))
    assert stored(machine, ids["databases"], "tags") == [ids["databases"]]


def test_own_profiles_are_not_translated(networks):
    machine, ids = networks
    machine.calicoctl("profile", "own", "tag", "add", "nowhere")
    machine.calicoctl("profile", "own", "rule", "add", "inbound", "allow", "from", "tag", "databases")
    machine.calicoctl("profile", "own", "rule", "add", "inbound", "allow", "from", "tag", ids["databases"])
    assert [rule["src_tag"] for rule in stored(machine, "own", "rules")["inbound_rules"]] == \
        ["own", "databases", ids["databases"]]
    assert f"   3 allow from tag {ids['databases']}\n" in machine.calicoctl("profile", "own", "rule", "show")


def test_a_profile_goes_before_a_network_of_its_name(networks):
    machine, ids = networks
    machine.calicoctl("profile", "add", "databases")
    machine.calicoctl("profile", "databases", "tag", "add", "x")
    assert stored(machine, "databases", "tags") == ["databases", "x"]
    assert stored(machine, ids["databases"], "tags") == [ids["databases"]]


def test_names_are_not_for_whole_profiles(networks):
    machine, ids = networks
    assert sorted(ids.values()) + ["own"] == [
        line.split("|")[1].strip() for line in machine.calicoctl("profile", "show").splitlines()[3:-1]]
    assert machine.calicoctl("profile", "remove", "databases") == "Profile databases not found.\n"


def test_neither_profile_nor_network(networks):
    machine, ids = networks
    # A prefix of an id is no name, though the engine would take it for one.
    for name in ("nowhere", ids["databases"][:12], "bridge"):
        assert fails(machine, "profile", name, "tag", "show") == f"Profile {name} not found.\n"


def test_docker_is_down(networks):
    machine, ids = networks
    machine.stop_docker()
    assert fails(machine, "profile", "databases", "rule", "show") == "Profile databases not found.\n"
    assert machine.calicoctl("profile", ids["databases"], "tag", "show") == f"{ids['databases']}\n"
