//! What the policy asks of a processor, on the simulated one.

use super::super::mem::{NEVER, lock};
use super::super::walk::check_host_slots;
use super::super::{guest, order, sched};
use super::*;
use crate::addr::canonical;
use crate::cpu::{Fault, Interrupt, SegBase, guest_va_ok};
use crate::cpumask::CpuMask;
use crate::frame::{Page, PageType};
use crate::pv::PvState;
use crate::tlb::Flush;

/// A timer that is due then, in nanoseconds, never is: 146 years.
const END_OF_TIME: u64 = 1 << 62;

impl CpuApi for Cpu {
    fn id(&self) -> u32 {
        self.id
    }

    fn regs(&self) -> &GuestRegs {
        &self.regs
    }

    fn regs_mut(&mut self) -> &mut GuestRegs {
        &mut self.regs
    }

    fn enter(&mut self) -> Exit {
        order::none_waited_for();
        sched::progress();
        sched::point();
        self.machine.advance(ENTRY_NS);
        if !self.frame_loads() {
            return self.left(VECTOR_IRET_FAULT, 0, Exit::IretFault);
        }
        for _ in 0..MAX_OPS {
            if let Some(vector) = self.pending() {
                return self.interrupted(vector);
            }
            if guest::repeat_syscall(&mut self.guest()) {
                return self.left(VECTOR_SYSCALL, 0, Exit::Syscall);
            }
            match self.next_op() {
                Some(op) => {
                    if let Some(exit) = self.perform(op) {
                        return exit;
                    }
                }
                // The guest only waits now: so does the clock, for this CPU's timer.
                None => {
                    let deadline = self.per().deadline.load(Ordering::Relaxed);
                    if sched::in_run() || deadline == NEVER {
                        break;
                    }
                    self.machine.clock.fetch_max(deadline, Ordering::Relaxed);
                }
            }
        }
        self.interrupted(SPURIOUS_VECTOR)
    }

    fn idle(&mut self) -> Option<u8> {
        order::none_waited_for();
        sched::progress();
        let machine = self.machine;
        self.per().idle.store(true, Ordering::Release);
        let woken = loop {
            if let Some(vector) = self.pending() {
                break Some(vector);
            }
            let busy = |id: usize| {
                !machine.cpus[id].idle.load(Ordering::Acquire) && sched::runs(id as u32)
            };
            if (0..machine.cpus.len()).any(|id| id != self.id as usize && busy(id)) {
                sched::relax();
                continue;
            }
            // Nobody does anything: time goes on to the next deadline, in a run anybody's.
            let own = self.per().deadline.load(Ordering::Relaxed);
            let all = machine
                .cpus
                .iter()
                .enumerate()
                .filter(|(id, _)| sched::runs(*id as u32));
            let first = all
                .map(|(_, per)| per.deadline.load(Ordering::Relaxed))
                .min();
            let next = if sched::in_run() {
                first.unwrap_or(own)
            } else {
                own
            };
            // Time does not leap past what a CPU has to do that is not there to do it, nor so far
            // that it would come to its end.
            if next >= END_OF_TIME || machine.cpus.iter().any(|per| per.left_behind(next)) {
                break None;
            }
            machine.clock.fetch_max(next, Ordering::Relaxed);
            if own > next {
                sched::relax();
            }
        };
        self.per().idle.store(false, Ordering::Release);
        self.exit_at = machine.now();
        self.asked.set(0);
        // On metal the interrupt is taken in the instant of waking; the policy acknowledges it.
        woken
    }

    fn now(&self) -> u64 {
        self.machine.now()
    }

    fn tsc(&self) -> u64 {
        self.machine.now()
    }

    fn tsc_scale(&self) -> (u32, i8, u64) {
        // 1 GHz: (tsc << 1) * 2^31 >> 32.
        (1 << 31, 1, 1_000_000)
    }

    fn set_timer(&mut self, deadline: Option<u64>) {
        self.per()
            .deadline
            .store(deadline.unwrap_or(NEVER), Ordering::Relaxed);
    }

    fn kick(&self, cpu: u32) {
        if let Some(per) = self.machine.cpus.get(cpu as usize) {
            per.kicked.store(true, Ordering::Release);
        }
        sched::point();
    }

    fn work_pending(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.machine.tlb.requested(self.id)
            || self.per().kicked.load(Ordering::Acquire)
            || self.machine.now() - self.exit_at > BUDGET_NS
            || self.asked.get() >= self.machine.patience.load(Ordering::Relaxed)
    }

    fn ack(&mut self, vector: u8) -> Interrupt {
        match vector {
            TIMER_VECTOR => {
                self.set_timer(None);
                Interrupt::Timer
            }
            KICK_VECTOR => {
                self.per().kicked.store(false, Ordering::Release);
                Interrupt::Kick
            }
            FLUSH_VECTOR => {
                let (machine, id) = (self.machine, self.id);
                machine
                    .tlb
                    .answer(id, |what| machine.do_flush(id, what, true));
                Interrupt::Flush
            }
            SPURIOUS_VECTOR | ERROR_VECTOR => Interrupt::Spurious,
            _ => {
                let mut irqs = lock(&self.per().irqs);
                if let Some(at) = irqs.iter().position(|v| *v == vector) {
                    irqs.remove(at);
                }
                match vector {
                    CONSOLE_VECTOR => Interrupt::Console,
                    _ => Interrupt::Device(vector),
                }
            }
        }
    }

    fn eoi(&mut self) {
        self.per().eois.fetch_add(1, Ordering::Relaxed);
    }

    fn take_nmi(&mut self) -> bool {
        self.per().nmi.swap(false, Ordering::Relaxed)
    }

    fn flush_local(&mut self, what: Flush) {
        self.machine.do_flush(self.id, what, false);
    }

    fn flush(&mut self, mask: &CpuMask, what: Flush) {
        let machine = self.machine;
        let mut running = CpuMask::EMPTY;
        for cpu in mask.iter() {
            if cpu == self.id {
                machine.do_flush(cpu, what, false);
            } else if sched::runs(cpu) {
                running.set(cpu);
            } else {
                machine.do_flush(cpu, what, true);
            }
        }
        // The request itself is the interrupt: `pending` looks at it.
        machine.tlb.request(&running, what, |_| {}, sched::relax);
        sched::point();
    }

    fn flush_since(&mut self, mask: &CpuMask, stamp: u32) {
        let need = self.machine.tlb.need_flush(mask, stamp);
        self.flush(&need, Flush::All);
    }

    fn load_pv(&mut self, state: &PvState) {
        for (slot, frame) in state.gdt.iter().enumerate() {
            self.set_gdt_frame(slot, frame.as_ref());
        }
        self.set_ldt(&state.ldt, state.ldt_entries);
        self.flush_local(Flush::All);
        self.selectors = state.selectors;
        self.seg_base = [state.fs_base, state.gs_base, state.other_gs_base];
        self.fpu = Some(state.fpu.clone());
        self.xcr0 = state.fpu.xcr0;
        self.task_switched = state.task_switched;
        self.debug[..4].copy_from_slice(&state.debug_addr);
        (self.debug[6], self.debug[7]) = (state.dr6, state.dr7);
        self.regs = state.regs;
        self.regs.cs |= 3;
        self.regs.ss |= 3;
    }

    fn save_pv(&mut self, state: &mut PvState) {
        state.regs = self.regs;
        state.selectors = self.selectors;
        [state.fs_base, state.gs_base, state.other_gs_base] = self.seg_base;
        if let Some(fpu) = self.fpu.take() {
            state.fpu = fpu;
        }
        state.fpu.xcr0 = self.xcr0;
        self.debug[7] = 0x400;
        self.clear_data_selectors();
    }

    fn set_root(&mut self, root: &Page) -> bool {
        if !root.info().is_validated(PageType::L4) {
            return false;
        }
        check_host_slots(self.machine, root);
        self.root = Some(root.mfn().0);
        lock(&self.per().tlb).root_loaded();
        true
    }

    fn unset_root(&mut self) {
        self.root = None;
        self.flush_local(Flush::All);
    }

    fn set_gdt_frame(&mut self, slot: usize, frame: Option<&Page>) {
        if let Some(entry) = self.gdt.get_mut(slot) {
            *entry = frame.map(|page| page.mfn().0);
        }
    }

    fn set_ldt(&mut self, frames: &[Page], entries: u32) {
        self.ldt_entries = entries.min(frames.len() as u32 * 512);
    }

    fn swap_gs(&mut self) {
        self.seg_base.swap(1, 2);
    }

    fn set_seg_base(&mut self, which: SegBase, base: u64) -> bool {
        if canonical(base) {
            self.seg_base[which as usize] = base;
        }
        canonical(base)
    }

    fn seg_base(&self, which: SegBase) -> u64 {
        self.seg_base[which as usize]
    }

    fn set_user_gs_selector(&mut self, sel: u16) {
        // Loading a selector also loads its base, which is zero for flat segments.
        self.selectors[3] = sel;
        self.seg_base[SegBase::OtherGs as usize] = 0;
    }

    fn data_selectors(&self) -> [u16; 4] {
        self.selectors
    }

    fn clear_data_selectors(&mut self) {
        self.selectors = [0; 4];
    }

    fn set_task_switched(&mut self, on: bool) {
        self.task_switched = on;
    }

    fn set_tsc_trap(&mut self, on: bool) {
        self.tsc_traps = on;
    }

    fn set_debug_reg(&mut self, index: usize, value: u64) {
        if let Some(reg) = self.debug.get_mut(index) {
            *reg = value;
        }
    }

    fn debug_reg(&self, index: usize) -> u64 {
        self.debug.get(index).copied().unwrap_or_default()
    }

    fn cr2(&self) -> u64 {
        self.cr2
    }

    fn set_xcr0(&mut self, value: u64) -> bool {
        let leaf = self.cpuid(0xd, 0);
        let known = u64::from(leaf[3]) << 32 | u64::from(leaf[0]);
        // x87 always, and AVX only with SSE.
        let ok = value & 1 != 0 && value & !known == 0 && value & 6 != 4;
        if ok {
            self.xcr0 = value;
        }
        ok
    }

    fn xcr0(&self) -> u64 {
        self.xcr0
    }

    fn control_regs(&self) -> (u64, u64) {
        (
            0x8005_0033 | u64::from(self.task_switched) << 3,
            0x0035_06e0,
        )
    }

    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        lock(&self.machine.devices).cpuid(leaf, subleaf)
    }

    fn rdmsr(&self, msr: u32) -> Option<u64> {
        lock(&self.machine.devices).msrs.get(&msr).copied()
    }

    fn wrmsr(&mut self, msr: u32, value: u64) -> bool {
        lock(&self.machine.devices)
            .msrs
            .get_mut(&msr)
            .map(|v| *v = value)
            .is_some()
    }

    fn port_in(&mut self, port: u16, bytes: u8) -> u32 {
        lock(&self.machine.devices).port_in(port, bytes)
    }

    fn port_out(&mut self, port: u16, bytes: u8, value: u32) {
        lock(&self.machine.devices).port_out(port, bytes, value);
    }

    fn wbinvd(&mut self) {}

    fn read_guest(&mut self, va: u64, buf: &mut [u8]) -> Result<(), Fault> {
        if !guest_va_ok(va, buf.len()) {
            return Err(Cpu::copy_fault(va));
        }
        guest::read(self.machine, self.id, self.root, va, buf).map_err(|f| Cpu::copy_fault(f.addr))
    }

    fn write_guest(&mut self, va: u64, buf: &[u8]) -> Result<(), Fault> {
        if !guest_va_ok(va, buf.len()) {
            return Err(Cpu::copy_fault(va));
        }
        guest::write(self.machine, self.id, self.root, va, buf).map_err(|f| Cpu::copy_fault(f.addr))
    }
}
