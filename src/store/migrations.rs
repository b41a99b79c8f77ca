//! The migrations, compiled in, applied in order, each in one transaction.
