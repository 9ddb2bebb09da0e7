/* What is read of a packet. */
#pragma once
#include "tables.h"

#define INGRESS 0
#define EGRESS 1

#define ICMP 1
#define TCP 6
#define UDP 17
#define FRAGMENT 44
#define ICMPV6 58
#define SCTP 132

#define WHOLE 0
#define FIRST 1
#define LATER 2

#define IP 0
#define ARP 1
#define RARP 2

#define ETHERNET 14

struct packet {
	struct address source, destination;
	u64 now;   /* when it came, ns */
	u32 epoch; /* in which epoch: read before anything it is judged by, which may change meanwhile */
	u32 identification;
	u16 source_port, destination_port; /* network order; of ICMP the identifier in both */
	u16 offset;                        /* bytes of payload before a later fragment */
	u16 held;                          /* bytes of payload in a first fragment */
	u32 start, end;                    /* of the transport header and of the packet, in the frame */
	u8 station[6];                     /* source MAC address */
	u8 family, protocol, fragment, was_fragmented, direction;
	u8 flags;      /* TCP */
	u8 type, code; /* ICMP */
	u8 hops;
	u8 icmp; /* whether it is ICMP of its own family */
	u8 kind;
	u8 unused[3];
};

#define FIN 1
#define SYN 2
#define RST 4
#define ACK 16

INLINE struct address mapped(u32 ip)
{
	struct address to = { .high = 0 };
	u32 *low = (u32 *)&to.low;

	low[0] = net32(0xffff);
	low[1] = ip;
	return to;
}

INLINE int is_mapped(const struct address *a)
{
	return a->high == 0 && *(u32 *)&a->low == net32(0xffff);
}

INLINE int same(const struct address *a, const struct address *b)
{
	return a->high == b->high && a->low == b->low;
}

INLINE int same_mac(const u8 *a, const u8 *b)
{
	return *(const u16 *)a == *(const u16 *)b && *(const u16 *)(a + 2) == *(const u16 *)(b + 2) &&
	       *(const u16 *)(a + 4) == *(const u16 *)(b + 4);
}

struct ipv4 {
	u8 version_length, service;
	u16 total, identification, fragment;
	u8 ttl, protocol;
	u16 checksum;
	u32 source, destination;
};

struct ipv6 {
	u32 version_class_label;
	u16 payload;
	u8 next, hops;
	struct address source, destination;
};

INLINE int read_ipv4(struct __sk_buff *skb, struct packet *p)
{
	struct ipv4 ip;
	u32 header, total, offset;

	if (!p || load(skb, ETHERNET, &ip, sizeof(ip)))
		return 0;
	header = (ip.version_length & 15) * 4;
	total = net16(ip.total);
	if (ip.version_length >> 4 != 4 || header < sizeof(ip) || total < header || ETHERNET + total > skb->len)
		return 0;
	p->family = 4;
	p->source = mapped(ip.source);
	p->destination = mapped(ip.destination);
	p->protocol = ip.protocol;
	p->icmp = ip.protocol == ICMP;
	p->identification = ip.identification;
	p->hops = ip.ttl;
	p->start = ETHERNET + header;
	p->end = ETHERNET + total;
	offset = (net16(ip.fragment) & 0x1fff) * 8;
	p->offset = offset;
	p->fragment = offset ? LATER : net16(ip.fragment) & 0x2000 ? FIRST : WHOLE;
	p->held = total - header;
	return 1;
}

struct extension {
	u8 next, length;
	u16 more;
	u32 identification;
};

#define EXTENSIONS_MAX 8

GLOBAL int read_ipv6(struct __sk_buff *skb, struct packet *p)
{
	struct ipv6 ip;
	struct extension e;
	u32 at = ETHERNET + sizeof(ip), end, length, fragmentable = 0;
	u8 next;
	int i;

	if (!p || load(skb, ETHERNET, &ip, sizeof(ip)))
		return 0;
	end = at + net16(ip.payload);
	if ((net32(ip.version_class_label) >> 28) != 6 || end > skb->len)
		return 0;
	if (is_mapped(&ip.source) || is_mapped(&ip.destination))
		return 0;
	p->family = 6;
	p->source = ip.source;
	p->destination = ip.destination;
	p->hops = ip.hops;
	p->end = end;
	next = ip.next;
	for (i = 0; i <= EXTENSIONS_MAX; i++) {
		if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60)
			break;
		if (i == EXTENSIONS_MAX || at + sizeof(e) > end || load(skb, at, &e, sizeof(e)))
			return 0;
		length = next == 51 ? (e.length + 2) * 4 : (e.length + 1) * 8;
		if (next == FRAGMENT) {
			if (p->was_fragmented)
				return 0;
			p->was_fragmented = 1;
			p->identification = e.identification;
			p->offset = net16(e.more) & 0xfff8;
			if (p->offset) {
				p->fragment = LATER;
				p->protocol = FRAGMENT;
				return 1;
			}
			length = sizeof(e);
			fragmentable = at + length;
			if (net16(e.more) & 1)
				p->fragment = FIRST;
		}
		/* The first 8 bits of a routing header's third word are its segments left. */
		if (next == 43 && ((u8 *)&e.more)[1])
			return 0;
		if (at + length > end)
			return 0;
		at += length;
		next = e.next;
	}
	p->protocol = next;
	p->icmp = next == ICMPV6;
	p->start = at;
	p->held = end - fragmentable;
	return 1;
}

/* Reads the transport header of what is whole or first. */
GLOBAL int read_transport(struct __sk_buff *skb, struct packet *p)
{
	u16 header[7];
	u32 shortest;

	if (!p)
		return 0;
	shortest = p->protocol == TCP ? 20 : p->protocol == SCTP ? 12 : p->protocol == UDP || p->icmp ? 8 : 0;
	if (!shortest)
		return 1;
	if (p->start + shortest > p->end || load(skb, p->start, header, 8))
		return 0;
	if (p->icmp) {
		p->type = ((u8 *)header)[0];
		p->code = ((u8 *)header)[1];
		p->source_port = p->destination_port = header[2];
		return 1;
	}
	p->source_port = header[0];
	p->destination_port = header[1];
	if (p->protocol == TCP) {
		if (load(skb, p->start, header, 14))
			return 0;
		p->flags = ((u8 *)header)[13] & (FIN | SYN | RST | ACK);
	}
	return 1;
}
