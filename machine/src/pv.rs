//! The processor state of a paravirtual vCPU that is not running.

use crate::arch::imp::Fpu;
use crate::frame::Page;
use crate::regs::GuestRegs;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

/// Number of the next state, so that no two ever have the same.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// A number that no other vCPU's state has, of whatever kind.
pub(crate) fn next_number() -> u64 {
    NEXT_NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// Pages of a GDT that a guest may set.
pub const GDT_PAGES: usize = 14;

/// What the processor holds of a PV vCPU while it runs, and this while it does not.
pub struct PvState {
    /// A number of its own, by which a CPU knows that it ran another vCPU before.
    pub number: u64,
    /// Whether it is of the control domain, for which measures against speculation are chosen
    /// apart.
    pub control: bool,
    /// General registers and frame.
    pub regs: GuestRegs,
    /// DS, ES, FS, GS selectors.
    pub selectors: [u16; 4],
    /// FS base.
    pub fs_base: u64,
    /// GS base in use.
    pub gs_base: u64,
    /// GS base that SWAPGS brings in.
    pub other_gs_base: u64,
    /// Frames of the guest's GDT, checked and counted as descriptor tables by the policy.
    pub gdt: [Option<Page>; GDT_PAGES],
    /// Frames of the guest's LDT, likewise.
    pub ldt: Vec<Page>,
    /// Descriptors in the LDT.
    pub ldt_entries: u32,
    /// DR0 to DR3.
    pub debug_addr: [u64; 4],
    /// DR6.
    pub dr6: u64,
    /// DR7.
    pub dr7: u64,
    /// FPU and extended state.
    pub fpu: Fpu,
    /// CR0.TS as the guest wants it.
    pub task_switched: bool,
}

impl PvState {
    /// The state of a vCPU that never ran. `None` when memory runs out.
    pub fn new() -> Option<PvState> {
        Some(PvState {
            number: next_number(),
            control: false,
            regs: GuestRegs::default(),
            selectors: [0; 4],
            fs_base: 0,
            gs_base: 0,
            other_gs_base: 0,
            gdt: [const { None }; GDT_PAGES],
            ldt: Vec::new(),
            ldt_entries: 0,
            debug_addr: [0; 4],
            dr6: 0xffff_0ff0,
            dr7: 0x400,
            fpu: Fpu::new()?,
            task_switched: false,
        })
    }
}
