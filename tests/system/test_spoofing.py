# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A container cannot speak with another's address, on the wire as it is."""

import socket

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Ether

ETH_P_ALL = 3
GATEWAY_MAC = "ee:ee:ee:ee:ee:fe"
MAC = "ee:ee:ee:ee:ee:ee"


@pytest.fixture
def pair(machine):
    """(machine, sender's packet socket, sender's address, receiver's packet socket, receiver's address)"""
    machine.create_network("databases")
    first, second = machine.start("first", "databases"), machine.start("second", "databases")
    with machine.socket("first", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as sender, \
            machine.socket("second", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as receiver:
        sender.bind(("cali0", 0))
        receiver.bind(("cali0", 0))
        receiver.settimeout(5)
        yield machine, sender, first, receiver, second


def received_before_marker(sender, first, receiver, second, frames):
    """Sends the frames and then a datagram that may pass; returns what arrived until that one did."""
    marker = b"the marker"
    for frame in frames:
        sender.send(bytes(frame))
    sender.send(bytes(Ether(src=MAC, dst=GATEWAY_MAC) / IP(src=first, dst=second) / UDP(dport=9) / marker))
    arrived = []
    while True:
        frame = receiver.recv(65536)
        if marker in frame:
            return arrived
        arrived.append(Ether(frame))


def test_own_address_passes(pair):
    _, sender, first, receiver, second = pair
    frame = Ether(src=MAC, dst=GATEWAY_MAC) / IP(src=first, dst=second) / ICMP(id=77)
    arrived = received_before_marker(sender, first, receiver, second, [frame])
    assert any(packet.haslayer(ICMP) and packet[ICMP].id == 77 for packet in arrived)


def test_foreign_addresses_are_dropped(pair):
    machine, sender, first, receiver, second = pair
    third = machine.start("third", "databases")
    sources = [third, second, machine.address, "10.1.2.3", "192.168.0.7", "8.8.8.8", "0.0.0.0", "127.0.0.1", "224.0.0.1"]
    frames = [Ether(src=MAC, dst=GATEWAY_MAC) / IP(src=source, dst=second) / ICMP(id=77) for source in sources]
    arrived = received_before_marker(sender, first, receiver, second, frames)
    assert [packet[IP].src for packet in arrived if packet.haslayer(ICMP)] == []


def test_foreign_mac_is_dropped(pair):
    _, sender, first, receiver, second = pair
    frame = Ether(src="02:00:00:00:00:01", dst=GATEWAY_MAC) / IP(src=first, dst=second) / ICMP(id=77)
    assert not any(packet.haslayer(ICMP) for packet in received_before_marker(sender, first, receiver, second, [frame]))


def test_vlan_tag_is_no_way_around(pair):
    _, sender, first, receiver, second = pair
    inner = bytes(Ether(src=MAC, dst=GATEWAY_MAC) / IP(src="10.1.2.3", dst=second) / ICMP(id=77))
    tagged = inner[:12] + b"\x81\x00\x00\x05" + inner[12:]
    arrived = received_before_marker(sender, first, receiver, second, [tagged])
    assert not any(packet.haslayer(ICMP) for packet in arrived)


def test_arp_is_answered_for_the_gateway_only_truthfully(pair):
    _, sender, first, _, second = pair
    sender.settimeout(2)

    def answers(request):
        sender.send(bytes(request))
        while True:
            try:
                answer = Ether(sender.recv(65536))
            except TimeoutError:
                return None
            if answer.haslayer(ARP) and answer[ARP].op == 2:
                return answer

    honest = Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=MAC, psrc=first, pdst="169.254.1.1")
    assert answers(honest)[ARP].hwsrc == GATEWAY_MAC
    sender.settimeout(0.5)
    liar = Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=MAC, psrc=second, pdst="169.254.1.1")
    assert answers(liar) is None
