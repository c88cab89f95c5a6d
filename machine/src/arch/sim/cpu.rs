//! The simulated processor: [`CpuApi`] for tests.
//!
//! The trait's functions are in `api.rs`. Owned by one thread. What other CPUs may touch is in [`super::mem::PerCpu`].

mod api;

use super::Fpu;
use super::guest::{self, GuestCpu, GuestOp, Left};
use super::mem::{Shared, lock, set_current};
use super::std::collections::VecDeque;
use crate::addr::canonical;
use crate::cpu::{CpuApi, Exit, Fault};
use crate::pv::GDT_PAGES;
use crate::regs::*;
use core::marker::PhantomData;
use core::sync::atomic::Ordering;

/// Vector of the timer.
pub const TIMER_VECTOR: u8 = 0xfa;
/// Vector that asks a CPU to look at its work.
pub const KICK_VECTOR: u8 = 0xfb;
/// Vector of the console's serial line.
pub const CONSOLE_VECTOR: u8 = 0xfc;
/// Vector that asks for a TLB flush.
pub const FLUSH_VECTOR: u8 = 0xfd;
/// Vector of APIC errors.
pub const ERROR_VECTOR: u8 = 0xfe;
/// Vector of spurious interrupts.
pub const SPURIOUS_VECTOR: u8 = 0xff;

/// A long operation yields after this many nanoseconds.
const BUDGET_NS: u64 = 500_000;
/// Time that an entry takes, in nanoseconds.
const ENTRY_NS: u64 = 1_000;
/// Operations of a guest after which an entry ends with a spurious interrupt.
const MAX_OPS: u32 = 100_000;

/// A simulated CPU.
pub struct Cpu {
    machine: &'static Shared,
    id: u32,
    regs: GuestRegs,
    root: Option<u64>,
    script: VecDeque<GuestOp>,
    cr2: u64,
    exit_at: u64,
    /// Calls of `work_pending` since the last exit.
    asked: core::cell::Cell<u64>,
    selectors: [u16; 4],
    seg_base: [u64; 3],
    gdt: [Option<u64>; GDT_PAGES],
    ldt_entries: u32,
    debug: [u64; 8],
    task_switched: bool,
    xcr0: u64,
    pub(super) tsc_traps: bool,
    fpu: Option<Fpu>,
    _here: PhantomData<*mut ()>,
}

impl Cpu {
    pub(super) fn new(machine: &'static Shared, id: u32) -> Cpu {
        set_current(machine);
        let taken = machine.cpus[id as usize].taken.swap(true, Ordering::AcqRel);
        assert!(!taken, "CPU {id} is in somebody's hands");
        let mut debug = [0; 8];
        (debug[6], debug[7]) = (0xffff_0ff0, 0x400);
        Cpu {
            machine,
            id,
            regs: GuestRegs::default(),
            root: None,
            script: VecDeque::new(),
            cr2: 0,
            exit_at: machine.now(),
            asked: core::cell::Cell::new(0),
            selectors: [0; 4],
            seg_base: [0; 3],
            gdt: [None; GDT_PAGES],
            ldt_entries: 0,
            debug,
            task_switched: false,
            xcr0: 1,
            tsc_traps: false,
            fpu: None,
            _here: PhantomData,
        }
    }

    /// Adds operations that guests on this CPU carry out where no program stands.
    pub fn script(&mut self, ops: impl IntoIterator<Item = GuestOp>) {
        self.script.extend(ops);
    }

    /// Whether RDTSC of a guest would fault.
    pub fn tsc_traps(&self) -> bool {
        self.tsc_traps
    }

    /// Operations of the script that are still to be carried out.
    pub fn script_left(&self) -> usize {
        self.script.len()
    }

    /// Root frame in use, if a guest's tables are loaded.
    pub fn root(&self) -> Option<u64> {
        self.root
    }

    /// Frame mapped at a page of the GDT.
    pub fn gdt_frame(&self, slot: usize) -> Option<u64> {
        self.gdt.get(slot).copied().flatten()
    }

    /// Descriptors of the LDT.
    pub fn ldt_entries(&self) -> u32 {
        self.ldt_entries
    }

    /// CR0.TS.
    pub fn task_switched(&self) -> bool {
        self.task_switched
    }

    pub(super) fn shared(&self) -> &'static Shared {
        self.machine
    }

    /// The guest is entered.
    pub(super) fn begin(&mut self) {
        self.machine.advance(ENTRY_NS);
    }

    /// The guest was left.
    pub(super) fn end(&mut self) {
        self.exit_at = self.machine.now();
        self.asked.set(0);
    }

    fn per(&self) -> &'static super::mem::PerCpu {
        &self.machine.cpus[self.id as usize]
    }

    /// The interrupt that would be taken now.
    pub(super) fn pending(&self) -> Option<u8> {
        let per = self.per();
        if self.machine.tlb.requested(self.id) {
            Some(FLUSH_VECTOR)
        } else if per.kicked.load(Ordering::Acquire) {
            Some(KICK_VECTOR)
        } else if per.deadline.load(Ordering::Relaxed) <= self.machine.now() {
            Some(TIMER_VECTOR)
        } else {
            lock(&per.irqs).front().copied()
        }
    }

    fn left(&mut self, vector: u32, error: u32, exit: Exit) -> Exit {
        self.regs.vector = vector;
        self.regs.error = error;
        self.exit_at = self.machine.now();
        self.asked.set(0);
        exit
    }

    fn interrupted(&mut self, vector: u8) -> Exit {
        self.left(vector.into(), 0, Exit::Interrupt(vector))
    }

    /// Whether IRET would take the frame.
    fn frame_loads(&self) -> bool {
        let (cs, ss) = (self.regs.cs, self.regs.ss);
        // SYSRET ignores the selectors.
        let selectors =
            self.regs.vector == VECTOR_SYSCALL || cs & 0xfff8 != 0 && cs & 3 == 3 && ss & 3 == 3;
        selectors && canonical(self.regs.rip)
    }

    fn guest(&mut self) -> GuestCpu<'_> {
        GuestCpu {
            cpu: self.id,
            now: self.machine.now(),
            machine: self.machine,
            root: self.root,
            regs: &mut self.regs,
        }
    }

    /// The guest's next operation, if it has any.
    pub(super) fn next_op(&mut self) -> Option<GuestOp> {
        let own = lock(&self.machine.programs).get(&self.regs.rip).cloned();
        let op = match own {
            Some(program) => lock(&program)(&mut self.guest()),
            None => {
                let shared = lock(&self.machine.elsewhere).clone();
                shared.and_then(|program| program(&mut self.guest()))
            }
        };
        op.or_else(|| self.script.pop_front())
    }

    /// Carries out one operation; how it left the guest, if it did.
    fn perform(&mut self, op: GuestOp) -> Option<Exit> {
        Some(match guest::perform(&mut self.guest(), op) {
            Left::Stayed => return None,
            Left::Syscall => self.left(VECTOR_SYSCALL, 0, Exit::Syscall),
            Left::Syscall32 => self.left(0x101, 0, Exit::Syscall32),
            Left::Trap { vector, error: _ } if vector >= 32 => self.interrupted(vector),
            Left::Trap { vector, error } => {
                self.left(vector.into(), error, Exit::Exception(vector))
            }
            Left::Fault(fault) => {
                self.cr2 = fault.addr;
                self.left(14, fault.error, Exit::Exception(14))
            }
        })
    }

    fn copy_fault(va: u64) -> Fault {
        Fault { addr: va }
    }
}

impl Drop for Cpu {
    fn drop(&mut self) {
        let (machine, id) = (self.machine, self.id);
        machine
            .tlb
            .answer(id, |what| machine.do_flush(id, what, true));
        self.per().taken.store(false, Ordering::Release);
    }
}
