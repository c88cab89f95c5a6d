//! Counts who holds each frame, for a comparison with the counts that stand on it.
//!
//! What is held by page tables, by pins and by interrupted validations is found here, in
//! memory; whoever knows of other holders adds them. Then each frame's counts have to be
//! exactly what was found. To be used when no CPU is in the middle of anything.

use super::machine::SimMachine;
use super::walk::pte::{FRAME, P, RW};
use crate::addr::Mfn;
use crate::frame::{HOST_SLOTS, Page, PageInfo, PageType};
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::sync::atomic::Ordering::Relaxed;

/// Types there are.
const TYPES: usize = 16;

/// What was found.
pub struct Tokens {
    machine: SimMachine,
    general: Vec<u32>,
    typed: Vec<[u32; TYPES]>,
}

impl SimMachine {
    /// Counts what tables, pins and interrupted validations hold.
    pub fn tokens(&self) -> Tokens {
        let frames = self.mem().max_mfn().0 as usize;
        let mut tokens = Tokens {
            machine: *self,
            general: vec![0; frames],
            typed: vec![[0; TYPES]; frames],
        };
        for mfn in 0..frames as u64 {
            tokens.count_frame(mfn);
        }
        tokens
    }
}

impl Tokens {
    fn info(&self, mfn: u64) -> Option<&'static PageInfo> {
        self.machine.mem().frame(Mfn(mfn))
    }

    /// Adds a general reference to a frame and, with `kind`, one of that type.
    pub fn add(&mut self, page: &Page, kind: Option<PageType>) {
        self.add_mfn(page.mfn().0, kind);
    }

    /// Adds a reference to a frame by its type alone.
    pub fn add_type(&mut self, page: &Page, kind: PageType) {
        if let Some(typed) = self.typed.get_mut(page.mfn().0 as usize) {
            typed[kind as usize % TYPES] += 1;
        }
    }

    /// As [`Tokens::add`], by the frame's number.
    pub fn add_mfn(&mut self, mfn: u64, kind: Option<PageType>) {
        let at = mfn as usize;
        if at < self.general.len() {
            self.general[at] += 1;
            if let Some(kind) = kind {
                self.typed[at][kind as usize % TYPES] += 1;
            }
        }
    }

    fn count_frame(&mut self, mfn: u64) {
        let Some(info) = self.info(mfn).filter(|info| info.count() != 0) else {
            return;
        };
        let (kind, n) = info.page_type();
        if info.is_pinned() {
            self.add_mfn(mfn, Some(kind));
        }
        if kind.level() == 0 || n == 0 {
            return;
        }
        let upto = match info.partly() {
            _ if info.is_validated(kind) => 512,
            // Whoever ends it has it, and is counted where he keeps it.
            Some((left, true)) => left,
            Some((done, false)) => {
                self.add_mfn(mfn, Some(kind));
                done
            }
            None => 0,
        };
        let words = self.machine.words(mfn).into_iter().flatten();
        for (slot, word) in words.enumerate().take(upto as usize) {
            let entry = word.load(Relaxed);
            let hosts = kind == PageType::L4 && HOST_SLOTS.contains(&slot);
            if entry & P == 0 || hosts {
                continue;
            }
            let target = (entry & FRAME) >> 12;
            // What is no counted RAM is a device's.
            if self.info(target).is_none_or(|info| info.count() == 0) {
                continue;
            }
            let names = self.info(target).map(PageInfo::page_type);
            let same_level = kind.level() > 1 && names.is_some_and(|(named, _)| named == kind);
            if same_level && target == mfn {
                // A table that names itself, to be seen as a lower one, holds nothing.
                continue;
            }
            let held_as = match PageType::table(kind.level() - 1) {
                Some(_) if same_level => Some(kind),
                Some(lower) => Some(lower),
                None => (entry & RW != 0).then_some(PageType::Writable),
            };
            self.add_mfn(target, held_as);
        }
    }

    /// Compares with what stands on the frames. Errors: everything that differs, a line each.
    pub fn compare(&self) -> Result<(), String> {
        let mut wrong = Vec::new();
        for (mfn, (general, typed)) in (0..).zip(self.general.iter().zip(&self.typed)) {
            let Some(info) = self.info(mfn) else { break };
            let (kind, n) = info.page_type();
            let count = info.count();
            if count == 0 && *general == 0 {
                continue;
            }
            let others: u32 = (0..TYPES)
                .filter(|t| *t != kind as usize)
                .map(|t| typed[t])
                .sum();
            let as_kind = typed[kind as usize % TYPES];
            if count != u64::from(*general) || n != as_kind || others != 0 {
                wrong.push(format!(
                    "frame {mfn:#x} of {:#x}: counted {count}, held {general}; as {kind:?} \
                     counted {n}, held {as_kind}, and as something else {others}",
                    info.owner()
                ));
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("\n"))
        }
    }
}
