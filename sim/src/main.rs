//! brokerlab
fn main() {}
