//! 4: `ICMPv6`.

use super::frames::{ICMPV6, Ip, OPTIONS, icmp};
use super::*;

const OWN: &str = "2001:db8::5";
const LOCAL: &str = "fe80::aaff:fe00:5";
const PEER: &str = "2001:db8::7";
const NOBODY: &str = "::";
const ROUTERS: &str = "ff02::2";
/// Who might have an address that ends in `00:0005`.
const SOLICITED: &str = "ff02::1:ff00:5";

const DISCOVERY: Verdict = Pass(By::Discovery);
const LISTENER: Verdict = Pass(By::Listener);
const CLAIM: Verdict = Drop(Reason::NeighbourClaim);

fn message(kind: u8, source: &str, destination: &str, body: &[u8]) -> Ip {
    Ip::new(source, destination, ICMPV6, icmp(kind, 0, 0, body))
}

/// 135 or 136 about an address.
fn about(kind: u8, source: &str, destination: &str, target: &str) -> Vec<u8> {
    message(kind, source, destination, &target.parse::<std::net::Ipv6Addr>().unwrap().octets()).frame(MAC)
}

#[test]
fn a_guest_solicits_and_advertises_for_itself_only() {
    let short = |kind: u8, source: &str| message(kind, source, PEER, &[0; 15]).frame(MAC);
    each(
        &["out any"],
        &[
            ("asks", Egress, about(135, OWN, SOLICITED, PEER), DISCOVERY),
            ("asks from its link-local address", Egress, about(135, LOCAL, PEER, PEER), DISCOVERY),
            ("asks from another's", Egress, about(135, PEER, SOLICITED, OWN), CLAIM),
            ("asks and is cut off", Egress, short(135, OWN), CLAIM),
            ("is it alone?", Egress, about(135, NOBODY, SOLICITED, OWN), DISCOVERY),
            ("the same for its link-local address", Egress, about(135, NOBODY, SOLICITED, LOCAL), DISCOVERY),
            ("the same for an opaque one", Egress, about(135, NOBODY, SOLICITED, "fe80::1:2:3:4"), DISCOVERY),
            ("the same for another's", Egress, about(135, NOBODY, SOLICITED, PEER), CLAIM),
            ("the same for a router's", Egress, about(135, NOBODY, SOLICITED, "fe80::1"), CLAIM),
            ("the same to one", Egress, about(135, NOBODY, PEER, OWN), CLAIM),
            ("the same to all", Egress, about(135, NOBODY, "ff02::1", OWN), CLAIM),
            ("the same cut off", Egress, message(135, NOBODY, SOLICITED, &[0; 15]).frame(MAC), CLAIM),
            ("answers", Egress, about(136, OWN, PEER, OWN), DISCOVERY),
            ("answers all", Egress, about(136, LOCAL, "ff02::1", OWN), DISCOVERY),
            ("answers for another", Egress, about(136, OWN, PEER, PEER), CLAIM),
            ("answers for a router", Egress, about(136, OWN, PEER, "fe80::1"), CLAIM),
            ("answers from another's", Egress, about(136, PEER, PEER, OWN), CLAIM),
            ("answers from nobody", Egress, about(136, NOBODY, "ff02::1", OWN), CLAIM),
            ("answers and is cut off", Egress, short(136, OWN), CLAIM),
            ("is asked", Ingress, about(135, PEER, SOLICITED, OWN), DISCOVERY),
            ("is answered", Ingress, about(136, PEER, OWN, PEER), DISCOVERY),
        ],
    );
}

#[test]
fn a_guest_is_no_router() {
    let frame = |kind, source: &str, destination: &str| message(kind, source, destination, &[0; 32]).frame(MAC);
    each(
        &["out any"],
        &[
            ("looks for routers", Egress, frame(133, LOCAL, ROUTERS), DISCOVERY),
            ("asks one", Egress, frame(133, OWN, PEER), DISCOVERY),
            ("looks for routers from nobody", Egress, frame(133, NOBODY, ROUTERS), DISCOVERY),
            ("asks one from nobody", Egress, frame(133, NOBODY, PEER), CLAIM),
            ("asks the site from nobody", Egress, frame(133, NOBODY, "ff05::2"), CLAIM),
            ("asks from another's", Egress, frame(133, PEER, ROUTERS), CLAIM),
            ("advertises", Egress, frame(134, LOCAL, "ff02::1"), Drop(Reason::RouterSpeech)),
            ("redirects", Egress, frame(137, LOCAL, PEER), Drop(Reason::RouterSpeech)),
            ("hears an advertisement", Ingress, frame(134, "fe80::1", "ff02::1"), DISCOVERY),
            ("hears a solicitation", Ingress, frame(133, NOBODY, ROUTERS), Drop(Reason::NotAllowed)),
            ("hears a redirect", Ingress, frame(137, "fe80::1", OWN), Drop(Reason::NotAllowed)),
        ],
    );
    each(&["in icmpv6 137"], &[("hears an allowed redirect", Ingress, frame(137, "fe80::1", OWN), RULE)]);
}

#[test]
fn neighbour_discovery_is_of_this_link_and_in_one_piece() {
    for kind in 133..=137 {
        let good = message(kind, LOCAL, ROUTERS, &[0; 32]);
        let mut coded = good.clone();
        coded.payload[1] = 1;
        let bad = [
            ("hop limit 254", good.clone().hops(254)),
            ("code 1", coded),
            ("an atomic fragment", good.clone().fragment(1, 0, false)),
            ("a first fragment", good.split(1, 24)[0].clone()),
        ];
        for (what, packet) in bad {
            let mut bench = Bench::new(&["out any", "in any"]);
            assert_eq!(bench.sends(&packet), Drop(Reason::Discovery), "{kind}, {what}");
            assert_eq!(bench.hears(&packet), Drop(Reason::Discovery), "{kind}, {what}");
        }
        let behind_options = good.clone().header(OPTIONS, 0);
        let mut bench = Bench::new(&["out any", "in any"]);
        assert!(bench.hears(&behind_options).passes(), "{kind}");
    }
}

#[test]
fn listeners_report_from_their_own_addresses() {
    let frame = |kind, source: &str, destination: &str, hops| {
        message(kind, source, destination, &[0; 16]).hops(hops).frame(MAC)
    };
    let no = Drop(Reason::ListenerFrom);
    for kind in [131, 132, 143] {
        each(
            &["out any"],
            &[
                ("own", Egress, frame(kind, LOCAL, "ff02::16", 1), LISTENER),
                ("to an address of the site", Egress, frame(kind, LOCAL, "ff05::7", 1), LISTENER),
                ("nobody", Egress, frame(kind, NOBODY, "ff02::16", 1), LISTENER),
                ("another's", Egress, frame(kind, PEER, "ff02::16", 1), no),
                ("to one", Egress, frame(kind, LOCAL, PEER, 1), no),
                ("for routers to carry", Egress, frame(kind, LOCAL, "ff05::7", 2), no),
                ("hears one", Ingress, frame(kind, PEER, "ff02::16", 1), Drop(Reason::NotAllowed)),
            ],
        );
    }
    each(
        &["out any"],
        &[
            ("queries", Egress, frame(130, LOCAL, "ff02::1", 1), LISTENER),
            ("queries who listens to an address", Egress, frame(130, LOCAL, "ff05::7", 1), LISTENER),
            ("queries one", Egress, frame(130, OWN, PEER, 1), no),
            ("for routers to carry", Egress, frame(130, OWN, "ff05::7", 64), no),
            ("queries from nobody", Egress, frame(130, NOBODY, "ff02::1", 1), no),
            ("queries from another's", Egress, frame(130, PEER, "ff02::1", 1), no),
            ("is queried", Ingress, frame(130, "fe80::1", "ff02::1", 1), LISTENER),
            ("is queried from far", Ingress, frame(130, PEER, OWN, 60), Drop(Reason::NotAllowed)),
        ],
    );
    each(&["in icmpv6 130"], &[("which a rule may allow", Ingress, frame(130, PEER, OWN, 60), RULE)]);
}

#[test]
fn other_messages_are_the_groups_matter_if_they_are_the_guests() {
    let frame = |kind, source: &str| message(kind, source, PEER, &[0; 16]).frame(MAC);
    for kind in [1, 2, 3, 4, 128, 138, 139, 151] {
        each(
            &["out icmpv6"],
            &[
                ("own", Egress, frame(kind, OWN), RULE),
                ("nobody", Egress, frame(kind, NOBODY), Drop(Reason::Source)),
                ("another's", Egress, frame(kind, PEER), Drop(Reason::Source)),
                ("coming in", Ingress, frame(kind, PEER), Drop(Reason::NotAllowed)),
            ],
        );
    }
}
