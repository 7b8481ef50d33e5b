# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What holds for every command: help, usage, exit statuses, settings, failures of the datastore."""

import json
import os
import re

import pytest

import lab

from calicoctl import PROGRAM

COMMANDS = ["status", "node", "profile", "endpoint", "pool", "bgp", "ipam", "version", "config", "policy",
            "checksystem", "diags"]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["nonsense"], ["nonsense", "--help"], ["profiles"]])
def test_top_level_help(sqlite_ctl, arguments):
    shown = sqlite_ctl(*arguments)
    for command in COMMANDS:
        assert f"\n    {command} " in shown


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_of_each_command(sqlite_ctl, command, option):
    shown = sqlite_ctl(command, option)
    assert shown.startswith(f"Usage:\n  calicoctl {command}")
    assert "\nDescription:\n" in shown


@pytest.mark.parametrize("option", ["--version", "--v", "-v", "--json"])
def test_unknown_top_level_option(sqlite_ctl, option):
    done = sqlite_ctl.run(option)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Usage: calicoctl <command> [<args>...]\n"


@pytest.mark.parametrize("line", [
    "profile", "profile show more", "profile show --unknown", "profile show --detailed=1", "profile add",
    "profile add A B", "profile A tag", "profile A tag add", "profile A rule add inbound",
    "profile A rule add allow", "profile A rule add inbound allow tcp from 192.168.0.0/16",
    "profile A rule add inbound next-tier", "profile A rule add inbound allow sctp",
    "profile A rule remove inbound", "profile A rule remove inbound --at=1 allow", "profile show -o yaml",
    "pool", "pool add", "pool range add 10.0.0.0", "pool show --ipv4 --ipv6", "pool show --ipv", "endpoint",
    "endpoint E profile", "endpoint show E", "ipam", "ipam release", "ipam info 1 2", "bgp peer add 10.0.0.1 5",
    "bgp peer add 10.0.0.1 as", "bgp node-mesh maybe", "config", "config felix", "config node felix loglevel",
    "config felix loglevel info --remove", "version now", "status now", "node now", "node stop now",
    "node --libnetwork-image=x", "node bgp peer add 10.0.0.1", "profile show --", "profile -x show",
])
def test_usage(sqlite_ctl, line):
    sqlite_ctl.usage(*line.split())


def test_options_anywhere_and_shortened(ctl):
    ctl("pool", "--ipip", "add", "10.0.0.0/16", "--nat")
    assert ctl.rows("pool", "show", column=2) == ["ipip,nat-outgoing", "Options"]
    ctl("profile", "add", "A")
    ctl("profile", "A", "--at", "1", "rule", "add", "inbound", "deny", "tcp")
    assert "   1 deny tcp\n   2 allow" in ctl("profile", "A", "rule", "show")


def test_version(sqlite_ctl):
    number, commit, model = sqlite_ctl("version").splitlines()
    assert re.fullmatch(r"\d+\.\d+\.\d+", number)
    assert re.fullmatch(r"commit ([0-9a-f]{12}\+?|unknown)", commit)
    assert model == "data model of Calico v0.20"
    assert not os.path.exists(sqlite_ctl.path)  # it does not ask the datastore


@pytest.mark.parametrize("settings, named", [
    ({"ETCD_AUTHORITY": "nonsense"}, "ETCD_AUTHORITY"),
    ({"ETCD_AUTHORITY": "a:b:c"}, "ETCD_AUTHORITY"),
    ({"ETCD_AUTHORITY": "127.0.0.1:0"}, "ETCD_AUTHORITY"),
    ({"ETCD_ENDPOINTS": "127.0.0.1:2379"}, "ETCD_ENDPOINTS"),
    ({"ETCD_ENDPOINTS": "http://a:1,https://b:2"}, "Inconsistent protocols"),
    ({"ETCD_SCHEME": "gopher"}, "ETCD_SCHEME"),
    ({"ETCD_SCHEME": "https"}, "ETCD_CA_CERT_FILE"),
    ({"ETCD_CA_CERT_FILE": "/nonexistent"}, "ETCD_CA_CERT_FILE"),
    ({"ETCD_KEY_FILE": "/etc/hostname"}, "ETCD_KEY_FILE"),
])
@pytest.mark.parametrize("arguments", [["version"], ["--help"], ["profile", "--help"], ["pool", "show"]])
def test_settings_come_first(etcd_ctl, settings, named, arguments):
    """Wrong settings are refused before any command, even help; the message is a paragraph."""
    shown = etcd_ctl.fails(*arguments, environment=settings)
    assert named in shown.replace("\n", " ")
    assert shown.endswith("\n\n") and all(len(line) <= 80 for line in shown.splitlines())


def test_empty_settings_are_none(ctl):
    ctl("version", environment={"ETCD_SCHEME": "", "ETCD_ENDPOINTS": "", "CALICO_STATE_DIR": ""})


@pytest.mark.parametrize("line", [
    "profile show", "profile show --detailed", "profile add X", "profile remove X", "profile X tag show",
    "profile X rule show", "profile X rule add inbound allow", "pool add 10.0.0.0/8", "pool show",
    "pool remove 10.0.0.0/8", "pool range add 10.0.0.0 10.0.3.255", "endpoint show", "endpoint E profile set",
    "ipam info 10.0.0.1", "ipam release 10.0.0.1", "bgp peer show", "bgp node-mesh", "bgp default-node-as 5",
    "bgp peer add 10.0.0.1 as 5", "config felix loglevel", "config node bgp loglevel info", "node remove",
    "node bgp peer show",
])
def test_etcd_is_down(etcd_ctl, line):
    shown = etcd_ctl.fails(*line.split(), environment={"ETCD_AUTHORITY": "127.0.0.1:9"})
    text = shown.replace("\n", " ")
    assert text.count("Error accessing etcd (") == text.count("Is etcd running?") == 1
    assert "Connection refused" in text
    assert shown.endswith("\n\n") and all(len(line) <= 80 for line in shown.splitlines())


def test_etcd_is_down_for_node_show(etcd_ctl):
    assert etcd_ctl.fails("node", "show", environment={"ETCD_AUTHORITY": "127.0.0.1:9"}) == \
        "Error connecting to etcd.\n"


def test_embedded_store_cannot_be_opened(sqlite_ctl, tmp_path):
    (tmp_path / "file").write_text("not a directory")
    shown = sqlite_ctl.fails("profile", "show",
                             environment={"CALICO_DATASTORE": f"sqlite:{tmp_path}/file/calico.db"})
    assert "Error accessing the embedded datastore" in shown.replace("\n", " ")


def test_arguments_are_checked_before_the_datastore(etcd_ctl):
    down = {"ETCD_AUTHORITY": "127.0.0.1:9"}
    assert etcd_ctl.fails("bgp", "peer", "add", "x", "as", "y", environment=down) == \
        "Invalid IP address specified.\nInvalid AS Number specified.\n"
    assert etcd_ctl.fails("pool", "add", "x", environment=down) == "Invalid CIDR specified x\n"


@pytest.mark.parametrize("line", ["node", "node stop", "node --ip=10.0.0.1", "policy show cali0"])
def test_root_is_needed(sqlite_ctl, line):
    done = sqlite_ctl.unprivileged(*line.split())
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "This command must be run as root.\n")


def test_interrupted(ctl):
    ctl("pool", "add", "10.0.0.0/16")
    status, output = ctl.interrupted("pool", "remove", "10.0.0.0/16", after="Removing IPAM")
    assert (status, output.splitlines()[-1]) == (0, "Aborted command.")


def test_json_goes_alone_to_standard_output(ctl):
    ctl("profile", "add", "A")
    assert ctl.json("profile", "show") == {"profiles": [{"name": "A"}]}
    assert ctl.json("pool", "show") == {"ipv4": [], "ipv6": []}
    assert ctl.json("bgp", "default-node-as") == {"as_num": "64511"}
    shown = ctl.json("version")
    assert sorted(shown) == ["commit", "data_model", "version"] and shown["data_model"] == "v0.20"
    done = ctl.run("profile", "B", "rule", "show", "-o", "json")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Profile B not found.\n")


def test_text_from_the_datastore_is_only_text(etcd_ctl):
    """What others wrote, however odd, neither breaks a listing nor ends a command without a sentence."""
    etcd_ctl.put("/calico/v1/policy/profile/odd/tags", "not JSON")
    etcd_ctl.put("/calico/v1/policy/profile/odd/rules", json.dumps([1, 2]))
    etcd_ctl.put("/calico/v1/ipam/v4/pool/nonsense", "{}")
    etcd_ctl.put("/calico/bgp/v1/global/peer_v4/x", "[]")
    etcd_ctl.put("/calico/bgp/v1/global/node_mesh", "yes")
    assert etcd_ctl.rows("profile", "show") == ["odd"]
    for line in ["profile odd tag show", "profile odd rule show", "profile odd rule add inbound allow",
                 "profile odd tag add x", "bgp node-mesh"]:
        done = etcd_ctl.run(*line.split())
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done
    assert etcd_ctl.rows("pool", "show") == ["IPv6 CIDR"]
    etcd_ctl("bgp", "peer", "show")


@pytest.mark.parametrize("line", [
    "--help", "pool --help", "version", "version -o json", "profile show", "profile show -o json", "pool show",
    "pool show -o json", "profile web rule show", "profile web rule json", "profile web tag show",
    "endpoint show --detailed", "bgp node-mesh", "bgp peer show", "blocklist show", "ipam info 10.0.0.1",
    "profile add web", "config felix loglevel",
])
def test_output_that_cannot_be_written(sqlite_ctl, line):
    """What cannot be written has failed, whatever the command did; it says so on standard error."""
    sqlite_ctl("profile", "add", "web")
    assert sqlite_ctl.run(*line.split()).returncode == 0
    program = " ".join([PROGRAM, *line.split()])
    for broken, why in ((">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")):
        done = sqlite_ctl.namespace.run("sh", "-c", f"{program} {broken}", check=False, env=sqlite_ctl.environment)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert done.stderr == f"calicoctl: the output could not be written: {why}.\n"
    assert sqlite_ctl("profile", "web", "tag", "show") == "web\n"  # the store is whole


def test_closed_streams_are_no_files(sqlite_ctl):
    """The embedded datastore must not get the number of standard output, nor rules be read from it."""
    sqlite_ctl("profile", "add", "web")
    for command in ("profile add db >&- 2>&- <&-", "profile web rule update <&-"):
        done = sqlite_ctl.namespace.run("sh", "-c", f"{PROGRAM} {command}", check=False,
                                        env=sqlite_ctl.environment)
        assert done.returncode == 1, done
    assert sqlite_ctl.rows("profile", "show") == ["db", "web"]
    assert "   1 allow\n" in sqlite_ctl("profile", "web", "rule", "show")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_output_of_the_daemon_that_cannot_be_written(sqlite_ctl, option):
    done = sqlite_ctl.namespace.run("sh", "-c", f"{lab.BUILD}/calico-node {option} >/dev/full", check=False,
                                    env=sqlite_ctl.environment)
    assert done.returncode == 1
    assert done.stderr == "calico-node: the output could not be written: No space left on device.\n"


ODD_NAMES = [(".", "must not be '.' or '..'"), ("..", "must not be '.' or '..'"), ("a" * 256, "at most 255 bytes")]


@pytest.mark.parametrize("name, why", ODD_NAMES)
@pytest.mark.parametrize("line", [
    "profile add NAME", "profile remove NAME", "profile NAME tag show", "profile NAME tag add x",
    "profile NAME rule show", "profile NAME rule json", "profile NAME rule add inbound allow",
    "endpoint e profile set NAME", "config felix NAME x --force", "config bgp NAME x --force",
    "config node bgp NAME x --force", "node remove --hostname=NAME",
])
def test_names_that_lead_elsewhere(etcd_ctl, line, name, why):
    """Refused before the datastore is asked: as parts of a key they would lead elsewhere."""
    shown = etcd_ctl.fails(*line.replace("NAME", name).split())
    assert why in " ".join(shown.split()) and "etcd" not in shown
    assert not etcd_ctl.etcd.keys("/")


@pytest.mark.parametrize("name", ["", "a/b", "a b", "a\nb", "\x1b[2J"])
@pytest.mark.parametrize("line", [["profile", "add", "NAME"], ["endpoint", "e", "profile", "set", "NAME"],
                                  ["profile", "web", "tag", "add", "NAME"]])
def test_names_of_other_characters(etcd_ctl, line, name):
    etcd_ctl("profile", "add", "web")
    before = etcd_ctl.etcd.keys("/")
    shown = etcd_ctl.fails(*[name if word == "NAME" else word for word in line])
    assert "can only contain numbers, letters, dots" in " ".join(shown.split())
    assert etcd_ctl.etcd.keys("/") == before
