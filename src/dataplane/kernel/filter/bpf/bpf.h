/* What the kernel offers to a program (include/uapi/linux/bpf.h), as far as it is used here: no header of the machine
 * that builds is needed, so every machine builds the same program. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

/* A packet; frames begin with the Ethernet header at both hooks. */
struct __sk_buff {
	u32 len;
	u32 pkt_type;
	u32 mark;
	u32 queue_mapping;
	u32 protocol;
	u32 vlan_present;
	u32 vlan_tci;
	u32 vlan_proto;
	u32 priority;
	u32 ingress_ifindex;
	u32 ifindex;
	u32 tc_index;
	u32 cb[5];
	u32 hash;
	u32 tc_classid;
	u32 data;
	u32 data_end;
};

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define LOCAL static __attribute__((noinline))
/* A function that the verifier judges once, by its types alone, instead of at each call with all that is known there: it must
 * look at its pointers before it follows them. (Linux 5.13) */
#define GLOBAL __attribute__((noinline))

/* Definition of a map (tools/lib/bpf/bpf_helpers.h): the numbers are read from the types of the fields. */
#define NUMBER(name, value) int (*name)[value]
#define TYPE(name, type) typeof(type) *name

#define HASH 1
#define ARRAY 2
#define PERCPU_ARRAY 6
#define LRU_HASH 9
#define RINGBUF 27
#define ON_DEMAND 1 /* BPF_F_NO_PREALLOC: memory for what is there, not for what could be */
#define NEW 1       /* BPF_NOEXIST */

static void *(*const find)(void *map, const void *key) = (void *)1;
static long (*const put)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const forget)(void *map, const void *key) = (void *)3;
static long (*const load_any)(const struct __sk_buff *skb, u32 offset, void *to, u32 length) = (void *)26;
/* Nanoseconds, a few milliseconds behind: it costs a tenth of the exact time (Linux 5.11). */
static u64 (*const now)(void) = (void *)160;
/* Tells whoever listens at a ring (Linux 5.8). */
static long (*const tell)(void *ring, const void *data, u64 size, u64 flags) = (void *)130;

/* Sends a packet out of an interface, or straight into the other end of a veth pair (Linux 5.10). */
static long (*const redirect)(u32 index, u64 flags) = (void *)23;
static long (*const redirect_peer)(u32 index, u64 flags) = (void *)155;
static long (*const change_type)(struct __sk_buff *skb, u32 type) = (void *)32;

#define TO_US 0 /* PACKET_HOST */

/* Headers are nearly always where they can be read at once; what is not is asked for. 0: done. */
#define NEAR 1024
INLINE long load(struct __sk_buff *skb, u32 offset, void *to, const u32 length)
{
	const u8 *data = (const u8 *)(unsigned long)skb->data, *end = (const u8 *)(unsigned long)skb->data_end;

	if (offset <= NEAR) {
		const u8 *from = data + offset;

		if (from + length <= end) {
			u32 at = 0;

			/* In words: the compiler knows of no alignment and would copy bytes. Every header is even. */
#pragma unroll
			for (; at + 4 <= length; at += 4)
				*(u32 *)((u8 *)to + at) = *(const u32 *)(from + at);
			if (at < length)
				*(u16 *)((u8 *)to + at) = *(const u16 *)(from + at);
			return 0;
		}
	}
	return load_any(skb, offset, to, length);
}

#define PASS 0 /* TC_ACT_OK, TCX_PASS */
#define DROP 2 /* TC_ACT_SHOT, TCX_DROP */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define net16(x) __builtin_bswap16(x)
#define net32(x) __builtin_bswap32(x)
#define net64(x) __builtin_bswap64(x)
#else
#define net16(x) (x)
#define net32(x) (x)
#define net64(x) (x)
#endif
