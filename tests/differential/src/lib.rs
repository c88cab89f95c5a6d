//! Compares `x86-emulate` with this machine's processor.
//!
//! Instructions that the emulator may be given are made up with their registers, by a seed, and
//! executed twice: by the emulator on a virtual CPU, and by the processor in a process of its
//! own ([`native`]). Registers, flags, memory, the instruction pointer, and the fault if there
//! was one have to be the same; flags that the manuals leave undefined are left out. What the
//! emulator says is not for it is not counted.
//!
//! Needs Linux on x86-64 that lets a process trace its child; elsewhere [`run`] says so.
#![forbid(unsafe_code)]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod case;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod compare;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod generate;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod layout;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod model;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod native;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod opcodes;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod random;

use std::collections::BTreeMap;
use std::io;

/// What came of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Instructions that were executed by both.
    pub executed: u64,
    /// Of these, those that ended in the same fault.
    pub faults: u64,
    /// How many of each entry point, and of each form of instruction.
    pub entries: BTreeMap<&'static str, u64>,
    /// How many of each form of instruction.
    pub forms: BTreeMap<String, u64>,
    /// Where they differed, in words: the first few.
    pub differences: Vec<String>,
    /// How often they differed.
    pub differed: u64,
}

impl Report {
    /// Adds another's.
    pub fn add(&mut self, other: Report) {
        self.executed += other.executed;
        self.faults += other.faults;
        self.differed += other.differed;
        self.differences.extend(other.differences);
        for (name, count) in other.entries {
            *self.entries.entry(name).or_default() += count;
        }
        for (name, count) in other.forms {
            *self.forms.entry(name).or_default() += count;
        }
    }
}

/// Compares `count` instructions made up from `seed`, in `threads` pairs of processes.
///
/// # Errors
/// Those of the system; [`io::ErrorKind::Unsupported`] where this cannot be done at all,
/// [`io::ErrorKind::PermissionDenied`] where processes may not be traced.
pub fn run(seed: u64, count: u64, threads: usize) -> io::Result<Report> {
    let threads = threads.max(1);
    let share = count.div_ceil(threads as u64);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|n| {
                scope.spawn(move || one(seed.wrapping_add(n as u64 * 0x1_0000_0001), share, n))
            })
            .collect();
        let mut report = Report::default();
        for thread in all {
            let part = thread
                .join()
                .map_err(|_| io::Error::other("a thread panicked"))??;
            report.add(part);
        }
        Ok(report)
    })
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use compare::run as one;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn one(_: u64, _: u64, _: usize) -> io::Result<Report> {
    Err(io::ErrorKind::Unsupported.into())
}
