//! A look at all of a machine's memory between two steps: does it hang together?
//!
//! Independent of the policy: whatever it does, a validated table names only frames that are
//! counted as what the entry makes of them, counts are not smaller than the uses found, and a
//! free frame is nobody's. To be called when no CPU is in the middle of a page-table call.

use super::machine::SimMachine;
use super::walk::pte::{FRAME, P, PS, RW};
use crate::addr::Mfn;
use crate::frame::{FREE, HOST_SLOTS, ORDER_SHIFT, PageInfo, PageType};
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::sync::atomic::Ordering::Relaxed;

/// What became of all frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// In the heap.
    pub free: u64,
    /// With references.
    pub used: u64,
    /// With a table's type, in that of `used`.
    pub tables: u64,
    /// Neither: dead and not yet reaped, or never given to a heap.
    pub other: u64,
}

/// What page tables make of a frame.
#[derive(Clone, Copy, Default)]
struct Uses {
    all: u64,
    writable: u32,
    table: u32,
}

impl SimMachine {
    /// Checks all frames and page tables. Errors: everything found wrong, a line each.
    pub fn audit(&self) -> Result<FrameCounts, String> {
        let frames = self.mem().max_mfn().0;
        let mut wrong = Vec::new();
        let mut uses = vec![Uses::default(); frames as usize];
        for mfn in 0..frames {
            self.audit_table(mfn, &mut uses, &mut wrong);
        }
        let counts = self.audit_frames(&uses, &mut wrong);
        if wrong.is_empty() {
            Ok(counts)
        } else {
            Err(wrong.join("\n"))
        }
    }

    fn info(&self, mfn: u64) -> Option<&'static PageInfo> {
        self.mem().frame(Mfn(mfn))
    }

    fn audit_table(&self, table: u64, uses: &mut [Uses], wrong: &mut Vec<String>) {
        let Some(info) = self.info(table) else { return };
        let (t, _) = info.page_type();
        if t.level() == 0 || !info.is_validated(t) {
            return;
        }
        let Some(words) = self.words(table) else {
            return;
        };
        for (slot, word) in words.iter().enumerate() {
            let entry = word.load(Relaxed);
            if entry & P == 0 || t == PageType::L4 && HOST_SLOTS.contains(&slot) {
                continue;
            }
            let target = (entry & FRAME) >> 12;
            let what = format!("{t:?} {table:#x}[{slot}] = {entry:#x}");
            if t != PageType::L1 && entry & PS != 0 {
                wrong.push(format!("{what}: a large page"));
                continue;
            }
            // Beyond RAM, and memory that never was in a heap, are devices'.
            let Some(info) = self.info(target).filter(|i| i.state.load(Relaxed) != 0) else {
                continue;
            };
            let found = info.page_type();
            let found_level = found.0.level();
            if target == table && t != PageType::L1 && entry & RW == 0 {
                // A table that names itself, to be seen as a lower one, holds nothing.
                continue;
            }
            let used = &mut uses[target as usize];
            used.all += 1;
            let fits = if t == PageType::L1 {
                used.writable += u32::from(entry & RW != 0);
                entry & RW == 0 || found.0 == PageType::Writable
            } else {
                // Or, read-only, another of its level, to be seen as a lower one.
                let below = found_level + 1 == t.level();
                let linear = entry & RW == 0 && found_level == t.level();
                used.table += u32::from(below || linear);
                below || linear
            };
            if !fits {
                wrong.push(format!("{what}: names a {:?} counted {}", found.0, found.1));
            }
        }
    }

    fn audit_frames(&self, uses: &[Uses], wrong: &mut Vec<String>) -> FrameCounts {
        let mut counts = FrameCounts::default();
        let mut free_until = 0;
        for (mfn, used) in (0u64..).zip(uses) {
            let Some(info) = self.info(mfn) else { break };
            let state = info.state.load(Relaxed);
            if state & FREE != 0 {
                if mfn < free_until {
                    wrong.push(format!("frame {mfn:#x} is in two free blocks"));
                }
                free_until = mfn + (1 << (state >> ORDER_SHIFT & 0x3f));
                counts.free += free_until - mfn;
            }
            let (t, n) = info.page_type();
            let count = info.count();
            let free = mfn < free_until;
            if free && (count != 0 || used.all != 0) {
                let all = used.all;
                wrong.push(format!(
                    "frame {mfn:#x} is free, counted {count}, mapped {all} times"
                ));
            }
            let typed = if t == PageType::Writable {
                used.writable
            } else {
                used.table
            };
            if used.all > count || typed > n {
                let all = used.all;
                wrong.push(format!(
                    "frame {mfn:#x}: {all} entries, counted {count}; {typed} as {t:?}, counted {n}"
                ));
            }
            if count != 0 {
                counts.used += 1;
                counts.tables += u64::from(t.level() != 0 && n != 0);
            } else if !free {
                counts.other += 1;
            }
        }
        counts
    }
}

/// Runs `f` with seeds 0 to `n`, or with the one in the environment variable `SIM_SEED` alone.
/// A failure names its seed.
pub fn for_seeds(n: u64, f: impl Fn(u64)) {
    use super::std::{env, eprintln, thread};
    /// Says which seed it was when the test unwinds through it.
    struct Say(u64);
    impl Drop for Say {
        fn drop(&mut self) {
            if thread::panicking() {
                eprintln!("failed with seed {0}; SIM_SEED={0} runs it alone", self.0);
            }
        }
    }
    let only = env::var("SIM_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = only.map_or(0..n, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let _say = Say(seed);
        f(seed);
    }
}
