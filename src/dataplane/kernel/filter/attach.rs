//! Filters on a link: classifiers at both hooks of `clsact`. They stay when the program that put them there dies, and a new
//! version takes the place of the old one between two packets.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::tc::{TcAttribute, TcBpfFlags, TcFilterBpfOption, TcHandle, TcMessage, TcOption};

use crate::dataplane::kernel::netlink::{Answer, Request};
use crate::dataplane::kernel::space::plain;
use crate::dataplane::names::HANDLE;

/// Priority of our classifiers: first, for others may follow with what passed ours.
const PRIORITY: u32 = 1;
/// `ETH_P_ALL`, in network order.
const EVERYTHING: u32 = 0x0003_u16.to_be() as u32;
/// Both hooks: what comes in from the guest, and what goes out to it.
const HOOKS: [u16; 2] = [TcHandle::MIN_INGRESS, TcHandle::MIN_EGRESS];

/// Puts both programs on a link, in place of others of ours. `name` is what [`found`] finds.
#[must_use]
pub fn attach(index: u32, programs: [BorrowedFd<'_>; 2], name: &str) -> [Request; 3] {
    let flags = NLM_F_CREATE | NLM_F_REPLACE;
    let [from_guest, to_guest] = [0, 1].map(|hook| {
        let mut message = at(index, HOOKS[hook]);
        let fd = u32::try_from(programs[hook].as_raw_fd()).unwrap_or_default();
        message.attributes.push(TcAttribute::Options(vec![
            TcOption::Bpf(TcFilterBpfOption::ProgFd(fd)),
            TcOption::Bpf(TcFilterBpfOption::ProgName(name.to_owned())),
            TcOption::Bpf(TcFilterBpfOption::Flags(TcBpfFlags::DirectAction)),
        ]));
        Request { message: Message::NewTrafficFilter(message), flags }
    });
    [Request { message: Message::NewQueueDiscipline(clsact(index)), flags: NLM_F_CREATE }, from_guest, to_guest]
}

/// Where classifiers hang. It may be there already.
#[must_use]
pub fn clsact(index: u32) -> TcMessage {
    let mut message = on(index);
    message.header.parent = TcHandle::CLSACT;
    message.header.handle = TcHandle { major: u16::MAX, minor: 0 };
    message.attributes.push(TcAttribute::Kind("clsact".into()));
    message
}

/// Asks what is on a link; the answers are [`found`]'s.
#[must_use]
pub fn look(index: u32) -> [Request; 2] {
    HOOKS.map(|hook| plain(Message::GetTrafficFilter(at(index, hook))))
}

/// The name of the programs on a link, by the answers to [`look`]; none unless both hooks have ours, of one version.
#[must_use]
pub fn found(answers: &[Answer]) -> Option<String> {
    let mut names = answers.iter().map(|answer| match answer {
        Ok(Some(Message::NewTrafficFilter(message))) => name(message),
        _ => None,
    });
    let first = names.next().flatten()?;
    names.next().flatten().filter(|second| *second == first)
}

/// The link that news of classifiers are about.
#[must_use]
pub fn link_of(message: &Message) -> Option<u32> {
    match message {
        Message::NewTrafficFilter(message)
        | Message::DelTrafficFilter(message)
        | Message::DelQueueDiscipline(message) => u32::try_from(message.header.index).ok(),
        _ => None,
    }
}

fn name(message: &TcMessage) -> Option<String> {
    let options = message.attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Options(options) => Some(options),
        _ => None,
    })?;
    options.iter().find_map(|option| match option {
        TcOption::Bpf(TcFilterBpfOption::ProgName(name)) => Some(name.clone()),
        _ => None,
    })
}

/// Our classifier at a hook of a link.
fn at(index: u32, hook: u16) -> TcMessage {
    let mut message = on(index);
    message.header.parent = TcHandle { major: u16::MAX, minor: hook };
    message.header.handle = HANDLE.into();
    message.header.info = PRIORITY << 16 | EVERYTHING;
    message.attributes.push(TcAttribute::Kind("bpf".into()));
    message
}

fn on(index: u32) -> TcMessage {
    TcMessage::with_index(i32::try_from(index).unwrap_or_default())
}
