//! Bringing a PV guest's state into the running CPU, and taking it out.
//!
//! Why unsafe: model-specific registers of segment bases. No state of its own.

use super::super::{io, shortcut};
use super::regs::{load_selector, write_dr};
use super::{Cpu, FS_BASE, GS_BASE, KERNEL_GS_BASE, do_flush};
use crate::cpu::CpuApi;
use crate::pv::PvState;
use crate::tlb::Flush;
use core::arch::asm;

impl Cpu {
    /// Brings a guest's state into the processor.
    pub(super) fn load_state(&mut self, state: &PvState) {
        shortcut::set(self.area_mut(), None);
        if self.last != state.number {
            self.switch(state);
        }
        for (slot, frame) in state.gdt.iter().enumerate() {
            self.set_gdt_frame(slot, frame.as_ref());
        }
        self.set_ldt(&state.ldt, state.ldt_entries);
        // Both bases and the selectors: a selector load clears its base, so bases come last.
        do_flush(self.id, Flush::All);
        load_selector!("ds", state.selectors[0]);
        load_selector!("es", state.selectors[1]);
        load_selector!("fs", state.selectors[2]);
        load_selector!("gs", state.selectors[3]);
        // SAFETY: the policy stores canonical addresses only (see `set_seg_base`).
        unsafe {
            io::wrmsr(FS_BASE, state.fs_base);
            io::wrmsr(GS_BASE, state.gs_base);
            io::wrmsr(KERNEL_GS_BASE, state.other_gs_base);
        }
        state.fpu.restore(Cpu::has_xsave());
        self.set_task_switched(state.task_switched);
        if state.dr7 & 0xff != 0 {
            for (index, value) in state.debug_addr.iter().enumerate() {
                write_dr(index, *value);
            }
        }
        write_dr(6, state.dr6);
        write_dr(7, state.dr7);
        self.area_mut().regs = state.regs;
        self.area_mut().regs.cs |= 3;
        self.area_mut().regs.ss |= 3;
    }

    /// Takes it out of the processor.
    pub(super) fn save_state(&mut self, state: &mut PvState) {
        state.regs = self.area().regs;
        state.selectors = self.data_selectors();
        state.fs_base = io::rdmsr(FS_BASE);
        state.gs_base = io::rdmsr(GS_BASE);
        state.other_gs_base = io::rdmsr(KERNEL_GS_BASE);
        state.fpu.save(Cpu::has_xsave());
        if state.dr7 & 0xff != 0 {
            write_dr(7, 0x400);
        }
        self.clear_data_selectors();
    }
}
