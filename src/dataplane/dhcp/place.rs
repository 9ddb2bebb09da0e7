//! Where things stand in an answer: options in their own field and, if that is too small, in the fields `file` and `sname`
//! (option overload: RFC 2131, 4.1, and RFC 2132, 9.3); what a boot loader reads, in the fixed fields, too.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::code;
use super::message::{FILE, Fields, SNAME, encode, room_for_options, size};
use super::options::Options;

/// Bytes that the overload option takes.
const OVERLOAD_SIZE: usize = 3;

/// Codes of options by where they stand: the options field, `file`, `sname`.
type Places = [BTreeSet<u8>; 3];

/// What a port's options say to boot loaders that read fixed fields only (RFC 2131, table 3; Neutron's dnsmasq fills them
/// in, too): `siaddr` is the TFTP server, `sname` its name, `file` what to load from it. What does not fit is left out.
pub fn boot(own: &Options, fields: &mut Fields) {
    let text = |code, room: usize| own.get(&code).filter(|value| value.len() < room).cloned().unwrap_or_default();
    (fields.sname, fields.file) = (text(code::TFTP_NAME, SNAME), text(code::BOOT_FILE, FILE));
    let listed = own.get(&code::TFTP_SERVERS).and_then(|value| value.first_chunk::<4>()).map(|ip| Ipv4Addr::from(*ip));
    let named = || str::from_utf8(own.get(&code::TFTP_NAME)?).ok()?.parse().ok();
    fields.siaddr = listed.or_else(named).unwrap_or(Ipv4Addr::UNSPECIFIED);
}

/// Places options in a message of at most `room` bytes and returns what goes into the options field: the codes of `order`
/// in that order, as far as there is room, which the codes that `urgent` names get first. Options that do not fit there go
/// into `file`, if it names no file, and into `sname`: its name is told by an option as well.
pub fn place<'a>(
    options: &'a Options,
    (order, urgent): (&[u8], &[u8]),
    room: usize,
    fields: &mut Fields,
) -> Vec<(u8, &'a [u8])> {
    let room = room_for_options(room);
    let packed = |rooms| fill(options, urgent.iter().chain(order), rooms);
    let mut places = packed([room, 0, 0]);
    let count = |places: &Places| places.iter().map(BTreeSet::len).sum::<usize>();
    if order.iter().any(|code| !places[0].contains(code)) {
        // An option is led by its code and its length, and the field ends with a code that says so.
        let file = if fields.file.is_empty() { FILE - 1 } else { 0 };
        let more = packed([room.saturating_sub(OVERLOAD_SIZE), file, SNAME - 1]);
        if count(&more) > count(&places) {
            places = more;
        }
    }
    let [here, file, sname] = places.map(|place| {
        let codes = order.iter().filter(move |code| place.contains(code));
        codes.filter_map(|code| Some((*code, options.get(code)?.as_slice()))).collect::<Vec<_>>()
    });
    let mut here = here;
    let overload: &[u8] = match (file.is_empty(), sname.is_empty()) {
        (true, true) => return here,
        (false, true) => &[1],
        (true, false) => &[2],
        (false, false) => &[3],
    };
    here.push((code::OVERLOAD, overload));
    for (field, options) in [(&mut fields.file, file), (&mut fields.sname, sname)] {
        if !options.is_empty() {
            field.clear();
            encode(options.into_iter(), field);
        }
    }
    here
}

/// Each code to the first place that has room for it.
fn fill<'a>(options: &Options, codes: impl Iterator<Item = &'a u8>, mut rooms: [usize; 3]) -> Places {
    let mut places = Places::default();
    for code in codes {
        let Some(size) = options.get(code).map(|value| size(value)) else { continue };
        if places.iter().any(|place| place.contains(code)) {
            continue;
        }
        if let Some((room, place)) = rooms.iter_mut().zip(&mut places).find(|(room, _)| size <= **room) {
            *room -= size;
            place.insert(*code);
        }
    }
    places
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::fixture::*;
    use super::super::{answer, code};

    const DISCOVER: u8 = 1;
    const REQUEST: u8 = 3;
    const NAK: u8 = 6;
    const INFORM: u8 = 8;

    #[test]
    fn boot_loaders_find_in_fixed_fields_what_the_options_say() {
        let fixed = |options: &[(u8, &str)], kind| {
            let ask = Ask::new(kind, WEB)
                .option(code::PARAMETERS, &[1, 3])
                .option(code::MAX_SIZE, &[5, 0])
                .requested("10.0.0.5");
            let said = Said::read(
                &answer(&world_with(options, 1450), &bridge(), &ask.using("10.0.0.5").frame()).unwrap().frame,
            );
            assert!(options.iter().all(|(code, _)| said.options.contains_key(code)), "they are told as options, too");
            (said.siaddr.to_string(), said.sname, said.file)
        };
        let expect = |siaddr: &str, sname: &str, file: &str| (siaddr.to_owned(), sname.to_owned(), file.to_owned());
        let long = "x".repeat(127);
        for kind in [DISCOVER, REQUEST, INFORM] {
            assert_eq!(fixed(&[], kind), expect("0.0.0.0", "", ""));
            let pxe = [(66, "tftp.example"), (67, "pxelinux.0"), (150, "192.0.2.7, 192.0.2.8")];
            assert_eq!(fixed(&pxe, kind), expect("192.0.2.7", "tftp.example", "pxelinux.0"));
            assert_eq!(fixed(&[(66, "192.0.2.9")], kind), expect("192.0.2.9", "192.0.2.9", ""));
            assert_eq!(fixed(&[(66, &long), (67, &long)], kind), expect("0.0.0.0", "", &long));
            assert_eq!(fixed(&[(67, &"x".repeat(128))], kind), expect("0.0.0.0", "", ""));
        }
        let refused = Ask::new(REQUEST, WEB).requested("192.168.1.2");
        let said =
            Said::read(&answer(&world_with(&[(67, "pxelinux.0")], 1450), &bridge(), &refused.frame()).unwrap().frame);
        assert_eq!((said.kind(), &*said.file), (NAK, ""));
    }

    #[test]
    fn options_that_do_not_fit_go_into_the_fields_for_names_unless_a_file_is_named() {
        let value = |length| "x".repeat(length);
        let said = |options: &[(u8, &str)]| {
            Said::read(&answer(&world_with(options, 1450), &bridge(), &Ask::new(DISCOVER, WEB).frame()).unwrap().frame)
        };
        // 307 bytes are for options; the lease needs 108 of them, and this leaves none.
        let (big, middle, small) = (value(180), value(120), value(60));
        let few = said(&[(224, &big)]);
        assert!(!few.options.contains_key(&code::OVERLOAD) && few.options.contains_key(&224));
        let all = said(&[(224, &big), (225, &middle), (226, &small)]);
        assert_eq!((&all.options[&code::OVERLOAD][..], all.length <= 548), (&[3][..], true));
        assert_eq!(all.order[all.order.len() - 3..], [code::OVERLOAD, 225, 226]);
        assert_eq!([224, 225, 226].map(|code| all.options[&code].len()), [180, 120, 60]);
        assert_eq!(said(&[(224, &big), (225, &middle)]).options[&code::OVERLOAD], [1]);
        assert_eq!(said(&[(224, &big), (67, "pxelinux.0"), (226, &small)]).options[&code::OVERLOAD], [2]);
        let named = said(&[(224, &big), (67, "pxelinux.0"), (225, &middle)]);
        assert_eq!((&*named.file, named.options.contains_key(&225)), ("pxelinux.0", false), "the loader's file stays");
    }
}
