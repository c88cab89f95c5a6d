//! A vCPU's state in the processor's format, behind [`HvmApi`].
//!
//! Why unsafe: VMSAVE to its own block. Invariant: the intercepts, the maps and the nested root
//! are this module's alone, so whatever else a policy sets, the guest reaches what its nested
//! tables map and nothing more.

use super::super::fpu::Fpu;
use super::super::{features, io};
use super::asid::Asid;
use super::page::{address, zeroed};
use super::vmcb::{Vmcb, VmcbSegment, clean, intercept, vintr};
use super::{permissions, run};
use crate::hvm::{Event, EventKind, HvmApi, Reg, Seg, Segment};
use crate::nested::Nested;
use crate::regs::GuestRegs;
use alloc::boxed::Box;
use alloc::sync::Arc;

const SVME: u64 = 1 << 12;
const EVENT_VALID: u64 = 1 << 31;
const EVENT_ERROR: u64 = 1 << 11;

/// A hardware-virtualised vCPU.
pub struct HvmState {
    /// General registers while it is not loaded.
    pub regs: GuestRegs,
    /// FPU and extended state while it is not loaded.
    pub fpu: Fpu,
    pub(in super::super) vmcb: Box<Vmcb>,
    pub(in super::super) debug: [u64; 4],
    /// What RDTSCP and RDPID return; zero where the processor has no such thing.
    tsc_aux: u64,
    /// Keeps the tables that the processor walks.
    nested: Arc<Nested>,
    pub(in super::super) asid: Asid,
    /// [`Nested::changes`] that its translations are not older than.
    pub(in super::super) seen: u64,
    /// It is in the processor.
    pub(in super::super) loaded: bool,
    /// The block has what only the processor had.
    pub(in super::super) synced: bool,
    /// The block has what the processor has not.
    pub(in super::super) reload: bool,
    /// The last entry injected an event and ended otherwise than by an interrupt of the host's.
    pub(in super::super) starves: bool,
    /// A number of its own, see [`crate::pv::PvState::number`].
    pub(in super::super) number: u64,
}

// SAFETY: a block, plain data, and an `Arc`.
unsafe impl Send for HvmState {}

impl HvmState {
    /// A vCPU that never ran, on `nested` tables. `None` when memory runs out.
    pub fn new(nested: Arc<Nested>) -> Option<HvmState> {
        use intercept::*;
        let mut vmcb = zeroed::<Vmcb>()?;
        let (registers, ports) = permissions::maps()?;
        // CR8 both ways; writes of CR0 and CR4.
        vmcb.intercept_cr = 1 << 8 | (1 << 0 | 1 << 4 | 1 << 8) << 16;
        // #DB and #AC can be made to strike without end; #MC is the host's.
        vmcb.intercept_exceptions = 1 << 1 | 1 << 17 | 1 << 18;
        let first = INTR | NMI | INIT | RDPMC | CPUID | INVD | HLT | INVLPGA | IOIO | MSR;
        vmcb.intercept = [first | TASK_SWITCH | FERR | SHUTDOWN, SECOND, 0];
        (vmcb.msrpm, vmcb.iopm) = (registers, ports);
        vmcb.vintr = vintr::MASKING;
        vmcb.nested = 1;
        vmcb.nested_cr3 = nested.root().addr();
        vmcb.efer = SVME;
        vmcb.rflags = 2;
        vmcb.cr0 = 0x10;
        vmcb.dr6 = 0xffff_0ff0;
        vmcb.dr7 = 0x400;
        vmcb.pat = 0x0007_0406_0007_0406;
        Some(HvmState {
            regs: GuestRegs::default(),
            fpu: Fpu::new()?,
            vmcb,
            debug: [0; 4],
            tsc_aux: 0,
            nested,
            asid: Asid::NONE,
            seen: 0,
            loaded: false,
            synced: false,
            reload: false,
            starves: false,
            number: crate::pv::next_number(),
        })
    }

    /// The tables that its guest-physical addresses are translated by.
    pub fn nested(&self) -> &Arc<Nested> {
        &self.nested
    }

    pub(in super::super) fn address(&self) -> u64 {
        address(&*self.vmcb)
    }

    fn touched(&mut self, what: u32) {
        self.vmcb.clean &= !what;
    }

    fn slot(&mut self, reg: Reg) -> &mut u64 {
        let v = &mut *self.vmcb;
        match reg {
            Reg::Cr0 => &mut v.cr0,
            Reg::Cr2 => &mut v.cr2,
            Reg::Cr3 => &mut v.cr3,
            Reg::Cr4 => &mut v.cr4,
            Reg::Efer => &mut v.efer,
            Reg::Pat => &mut v.pat,
            Reg::Dr6 => &mut v.dr6,
            Reg::Dr7 => &mut v.dr7,
            Reg::FsBase => &mut v.segments[Seg::Fs as usize].base,
            Reg::GsBase => &mut v.segments[Seg::Gs as usize].base,
            Reg::KernelGsBase => &mut v.kernel_gs_base,
            Reg::Star => &mut v.star,
            Reg::Lstar => &mut v.lstar,
            Reg::Cstar => &mut v.cstar,
            Reg::Sfmask => &mut v.sfmask,
            Reg::SysenterCs => &mut v.sysenter_cs,
            Reg::SysenterEsp => &mut v.sysenter_esp,
            Reg::SysenterEip => &mut v.sysenter_eip,
            Reg::TscAux => &mut self.tsc_aux,
            Reg::TscOffset => &mut v.tsc_offset,
        }
    }

    /// Makes what RDTSCP and RDPID return the guest's own, or nobody's.
    pub(in super::super) fn show_tsc_aux(&self, own: bool) {
        if self.tsc_aux != 0 && features::get().tsc_aux {
            let value = if own { self.tsc_aux } else { 0 };
            // SAFETY: the processor has the register, which the host does not use.
            unsafe { io::wrmsr(io::msr::TSC_AUX, value) };
        }
    }
}

fn clean_bit(reg: Reg) -> u32 {
    match reg {
        Reg::Cr0 | Reg::Cr3 | Reg::Cr4 | Reg::Efer | Reg::Pat => clean::CONTROL | clean::NESTED,
        Reg::Cr2 => clean::CR2,
        Reg::Dr6 | Reg::Dr7 => clean::DEBUG,
        Reg::TscOffset => clean::INTERCEPTS,
        Reg::TscAux => 0,
        _ => clean::SEGMENTS,
    }
}

impl HvmApi for HvmState {
    #[inline(always)]
    fn get(&self, reg: Reg) -> u64 {
        let v = &*self.vmcb;
        match reg {
            Reg::Cr0 => v.cr0,
            Reg::Cr2 => v.cr2,
            Reg::Cr3 => v.cr3,
            Reg::Cr4 => v.cr4,
            Reg::Efer => v.efer & !SVME,
            Reg::Pat => v.pat,
            Reg::Dr6 => v.dr6,
            Reg::Dr7 => v.dr7,
            Reg::FsBase => v.segments[Seg::Fs as usize].base,
            Reg::GsBase => v.segments[Seg::Gs as usize].base,
            Reg::KernelGsBase => v.kernel_gs_base,
            Reg::Star => v.star,
            Reg::Lstar => v.lstar,
            Reg::Cstar => v.cstar,
            Reg::Sfmask => v.sfmask,
            Reg::SysenterCs => v.sysenter_cs,
            Reg::SysenterEsp => v.sysenter_esp,
            Reg::SysenterEip => v.sysenter_eip,
            Reg::TscAux => self.tsc_aux,
            Reg::TscOffset => v.tsc_offset,
        }
    }

    fn set(&mut self, reg: Reg, value: u64) {
        if reg.is_lazy() {
            self.sync();
            self.reload = self.loaded;
        }
        if reg == Reg::TscAux && self.loaded {
            self.show_tsc_aux(false);
        }
        self.touched(clean_bit(reg));
        *self.slot(reg) = match reg {
            Reg::Efer => value | SVME,
            Reg::TscAux => value & 0xffff_ffff,
            _ => value,
        };
        if reg == Reg::TscAux && self.loaded {
            self.show_tsc_aux(true);
        }
    }

    fn segment(&self, seg: Seg) -> Segment {
        let s = self.vmcb.segments[seg as usize];
        // The VMCB's attributes are 12 bits: no gap where the limit's upper bits are.
        Segment {
            selector: s.selector,
            attributes: s.attributes,
            limit: s.limit,
            base: s.base,
        }
    }

    fn set_segment(&mut self, seg: Seg, value: Segment) {
        if matches!(seg, Seg::Fs | Seg::Gs | Seg::Ldtr | Seg::Tr) {
            self.sync();
            self.reload = self.loaded;
        }
        self.touched(clean::SEGMENTS | clean::TABLES);
        if seg == Seg::Ss {
            self.vmcb.cpl = (value.attributes >> 5 & 3) as u8;
        }
        self.vmcb.segments[seg as usize] = VmcbSegment {
            selector: value.selector,
            attributes: value.attributes & 0xfff,
            limit: value.limit,
            base: value.base,
        };
    }

    fn sync(&mut self) {
        if self.loaded && !self.synced && !self.reload {
            // SAFETY: its own block, and its state is in the processor.
            unsafe { run::vmsave(self.address()) };
            self.synced = true;
        }
    }

    #[inline(always)]
    fn cpl(&self) -> u8 {
        self.vmcb.cpl
    }

    #[inline(always)]
    fn event(&self) -> Option<Event> {
        event_of(self.vmcb.event)
    }

    fn set_event(&mut self, event: Option<Event>) {
        self.vmcb.event = event.map_or(0, |event| {
            let kind = match event.kind {
                EventKind::Interrupt => 0,
                EventKind::Nmi => 2,
                EventKind::Exception => 3,
                EventKind::Software => 4,
            };
            let error = event.error.map_or(0, |e| EVENT_ERROR | u64::from(e) << 32);
            u64::from(event.vector) | kind << 8 | EVENT_VALID | error
        });
    }

    #[inline(always)]
    fn shadow(&self) -> bool {
        self.vmcb.shadow & 1 != 0
    }

    #[inline(always)]
    fn clear_shadow(&mut self) {
        self.vmcb.shadow &= !1;
    }

    fn set_window(&mut self, on: bool) {
        let v = &mut *self.vmcb;
        if (v.intercept[0] & intercept::VINTR != 0) == on {
            return;
        }
        v.intercept[0] ^= intercept::VINTR;
        v.vintr = if on {
            vintr::MASKING | vintr::IRQ | vintr::PRIORITY | vintr::IGNORE_TPR
        } else {
            vintr::MASKING
        };
        self.touched(clean::INTERCEPTS | clean::VINTR);
    }

    fn set_tsc_trap(&mut self, on: bool) {
        let v = &mut *self.vmcb;
        if (v.intercept[0] & intercept::RDTSC != 0) != on {
            v.intercept[0] ^= intercept::RDTSC;
            v.intercept[1] ^= intercept::RDTSCP;
            self.touched(clean::INTERCEPTS);
        }
    }

    fn next_rip(&self) -> Option<u64> {
        let there = super::processor::facts().is_some_and(|facts| facts.next_rip);
        (there && self.vmcb.next_rip != 0).then_some(self.vmcb.next_rip)
    }

    fn flush(&mut self) {
        self.asid.drop_it();
    }

    fn debug_addr(&mut self) -> &mut [u64; 4] {
        &mut self.debug
    }
}

/// The event in a field of the block, if one is there.
#[inline(always)]
pub fn event_of(field: u64) -> Option<Event> {
    if field & EVENT_VALID == 0 {
        return None;
    }
    Some(Event {
        kind: match field >> 8 & 7 {
            0 => EventKind::Interrupt,
            2 => EventKind::Nmi,
            3 => EventKind::Exception,
            _ => EventKind::Software,
        },
        vector: field as u8,
        error: (field & EVENT_ERROR != 0).then_some((field >> 32) as u32),
    })
}
