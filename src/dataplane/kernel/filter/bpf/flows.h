/* Flows: answers to what is allowed are allowed. The numbered rules are those of `dataplane::filter`, part 6. */
#pragma once
#include "groups.h"

#define SECONDS(n) ((n) * 1000000000LL)

/* How long ago, in ns. Another processor may have read the clock a moment later and written already: that is less than nothing,
 * not very long. */
INLINE s64 since(u64 now, u64 seen)
{
	return (s64)(now - seen);
}

/* A flow in use is written once a second, not at each packet: processors would fight for its memory. */
#define FRESH SECONDS(1)

struct context {
	struct flow_key key;
	u64 now;
	u32 epoch;
	u8 beginner; /* who this packet would be the beginner of */
	u8 query;    /* type of the ICMP query, or of the query that is answered */
	u8 is_answer, unused;
};

/* Which query an ICMP type belongs to; 0: none. */
INLINE u8 query_of(u8 family, u8 type)
{
	if (family == 6)
		return type == 128 || type == 129 ? 128 : 0;
	switch (type) {
	case 8:
	case 0:
		return 8;
	case 13:
	case 14:
		return 13;
	case 17:
	case 18:
		return 17;
	}
	return 0;
}

INLINE int is_error(u8 family, u8 type)
{
	return family == 6 ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12;
}

INLINE s64 lifetime(const struct flow *flow, u8 protocol, u8 icmp)
{
	switch (flow->stage) {
	case PENDING:
		return protocol == TCP ? SECONDS(60) : SECONDS(30);
	case CLOSING:
		return SECONDS(120);
	case CLOSED:
	case CUT:
		return SECONDS(10);
	}
	return protocol == TCP ? SECONDS(432000) : icmp ? SECONDS(30) : SECONDS(180);
}

INLINE int is_icmp(const struct flow_key *key)
{
	return key->family == 6 ? key->protocol == ICMPV6 : key->protocol == ICMP;
}

/* Whether a flow would be allowed if it began now. */
GLOBAL int may_begin(const struct port *port, const struct flow_key *key, u8 beginner)
{
	struct question q = { .direction = beginner };

	if (!port || !key)
		return 0;
	q.domain = port->domain;
	q.remote = key->remote;
	q.family = key->family;
	q.protocol = key->protocol;
	if (is_icmp(key))
		q.first = net16(key->remote_port);
	else
		q.first = net16(beginner == EGRESS ? key->remote_port : key->local_port);
	return is_allowed(port, &q);
}

/* Whether one more flow of a port may be established. */
INLINE int take_share(u64 port)
{
	u32 *count = find(&shares, &port), one = 1;

	if (!count)
		return !put(&shares, &port, &one, NEW);
	if (*(volatile u32 *)count >= share)
		return 0;
	__sync_fetch_and_add(count, 1);
	return 1;
}

/* Takes a flow out of those that have a share. */
INLINE void release(const struct flow_key *key)
{
	u64 port = key->port;
	u32 *count;

	if (forget(&flows, key))
		return;
	count = find(&shares, &port);
	if (count && *(volatile u32 *)count)
		__sync_fetch_and_add(count, -1);
}

INLINE void forget_flow(const struct flow_key *key)
{
	forget(&pending, key);
	release(key);
}

/* Rule 4: an answer that is under way would begin the flow the other way round. A TCP answer and that to a query begin none. */
INLINE struct flow *cut_flow(const struct context *c, u8 beginner)
{
	struct flow was = { .seen = c->now, .epoch = c->epoch, .stage = CUT, .beginner = beginner };

	if (c->key.protocol == TCP || is_icmp(&c->key)) {
		forget_flow(&c->key);
		return 0;
	}
	/* First the one, then the other: at no moment is there none. */
	put(&pending, &c->key, &was, 0);
	release(&c->key);
	return find(&pending, &c->key);
}

/* The flow of a key, if it lives and is still allowed, or was cut a moment ago. */
INLINE struct flow *flow_of(const struct port *port, struct context *c)
{
	struct flow *flow = find(&flows, &c->key);

	if (!flow)
		flow = find(&pending, &c->key);
	if (!flow)
		return 0;
	if (since(c->now, flow->seen) <= lifetime(flow, c->key.protocol, is_icmp(&c->key))) {
		if (flow->epoch == c->epoch || flow->stage == CUT)
			return flow;
		if (may_begin(port, &c->key, flow->beginner)) {
			flow->epoch = c->epoch;
			return flow;
		}
		return cut_flow(c, flow->beginner);
	}
	forget_flow(&c->key);
	return 0;
}

/* Whether a packet is allowed by itself: it begins a flow, has none, or its port remembers nothing. */
GLOBAL int judge_alone(const struct port *port, const struct packet *p)
{
	struct question q = { .unused = 0 };

	if (!port || !p)
		return DROP;
	q.domain = port->domain;
	q.remote = p->direction == EGRESS ? p->destination : p->source;
	q.direction = p->direction;
	q.family = p->family;
	q.protocol = p->protocol;
	q.first = p->icmp ? p->type : net16(p->destination_port);
	q.second = p->code;
	return is_allowed(port, &q) ? PASS : DROP;
}

/* Rule 7. */
INLINE int judge_pending(const struct packet *p, struct context *c, struct flow *flow)
{
	struct flow answered = { .seen = c->now, .epoch = c->epoch, .stage = ESTABLISHED, .beginner = flow->beginner };
	int tcp = p->protocol == TCP;

	if (tcp && p->flags & RST) {
		forget(&pending, &c->key);
		return PASS;
	}
	if (flow->beginner == c->beginner) {
		if (tcp && (p->flags & (SYN | ACK)) != SYN)
			return DROP;
		flow->seen = c->now;
		return PASS;
	}
	if (tcp && !(p->flags & (SYN | ACK)))
		return DROP;
	/* Without a share it stays among those that others may push out. */
	if (take_share(c->key.port) && !put(&flows, &c->key, &answered, 0))
		forget(&pending, &c->key);
	else
		*flow = answered;
	return PASS;
}

/* A flow that ends needs no share: a port may have many short ones. It stays among the pending ones for as long as packets of it
 * may come. */
INLINE void end_flow(const struct context *c, const struct flow *flow, u8 stage)
{
	struct flow ends = { .seen = c->now, .epoch = c->epoch, .stage = stage, .beginner = flow->beginner };

	/* First the one, then the other: at no moment is there none. */
	put(&pending, &c->key, &ends, 0);
	release(&c->key);
}

/* Rules 5 to 8. */
INLINE int judge_flow(const struct port *port, const struct packet *p, struct context *c)
{
	int tcp = p->protocol == TCP, begins = !tcp || (p->flags & (SYN | ACK | RST | FIN)) == SYN;
	struct flow *flow = flow_of(port, c);

	if (flow && flow->stage == CUT) {
		if (flow->beginner != c->beginner)
			return DROP;
		flow = 0;
	}
	if (flow && tcp && begins && flow->stage > ESTABLISHED) {
		forget_flow(&c->key);
		flow = 0;
	}
	if (flow && flow->stage == PENDING)
		return judge_pending(p, c, flow);
	if (flow) {
		if (tcp && p->flags & (RST | FIN) && flow->stage != CLOSED) {
			end_flow(c, flow, p->flags & RST ? CLOSED : CLOSING);
			return PASS;
		}
		if (since(c->now, flow->seen) > FRESH || flow->stage != ESTABLISHED)
			flow->seen = c->now;
		return PASS;
	}
	if (c->is_answer || !begins || judge_alone(port, p) != PASS)
		return DROP;
	{
		struct flow begun = { .seen = c->now, .epoch = c->epoch, .stage = PENDING, .beginner = c->beginner };

		put(&pending, &c->key, &begun, 0);
	}
	return PASS;
}

/* Puts the ends of a packet into a flow's key; `from_guest`: the guest sent it. */
INLINE void set_ends(struct flow_key *key, const struct packet *p, int from_guest)
{
	key->local = from_guest ? p->source : p->destination;
	key->remote = from_guest ? p->destination : p->source;
	key->local_port = from_guest ? p->source_port : p->destination_port;
	key->remote_port = from_guest ? p->destination_port : p->source_port;
}

/* ICMP queries have no ports: the identifier and the type take their place. */
INLINE void set_query(struct context *c, const struct packet *p, u8 direction)
{
	c->is_answer = p->type != c->query;
	c->beginner = c->is_answer ? !direction : direction;
	c->key.beginner = c->beginner;
	c->key.local_port = p->source_port;
	c->key.remote_port = net16(c->query);
}

/* Rule 1: reads the packet that an error quotes; whether there is one that may be of a flow. */
GLOBAL int read_quoted(struct __sk_buff *skb, const struct packet *p, struct packet *quoted)
{
	u16 header[4];
	u32 at;

	if (!p || !quoted)
		return 0;
	at = p->start + 8;
	if (p->family == 4) {
		struct ipv4 ip;
		u32 length;

		if (at + sizeof(ip) > p->end || load(skb, at, &ip, sizeof(ip)))
			return 0;
		length = (ip.version_length & 15) * 4;
		if (ip.version_length >> 4 != 4 || length < sizeof(ip) || net16(ip.fragment) & 0x1fff)
			return 0;
		quoted->source = mapped(ip.source);
		quoted->destination = mapped(ip.destination);
		quoted->protocol = ip.protocol;
		at += length;
	} else {
		struct ipv6 ip;

		if (at + sizeof(ip) > p->end || load(skb, at, &ip, sizeof(ip)) || (net32(ip.version_class_label) >> 28) != 6)
			return 0;
		quoted->source = ip.source;
		quoted->destination = ip.destination;
		quoted->protocol = ip.next;
		at += sizeof(ip);
	}
	if (at + sizeof(header) > p->end || load(skb, at, header, sizeof(header)))
		return 0;
	quoted->family = p->family;
	quoted->icmp = quoted->protocol == (p->family == 4 ? ICMP : ICMPV6);
	if (quoted->icmp) {
		quoted->type = ((u8 *)header)[0];
		quoted->code = ((u8 *)header)[1];
		quoted->source_port = quoted->destination_port = header[2];
		return query_of(p->family, quoted->type) != 0;
	}
	quoted->source_port = header[0];
	quoted->destination_port = header[1];
	return quoted->protocol == TCP || quoted->protocol == UDP || quoted->protocol == SCTP;
}

/* Whether an error quotes a packet of a live flow: one that went the other way. */
INLINE int is_related(struct __sk_buff *skb, const struct port *port, const struct packet *p, struct context *c)
{
	struct packet quoted = { .family = 0 };
	struct flow *flow;

	/* Who has one flow could send errors to anybody. */
	if (!read_quoted(skb, p, &quoted) || !same(&quoted.source, &p->destination))
		return 0;
	c->key.protocol = quoted.protocol;
	set_ends(&c->key, &quoted, p->direction == INGRESS);
	c->query = quoted.icmp ? query_of(quoted.family, quoted.type) : 0;
	if (c->query)
		set_query(c, &quoted, !p->direction);
	flow = flow_of(port, c);
	return flow && flow->stage != CUT;
}

INLINE int judge_stateful(struct __sk_buff *skb, const struct port *port, const struct packet *p, struct context *c)
{
	if (!port || !p || !c)
		return DROP;
	c->key.family = p->family;
	if (p->icmp && is_error(p->family, p->type)) {
		if (is_related(skb, port, p, c))
			return PASS;
		return judge_alone(port, p);
	}
	c->key.protocol = p->protocol;
	set_ends(&c->key, p, p->direction == EGRESS);
	c->beginner = p->direction;
	if (p->icmp) {
		c->query = query_of(p->family, p->type);
		if (!c->query)
			return judge_alone(port, p);
		set_query(c, p, p->direction);
	}
	return judge_flow(port, p, c);
}
