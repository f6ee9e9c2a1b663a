# shellcheck shell=bash
# The lab's networks, in namespaces only: the machine's own network is never touched, and nothing of the lab reaches it.
#
#   10.77.0.0/24: a bridge (namespace net), to which the controller (ctl, 10.77.0.2) and the hosts are plugged
#   10.77.1.0/24: a cable between fw01 and the source
#
# Sourced by `up`.

namespace() { # NAME
    ip netns add "$(netns "$1")"
    # No IPv6: its neighbours greet every machine unasked, and fw01 counts who talks to it.
    in_net "$1" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
    in_net "$1" ip link set lo up
}
plug() { # NAME ADDRESS
    local name=$1 address=$2
    in_net net ip link add "$name" type veth peer name eth0 netns "$(netns "$name")"
    in_net net ip link set "$name" master br0 up
    in_net "$name" ip address add "$address/24" dev eth0
    in_net "$name" ip link set eth0 up
}
make_network() {
    local name
    for name in net ctl $(host_names); do namespace "$name"; done
    in_net net ip link add br0 type bridge
    in_net net ip link set br0 up

    plug ctl 10.77.0.2
    for name in $(host_names); do
        [ "$name" = source ] || plug "$name" "$(address_of "$name")"
    done
    # Others go through fw01, never to it.
    for name in ctl $(host_names); do
        [ "$name" = source ] || [ "$name" = fw01 ] || in_net "$name" ip route add 10.77.1.0/24 via "$(address_of fw01)"
    done

    in_net fw01 ip link add eth1 type veth peer name eth0 netns "$(netns source)"
    in_net fw01 ip address add 10.77.1.1/24 dev eth1
    in_net fw01 ip link set eth1 up
    in_net source ip address add "$(address_of source)/24" dev eth0
    in_net source ip link set eth0 up
    in_net source ip route add 10.77.0.0/24 via 10.77.1.1
    in_net fw01 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}
