# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Fixtures: machines made of network namespaces, each with its own Docker engine, etcd and calico-node."""

import signal

import pytest

import lab

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
