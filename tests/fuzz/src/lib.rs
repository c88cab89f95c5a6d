//! What is fuzzed. A target is a function of bytes that panics when something is wrong.
//!
//! The same functions are called by libFuzzer (`fuzz/fuzz_targets`), which looks for inputs that
//! reach new code and needs a nightly compiler, by this crate's own driver ([`drive`]), which
//! changes inputs at random, and by its tests, a short form of that. A target may keep state
//! between calls only where it says so.
#![forbid(unsafe_code)]

mod boot;
mod bytes;
mod emulator;
mod hypercall;
mod kernel;
mod mutate;
mod seeds;

pub mod corpus;
pub mod drive;

/// A function to be fuzzed.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: that of its corpus and of its libFuzzer binary.
    pub name: &'static str,
    /// What it looks at.
    pub about: &'static str,
    /// Panics when something is wrong.
    pub run: fn(&[u8]),
    /// The longest input that is made up, in bytes.
    pub max_len: usize,
    /// Inputs that the short form makes up.
    pub short: u64,
    /// How many inputs before one may matter to what it does.
    pub keeps: usize,
}

const fn target(
    name: &'static str,
    about: &'static str,
    run: fn(&[u8]),
    max_len: usize,
    short: u64,
) -> Target {
    Target {
        name,
        about,
        run,
        max_len,
        short,
        keeps: 0,
    }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target(
        "elf",
        "ELF kernels: segments, notes, placement",
        kernel::elf,
        4096,
        4000,
    ),
    target(
        "bzimage",
        "bzImages and what they hold, unpacked",
        kernel::bzimage,
        8192,
        50,
    ),
    target(
        "unpack",
        "gzip, xz, zstd, lz4 and lzo payloads",
        kernel::unpack,
        8192,
        20,
    ),
    target(
        "zstd",
        "our Zstandard decoder beside ruzstd",
        kernel::zstd,
        8192,
        6000,
    ),
    target(
        "multiboot1",
        "Multiboot 1 information",
        boot::multiboot1,
        8192,
        6000,
    ),
    target(
        "multiboot2",
        "Multiboot 2 information",
        boot::multiboot2,
        8192,
        6000,
    ),
    target("acpi", "ACPI tables", boot::acpi, 8192, 5000),
    target("cmdline", "the command line", boot::cmdline, 2048, 3000),
    target(
        "emulate",
        "the instruction emulator",
        emulator::run,
        256,
        20_000,
    ),
    Target {
        keeps: hypercall::INPUTS as usize,
        ..target(
            "hypercall",
            "calls of a guest and of dom0's tools on the simulated machine",
            hypercall::run,
            2048,
            600,
        )
    },
];

/// The target called `name`.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Runs the target called `name`. Panics when there is none, or something is wrong.
pub fn call(name: &str, data: &[u8]) {
    match find(name) {
        Some(target) => (target.run)(data),
        None => panic!("no target is called {name}"),
    }
}
