//! Chance, the same for the same seed.

/// `SplitMix64` (Steele, Lea and Flood 2014).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `sides`, which is at least 1.
    pub fn roll(&mut self, sides: usize) -> usize {
        let rolled = self.next() % u64::try_from(sides).expect("few sides");
        usize::try_from(rolled).expect("below usize")
    }

    /// True once of `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.roll(times) == 0
    }

    pub fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// Bytes, fewer than `below`.
    pub fn bytes(&mut self, below: usize) -> Vec<u8> {
        (0..self.roll(below)).map(|_| self.byte()).collect()
    }

    /// One of some, which are not none.
    pub fn pick<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.roll(some.len())]
    }
}
