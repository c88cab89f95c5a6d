//! Hardware-virtualised guests on the running CPU.
//!
//! Why unsafe: VMRUN, and exchanging the state that it leaves alone. Invariant: between
//! `load_hvm` and `save_hvm` the processor holds one vCPU's state, whose block is alive, and
//! NMIs and the like do not use the TSS.

use super::super::svm::{self, HvmState, run, vmcb, vmcb::exit};
use super::super::{area, mem::TLB, mitigate, usercopy::Reach};
use super::regs::{read_dr, write_dr};
use super::{Cpu, SPURIOUS_VECTOR};
use crate::hvm::{EventKind, HvmApi, HvmCpu, HvmExit};
use core::sync::atomic::Ordering;

impl HvmCpu for Cpu {
    fn has_hvm(&self) -> bool {
        svm::ready(self.id)
    }

    fn load_hvm(&mut self, state: &mut HvmState) {
        let Some(host) = svm::host(self.id) else {
            // Without memory for its own state a CPU enters no guest.
            state.flush();
            return;
        };
        // Another vCPU's predictions are none of this one's.
        if self.last != state.number {
            self.last = state.number;
            mitigate::on_switch(&self.measures);
        }
        for (index, value) in state.debug.into_iter().enumerate() {
            write_dr(index, value);
        }
        state.fpu.restore(Cpu::has_xsave());
        state.show_tsc_aux(true);
        area::use_ist(self.id, false);
        // SAFETY: both blocks are alive; from here on the host uses nothing of what changes.
        unsafe {
            run::vmsave(host);
            run::vmload(state.address());
        }
        state.asid.loaded(self.id);
        // Whoever changed the tables meanwhile did not have this CPU flush.
        let changes = state.nested().changes();
        if core::mem::replace(&mut state.seen, changes) != changes {
            state.flush();
        }
        (state.loaded, state.synced, state.reload) = (true, false, false);
        // Another CPU may have run it since.
        state.vmcb.clean = 0;
        self.area_mut().regs = state.regs;
        self.reach = Reach::NONE;
    }

    fn save_hvm(&mut self, state: &mut HvmState) {
        let Some(host) = svm::host(self.id).filter(|_| state.loaded) else {
            return;
        };
        self.reach = Reach::PV;
        state.sync();
        // SAFETY: the host's own state, as `load_hvm` found it.
        unsafe { run::vmload(host) };
        area::use_ist(self.id, true);
        (state.loaded, state.synced, state.reload) = (false, false, false);
        state.regs = self.area().regs;
        state.fpu.save(Cpu::has_xsave());
        state.show_tsc_aux(false);
        for (index, value) in state.debug.iter_mut().enumerate() {
            *value = read_dr(index);
            if *value != 0 {
                write_dr(index, 0);
            }
        }
    }

    #[inline(always)]
    fn enter_hvm(&mut self, state: &mut HvmState) -> HvmExit {
        // With an event to inject the processor takes no interrupt before that is delivered, and
        // none at all when the delivery ends in an exit: such exits could follow each other for
        // ever.
        if state.starves
            && state.vmcb.event != 0
            && let Some(vector) = self.waiting()
        {
            state.starves = false;
            return HvmExit::Interrupt(vector);
        }
        if !state.asid.is_good(TLB.last_flush(self.id)) && !self.renew(state) {
            return HvmExit::Invalid(0);
        }
        if state.reload {
            // SAFETY: its own block, which `sync` completed before it was changed.
            unsafe { run::vmload(state.address()) };
            state.reload = false;
        }
        state.synced = false;
        let block = state.address();
        // SAFETY: the area is this CPU's own.
        let regs = unsafe { &mut (*self.area).regs };
        let v = &mut *state.vmcb;
        (v.rax, v.rip, v.rsp, v.rflags) = (regs.rax, regs.rip, regs.rsp, regs.rflags);
        let injects = v.event != 0;
        // SAFETY: the vCPU is loaded and its nested tables are alive, since the state holds
        // them; the block is its own.
        unsafe { run::__xenios_svm_run(regs, block) };
        (regs.rax, regs.rip, regs.rsp, regs.rflags) = (v.rax, v.rip, v.rsp, v.rflags);
        (v.clean, v.event, v.tlb_control) = (vmcb::clean::ALL, 0, 0);
        state.starves = injects && v.exit_code != exit::INTR;
        if v.exit_int_info >> 31 & 1 != 0 {
            undelivered(v);
        }
        let [info, info2] = v.exit_info;
        match v.exit_code {
            exit::VMMCALL => HvmExit::Hypercall,
            exit::INTR => HvmExit::Interrupt(self.waiting().unwrap_or(SPURIOUS_VECTOR)),
            exit::NPF => HvmExit::Nested {
                gpa: info2,
                write: info & 2 != 0,
                exec: info & 16 != 0,
                walk: info >> 33 & 1 != 0,
            },
            exit::CPUID => HvmExit::Cpuid,
            exit::MSR => HvmExit::Msr {
                write: info & 1 != 0,
            },
            // A string instruction is emulated as a whole.
            exit::IOIO if info & 4 == 0 => HvmExit::Port {
                port: (info >> 16) as u16,
                bytes: (info >> 4 & 7) as u8,
                write: info & 1 == 0,
                next: info2,
            },
            exit::HLT => HvmExit::Halt,
            exit::VINTR => HvmExit::Window,
            exit::RDTSC | exit::RDTSCP => HvmExit::Privileged,
            exit::IOIO | exit::WBINVD | exit::INVD | exit::XSETBV => HvmExit::Privileged,
            exit::CR..=exit::CR_END => HvmExit::Privileged,
            // The host's, which the guest was in the way of.
            exit::MACHINE_CHECK if run::machine_check() => HvmExit::Nmi,
            exit::EXCEPTION..=exit::EXCEPTION_END => {
                regs.error = info as u32;
                HvmExit::Exception((v.exit_code - exit::EXCEPTION) as u8)
            }
            exit::NMI => HvmExit::Nmi,
            exit::SHUTDOWN => HvmExit::Shutdown,
            exit::RDPMC => HvmExit::Protection,
            exit::VMRUN..=exit::SKINIT
            | exit::INVLPGA
            | exit::MONITOR..=exit::MWAIT_ARMED
            | exit::RDPRU => HvmExit::Undefined,
            code => {
                // It may have been refused before it dropped what it was to drop.
                svm::start_over(self.id);
                HvmExit::Invalid(code)
            }
        }
    }
}

/// An event was on its way into the guest when it was left: it is injected again. A software
/// interrupt comes again by itself, since its instruction has not been left.
#[cold]
fn undelivered(v: &mut vmcb::Vmcb) {
    let again = match svm::event_of(v.exit_int_info) {
        Some(event) if event.kind == EventKind::Software => false,
        Some(event) if event.kind == EventKind::Exception => !matches!(event.vector, 3 | 4),
        event => event.is_some(),
    };
    if again {
        v.event = v.exit_int_info;
    }
}

impl Cpu {
    /// Gives the vCPU a fresh identifier. `false` when it is not loaded.
    #[cold]
    fn renew(&self, state: &mut HvmState) -> bool {
        let last = TLB.last_flush(self.id);
        let (asid, over) = state.asid.renew(self.id, last, svm::asids());
        state.vmcb.asid = asid;
        state.vmcb.tlb_control = over.into();
        state.vmcb.clean &= !vmcb::clean::ASID;
        state.loaded
    }

    /// Takes the host's interrupt that waits, if one does: its vector.
    fn waiting(&mut self) -> Option<u8> {
        run::take_interrupt();
        for (word, pending) in self.area().pending.iter().enumerate().rev() {
            let bits = pending.load(Ordering::Relaxed);
            if bits != 0 {
                let bit = 31 - bits.leading_zeros();
                pending.fetch_and(!(1 << bit), Ordering::Relaxed);
                return Some((word as u32 * 32 + bit) as u8);
            }
        }
        None
    }
}
