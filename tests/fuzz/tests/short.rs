//! The short form of each target: its corpus, and some thousand inputs made of it.
#![forbid(unsafe_code)]

use fuzz_targets::drive::{Until, run, watch};
use fuzz_targets::{TARGETS, corpus, find};
use std::path::Path;
use std::sync::Once;

fn short(name: &str) {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| watch(Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz")));
    let target = find(name).unwrap();
    run(target, 1, Until::Count(target.short));
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            short(stringify!($name));
        })*

        #[test]
        fn all_have_a_test_and_a_corpus() {
            let tested = [$(stringify!($name)),*];
            assert_eq!(tested.to_vec(), TARGETS.iter().map(|t| t.name).collect::<Vec<_>>());
            for target in TARGETS {
                assert!(corpus::load(target).len() >= 3, "{}", target.name);
            }
        }
    };
}

targets! { elf bzimage unpack zstd multiboot1 multiboot2 acpi cmdline emulate hypercall }
