//! The `tidings` program: everything is in the library.
fn main() {}
