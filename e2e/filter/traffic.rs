//! What happens to a node: packets, most of which have to do with each other, time, and new tables.

use std::collections::VecDeque;
use std::time::Duration;

use tenet::dataplane::filter::{Policy, Tables};
use tenet::model::security::{Direction, Number, SecurityView};

use crate::dice::Dice;
use crate::frames::{Ip, Mac};
use crate::{noise, packets, replies, world};

/// The times after which something is forgotten, seconds.
const TIMES: [u64; 6] = [10, 30, 60, 120, 180, 432_000];
/// How far from those times every packet is, seconds: what is to go through a kernel meanwhile may take that long.
pub const MARGIN: u64 = 3;
/// Earlier packets that later ones are about.
const RECENT: usize = 40;

/// Something that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The tables are these from now on. The first event is one of these.
    Tables(Tables),
    /// Everything that is remembered gets older.
    Age(Duration),
    /// A packet comes.
    Frame {
        /// At which port; it may be one that is not in the tables.
        port: Number,
        /// Which way.
        direction: Direction,
        /// All of it.
        bytes: Vec<u8>,
    },
}

/// An IP packet at a port.
#[derive(Clone, Debug)]
pub struct Talk {
    pub port: usize,
    pub direction: Direction,
    pub mac: Mac,
    pub ip: Ip,
}

impl Talk {
    pub fn frame(&self) -> Frame {
        Frame { port: self.port, direction: self.direction, bytes: self.ip.frame(self.mac) }
    }
}

/// A frame at a port.
#[derive(Clone, Debug)]
pub struct Frame {
    pub port: usize,
    pub direction: Direction,
    pub bytes: Vec<u8>,
}

/// Events without end, the same for the same seed.
pub struct Traffic {
    pub dice: Dice,
    pub tables: Tables,
    /// The latest packets, the newest last.
    pub talks: VecDeque<Talk>,
    pub frames: VecDeque<Frame>,
    /// What comes next.
    next: VecDeque<Event>,
    /// Seconds gone by, and at which of them packets came.
    now: u64,
    moments: Vec<u64>,
}

impl Traffic {
    /// Different worlds and packets for different seeds.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let tables = world::world(&mut dice);
        let next = [Event::Tables(tables.clone())].into();
        let (talks, frames, moments) = (VecDeque::new(), VecDeque::new(), vec![0]);
        Self { dice, tables, talks, frames, next, now: 0, moments }
    }

    /// What a port may do, if it is guarded.
    pub fn security(&self, port: usize) -> Option<&SecurityView> {
        match self.tables.ports.get(&world::port(port)) {
            Some(Policy::Guarded(security)) => Some(security),
            _ => None,
        }
    }

    /// A packet comes next, and later ones may be about it.
    pub fn talk(&mut self, talk: Talk) {
        self.frame(talk.frame());
        self.talks.push_back(talk);
        if self.talks.len() > RECENT {
            self.talks.pop_front();
        }
    }

    /// A frame comes next.
    pub fn frame(&mut self, frame: Frame) {
        let event =
            Event::Frame { port: world::port(frame.port), direction: frame.direction, bytes: frame.bytes.clone() };
        self.next.push_back(event);
        self.frames.push_back(frame);
        if self.frames.len() > RECENT {
            self.frames.pop_front();
        }
    }

    /// Time goes by, then talks go on.
    pub fn wait(&mut self) {
        let age = self.age();
        self.next.push_back(age);
        self.go_on();
    }

    /// The tables change, then talks go on.
    pub fn change(&mut self) {
        world::change(&mut self.dice, &mut self.tables);
        self.next.push_back(Event::Tables(self.tables.clone()));
        self.go_on();
    }

    fn go_on(&mut self) {
        for _ in 0..self.dice.roll(4) {
            replies::about(self);
        }
    }

    /// Half a time or one and a half, but so that no packet ever is as old as a time.
    fn age(&mut self) -> Event {
        let time = self.dice.pick(&[10, 10, 30, 30, 60, 60, 120, 180, 432_000]);
        let mut later = self.now + if self.dice.once_in(2) { time / 2 } else { time * 3 / 2 };
        let near = |age: u64| TIMES.iter().any(|time| time.abs_diff(age) <= MARGIN);
        while self.moments.iter().any(|moment| near(later - moment)) {
            later += 1;
        }
        let gone = later - self.now;
        self.now = later;
        self.moments.retain(|moment| later - moment < 500_000);
        self.moments.push(later);
        Event::Age(Duration::from_secs(gone))
    }
}

impl Iterator for Traffic {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while self.next.is_empty() {
            match self.dice.roll(300) {
                0..3 => self.change(),
                3..6 => self.wait(),
                6..120 => packets::fresh(self),
                120..240 => replies::about(self),
                _ => noise::noise(self),
            }
        }
        self.next.pop_front()
    }
}
