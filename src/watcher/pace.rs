//! How long to wait between looks at a source. Pure.

use std::time::Duration;

/// The longest wait after failures: a server that is back is found within this, and a webhook finds it sooner.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The wait before the next look: `poll`, doubled with each of the `failures` in a row up to a quarter of an hour (or `poll`,
/// when that is longer), and then between three and five quarters of it as `chance` has it, so that a hundred newsletters on
/// one server do not come back to it in the same second.
#[must_use]
pub fn pause(poll: Duration, failures: u32, chance: u8) -> Duration {
    if failures == 0 {
        return poll;
    }
    let doubled = poll.saturating_mul(1 << failures.min(16)).min(LONGEST.max(poll));
    doubled.mul_f64(0.75 + 0.5 * f64::from(chance) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_each_failure_up_to_a_limit() {
        for (poll, failures, chance, seconds) in [
            (60, 0, 0, 60.0),
            (60, 0, 255, 60.0),
            (60, 1, 0, 90.0),
            (60, 1, 255, 150.0),
            (60, 2, 0, 180.0),
            (60, 3, 0, 360.0),
            (60, 4, 0, 675.0),
            (60, 4, 255, 1125.0),
            (60, 1_000_000, 0, 675.0),
            (2, 1, 0, 3.0),
            (3600, 5, 0, 2700.0),
        ] {
            let wait = pause(Duration::from_secs(poll), failures, chance);
            assert!((wait.as_secs_f64() - seconds).abs() < 0.001, "{poll} {failures} {chance}: {wait:?}");
        }
    }
}
