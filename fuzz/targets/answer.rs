#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| faregate::fuzzing::run("answer", data));
