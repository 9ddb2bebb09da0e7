/* What the filters go by and what they remember. `src/dataplane/filter/layout.rs` writes and reads the same bytes: a change
 * here is a change there, and of its LAYOUT. */
#pragma once
#include "bpf.h"

#define PAIRS_MAX 32
#define GROUPS_MAX 16
#define RULES_MAX 200

/* An IP address in network order; IPv4 as ::ffff:a.b.c.d. */
struct address {
	u64 high, low;
};

struct range {
	struct address net, mask;
};

/* A source that a port may send from. */
struct pair {
	struct range range;
	u8 mac[6];
	u8 family;
	u8 unused;
};

#define GUARDED 1
#define STATEFUL 2
#define ANNOUNCES 4

/* What is judged by at a port, and where it is. It stands whole in each table that leads to it: to look it up in another one would
 * cost every packet more than all that is read of it. */
struct port {
	u64 number, network, domain;
	u32 index; /* of the interface that its guest is behind */
	u8 flags;
	u8 pairs_count;
	u8 groups_count;
	u8 tap;
	u8 mac[6];
	u8 station[6]; /* its key on the network */
	u8 unused[4];
	u64 groups[GROUPS_MAX];
	struct pair pairs[PAIRS_MAX];
};

#define ANYWHERE 0
#define NET 1
#define GROUP 2

struct span {
	u16 first, last;
};

struct rule {
	u8 family; /* 0: both */
	u8 any_protocol;
	u8 protocol;
	u8 remote;
	struct span first, second;
	u32 unused;
	struct range range; /* of a remote group: its number stands first */
};

/* Rules for ingress first. */
struct group {
	u16 ingress, total;
	u32 unused;
	struct rule rules[RULES_MAX];
};

struct member {
	u64 group, domain;
	struct address address;
};

/* A flow, seen by the port. Ports in network order. */
struct flow_key {
	u64 port;
	struct address local, remote;
	u16 local_port, remote_port;
	u8 protocol, family;
	u8 beginner; /* of ICMP queries only: two that began apart are two flows */
	u8 unused;
};

#define PENDING 0
#define ESTABLISHED 1
#define CLOSING 2
#define CLOSED 3
#define CUT 4 /* none any more, but answers to it may be under way */

struct flow {
	u64 seen; /* ns */
	u32 epoch;
	u8 stage, beginner;
	u8 unused[2];
};

struct fragment_key {
	u64 port;
	struct address source, destination;
	u32 identification;
	u8 protocol, family, direction;
	u8 unused;
};

struct fragment {
	u64 seen; /* ns */
	u32 epoch;
	u32 held; /* bytes of the packet's payload that were judged */
};

/* A port on a network, by its MAC address. */
struct station_key {
	u64 network;
	u16 mac[3];
	u16 unused;
};

/* Whose guest is behind an interface of the vswitch. */
struct {
	NUMBER(type, HASH);
	NUMBER(max_entries, 16384);
	NUMBER(map_flags, ON_DEMAND);
	TYPE(key, u32);
	TYPE(value, struct port);
} wires SEC(".maps");

/* Whom a frame may be handed to without passing the bridge. Empty where that is not wanted. */
struct {
	NUMBER(type, HASH);
	NUMBER(max_entries, 16384);
	NUMBER(map_flags, ON_DEMAND);
	TYPE(key, struct station_key);
	TYPE(value, struct port);
} stations SEC(".maps");

struct {
	NUMBER(type, HASH);
	NUMBER(max_entries, 16384);
	NUMBER(map_flags, ON_DEMAND);
	TYPE(key, u64);
	TYPE(value, struct group);
} groups SEC(".maps");

struct {
	NUMBER(type, HASH);
	NUMBER(max_entries, 1048576);
	NUMBER(map_flags, ON_DEMAND);
	TYPE(key, struct member);
	TYPE(value, u8);
} members SEC(".maps");

/* Goes up when something may be forbidden that was allowed. */
struct {
	NUMBER(type, ARRAY);
	NUMBER(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, u32);
} epoch SEC(".maps");

/* Somebody answered, and nobody has begun to end it. The loader says how many. */
struct {
	NUMBER(type, LRU_HASH);
	NUMBER(max_entries, 131072);
	TYPE(key, struct flow_key);
	TYPE(value, struct flow);
} flows SEC(".maps");

/* How many of them each port has; the agent counts anew where one has many, for what the kernel forgets is not told. */
struct {
	NUMBER(type, HASH);
	NUMBER(max_entries, 16384);
	NUMBER(map_flags, ON_DEMAND);
	TYPE(key, u64);
	TYPE(value, u32);
} shares SEC(".maps");

/* What a port has at most: one guest cannot make others' flows be forgotten. The loader says how many. */
volatile const u32 share = 8192;

/* Nobody answered yet, or they end, or their port has more than its share: apart, so that whoever begins many ends none that is
 * established. */
struct {
	NUMBER(type, LRU_HASH);
	NUMBER(max_entries, 16384);
	TYPE(key, struct flow_key);
	TYPE(value, struct flow);
} pending SEC(".maps");

struct {
	NUMBER(type, LRU_HASH);
	NUMBER(max_entries, 4096);
	TYPE(key, struct fragment_key);
	TYPE(value, struct fragment);
} fragments SEC(".maps");

/* A guest says that an address is at its port. */
struct announcement {
	u64 port;
	u64 seen; /* ns */
	struct address address;
	u8 mac[6];
	u8 unused[2];
};

/* Of ports with allowed address pairs; the agent listens. What there is no room for is not told. */
struct {
	NUMBER(type, RINGBUF);
	NUMBER(max_entries, 32768);
} announcements SEC(".maps");

struct announcer {
	u64 since; /* ns */
	u64 count;
};

/* How much each of them said lately. */
struct {
	NUMBER(type, LRU_HASH);
	NUMBER(max_entries, 1024);
	TYPE(key, u64);
	TYPE(value, struct announcer);
} announcers SEC(".maps");
