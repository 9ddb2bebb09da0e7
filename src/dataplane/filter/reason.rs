//! Why a packet passes or not, in words for people.

use std::fmt;

use crate::model::security::Number;

/// Why a packet passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The port is without port security.
    Open,
    /// ARP: what comes in, and what a guest says of its own addresses.
    Arp,
    /// RARP of a guest: a virtual machine says where it is now.
    Rarp,
    /// DHCP, as a guest needs it to get its addresses.
    Dhcp,
    /// IPv6 neighbour discovery.
    Discovery,
    /// IPv6 multicast listener discovery.
    Listener,
    /// A rule of a group allows it.
    Rule {
        /// The group.
        group: Number,
        /// The rule's place there, from 0.
        index: usize,
    },
    /// It belongs to a flow that a rule allowed.
    Flow,
    /// An ICMP error about a packet of a flow that a rule allowed.
    Error,
    /// A fragment of a packet whose first fragment passed.
    Fragment,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "the port is without port security",
            Self::Arp => "ARP for an address of its own, or coming in",
            Self::Rarp => "a guest says by RARP where it is",
            Self::Dhcp => "a guest's DHCP",
            Self::Discovery => "IPv6 neighbour discovery",
            Self::Listener => "IPv6 multicast listener discovery",
            Self::Rule { group, index } => return write!(f, "rule {index} of group {:016x} allows it", group.0),
            Self::Flow => "it belongs to a flow that was allowed",
            Self::Error => "an ICMP error about a flow that was allowed",
            Self::Fragment => "its first fragment passed",
        })
    }
}

/// The reasons with their sentences, which are their documentation, too.
macro_rules! reasons {
    ($($name:ident: $text:literal,)+) => {
        /// Why a packet is dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $(#[doc = $text] $name,)+
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }

        impl fmt::Display for Reason {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $text,)+ })
            }
        }
    };
}

reasons! {
    NoPort: "the port is not in the tables (yet)",
    Short: "the frame is shorter than an Ethernet header",
    Tagged: "the frame has a VLAN tag",
    Mac: "the guest sends from a MAC address that is not its own",
    EtherType: "neither ARP, RARP, IPv4 nor IPv6",
    RarpIn: "RARP is for bridges, not for guests",
    Arp: "the guest's ARP is no request or reply for IPv4 over Ethernet",
    ArpSender: "the guest speaks by ARP for an address that is not its own",
    Header: "the IP header is cut off or lies about version or length",
    Mapped: "an IPv4 address written as IPv6 (`::ffff:0:0/96`) is on no wire",
    ManyExtensions: "more than eight IPv6 extension headers",
    ExtensionCut: "an IPv6 extension header does not fit into the packet",
    Routing: "an IPv6 routing header leads elsewhere",
    FragmentTwice: "two IPv6 fragment headers",
    TransportCut: "not all of the TCP, UDP, SCTP or ICMP header is in the packet",
    Source: "the guest sends from an address that is not its own",
    DhcpServer: "the guest answers DHCP as if it were a server",
    Discovery: "IPv6 neighbour discovery that was routed or is in fragments",
    RouterSpeech: "the guest speaks as if it were an IPv6 router",
    ListenerFrom: "multicast listener discovery from another's address, to no multicast address, or with a hop limit that leads on",
    NeighbourClaim: "the guest's neighbour discovery is cut off or claims an address that is not its own",
    NotAllowed: "no rule of the port's groups allows it",
    NoQuery: "it answers an ICMP query that nobody sent",
    Cut: "it answers what the rules allow no more",
    NoConnection: "TCP in the middle of a connection that is not known",
    OutOfTurn: "TCP that does not fit to a connection that only begins",
    FirstUnknown: "a fragment whose first fragment did not pass before, or is long gone",
    FirstAgain: "a second first fragment, of another length",
    Overlap: "a fragment that overlaps the first one",
}
