//! Text that every format can carry: what XML 1.0 forbids is taken out once, for all of them.
