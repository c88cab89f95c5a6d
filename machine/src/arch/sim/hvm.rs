//! Hardware-virtualised guests on the simulated processor.
//!
//! A guest has no page tables of its own here: its addresses are guest-physical. Each CPU keeps
//! the translations that it once read of nested tables until everything is flushed, and stops
//! the test when one has outlived its frame.

use super::cpu::Cpu;
use super::guest::{GuestOp, width};
use super::mem::{MemArch, Shared, lock};
use super::{Fpu, order, sched};
use crate::addr::{Gfn, Mfn};
use crate::cpu::CpuApi;
use crate::frame::MemOps;
use crate::hvm::{Event, HvmApi, HvmCpu, HvmExit, Reg, Seg, Segment};
use crate::nested::{Entry, Nested};
use crate::regs::{GuestRegs, rflags};
use crate::words;
use alloc::sync::Arc;

/// Bytes of the instructions that exit.
const VMMCALL_LEN: u64 = 3;

/// A hardware-virtualised vCPU.
pub struct HvmState {
    /// General registers while it is not loaded.
    pub regs: GuestRegs,
    /// FPU and extended state while it is not loaded.
    pub fpu: Fpu,
    nested: Arc<Nested>,
    values: [u64; Reg::TscOffset as usize + 1],
    segments: [Segment; Seg::Tr as usize + 1],
    event: Option<Event>,
    taken: alloc::vec::Vec<Event>,
    shadow: bool,
    window: bool,
    tsc_trap: bool,
    next: Option<u64>,
    debug: [u64; 4],
    loaded: bool,
    seen: u64,
}

impl HvmState {
    /// A vCPU that never ran, on `nested` tables.
    pub fn new(nested: Arc<Nested>) -> Option<HvmState> {
        Some(HvmState {
            regs: GuestRegs::default(),
            fpu: Fpu::new()?,
            nested,
            values: [0; Reg::TscOffset as usize + 1],
            segments: [Segment::default(); Seg::Tr as usize + 1],
            event: None,
            taken: alloc::vec::Vec::new(),
            shadow: false,
            window: false,
            tsc_trap: false,
            next: None,
            debug: [0; 4],
            loaded: false,
            seen: 0,
        })
    }

    /// The tables that its guest-physical addresses are translated by.
    pub fn nested(&self) -> &Arc<Nested> {
        &self.nested
    }

    /// Takes the events that the guest was given so far.
    pub fn take_events(&mut self) -> alloc::vec::Vec<Event> {
        core::mem::take(&mut self.taken)
    }

    /// Whether RDTSC is an exit.
    pub fn tsc_traps(&self) -> bool {
        self.tsc_trap
    }

    /// Whether the guest's first interruptible instruction shall exit.
    pub fn window(&self) -> bool {
        self.window
    }
}

impl HvmApi for HvmState {
    fn get(&self, reg: Reg) -> u64 {
        self.values[reg as usize]
    }

    fn set(&mut self, reg: Reg, value: u64) {
        self.values[reg as usize] = value;
    }

    fn segment(&self, seg: Seg) -> Segment {
        self.segments[seg as usize]
    }

    fn set_segment(&mut self, seg: Seg, value: Segment) {
        self.segments[seg as usize] = value;
    }

    fn sync(&mut self) {}

    fn cpl(&self) -> u8 {
        (self.segments[Seg::Ss as usize].attributes >> 5 & 3) as u8
    }

    fn event(&self) -> Option<Event> {
        self.event
    }

    fn set_event(&mut self, event: Option<Event>) {
        self.event = event;
    }

    fn shadow(&self) -> bool {
        self.shadow
    }

    fn clear_shadow(&mut self) {
        self.shadow = false;
    }

    fn set_window(&mut self, on: bool) {
        self.window = on;
    }

    fn set_tsc_trap(&mut self, on: bool) {
        self.tsc_trap = on;
    }

    fn next_rip(&self) -> Option<u64> {
        self.next
    }

    fn flush(&mut self) {}

    fn debug_addr(&mut self) -> &mut [u64; 4] {
        &mut self.debug
    }
}

/// A translation of one guest frame that a CPU keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    entry: Entry,
    mfn: u64,
    owner: u32,
}

/// Where a guest-physical address leads.
fn translate(
    machine: &'static Shared,
    cpu: u32,
    nested: &Nested,
    gpa: u64,
    write: bool,
) -> Option<u64> {
    let key = (nested.root().0, gpa >> 12);
    let kept = lock(&machine.cpus[cpu as usize].nested_tlb)
        .get(&key)
        .copied();
    let info = |mfn| MemArch(machine).frame(Mfn(mfn));
    if let Some(kept) = kept.filter(|kept| kept.entry.is_writable() || !write) {
        if let Some(info) = info(kept.mfn)
            && kept.entry.kind().is_counted()
        {
            assert!(
                info.count() == 0 || info.owner() == kept.owner,
                "stale translation of {gpa:#x}: frame {:#x} now belongs to another (missing flush)",
                kept.mfn
            );
        }
        never_a_table(machine, kept.mfn, write);
        return Some(kept.mfn);
    }
    let (entry, level) = nested.leaf(Gfn(gpa >> 12))?;
    if write && !entry.is_writable() {
        return None;
    }
    let mfn = entry.mfn().0 + (gpa >> 12 & ((1 << (9 * (level - 1))) - 1));
    never_a_table(machine, mfn, write);
    let owner = info(mfn).map_or(0, |info| info.owner());
    let kept = Kept { entry, mfn, owner };
    lock(&machine.cpus[cpu as usize].nested_tlb).insert(key, kept);
    Some(mfn)
}

/// Stops the test at a write to what is a page table of a PV guest's.
fn never_a_table(machine: &'static Shared, mfn: u64, write: bool) {
    let Some(info) = MemArch(machine).frame(Mfn(mfn)) else {
        return;
    };
    let (kind, uses) = info.page_type();
    assert!(
        !write || kind.level() == 0 || uses == 0,
        "frame {mfn:#x} is a page table and written to"
    );
}

impl HvmCpu for Cpu {
    fn has_hvm(&self) -> bool {
        true
    }

    fn load_hvm(&mut self, state: &mut HvmState) {
        state.loaded = true;
        let changes = state.nested.changes();
        if core::mem::replace(&mut state.seen, changes) != changes {
            let root = state.nested.root().0;
            let kept = &self.shared().cpus[self.id() as usize].nested_tlb;
            lock(kept).retain(|(of, _), _| *of != root);
        }
        *self.regs_mut() = state.regs;
    }

    fn save_hvm(&mut self, state: &mut HvmState) {
        state.loaded = false;
        state.regs = *self.regs();
    }

    fn enter_hvm(&mut self, state: &mut HvmState) -> HvmExit {
        assert!(state.loaded, "a vCPU is entered that is not loaded");
        order::none_waited_for();
        sched::progress();
        sched::point();
        self.begin();
        if let Some(event) = state.event.take() {
            state.taken.push(event);
        }
        loop {
            if let Some(vector) = self.pending() {
                self.end();
                return HvmExit::Interrupt(vector);
            }
            if state.window && self.regs().rflags & rflags::IF != 0 {
                self.end();
                return HvmExit::Window;
            }
            let Some(op) = self.next_op() else {
                self.end();
                return HvmExit::Interrupt(super::SPURIOUS_VECTOR);
            };
            if let Some(exit) = self.perform_hvm(state, op) {
                self.end();
                return exit;
            }
        }
    }
}

impl Cpu {
    fn perform_hvm(&mut self, state: &mut HvmState, op: GuestOp) -> Option<HvmExit> {
        let nested = |gpa, write, exec| HvmExit::Nested {
            gpa,
            write,
            exec,
            walk: false,
        };
        let (machine, id) = (self.shared(), self.id());
        let r = self.regs_mut();
        state.next = Some(r.rip.wrapping_add(2));
        Some(match op {
            GuestOp::Hypercall {
                nr,
                args: [a, b, c, d, e, f],
            } => {
                (r.rax, r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9) = (nr, a, b, c, d, e, f);
                state.next = Some(r.rip.wrapping_add(VMMCALL_LEN));
                HvmExit::Hypercall
            }
            GuestOp::Cpuid { leaf, subleaf } => {
                (r.rax, r.rcx) = (leaf.into(), subleaf.into());
                HvmExit::Cpuid
            }
            GuestOp::Rdmsr { msr } => {
                r.rcx = msr.into();
                HvmExit::Msr { write: false }
            }
            GuestOp::Wrmsr { msr, value } => {
                (r.rcx, r.rax, r.rdx) = (msr.into(), value & 0xffff_ffff, value >> 32);
                HvmExit::Msr { write: true }
            }
            GuestOp::Halt => {
                state.next = Some(r.rip.wrapping_add(1));
                HvmExit::Halt
            }
            GuestOp::Read { va, size } => {
                let Some(mfn) = translate(machine, id, &state.nested, va, false) else {
                    return Some(nested(va, false, false));
                };
                let mut bytes = [0xff; 8];
                if let Some(frame) = machine.ram(mfn) {
                    words::read(frame, va as usize & 4095, &mut bytes[..width(size)]);
                }
                self.regs_mut().rax = u64::from_le_bytes(bytes);
                return None;
            }
            GuestOp::Write { va, size, value } => {
                let Some(mfn) = translate(machine, id, &state.nested, va, true) else {
                    return Some(nested(va, true, false));
                };
                if let Some(frame) = machine.ram(mfn) {
                    words::write(
                        frame,
                        va as usize & 4095,
                        &value.to_le_bytes()[..width(size)],
                    );
                }
                return None;
            }
            GuestOp::Fetch { va } => {
                let found = translate(machine, id, &state.nested, va, false);
                return found.is_none().then(|| nested(va, false, true));
            }
            GuestOp::Exception { vector, error } => {
                r.error = error;
                HvmExit::Exception(vector & 31)
            }
            GuestOp::Work { ns } => {
                machine.advance(ns.into());
                return None;
            }
            GuestOp::UserSyscall { .. } | GuestOp::Syscall32 { .. } | GuestOp::Int { .. } => {
                return None;
            }
        })
    }
}
