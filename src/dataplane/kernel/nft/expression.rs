//! Terms as the expressions of the kernel's virtual machine: load into a register, compare, act.
//!
//! Numbers are those of `linux/netfilter/nf_tables.h`.

use crate::dataplane::kernel::netfilter::Request;
use crate::dataplane::nft::{Field, Term, Value};

/// `NFTA_EXPR_NAME`, `NFTA_EXPR_DATA`, `NFTA_LIST_ELEM`, `NFTA_DATA_VALUE`.
const NAME: u16 = 1;
const DATA: u16 = 2;
const ELEMENT: u16 = 1;
const VALUE: u16 = 1;
/// The first of sixteen data registers of four octets each (`NFT_REG32_00`), and the verdict's.
const REGISTER: u32 = 8;
const VERDICT_REGISTER: u32 = 0;
const REGISTER_LEN: usize = 4;
/// `NF_DROP`, `NF_ACCEPT`.
const DROP: u32 = 0;
const ACCEPT: u32 = 1;
/// `NFPROTO_IPV4`.
const IPV4: u32 = 2;

/// Where a field comes from.
enum Source {
    /// `NFT_META_*`
    Meta(u32),
    /// Header (`NFT_PAYLOAD_*_HEADER`) and offset in it.
    Header(u32, u32),
}

/// `NFT_PAYLOAD_NETWORK_HEADER`, `NFT_PAYLOAD_TRANSPORT_HEADER`.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

/// Where ARP says its sender's IPv4 address, octets from its beginning (RFC 826).
const ARP_SENDER: u32 = 14;

/// A field's source and length in octets.
fn source(field: Field) -> (Source, usize) {
    match field {
        Field::IifName => (Source::Meta(6), 16),
        Field::OifName => (Source::Meta(7), 16),
        Field::L4Proto => (Source::Meta(16), 1),
        Field::IpSaddr => (Source::Header(NETWORK, 12), 4),
        Field::IpDaddr => (Source::Header(NETWORK, 16), 4),
        Field::ThDport => (Source::Header(TRANSPORT, 2), 2),
        Field::IcmpType => (Source::Header(TRANSPORT, 0), 1),
        // ARP: after htype, ptype, hlen, plen and operation stand the sender's MAC and IP address, and the target's.
        Field::ArpSaddrEther => (Source::Header(NETWORK, 8), 6),
        Field::ArpSaddrIp => (Source::Header(NETWORK, ARP_SENDER), 4),
        Field::ArpDaddrIp => (Source::Header(NETWORK, 24), 4),
    }
}

/// Adds the expressions of one term.
pub fn encode(term: &Term, out: &mut Request) {
    match term {
        Term::Is(field, value) => compare(*field, true, value, out),
        Term::IsNot(field, value) => compare(*field, false, value, out),
        Term::Within(field, net) => {
            load_all(&[*field], out);
            mask(&net.netmask().octets(), out);
            test(true, &net.network().octets(), out);
        }
        Term::In(fields, set) => {
            load_all(fields, out);
            lookup(set, false, false, out);
        }
        Term::NotIn(fields, set) => {
            load_all(fields, out);
            lookup(set, false, true, out);
        }
        Term::ArpForIpv4 => {
            header(NETWORK, 0, 6, REGISTER, out);
            test(true, &[0, 1, 8, 0, 6, 4], out);
        }
        Term::Syn => {
            const FLAGS: u32 = 13;
            compare(Field::L4Proto, true, &Value::Proto(6), out);
            header(TRANSPORT, FLAGS, 1, REGISTER, out);
            mask(&[0x06], out);
            test(true, &[0x02], out);
        }
        // Conntrack's words are of this machine's byte order. `NFT_CT_STATE`, 1 << (IP_CT_NEW + 1); `NFT_CT_STATUS`,
        // IPS_DST_NAT; `NFT_CT_DIRECTION`, IP_CT_DIR_ORIGINAL.
        Term::New => conntrack_bit(0, 8, out),
        Term::NewOrUntracked => conntrack_bit(0, 8 | 64, out),
        Term::Dnatted => conntrack_bit(2, 32, out),
        Term::Original => {
            conntrack(1, out);
            test(true, &[0], out);
        }
        Term::MoreConnections { set, over } => count(set, *over, out),
        Term::Remember(set) => {
            load_all(&[Field::IpDaddr], out);
            expression("dynset", out, |e| {
                e.text(1, set);
                // NFT_DYNSET_OP_UPDATE
                e.be32(3, 1);
                e.be32(4, REGISTER);
            });
        }
        Term::Mark(mark) => {
            expression("immediate", out, |e| {
                e.be32(1, REGISTER);
                e.nest(2, |d| d.bytes(VALUE, &mark.to_ne_bytes()));
            });
            // NFT_META_MARK, from the register.
            expression("meta", out, |e| {
                e.be32(2, 3);
                e.be32(3, REGISTER);
            });
        }
        Term::Notrack => expression("notrack", out, |_| {}),
        Term::ClampMss => clamp(out),
        Term::Dnat { by, map, port } => {
            load_all(by, out);
            lookup(map, true, false, out);
            nat(1, *port, out);
        }
        Term::Snat(map) => {
            load_all(&[Field::IpSaddr], out);
            lookup(map, true, false, out);
            nat(0, false, out);
        }
        Term::SnatTo(ip) => {
            expression("immediate", out, |e| {
                e.be32(1, REGISTER);
                e.nest(2, |d| d.bytes(VALUE, &ip.octets()));
            });
            nat(0, false, out);
        }
        Term::ArpSpeakAs { by, map } => {
            load_all(by, out);
            lookup(map, true, false, out);
            // ARP has no checksum to mend.
            expression("payload", out, |e| {
                e.be32(5, REGISTER);
                e.be32(2, NETWORK);
                e.be32(3, ARP_SENDER);
                e.be32(4, 4);
            });
        }
        Term::Reject => expression("reject", out, |e| {
            // NFT_REJECT_ICMP_UNREACH, ICMP_HOST_UNREACH
            e.be32(1, 0);
            e.bytes(2, &[1]);
        }),
        Term::Accept => verdict(ACCEPT, out),
        Term::Drop => verdict(DROP, out),
    }
}

fn expression(name: &str, out: &mut Request, data: impl FnOnce(&mut Request)) {
    out.nest(ELEMENT, |e| {
        e.text(NAME, name);
        e.nest(DATA, data);
    });
}

fn compare(field: Field, equal: bool, value: &Value, out: &mut Request) {
    load_all(&[field], out);
    test(equal, &value.octets(), out);
}

/// Loads fields into consecutive registers, each beginning a new one.
fn load_all(fields: &[Field], out: &mut Request) {
    let mut register = REGISTER;
    for field in fields {
        let (source, len) = source(*field);
        match source {
            Source::Meta(key) => expression("meta", out, |e| {
                e.be32(1, register);
                e.be32(2, key);
            }),
            Source::Header(base, offset) => header(base, offset, number(len), register, out),
        }
        register += number(len.div_ceil(REGISTER_LEN));
    }
}

fn header(base: u32, offset: u32, len: u32, register: u32, out: &mut Request) {
    expression("payload", out, |e| {
        e.be32(1, register);
        e.be32(2, base);
        e.be32(3, offset);
        e.be32(4, len);
    });
}

fn test(equal: bool, value: &[u8], out: &mut Request) {
    expression("cmp", out, |e| {
        e.be32(1, REGISTER);
        e.be32(2, u32::from(!equal));
        e.nest(3, |d| d.bytes(VALUE, value));
    });
}

fn mask(mask: &[u8], out: &mut Request) {
    expression("bitwise", out, |e| {
        e.be32(1, REGISTER);
        e.be32(2, REGISTER);
        e.be32(3, number(mask.len()));
        e.nest(4, |d| d.bytes(VALUE, mask));
        e.nest(5, |d| d.bytes(VALUE, &vec![0; mask.len()]));
    });
}

/// Looks the loaded key up: in a map for data, in a set for the answer yes (or no).
fn lookup(set: &str, map: bool, not: bool, out: &mut Request) {
    expression("lookup", out, |e| {
        e.text(1, set);
        e.be32(2, REGISTER);
        if map {
            e.be32(3, REGISTER);
        }
        if not {
            e.be32(5, 1);
        }
    });
}

fn conntrack(key: u32, out: &mut Request) {
    expression("ct", out, |e| {
        e.be32(1, REGISTER);
        e.be32(2, key);
    });
}

fn conntrack_bit(key: u32, bit: u32, out: &mut Request) {
    conntrack(key, out);
    mask(&bit.to_ne_bytes(), out);
    test(false, &[0; 4], out);
}

/// Adds the source to a dynamic set, with a count of its connections.
fn count(set: &str, over: u32, out: &mut Request) {
    load_all(&[Field::IpSaddr], out);
    expression("dynset", out, |e| {
        e.text(1, set);
        // NFT_DYNSET_OP_ADD
        e.be32(3, 0);
        e.be32(4, REGISTER);
        e.nest(7, |c| {
            c.text(NAME, "connlimit");
            c.nest(DATA, |d| {
                d.be32(1, over);
                // NFT_CONNLIMIT_F_INV: more than, not at most
                d.be32(2, 1);
            });
        });
    });
}

/// Route MTU less headers, made network order, into the MSS option (kind 2, two octets at offset 2). The kernel only lowers.
fn clamp(out: &mut Request) {
    expression("rt", out, |e| {
        e.be32(1, REGISTER);
        e.be32(2, 3);
    });
    expression("byteorder", out, |e| {
        e.be32(1, REGISTER);
        e.be32(2, REGISTER);
        e.be32(3, 1);
        e.be32(4, 2);
        e.be32(5, 2);
    });
    expression("exthdr", out, |e| {
        e.bytes(2, &[2]);
        e.be32(3, 2);
        e.be32(4, 2);
        e.be32(6, 1);
        e.be32(7, REGISTER);
    });
}

/// Translates to the loaded address (and port): `NFT_NAT_SNAT` is 0, `NFT_NAT_DNAT` 1.
fn nat(kind: u32, port: bool, out: &mut Request) {
    expression("nat", out, |e| {
        e.be32(1, kind);
        e.be32(2, IPV4);
        e.be32(3, REGISTER);
        if port {
            e.be32(5, REGISTER + 1);
        }
    });
}

fn verdict(code: u32, out: &mut Request) {
    expression("immediate", out, |e| {
        e.be32(1, VERDICT_REGISTER);
        e.nest(2, |d| d.nest(2, |v| v.be32(1, code)));
    });
}

/// Lengths in rules are a few octets.
fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
