//! The `allsource` binary.

fn main() {}
