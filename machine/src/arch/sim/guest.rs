//! Guests as scripts of operations.
//!
//! A guest is code at addresses, as on metal: a program stands at an instruction address (see
//! [`super::SimMachine::program`]) and is called for the next [`GuestOp`] while the guest's RIP
//! is there. So a kernel's entry, its trap handlers and its event callback are programs of their
//! own, and the hypervisor moves between them by changing RIP. Where no program stands, the
//! CPU's own queue ([`super::Cpu::script`]) is played; when that is empty the guest waits for
//! the next interrupt. Operations that neither fault nor trap do not leave the guest.

use super::mem::{Shared, lock};
use super::walk::{Access, PageFault, Target, translate};
use crate::addr::Mfn;
use crate::addr::canonical;
use crate::frame::{Mem, MemOps};
use crate::regs::GuestRegs;
use crate::words;
use alloc::boxed::Box;

/// Bytes of the SYSCALL instruction.
const SYSCALL_LEN: u64 = 2;

/// A guest's code.
pub(super) type Program = Box<dyn FnMut(&mut GuestCpu<'_>) -> Option<GuestOp> + Send>;

/// A guest's code that several CPUs may run at once.
pub(super) type SharedProgram = dyn Fn(&mut GuestCpu<'_>) -> Option<GuestOp> + Send + Sync;

/// One thing that a guest does. Plain data, so that a fuzzer can make it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum GuestOp {
    /// SYSCALL with a hypercall's registers: number in RAX, arguments in RDI, RSI, RDX, R10,
    /// R8, R9.
    Hypercall {
        nr: u64,
        args: [u64; 6],
    },
    /// SYSCALL of a user program: only RAX is set.
    UserSyscall {
        nr: u64,
    },
    /// SYSCALL from 32-bit code.
    Syscall32 {
        nr: u64,
    },
    /// Reads 1, 2, 4 or 8 bytes (others count as 8) into RAX.
    Read {
        va: u64,
        size: u8,
    },
    /// Writes the low bytes of `value`.
    Write {
        va: u64,
        size: u8,
        value: u64,
    },
    /// Fetches an instruction.
    Fetch {
        va: u64,
    },
    /// Raises an exception; RIP stays at the instruction.
    Exception {
        vector: u8,
        error: u32,
    },
    /// The INT instruction.
    Int {
        vector: u8,
    },
    /// Computes for that many nanoseconds.
    Work {
        ns: u32,
    },
    /// CPUID, RDMSR, WRMSR and HLT: a hardware-virtualised guest's exits; #GP in ring 3.
    Cpuid {
        leaf: u32,
        subleaf: u32,
    },
    Rdmsr {
        msr: u32,
    },
    Wrmsr {
        msr: u32,
        value: u64,
    },
    Halt,
}

/// The guest's view of the CPU it runs on, for programs.
pub struct GuestCpu<'a> {
    /// Its registers.
    pub regs: &'a mut GuestRegs,
    /// Number of the CPU.
    pub cpu: u32,
    /// Nanoseconds since boot.
    pub now: u64,
    pub(super) machine: &'static Shared,
    pub(super) root: Option<u64>,
}

impl GuestCpu<'_> {
    /// Reads memory without leaving the guest: what stands on its stack, say.
    pub fn read(&self, va: u64, size: u8) -> Result<u64, PageFault> {
        let mut bytes = [0; 8];
        read(
            self.machine,
            self.cpu,
            self.root,
            va,
            &mut bytes[..width(size)],
        )?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Reads the 64-bit word `index` above the stack pointer.
    pub fn stack(&self, index: u64) -> Result<u64, PageFault> {
        self.read(self.regs.rsp.wrapping_add(index * 8), 8)
    }

    /// Writes memory without leaving the guest.
    pub fn write(&self, va: u64, size: u8, value: u64) -> Result<(), PageFault> {
        write(
            self.machine,
            self.cpu,
            self.root,
            va,
            &value.to_le_bytes()[..width(size)],
        )
    }

    /// Writes bytes without leaving the guest.
    pub fn write_bytes(&self, va: u64, bytes: &[u8]) -> Result<(), PageFault> {
        write(self.machine, self.cpu, self.root, va, bytes)
    }

    /// Reads bytes without leaving the guest.
    pub fn read_bytes(&self, va: u64, bytes: &mut [u8]) -> Result<(), PageFault> {
        read(self.machine, self.cpu, self.root, va, bytes)
    }

    /// The machine's memory, as no guest sees it.
    pub fn mem(&self) -> Mem {
        Mem(super::MemArch(self.machine))
    }
}

pub(super) fn width(size: u8) -> usize {
    match size {
        1 | 2 | 4 => size.into(),
        _ => 8,
    }
}

/// Calls `each` with the pieces of `va..va + len` that lie in one page: target, offset in the
/// page, range in the buffer.
fn pieces(
    len: usize,
    va: u64,
    mut target: impl FnMut(u64) -> Result<Target, PageFault>,
    mut each: impl FnMut(Target, usize, core::ops::Range<usize>),
) -> Result<(), PageFault> {
    let mut done = 0;
    while done < len {
        let at = va.wrapping_add(done as u64);
        let offset = at as usize & 4095;
        let n = (4096 - offset).min(len - done);
        each(target(at)?, offset, done..done + n);
        done += n;
    }
    Ok(())
}

/// Copies from guest memory, with ring 3's rights.
pub(super) fn read(
    machine: &'static Shared,
    cpu: u32,
    root: Option<u64>,
    va: u64,
    buf: &mut [u8],
) -> Result<(), PageFault> {
    let find = |at| translate(machine, cpu, root, at, Access::READ);
    pieces(buf.len(), va, find, |target, offset, range| match target {
        Target::Ram(frame) => {
            words::read(frame, offset, &mut buf[range]);
        }
        Target::M2p(first) => {
            for (i, byte) in buf[range].iter_mut().enumerate() {
                let at = offset + i;
                let entry = super::MemArch(machine).m2p(Mfn(first + at as u64 / 8));
                let word =
                    entry.map_or(u64::MAX, |e| e.load(core::sync::atomic::Ordering::Relaxed));
                *byte = word.to_le_bytes()[at % 8];
            }
        }
        Target::Nothing => buf[range].fill(0xff),
    })
}

/// Copies to guest memory, with ring 3's rights.
pub(super) fn write(
    machine: &'static Shared,
    cpu: u32,
    root: Option<u64>,
    va: u64,
    buf: &[u8],
) -> Result<(), PageFault> {
    let find = |at| translate(machine, cpu, root, at, Access::WRITE);
    pieces(buf.len(), va, find, |target, offset, range| {
        if let Target::Ram(frame) = target {
            words::write(frame, offset, &buf[range]);
        }
    })
}

/// Whether ring 3 may run code at `va`.
pub(super) fn fetch(
    machine: &'static Shared,
    cpu: u32,
    root: Option<u64>,
    va: u64,
) -> Result<(), PageFault> {
    translate(machine, cpu, root, va, Access::EXEC).map(|_| ())
}

/// How an operation left the guest: the vector, and the error code.
pub(super) enum Left {
    Stayed,
    Syscall,
    Syscall32,
    Trap { vector: u8, error: u32 },
    Fault(PageFault),
}

/// Carries out one operation.
pub(super) fn perform(g: &mut GuestCpu<'_>, op: GuestOp) -> Left {
    let memory = |va: u64, result: Result<(), PageFault>| match result {
        _ if !canonical(va) => Left::Trap {
            vector: 13,
            error: 0,
        },
        Ok(()) => Left::Stayed,
        Err(fault) => Left::Fault(fault),
    };
    match op {
        GuestOp::Hypercall {
            nr,
            args: [a, b, c, d, e, f],
        } => {
            let r = &mut *g.regs;
            (r.rax, r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9) = (nr, a, b, c, d, e, f);
            syscall(g, Left::Syscall)
        }
        GuestOp::UserSyscall { nr } => {
            g.regs.rax = nr;
            syscall(g, Left::Syscall)
        }
        GuestOp::Syscall32 { nr } => {
            g.regs.rax = nr;
            syscall(g, Left::Syscall32)
        }
        GuestOp::Read { va, size } => {
            let result = if canonical(va) {
                g.read(va, size)
            } else {
                Ok(0)
            };
            if let Ok(value) = result {
                g.regs.rax = value;
            }
            memory(va, result.map(|_| ()))
        }
        GuestOp::Write { va, size, value } => {
            let result = if canonical(va) {
                g.write(va, size, value)
            } else {
                Ok(())
            };
            memory(va, result)
        }
        GuestOp::Fetch { va } => {
            let result = if canonical(va) {
                fetch(g.machine, g.cpu, g.root, va)
            } else {
                Ok(())
            };
            memory(va, result)
        }
        GuestOp::Exception { vector, error } => Left::Trap {
            vector: vector & 31,
            error,
        },
        // Only these gates may be used from ring 3.
        GuestOp::Int {
            vector: vector @ (3 | 4 | 0x80),
        } => {
            g.regs.rip = g.regs.rip.wrapping_add(if vector == 3 { 1 } else { 2 });
            Left::Trap { vector, error: 0 }
        }
        GuestOp::Int { vector } => Left::Trap {
            vector: 13,
            error: u32::from(vector) << 3 | 2,
        },
        GuestOp::Work { ns } => {
            g.machine.advance(ns.into());
            Left::Stayed
        }
        GuestOp::Cpuid { .. } | GuestOp::Rdmsr { .. } | GuestOp::Wrmsr { .. } | GuestOp::Halt => {
            Left::Trap {
                vector: 13,
                error: 0,
            }
        }
    }
}

/// What the processor does to the registers at SYSCALL. RIP is where the guest goes on, which
/// is where its program stands; the instruction itself is in the two bytes before.
fn syscall(g: &mut GuestCpu<'_>, left: Left) -> Left {
    lock(&g.machine.syscalls).insert(g.regs.rip.wrapping_sub(SYSCALL_LEN));
    g.regs.rcx = g.regs.rip;
    g.regs.r11 = g.regs.rflags;
    left
}

/// Executes the SYSCALL instruction at RIP, if one stands there, with the registers as they are:
/// this is how the hypervisor makes a guest repeat a hypercall.
pub(super) fn repeat_syscall(g: &mut GuestCpu<'_>) -> bool {
    let found = lock(&g.machine.syscalls).contains(&g.regs.rip);
    if found {
        g.regs.rip = g.regs.rip.wrapping_add(SYSCALL_LEN);
        syscall(g, Left::Syscall);
    }
    found
}
