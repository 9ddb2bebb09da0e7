/* Port security: what a guest may say of itself. The rows are those of `dataplane::filter`. */
#pragma once
#include "packet.h"

INLINE int is_multicast_link(const struct address *a) /* ff02::/16 */
{
	return *(const u16 *)a == net16(0xff02);
}

/* ff02::1:ff00:0/104: whoever may have the address that is asked for (RFC 4291). */
INLINE int is_solicited_node(const struct address *a)
{
	return a->high == net64(0xff02000000000000) && (a->low & net64(0xffffffffff000000)) == net64(0x1ff000000);
}

/* A link-local address made of the station's own MAC address (RFC 4291), or an opaque one (RFC 7217): of no MAC address, and
 * not one that is written by hand, as routers' are. */
INLINE int is_own_link_local(const struct address *a, const u8 *station)
{
	const u8 *low = (const u8 *)&a->low;

	if (a->high != net64(0xfe80000000000000))
		return 0;
	if (low[3] != 0xff || low[4] != 0xfe)
		return (a->low & net64(0xffffffffffff0000)) != 0;
	return low[0] == (station[0] ^ 2) && low[1] == station[1] && low[2] == station[2] && low[5] == station[3] &&
	       low[6] == station[4] && low[7] == station[5];
}

INLINE int is_pair(const struct pair *pair, const struct packet *p, const struct address *a)
{
	return pair->family == p->family && (a->high & pair->range.mask.high) == pair->range.net.high &&
	       (a->low & pair->range.mask.low) == pair->range.net.low && same_mac(pair->mac, p->station);
}

GLOBAL int is_own_other(const struct port *port, const struct packet *p, const struct address *a)
{
	int i;

	if (!port || !p || !a)
		return 0;
	for (i = 0; i < PAIRS_MAX; i++) {
		const struct pair *pair = &port->pairs[i];

		if (i >= port->pairs_count)
			break;
		if (is_pair(pair, p, a))
			return 1;
	}
	return p->family == 6 && is_own_link_local(a, p->station);
}

/* Most ports have one address. */
INLINE int is_own(const struct port *port, const struct packet *p, const struct address *a)
{
	return (port->pairs_count && is_pair(&port->pairs[0], p, a)) || is_own_other(port, p, a);
}

GLOBAL int is_other_station(const struct port *port, const struct packet *p)
{
	int i;

	if (!port || !p)
		return 0;
	for (i = 0; i < PAIRS_MAX; i++) {
		if (i >= port->pairs_count)
			break;
		if (same_mac(port->pairs[i].mac, p->station))
			return 1;
	}
	return 0;
}

INLINE int is_own_station(const struct port *port, const struct packet *p)
{
	return same_mac(port->mac, p->station) || is_other_station(port, p);
}

struct arp {
	u16 hardware, protocol;
	u8 hardware_length, protocol_length;
	u16 operation;
	u8 sender[6];
	u16 sender_ip[2];
	u16 target[5];
};

INLINE int judge_arp(struct __sk_buff *skb, const struct port *port, struct packet *p)
{
	struct arp arp;
	u32 ip;

	if (p->direction == INGRESS)
		return PASS;
	if (load(skb, ETHERNET, &arp, sizeof(arp)))
		return DROP;
	if (arp.hardware != net16(1) || arp.protocol != net16(0x0800) || arp.hardware_length != 6 || arp.protocol_length != 4)
		return DROP;
	if (arp.operation != net16(1) && arp.operation != net16(2))
		return DROP;
	if (!same_mac(arp.sender, p->station))
		return DROP;
	if (arp.operation == net16(1) && !arp.sender_ip[0] && !arp.sender_ip[1])
		return PASS;
	__builtin_memcpy(&ip, arp.sender_ip, sizeof(ip));
	p->family = 4;
	p->source = mapped(ip);
	return is_own(port, p, &p->source) ? PASS : DROP;
}

/* What remains to be judged by groups. */
#define OPEN (-1)

INLINE int is_udp(const struct packet *p, u16 from, u16 to)
{
	return p->protocol == UDP && p->fragment != LATER && p->source_port == net16(from) && p->destination_port == net16(to);
}

INLINE int judge_ipv4(const struct port *port, const struct packet *p)
{
	if (p->direction == INGRESS)
		return p->fragment == WHOLE && is_udp(p, 67, 68) ? PASS : OPEN;
	if (is_udp(p, 67, 68))
		return DROP;
	if (p->fragment == WHOLE && is_udp(p, 68, 67)) {
		struct address nobody = mapped(0), everybody = mapped(0xffffffff);

		if (same(&p->source, &nobody) && same(&p->destination, &everybody))
			return PASS;
		return is_own(port, p, &p->source) ? PASS : DROP;
	}
	return is_own(port, p, &p->source) ? OPEN : DROP;
}

INLINE int is_unspecified(const struct address *a)
{
	return !a->high && !a->low;
}

/* Neighbour discovery (RFC 4861) and listener reports (RFC 3810) from a guest. */
INLINE int judge_icmpv6(struct __sk_buff *skb, const struct port *port, const struct packet *p)
{
	int own = is_own(port, p, &p->source);
	/* Listener discovery stays on its link (RFC 2710, RFC 3810). */
	int listens = p->hops == 1 && *(const u8 *)&p->destination == 0xff;
	struct address target;

	switch (p->type) {
	case 130:
		return own && listens ? PASS : DROP;
	case 131:
	case 132:
	case 143:
		return (own || is_unspecified(&p->source)) && listens ? PASS : DROP;
	case 133:
		return own || (is_unspecified(&p->source) && is_multicast_link(&p->destination)) ? PASS : DROP;
	case 134:
	case 137:
		return DROP;
	case 135:
	case 136:
		if (p->start + 24 > p->end || load(skb, p->start + 8, &target, sizeof(target)))
			return DROP;
		if (own && (p->type == 135 || is_own(port, p, &target)))
			return PASS;
		if (p->type == 135 && is_unspecified(&p->source) && is_solicited_node(&p->destination) &&
		    is_own(port, p, &target))
			return PASS;
		return DROP;
	default:
		return own ? OPEN : DROP;
	}
}

INLINE int judge_ipv6(struct __sk_buff *skb, const struct port *port, const struct packet *p)
{
	if (p->icmp && p->fragment != LATER) {
		if (p->type >= 133 && p->type <= 137 &&
		    (p->fragment != WHOLE || p->was_fragmented || p->hops != 255 || p->code))
			return DROP;
		if (p->direction == EGRESS)
			return judge_icmpv6(skb, port, p);
		return (p->type == 130 && p->hops == 1) || (p->type >= 134 && p->type <= 136) ? PASS : OPEN;
	}
	if (p->direction == INGRESS)
		return p->fragment == WHOLE && is_udp(p, 547, 546) ? PASS : OPEN;
	if (is_udp(p, 547, 546) || !is_own(port, p, &p->source))
		return DROP;
	return p->fragment == WHOLE && is_udp(p, 546, 547) ? PASS : OPEN;
}
