/* Judges every packet that a port's guest sends or would receive. The rules stand in words in `dataplane::filter`, and once more
 * as a pure function in `dataplane::filter::verdict`, which this is compared with. */
#include "flows.h"
#include "spoof.h"

/* Fragments, part 7. */
INLINE void set_fragment(struct fragment_key *key, u64 port, const struct packet *p)
{
	key->port = port;
	key->source = p->source;
	key->destination = p->destination;
	key->identification = p->identification;
	key->protocol = p->family == 6 ? FRAGMENT : p->protocol;
	key->family = p->family;
	key->direction = p->direction;
}

LOCAL int judge_later(u64 number, const struct packet *p, const struct context *c)
{
	struct fragment_key key = { .unused = 0 };
	struct fragment *first;

	set_fragment(&key, number, p);
	first = find(&fragments, &key);
	if (!first || first->epoch != c->epoch || c->now - first->seen > SECONDS(30) || p->offset < first->held)
		return DROP;
	return PASS;
}

/* Whether another first fragment, of another length, has the same name: what came behind one would lie over the other. */
LOCAL int is_other_first(u64 number, const struct packet *p, const struct context *c)
{
	struct fragment_key key = { .unused = 0 };
	struct fragment *first;

	set_fragment(&key, number, p);
	first = find(&fragments, &key);
	return first && first->epoch == c->epoch && c->now - first->seen <= SECONDS(30) && first->held != p->held;
}

LOCAL void remember_first(u64 number, const struct packet *p, const struct context *c)
{
	struct fragment_key key = { .unused = 0 };
	struct fragment first = { .seen = c->now, .epoch = c->epoch, .held = p->held };

	set_fragment(&key, number, p);
	put(&fragments, &key, &first, 0);
}

LOCAL int judge_groups(struct __sk_buff *skb, u64 number, const struct port *port, const struct packet *p)
{
	struct context c = { .now = now(), .key = { .port = number } };
	u32 zero = 0, *there = find(&epoch, &zero);
	int verdict;

	/* Before the rules are looked at: what they say later is of a later epoch. */
	c.epoch = there ? *(volatile u32 *)there : 0;
	if (p->fragment == LATER)
		return judge_later(number, p, &c);
	if (p->fragment == FIRST && is_other_first(number, p, &c))
		return DROP;
	verdict = port->flags & STATEFUL ? judge_stateful(skb, port, p, &c) : judge_alone(port, p);
	if (verdict == PASS && p->fragment == FIRST)
		remember_first(number, p, &c);
	return verdict;
}

struct ethernet {
	u16 destination[3];
	u8 source[6];
	u16 type;
};

INLINE int judge(struct __sk_buff *skb, u64 number, u8 direction)
{
	struct packet p = { .direction = direction };
	struct port *port = find(&ports, &number);
	struct ethernet frame;
	int verdict;

	if (!port)
		return DROP;
	if (!(port->flags & GUARDED))
		return PASS;
	if (skb->vlan_present || load(skb, 0, &frame, sizeof(frame)))
		return DROP;
	__builtin_memcpy(p.station, frame.source, sizeof(p.station));
	if (direction == EGRESS && !is_own_station(port, &p))
		return DROP;
	switch (net16(frame.type)) {
	case 0x0800:
		if (!read_ipv4(skb, &p))
			return DROP;
		break;
	case 0x86dd:
		if (!read_ipv6(skb, &p))
			return DROP;
		break;
	case 0x0806:
		return judge_arp(skb, port, &p);
	case 0x8035: /* RARP: what announces a station that has moved */
		return direction == EGRESS ? PASS : DROP;
	default:
		return DROP;
	}
	if (p.fragment != LATER && !read_transport(skb, &p))
		return DROP;
	verdict = p.family == 4 ? judge_ipv4(port, &p) : judge_ipv6(skb, port, &p);
	return verdict == OPEN ? judge_groups(skb, number, port, &p) : verdict;
}

INLINE int judge_wire(struct __sk_buff *skb, u8 direction)
{
	u32 index = skb->ifindex;
	u64 *number = find(&wires, &index);

	return number ? judge(skb, *number, direction) : DROP;
}

/* What comes out of a guest goes into the vswitch. */
SEC("classifier/from_guest")
int from_guest(struct __sk_buff *skb)
{
	return judge_wire(skb, EGRESS);
}

/* What leaves the vswitch goes to a guest. */
SEC("classifier/to_guest")
int to_guest(struct __sk_buff *skb)
{
	return judge_wire(skb, INGRESS);
}

char licence[] SEC("license") = "Apache-2.0";
