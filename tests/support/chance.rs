//! Chance that can be had again: the same seed makes the same choices.

use super::database::variable;

/// The seed that `TEST_SEED` says, or one that nobody has used. It is printed, and so shown where
/// a test fails.
#[expect(
    clippy::print_stderr,
    reason = "whoever wants the same choices again must know it"
)]
pub fn seed() -> u64 {
    let seed = variable("TEST_SEED").map_or_else(
        || u64::from_be_bytes(portcullis::entropy::random_bytes().unwrap()),
        |text| text.parse().expect("TEST_SEED is a number"),
    );
    eprintln!("TEST_SEED={seed}");
    seed
}

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A chance of its own for somebody else.
    pub fn split(&mut self) -> Self {
        Self(self.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below this number.
    pub fn below(&mut self, number: usize) -> usize {
        usize::try_from(self.next() % number.max(1) as u64).unwrap()
    }

    pub fn pick<'l, T>(&mut self, from: &'l [T]) -> Option<&'l T> {
        from.get(self.below(from.len()))
    }

    /// One of these, each as often as the number beside it says.
    pub fn weighed<T: Copy>(&mut self, from: &[(usize, T)]) -> T {
        let mut left = self.below(from.iter().map(|(weight, _)| weight).sum());
        for (weight, value) in from {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return *value,
            }
        }
        from[0].1
    }
}
