//! A guest that sends whatever might get through: nothing of it arrives, and what others say to each other goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tenet::api::Protocol::TCP;

use crate::frames::Mac;
use crate::kinds::{GUARDED, Kind, ME, OPEN, first_part, forged, uninvited};
use crate::support::{Guest, Host, until};
use crate::wire::{Ear, Mouth, mute, on_both_paths, to};

const WORLD: &str = "
PhysicalNetwork public {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: public, type: Flat}}
Subnet public {networkRef: {name: public}, cidr: 203.0.113.0/24, dhcp: false,
    allocationPools: [{start: 203.0.113.10, end: 203.0.113.20}]}
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}}}
SecurityGroup out {rules: [{direction: Egress}]}
Port hostile {networkRef: {name: blue}, macAddress: '02:00:00:00:00:0a', addresses: [{ip: 10.0.0.10}],
    securityGroupRefs: [{name: out}], allowedAddressPairs: [{ip: 2001:db8::a}]}
Port guarded {networkRef: {name: blue}, macAddress: '02:00:00:00:00:0b', addresses: [{ip: 10.0.0.11}]}
Port open {networkRef: {name: blue}, macAddress: '02:00:00:00:00:0c', addresses: [{ip: 10.0.0.12}], portSecurity: false}
Port free {networkRef: {name: blue}, portSecurity: false}
Port here {networkRef: {name: blue}, addresses: [{ip: 10.0.0.21}]}
Port there {networkRef: {name: blue}, addresses: [{ip: 10.0.0.22}]}
";

/// How many frames are sent.
const FRAMES: usize = 1_000_000;
/// Of each kind, made beforehand.
const EACH: u16 = 120;
/// What every frame carries, before the number of its kind.
const MARK: [u8; 4] = [0xc0, 0xde, 0xfa, 0xce];
/// Of the number of a frame, at its end.
const NUMBER: usize = 4;

/// Frames of all kinds, the kind's number with each.
fn frames(kinds: &[Kind]) -> Vec<(u8, Vec<u8>)> {
    let make = |n: u16, (kind, Kind(_, make)): (u8, &Kind)| {
        let mark = [&MARK[..], &[kind]].concat();
        (kind, [&make(n, &mark)[..], &mark, &[0; NUMBER]].concat())
    };
    (0..EACH).flat_map(|n| (0..).zip(kinds).map(move |kind| make(n, kind))).collect()
}

/// The kind of a frame, if it is one of ours.
fn kind(frame: &[u8]) -> Option<usize> {
    let at = frame.windows(MARK.len()).position(|window| window == MARK)?;
    frame.get(at + MARK.len()).map(|kind| usize::from(*kind))
}

/// MAC addresses of the interfaces of a station, by a beginning of their names.
fn macs(station: &Guest, prefix: &str) -> Vec<(String, Mac)> {
    let links: Value = serde_json::from_str(&station.run("ip -j link").expect_ok()).unwrap();
    let mac = |text: &str| {
        let octets: Vec<u8> = text.split(':').map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect();
        octets.try_into().unwrap()
    };
    let links = links.as_array().unwrap().iter().filter(|link| link["ifname"].as_str().unwrap().starts_with(prefix));
    links.map(|link| (link["ifname"].as_str().unwrap().to_owned(), mac(link["address"].as_str().unwrap()))).collect()
}

/// A watcher's name, its ear, and whether it may hear what the hostile guest may send.
type Watcher = (String, Ear, bool);

/// Counts what arrives, kind by kind, until it is over and nothing of it came for a while.
fn watch(ear: &mut Ear, kinds: usize, over: &AtomicBool) -> Vec<u64> {
    const QUIET: Duration = Duration::from_millis(500);
    let (mut counts, mut last) = (vec![0; kinds], Instant::now());
    while !over.load(Ordering::Relaxed) || last.elapsed() < QUIET {
        if let Some(kind) = ear.next(QUIET).and_then(|frame| kind(&frame)) {
            counts[kind] += 1;
            last = Instant::now();
        }
    }
    counts
}

/// Sends so many frames, each to another station than the one before, and no two alike.
fn attack(mouth: &Mouth, frames: &[(u8, Vec<u8>)], stations: &[Mac]) -> usize {
    let mut frames: Vec<Vec<u8>> = frames.iter().map(|(_, frame)| frame.clone()).collect();
    let (many, mut sent) = (frames.len(), 0);
    for number in 0..FRAMES {
        if number % many == 0 {
            mouth.say(&to(GUARDED, &first_part()));
        }
        let frame = &mut frames[number % many];
        // A round takes as long as there are frames; the next one sends each to the next station.
        frame[..6].copy_from_slice(&stations[(number / many + number) % stations.len()]);
        let at = frame.len() - NUMBER;
        frame[at..].copy_from_slice(&u32::try_from(number).unwrap().to_be_bytes());
        // A queue may be full for a moment; so many are sent in any case.
        until("a frame is taken", || mouth.try_say(frame));
        sent += 1;
    }
    sent
}

/// Every kind is one that the network would carry.
fn carried(free: &Mouth, open: &mut Ear, frames: &[(u8, Vec<u8>)], kinds: &[Kind]) {
    for (number, frame) in frames.iter().filter(|(_, frame)| frame.len() > 14).take(kinds.len()) {
        let frame = to(OPEN, frame);
        free.say(&frame);
        open.must_hear(&frame, kinds[usize::from(*number)].0);
    }
}

#[test]
fn nothing_of_a_million_forged_frames_arrives_and_others_lose_no_packet() {
    on_both_paths(|mut host: Host| {
        host.bridge("br-ext", "203.0.113.1/24");
        host.declare("all.yaml", WORLD);
        host.start_at("info");
        let [hostile, guarded, open, free] = ["hostile", "guarded", "open", "free"].map(|name| mute(&host, name));
        let [here, there] = ["here", "there"].map(|name| host.plugged(name, name));
        there.answers(80);
        host.wait_all_ready();
        let mut call = here.call(TCP, "10.0.0.22:80").unwrap();
        assert!(call.alive());

        let mut kinds = forged();
        let forged = kinds.len();
        kinds.extend(uninvited());
        let frames = frames(&kinds);
        carried(&Mouth::of(&free), &mut Ear::of(&open), &frames, &kinds);

        let (router, vswitch) = (host.ours("rtr-"), host.ours("vswitch"));
        let bridges = macs(&vswitch, "tbr");
        assert!(!bridges.is_empty(), "the bridges are called otherwise");
        let station = |macs: Vec<(String, Mac)>| macs.into_iter().map(|(_, mac)| mac).filter(|mac| *mac != [0; 6]);
        let everybody = [GUARDED, OPEN, [0xff; 6], [0x33, 0x33, 0, 0, 0, 1], [1, 0, 0x5e, 0, 0, 1], ME];
        let stations: Vec<Mac> =
            everybody.into_iter().chain(station(macs(&router, ""))).chain(station(bridges.clone())).collect();
        let on =
            |name: &str, station: &Guest, device: Option<&str>, may| (name.to_owned(), Ear::on(station, device), may);
        let mut watchers: Vec<Watcher> = vec![
            on("the guarded guest", &guarded, Some("eth0"), false),
            on("the guest without port security", &open, Some("eth0"), true),
            on("the wire outside", &host.outside(), Some("br-ext"), true),
            on("the host", &host.outside(), None, true),
            on("the router", &router, None, true),
            on("one of the others", &there, Some("eth0"), false),
        ];
        watchers.extend(bridges.iter().map(|(name, _)| on(&format!("bridge {name}"), &vswitch, Some(name), true)));

        let traffic = here.stream_to(&there, "10.0.0.22");
        let over = AtomicBool::new(false);
        let counts: Vec<(String, bool, Vec<u64>)> = thread::scope(|scope| {
            let watching: Vec<_> = watchers
                .iter_mut()
                .map(|(name, ear, may)| (name.clone(), *may, scope.spawn(|| watch(ear, kinds.len(), &over))))
                .collect();
            let begun = Instant::now();
            let sent = attack(&Mouth::of(&hostile), &frames, &stations);
            println!(
                "{sent} frames of {forged} forged and {} uninvited kinds to {} stations in {:?}",
                kinds.len() - forged,
                stations.len(),
                begun.elapsed()
            );
            over.store(true, Ordering::Relaxed);
            // What waits in a queue has half a second, too.
            watching.into_iter().map(|(name, may, watching)| (name, may, watching.join().unwrap())).collect()
        });
        let (sent, lost) = traffic.end();
        println!("others sent {sent} packets and lost {lost}");
        let mut through = vec![];
        for (watcher, may, counts) in &counts {
            let (bad, good) = counts.split_at(forged);
            println!("{watcher}: {} forged, {} uninvited", bad.iter().sum::<u64>(), good.iter().sum::<u64>());
            for (number, count) in (0..).zip(counts).filter(|(number, count)| **count > 0 && (*number < forged || !may))
            {
                through.push(format!("{count} of \"{}\" at {watcher}", kinds[number].0));
            }
        }
        assert!(through.is_empty(), "{through:#?}");
        let unheard: Vec<_> =
            (forged..kinds.len()).filter(|number| counts[1].2[*number] == 0).map(|n| kinds[n].0).collect();
        assert!(unheard.is_empty(), "what may be sent is heard where nobody guards: {unheard:?}");
        assert_eq!(lost, 0, "of {sent} packets of others");
        assert!(sent > 1000 && call.alive());
    });
}
