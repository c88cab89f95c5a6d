//! The guest's own page tables, walked in software with the rights of what it runs.
//!
//! Sets accessed and dirty bits as the processor does. Tables are guest memory: every entry is
//! read once, and a frame is held while it is looked at.

use super::HvmVcpu;
use super::control::{CR0_PG, CR0_WP, CR4_PAE, CR4_PSE, CR4_SMAP, CR4_SMEP, LMA, NXE};
use core::sync::atomic::Ordering;
use machine::Gfn;
use machine::hvm::{HvmApi, Reg};
use machine::nested::Reader;
use machine::regs::rflags;
use x86_emulate::Trap;

const P: u64 = 1;
const RW: u64 = 1 << 1;
const US: u64 = 1 << 2;
const A: u64 = 1 << 5;
const D: u64 = 1 << 6;
const PS: u64 = 1 << 7;
const NX: u64 = 1 << 63;
const FRAME: u64 = 0x000f_ffff_ffff_f000;

/// What an access wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// It writes.
    pub write: bool,
    /// It fetches an instruction.
    pub exec: bool,
    /// It is the users'.
    pub user: bool,
}

impl Access {
    fn error(self, present: bool, nx: bool) -> u32 {
        u32::from(present)
            | u32::from(self.write) << 1
            | u32::from(self.user) << 2
            | u32::from(self.exec && nx) << 4
    }
}

/// The entry of 8 (`wide`) or 4 bytes at guest-physical address `at`, read and marked as the
/// processor does; `None` when there is no memory.
#[inline]
fn entry(nested: &Reader, at: u64, wide: bool, mark: impl Fn(u64) -> u64) -> Option<u64> {
    let word = nested.read_word(at)?;
    let shift = if wide { 0 } else { 8 * (at & 4) };
    let mask = if wide { u64::MAX } else { u64::from(u32::MAX) };
    let e = word >> shift & mask;
    let marked = mark(e);
    if marked != e {
        // To write to it the frame is held. Whoever changes the entry meanwhile wins.
        let (page, writable) = nested.page(Gfn(at >> 12))?;
        if !writable {
            return Some(e);
        }
        let slot = page.u64_at((at & 0xff8) as usize)?;
        let new = word & !(mask << shift) | (marked & mask) << shift;
        let _ = slot.compare_exchange(word, new, Ordering::AcqRel, Ordering::Relaxed);
    }
    Some(e)
}

impl HvmVcpu {
    /// The entries by which a guest in 64-bit mode translates `va`, from the top table's on, as
    /// far as there are any: for a report about a guest that ended.
    pub fn entries(&self, va: u64) -> impl Iterator<Item = u64> + '_ {
        let long = self.state.get(Reg::Efer) & LMA != 0;
        let mut table = long.then_some(self.state.get(Reg::Cr3) & FRAME);
        (0..4).map_while(move |depth| {
            let index = va >> (39 - 9 * depth) & 0x1ff;
            let e = self.memory.read_word(table? + index * 8)?;
            table = (e & P != 0 && (depth == 0 || e & PS == 0)).then_some(e & FRAME);
            Some(e)
        })
    }

    /// The guest-physical address of linear address `va`.
    ///
    /// # Errors
    /// The page fault, or #GP for an address that is not canonical.
    #[inline]
    pub fn translate(&self, va: u64, rflags: u64, access: Access) -> Result<u64, Trap> {
        match self.translate_marked(va, rflags, access) {
            Some(gpa) => Ok(gpa),
            None => self.translate_any(va, rflags, access),
        }
    }

    /// As [`HvmVcpu::translate`], in the four levels of 64-bit mode where all entries are there,
    /// are marked, and allow the access: nearly always. `None` when something else is to be done
    /// or to be said.
    fn translate_marked(&self, va: u64, rflags: u64, access: Access) -> Option<u64> {
        let s = &self.state;
        let (cr0, cr4, efer) = (s.get(Reg::Cr0), s.get(Reg::Cr4), s.get(Reg::Efer));
        if cr0 & CR0_PG == 0 || efer & LMA == 0 || !crate::pv::canonical(va) {
            return None;
        }
        let mut table = s.get(Reg::Cr3) & FRAME;
        let (mut all, mut any) = (u64::MAX, 0);
        let mut shift = 39;
        let leaf = loop {
            let e = self.memory.read_word(table | (va >> shift & 511) << 3)?;
            if e & (P | A) != P | A {
                return None;
            }
            (all, any) = (all & e, any | e);
            if shift == 12 || e & PS != 0 && shift < 39 {
                break e;
            }
            table = e & FRAME;
            shift -= 9;
        };
        let writable = all & RW != 0 && leaf & D != 0;
        let theirs = all & US != 0;
        let allowed = if access.user {
            theirs
        } else if access.exec {
            !theirs || cr4 & CR4_SMEP == 0
        } else {
            !theirs || cr4 & CR4_SMAP == 0 || rflags & rflags::AC != 0
        };
        if !allowed || access.write && !writable || access.exec && any & NX != 0 {
            return None;
        }
        let offset = (1u64 << shift) - 1;
        Some(leaf & FRAME & !offset | va & offset)
    }

    /// As [`HvmVcpu::translate`], whatever there is: the whole of what a processor does.
    #[cold]
    pub(super) fn translate_any(&self, va: u64, rflags: u64, access: Access) -> Result<u64, Trap> {
        let s = &self.state;
        let (cr0, cr4) = (s.get(Reg::Cr0), s.get(Reg::Cr4));
        if cr0 & CR0_PG == 0 {
            return Ok(va & 0xffff_ffff);
        }
        let efer = s.get(Reg::Efer);
        let long = efer & LMA != 0;
        if long && !crate::pv::canonical(va) {
            return Err(Trap::GP);
        }
        let (levels, wide) = match (long, cr4 & CR4_PAE != 0) {
            (true, _) => (4, true),
            (false, true) => (3, true),
            (false, false) => (2, false),
        };
        let bits = if wide { 9 } else { 10 };
        let nx_on = efer & NXE != 0;
        let cr3 = s.get(Reg::Cr3);
        let mut table = match (long, wide) {
            (true, _) => cr3 & FRAME,
            (false, true) => cr3 & 0xffff_ffe0,
            (false, false) => cr3 & 0xffff_f000,
        };
        let (mut write, mut user, mut exec) = (true, true, true);
        let fault =
            |present| Trap::page_fault(va, access.error(present, nx_on || cr4 & CR4_SMEP != 0));
        for level in (1..=levels).rev() {
            let shift = 12 + bits * (level - 1);
            let index = va >> shift & ((1 << bits) - 1);
            let index = if level == 3 && !long {
                index & 3
            } else {
                index
            };
            let at = table + index * if wide { 8 } else { 4 };
            // The four entries at the top of PAE tables carry no rights and no marks.
            let top = level == 3 && !long;
            let last = |e: u64| {
                level == 1 || !top && level < 4 && e & PS != 0 && (wide || cr4 & CR4_PSE != 0)
            };
            let mark = |e: u64| match e & P {
                0 => e,
                _ if top => e,
                _ if last(e) && access.write => e | A | D,
                _ => e | A,
            };
            let e = entry(&self.memory, at, wide, mark).ok_or(fault(false))?;
            if e & P == 0 {
                return Err(fault(false));
            }
            if !top {
                write &= e & RW != 0;
                user &= e & US != 0;
                exec &= !nx_on || e & NX == 0;
            }
            if !last(e) {
                table = e & if wide { FRAME } else { 0xffff_f000 };
                continue;
            }
            let wp = access.user || cr0 & CR0_WP != 0;
            let smap = cr4 & CR4_SMAP != 0 && rflags & rflags::AC == 0;
            let smep = cr4 & CR4_SMEP != 0;
            let refused = access.write && !write && wp
                || access.exec && !exec
                || access.user && !user
                || !access.user && user && (access.exec && smep || !access.exec && smap);
            if refused {
                return Err(fault(true));
            }
            let offset = (1u64 << shift) - 1;
            let base = e & if wide { FRAME } else { 0xffff_f000 };
            // A page of 4 MiB has the higher bits of its address in the entry's middle.
            let base = match wide || level == 1 {
                true => base,
                false => base & !offset | (e >> 13 & 0xff) << 32,
            };
            return Ok(base & !offset | va & offset);
        }
        Err(fault(false))
    }
}
