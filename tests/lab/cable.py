"""A slow cable: carries frames between two network interfaces, those from the first to the second MILLISECONDS late.

    cable.py FIRST SECOND MILLISECONDS
"""

import collections
import select
import socket
import sys
import time

ALL = 0x0003  # ETH_P_ALL
SOL_PACKET, VNET_HDR, IGNORE_OUTGOING = 263, 15, 23
LARGEST = 1 << 17


def end(interface):
    plug = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    # With what the kernel still has to do to a frame (checksum, segments) kept beside it: both ends are veth.
    plug.setsockopt(SOL_PACKET, VNET_HDR, 1)
    plug.setsockopt(SOL_PACKET, IGNORE_OUTGOING, 1)
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    plug.bind((interface, ALL))
    return plug


def carry(frame, plug):
    try:
        plug.send(frame)
    except OSError as error:  # the other end is down: a cable loses what is not received
        print(error, file=sys.stderr)


first, second, late = end(sys.argv[1]), end(sys.argv[2]), float(sys.argv[3]) / 1000
under_way = collections.deque()
while True:
    wait = max(0, under_way[0][0] - time.monotonic()) if under_way else None
    ready, _, _ = select.select([first, second], [], [], wait)
    if second in ready:
        carry(second.recv(LARGEST), first)
    if first in ready:
        under_way.append((time.monotonic() + late, first.recv(LARGEST)))
    while under_way and under_way[0][0] <= time.monotonic():
        carry(under_way.popleft()[1], second)
