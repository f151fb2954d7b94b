//! libFuzzer's driver for every target: `PARAPET_FUZZ_TARGET` says which.
#![no_main]

use std::sync::LazyLock;

static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("PARAPET_FUZZ_TARGET").unwrap_or_default();
    let Some(target) = fuzz::TARGETS.iter().find(|target| target.name == name) else {
        panic!("no target {name:?}; set PARAPET_FUZZ_TARGET, or use `cargo xtask fuzz`")
    };
    target.run
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| RUN(input));
