//! The one place that asks the machine for randomness. Everything else is given bytes, or a `Chance`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::{digest, rand};

/// Where random bytes come from: the machine, or a seed that a test chose.
#[derive(Clone, Debug)]
pub struct Chance(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// A seed and how many draws were made, shared by every clone.
    Seeded(u64, Arc<AtomicU64>),
}

/// The machine has no randomness to give. Nothing that needs an id or a key can go on.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoChance;

impl Chance {
    /// The machine's generator, fit for keys.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The same bytes for the same seed, for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(seed, Arc::default()))
    }

    /// `N` random bytes, at most 32.
    ///
    /// # Errors
    /// When the operating system has none to give.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], NoChance> {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => rand::fill(&mut bytes).map_err(|_| NoChance)?,
            Source::Seeded(seed, draws) => {
                let draw = draws.fetch_add(1, Ordering::SeqCst);
                let mut input = seed.to_be_bytes().to_vec();
                input.extend(draw.to_be_bytes());
                let block = digest::digest(&digest::SHA256, &input);
                for (byte, random) in bytes.iter_mut().zip(block.as_ref()) {
                    *byte = *random;
                }
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_draws_differ() {
        let (a, b) = (Chance::seeded(1), Chance::seeded(1));
        let first: [u8; 10] = a.bytes().unwrap();
        assert_eq!(first, b.bytes::<10>().unwrap());
        assert_ne!(first, a.bytes::<10>().unwrap());
    }

    #[test]
    fn the_machine_gives_different_bytes() {
        assert_ne!(Chance::system().bytes::<32>().unwrap(), Chance::system().bytes::<32>().unwrap());
    }
}
