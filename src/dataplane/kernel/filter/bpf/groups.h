/* Security groups: whether any rule allows what a flow begins with. */
#pragma once
#include "packet.h"

struct question {
	u64 domain;
	struct address remote;
	u16 first, second; /* host order */
	u8 direction, family, protocol;
	u8 unused;
};

GLOBAL int group_allows(const struct group *group, const struct question *q)
{
	struct member member;
	u32 i, at, end;

	if (!group || !q)
		return 0;
	at = q->direction == INGRESS ? 0 : group->ingress;
	end = q->direction == INGRESS ? group->ingress : group->total;
	for (i = 0; i < RULES_MAX; i++, at++) {
		const struct rule *rule;

		if (at >= end || at >= RULES_MAX)
			break;
		/* The compiler would keep a pointer of its own instead, whose bounds the verifier does not see. */
		asm volatile("" : "+r"(at));
		rule = &group->rules[at];
		if ((rule->family && rule->family != q->family) || (!rule->any_protocol && rule->protocol != q->protocol))
			continue;
		if (q->first < rule->first.first || q->first > rule->first.last || q->second < rule->second.first ||
		    q->second > rule->second.last)
			continue;
		if (rule->remote == ANYWHERE)
			return 1;
		if (rule->remote == NET) {
			if ((q->remote.high & rule->range.mask.high) == rule->range.net.high &&
			    (q->remote.low & rule->range.mask.low) == rule->range.net.low)
				return 1;
			continue;
		}
		member.group = rule->range.net.high;
		member.domain = q->domain;
		member.address = q->remote;
		if (find(&members, &member))
			return 1;
	}
	return 0;
}

INLINE int is_allowed(const struct port *port, const struct question *q)
{
	int i;

	if (!port || !q)
		return 0;
	for (i = 0; i < GROUPS_MAX; i++) {
		struct group *group;

		if (i >= port->groups_count)
			break;
		group = find(&groups, &port->groups[i]);
		if (group && group_allows(group, q))
			return 1;
	}
	return 0;
}
