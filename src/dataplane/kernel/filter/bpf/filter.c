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
	if (!first || first->epoch != c->epoch || since(c->now, first->seen) > SECONDS(30) || p->offset < first->held)
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
	return first && first->epoch == c->epoch && since(c->now, first->seen) <= SECONDS(30) && first->held != p->held;
}

LOCAL void remember_first(u64 number, const struct packet *p, const struct context *c)
{
	struct fragment_key key = { .unused = 0 };
	struct fragment first = { .seen = c->now, .epoch = c->epoch, .held = p->held };

	set_fragment(&key, number, p);
	put(&fragments, &key, &first, 0);
}

INLINE int judge_groups(struct __sk_buff *skb, const struct port *port, const struct packet *p)
{
	struct context c = { .now = p->now, .epoch = p->epoch, .key = { .port = port->number } };
	int verdict;

	if (p->fragment == LATER)
		return judge_later(port->number, p, &c);
	if (p->fragment == FIRST && is_other_first(port->number, p, &c))
		return DROP;
	verdict = port->flags & STATEFUL ? judge_stateful(skb, port, p, &c) : judge_alone(port, p);
	if (verdict == PASS && p->fragment == FIRST)
		remember_first(port->number, p, &c);
	return verdict;
}

struct ethernet {
	u16 destination[3];
	u16 source[3];
	u16 type;
};

/* Reads what ports look at; 0: it is nothing that passes a guarded port. */
LOCAL int read(struct __sk_buff *skb, struct packet *p, const struct ethernet *frame)
{
	switch (frame->type) {
	case net16(0x0800):
		p->kind = IP;
		return read_ipv4(skb, p) && (p->fragment == LATER || read_transport(skb, p));
	case net16(0x86dd):
		p->kind = IP;
		return read_ipv6(skb, p) && (p->fragment == LATER || read_transport(skb, p));
	case net16(0x0806):
		p->kind = ARP;
		return 1;
	case net16(0x8035): /* RARP: what announces a station that has moved */
		p->kind = RARP;
		return 1;
	}
	return 0;
}

/* Judges a packet that was read, at a guarded port. */
LOCAL int judge(struct __sk_buff *skb, const struct port *port, struct packet *p)
{
	int verdict;

	if (p->kind == ARP)
		return judge_arp(skb, port, p);
	if (p->kind == RARP)
		return p->direction == EGRESS ? PASS : DROP;
	verdict = p->family == 4 ? judge_ipv4(port, p) : judge_ipv6(skb, port, p);
	return verdict == OPEN ? judge_groups(skb, port, p) : verdict;
}

/* A guest on this node and network is handed the packet at once: the bridge would do no more than look up the same address. It is
 * judged as it would be there. */
LOCAL int hand_over(struct __sk_buff *skb, u64 network, const struct ethernet *frame, struct packet *p)
{
	struct station_key key = { .network = network };
	struct port *port;

	__builtin_memcpy(key.mac, frame->destination, sizeof(key.mac));
	port = find(&stations, &key);
	if (!port)
		return PASS;
	p->direction = INGRESS;
	if (port->flags & GUARDED && judge(skb, port, p) != PASS)
		return DROP;
	if (port->tap)
		return redirect(port->index, 0);
	/* Until Linux 6.15 it would go on as somebody else's, for it came in by another interface. */
	change_type(skb, TO_US);
	return redirect_peer(port->index, 0);
}

/* Tells the agent of an announcement that passed: an allowed address pair may have moved. A guest that announces more than
 * anybody needs is not listened to for a while. */
LOCAL void listen(struct __sk_buff *skb, u64 number, const struct packet *p)
{
	struct announcement said = { .port = number, .seen = p->now };
	struct announcer fresh = { .since = said.seen }, *announcer;

	if (p->kind == ARP && p->family == 4)
		said.address = p->source;
	else if (p->kind != IP || !p->icmp || p->family != 6 || p->type != 136 || p->fragment != WHOLE ||
		 load(skb, p->start + 8, &said.address, sizeof(said.address)))
		return;
	announcer = find(&announcers, &number);
	if (!announcer) {
		put(&announcers, &number, &fresh, 0);
	} else if (said.seen - announcer->since > SECONDS(1)) {
		*announcer = fresh;
	} else if (++announcer->count > 256) {
		return;
	}
	__builtin_memcpy(said.mac, p->station, sizeof(said.mac));
	tell(&announcements, &said, sizeof(said), 0);
}

/* Whose port an interface is, and what of a packet is judged there: OPEN, if any. */
INLINE int arrive(struct __sk_buff *skb, struct port **port, struct ethernet *frame, struct packet *p)
{
	u32 index = skb->ifindex, zero = 0, *there;

	there = find(&epoch, &zero);
	p->epoch = there ? *(volatile u32 *)there : 0;
	*port = find(&wires, &index);
	if (!*port)
		return DROP;
	if (!((*port)->flags & GUARDED))
		return PASS;
	if (skb->vlan_present || load(skb, 0, frame, sizeof(*frame)))
		return DROP;
	__builtin_memcpy(p->station, frame->source, sizeof(p->station));
	p->now = now();
	return OPEN;
}

/* What comes out of a guest goes into the vswitch. */
SEC("classifier/from_guest")
int from_guest(struct __sk_buff *skb)
{
	struct packet p = { .direction = EGRESS };
	struct ethernet frame;
	struct port *port;
	int verdict = arrive(skb, &port, &frame, &p);

	if (verdict != OPEN)
		return verdict;
	if (!is_own_station(port, &p) || !read(skb, &p, &frame) || judge(skb, port, &p) != PASS)
		return DROP;
	if (port->flags & ANNOUNCES)
		listen(skb, port->number, &p);
	return frame.destination[0] & net16(0x0100) ? PASS : hand_over(skb, port->network, &frame, &p);
}

/* What leaves the vswitch goes to a guest. */
SEC("classifier/to_guest")
int to_guest(struct __sk_buff *skb)
{
	struct packet p = { .direction = INGRESS };
	struct ethernet frame;
	struct port *port;
	int verdict = arrive(skb, &port, &frame, &p);

	if (verdict != OPEN)
		return verdict;
	return read(skb, &p, &frame) ? judge(skb, port, &p) : DROP;
}

char licence[] SEC("license") = "Apache-2.0";
