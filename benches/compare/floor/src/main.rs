//! `compare-floor <listen> <provider>`, both as address:port.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, provider] = &arguments[..] else {
        return Err("usage: compare-floor <listen> <provider>, both as address:port".into());
    };
    compare_floor::run(listen, provider, ())
}
