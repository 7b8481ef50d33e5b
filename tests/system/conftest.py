# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Fixtures: machines made of network namespaces, each with its own Docker engine, etcd and calico-node."""

import os
import signal
import tempfile

import pytest

import lab
from calicoctl import EtcdCalicoctl, SqliteCalicoctl

TEST_SECONDS = 300


@pytest.fixture(autouse=True)
def deadline():
    """A test that hangs fails, and what it made is removed."""
    def expired(*_):
        raise lab.Failure(f"not finished after {TEST_SECONDS} s")

    signal.signal(signal.SIGALRM, expired)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def image():
    """Path of a busybox root file system as tar; machines import it as `busybox`."""
    with lab.busybox_image() as path:
        yield path


@pytest.fixture
def network():
    """An underlay that machines can be put on."""
    with lab.Network() as made:
        yield made


@pytest.fixture
def machine(network, image):
    """One machine with Docker and a calico-node on the embedded store; local scope."""
    with network.machine("host-a", image=image) as made:
        made.start_docker()
        made.start_node()
        yield made


@pytest.fixture
def cluster_machine(network, image):
    """One machine with Docker and calico-node on etcd, which is Docker's cluster store too; global scope."""
    with network.etcd() as etcd, network.machine("host-a", image=image, etcd=etcd) as made:
        made.start_docker()
        made.start_node()
        yield made


@pytest.fixture(params=["embedded", "etcd"])
def any_machine(request):
    """Each of the two above in turn."""
    return request.getfixturevalue({"embedded": "machine", "etcd": "cluster_machine"}[request.param])


@pytest.fixture
def two_machines(network, image):
    """Two machines on one etcd."""
    with network.etcd() as etcd, \
            network.machine("host-a", image=image, etcd=etcd) as first, \
            network.machine("host-b", image=image, etcd=etcd) as second:
        for made in (first, second):
            made.start_docker()
            made.start_node()
        yield first, second


# calicoctl without a daemon

@pytest.fixture(scope="session")
def etcd_server():
    with lab.Network() as network, network.etcd() as server:
        yield server


@pytest.fixture
def directory():
    """A directory that users who are not root can look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="calicoctl-") as path:
        os.chmod(path, 0o755)
        yield path


@pytest.fixture
def etcd_ctl(etcd_server, directory):
    """calicoctl on etcd."""
    etcd_server.etcdctl("rm", "--recursive", "/calico", check=False)
    return EtcdCalicoctl(etcd_server.network.namespace, directory, etcd_server)


@pytest.fixture
def sqlite_ctl(etcd_server, directory):
    """calicoctl on the embedded store."""
    return SqliteCalicoctl(etcd_server.network.namespace, directory)


@pytest.fixture(params=["sqlite", "etcd"])
def ctl(request):
    """calicoctl on each kind of datastore."""
    return request.getfixturevalue(f"{request.param}_ctl")
