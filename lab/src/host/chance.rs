//! Chance that is the same for the same seed everywhere.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// SplitMix64: enough chance to pick a node.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The chance of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    pub fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.draw() >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }

    /// A time from zero to `longest`.
    pub fn within(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.share())
    }

    /// One of them; `None` when there is none.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let index = self.draw() % all.len().max(1) as u64;
        all.get(usize::try_from(index).unwrap_or(0))
    }
}

/// A seed for who gives none.
#[must_use]
pub fn seed_of_the_moment() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let (mut a, mut b) = (Chance::new(7), Chance::new(7));
        let first: Vec<u64> = (0..100).map(|_| a.draw() % 2).collect();
        let second: Vec<u64> = (0..100).map(|_| b.draw() % 2).collect();
        assert_eq!(first, second);
        assert!(first.contains(&0) && first.contains(&1));
    }

    #[test]
    fn every_choice_is_possible_and_none_is_of_nothing() {
        let mut chance = Chance::new(1);
        let drawn: Vec<u8> = (0..100).filter_map(|_| chance.one_of(&[1, 2, 3]).copied()).collect();
        assert!([1, 2, 3].iter().all(|n| drawn.contains(n)));
        assert_eq!(chance.one_of::<u8>(&[]), None);
    }
}
