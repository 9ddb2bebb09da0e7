//! Packets made to break the responder: a million of them, each a little wrong, and whatever proptest thinks of.
//!
//! What must hold: nothing panics; an answer goes to the port whose MAC address sent the request, and gives or confirms only
//! that port's own addresses; only requests are answered, one answer each, of one frame at most.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation)]

use proptest::prelude::*;

use super::fixture::*;
use super::*;
use crate::api::MacAddr;
use crate::model::Key;

/// Packets tried by each of [`THREADS`].
const PACKETS: usize = 500_000;
const THREADS: u64 = 2;

/// xorshift64: the same packets in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides.max(1)
    }
}

/// Frames that are answered, and some that would be if they were a little different.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for mac in [WEB, TWO, BARE, ROUTED, STRANGER] {
        for kind in 1..=8 {
            let ask = Ask::new(kind, mac).option(code::PARAMETERS, &[1, 3, 6, 15, 121]).option(code::CLIENT, &[1; 7]);
            seeds.push(ask.clone().frame());
            seeds.push(ask.clone().requested("10.0.0.5").server("10.0.0.1").frame());
            seeds.push(ask.clone().using("10.0.0.7").frame());
            seeds.push(ask.option(code::OVERLOAD, &[3]).option(code::MAX_SIZE, &[5, 220]).frame());
        }
        let [a, b] = [[10, 0, 0, 5], [10, 0, 0, 1]];
        seeds.push([&[0xff; 6][..], &mac.0, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &mac.0, &a, &[0; 6], &b].concat());
    }
    seeds
}

fn mutate(frame: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.roll(3) {
        let length = frame.len();
        // Most can be wrong in the options; the headers before them are where nothing else would be read.
        let options = 282.min(length);
        let at = if dice.roll(4) == 0 { dice.roll(length) } else { options + dice.roll(length - options) };
        match dice.roll(12) {
            0 => frame.truncate(at),
            1 => frame.extend((0..dice.roll(300)).map(|n| (n * 7) as u8)),
            2 if at < length => drop(frame.remove(at)),
            3 if at < length => frame.insert(at, dice.roll(256) as u8),
            4..8 if at < length => frame[at] = [0, 1, 3, 50, 52, 53, 54, 55, 57, 61, 255][dice.roll(11)],
            _ if at < length => frame[at] ^= 1 << dice.roll(8),
            _ => {}
        }
    }
    // Lengths that fit again: else few would be read any further.
    if dice.roll(4) > 0 && frame.len() > 42 && frame[12..14] == [8, 0] {
        let length = frame.len() as u16;
        frame[16..18].copy_from_slice(&(length - 14).to_be_bytes());
        frame[38..40].copy_from_slice(&(length - 34).to_be_bytes());
    }
}

/// Checks what must hold of any answer; whether there was one.
fn judge(table: &Table, frame: &[u8]) -> bool {
    let Ok(reply) = answer(table, &bridge(), frame) else { return false };
    let sender: [u8; 6] = frame[6..12].try_into().unwrap();
    let network = &table.networks[&*bridge()];
    let port = &network.ports[&MacAddr(sender)];
    assert_eq!(reply.port, port.key);
    assert_eq!(reply.frame[..6], sender, "to another station");
    assert_eq!(reply.frame[6..12], network.mac.0, "from another station");
    if frame[12..14] == [8, 6] {
        assert_eq!(frame[20..22], [0, 1], "answered what is no request");
        assert!(network.held.iter().any(|ip| ip.octets() == reply.frame[28..32]), "answered for another");
        return true;
    }
    assert!(reply.frame.len() <= 14 + 1500);
    let said = Said::read(&reply.frame);
    let own = |ip| port.addresses.iter().any(|(own, _)| *own == ip);
    assert!(said.yiaddr.is_unspecified() || own(said.yiaddr), "gave another's address");
    assert!(said.ciaddr.is_unspecified() || own(said.ciaddr), "confirmed another's address");
    assert!(said.destination.is_broadcast() || own(said.destination), "sent to another's address");
    assert!(matches!(said.kind(), 2 | 5 | 6));
    true
}

#[test]
fn a_million_hostile_packets_break_nothing_and_gain_nothing() {
    let work = |seed: u64| {
        let (table, seeds, mut dice) = (world(), seeds(), Dice(seed));
        let mut frame = Vec::new();
        let mut answered = 0;
        for _ in 0..PACKETS {
            frame.clone_from(&seeds[dice.roll(seeds.len())]);
            mutate(&mut frame, &mut dice);
            answered += usize::from(judge(&table, &frame));
            let payload = frame.get(42..).unwrap_or_default();
            if let Ok(reply) = answer_routed(&table, &router(), ip("10.3.0.1"), ip("10.3.0.10"), payload) {
                assert_eq!((reply.port, reply.to), (Key::new("default", "routed"), ip("10.3.0.10")));
            }
        }
        answered
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=THREADS).map(|n| scope.spawn(move || work(n * 0x9e37_79b9))).collect();
        for thread in threads {
            // Mutations that only ever make a packet invalid would test nothing behind the first check.
            let answered = thread.join().unwrap();
            assert!((PACKETS / 20..PACKETS).contains(&answered), "{answered} of {PACKETS} answered");
        }
    });
}

proptest! {
    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        judge(&world(), &bytes);
        let _ = answer_routed(&world(), &router(), ip("10.3.0.1"), ip("10.3.0.10"), &bytes);
    }

    #[test]
    fn any_options_in_a_sound_request_are_taken(
        kind in 0_u8..12,
        options in proptest::collection::vec((1_u8..255, proptest::collection::vec(any::<u8>(), 0..60)), 0..12),
        ciaddr in any::<[u8; 4]>(),
        broadcast in any::<bool>(),
    ) {
        let options = options.into_iter().filter(|(code, _)| *code != code::MESSAGE_TYPE).collect();
        let ask = Ask { ciaddr: ciaddr.into(), broadcast, options, ..Ask::new(kind, WEB) };
        let answered = judge(&world(), &ask.frame());
        prop_assert!(answered || kind != 1, "a sound discovery is answered, whatever else it says");
    }
}
