//! Scripts, programs and how they leave the guest.

use super::build::*;
use crate::arch::sim::{GuestOp, SPURIOUS_VECTOR, SimMachine};
use crate::regs::{GuestRegs, VECTOR_IRET_FAULT, VECTOR_NONE, VECTOR_SYSCALL};
use crate::{Cpu, CpuApi, Exit};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

fn fresh() -> Cpu {
    let mut cpu = SimMachine::new(16, 1).cpu(0);
    *cpu.regs_mut() = GuestRegs {
        cs: 0xe033,
        ss: 0xe02b,
        rip: 0x1000,
        rflags: 0x202,
        ..GuestRegs::default()
    };
    cpu
}

#[test]
fn a_script_makes_hypercalls() {
    let mut cpu = fresh();
    cpu.script([
        GuestOp::Work { ns: 500 },
        GuestOp::Hypercall {
            nr: 17,
            args: [1, 2, 3, 4, 5, 6],
        },
        GuestOp::UserSyscall { nr: 39 },
        GuestOp::Syscall32 { nr: 1 },
    ]);
    assert_eq!(cpu.enter(), Exit::Syscall);
    let r = *cpu.regs();
    assert_eq!(
        (r.rax, r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9),
        (17, 1, 2, 3, 4, 5, 6)
    );
    assert_eq!((r.rcx, r.r11, r.vector), (0x1000, 0x202, VECTOR_SYSCALL));
    assert_eq!(cpu.enter(), Exit::Syscall);
    assert_eq!(cpu.regs().rax, 39);
    assert_eq!(cpu.enter(), Exit::Syscall32);
    assert_eq!(
        (cpu.script_left(), cpu.enter()),
        (0, Exit::Interrupt(SPURIOUS_VECTOR))
    );
    assert_eq!(cpu.now(), 4 * 1000 + 500);
}

#[test]
fn exceptions_and_interrupt_instructions() {
    let mut cpu = fresh();
    cpu.script([
        GuestOp::Exception {
            vector: 6,
            error: 0,
        },
        GuestOp::Int { vector: 0x80 },
        GuestOp::Int { vector: 0x20 },
        GuestOp::Int { vector: 3 },
    ]);
    assert_eq!((cpu.enter(), cpu.regs().rip), (Exit::Exception(6), 0x1000));
    assert_eq!(
        (cpu.enter(), cpu.regs().rip),
        (Exit::Interrupt(0x80), 0x1002)
    );
    assert_eq!(
        (cpu.enter(), cpu.regs().error),
        (Exit::Exception(13), 0x102)
    );
    assert_eq!((cpu.enter(), cpu.regs().rip), (Exit::Exception(3), 0x1003));
}

#[test]
fn a_frame_that_cannot_be_returned_to_is_an_exit() {
    let mut cpu = fresh();
    for (cs, rip) in [(3, 0x1000), (0xe030, 0x1000), (0xe033, 1 << 47)] {
        (cpu.regs_mut().cs, cpu.regs_mut().rip) = (cs, rip);
        cpu.regs_mut().vector = VECTOR_NONE;
        assert_eq!(
            (cpu.enter(), cpu.regs().vector),
            (Exit::IretFault, VECTOR_IRET_FAULT)
        );
    }
}

#[test]
fn programs_run_where_rip_points() {
    static HANDLED: AtomicU64 = AtomicU64::new(0);
    let mut w = World::new(1);
    let page = w.frame();
    let mut cpu = w.cpu(0);
    w.map(0, &page, URW);
    let mut step = 0;
    w.machine.program(0x1000, move |_| {
        step += 1;
        Some(match step {
            1 => GuestOp::Read {
                va: VA - 4096,
                size: 8,
            },
            2 => GuestOp::Hypercall {
                nr: 29,
                args: [0; 6],
            },
            _ => GuestOp::Work { ns: 1_000 },
        })
    });
    // A trap handler: notes what stands on its stack, then asks to be returned.
    w.machine.program(0x5000, |g| {
        HANDLED.store(g.stack(0).unwrap(), Relaxed);
        Some(GuestOp::Hypercall {
            nr: 23,
            args: [0; 6],
        })
    });
    assert_eq!((cpu.enter(), cpu.cr2()), (Exit::Exception(14), VA - 4096));
    // The hypervisor bounces: a frame on the guest's stack, and on to the handler.
    cpu.put_guest(VA + 64, &0x1000u64).unwrap();
    (cpu.regs_mut().rsp, cpu.regs_mut().rip) = (VA + 64, 0x5000);
    assert_eq!((cpu.enter(), cpu.regs().rax), (Exit::Syscall, 23));
    assert_eq!(HANDLED.load(Relaxed), 0x1000);
    cpu.regs_mut().rip = cpu.get_guest(VA + 64).unwrap();
    assert_eq!((cpu.enter(), cpu.regs().rax), (Exit::Syscall, 29));
    // It works until the timer strikes.
    let due = cpu.now() + 50_000;
    cpu.set_timer(Some(due));
    assert_eq!(cpu.enter(), Exit::Interrupt(0xfa));
    assert!(cpu.now() >= due);
}

#[test]
fn a_hypercall_is_repeated_when_rip_goes_back() {
    let mut cpu = fresh();
    cpu.script([GuestOp::Hypercall {
        nr: 1,
        args: [9; 6],
    }]);
    assert_eq!(cpu.enter(), Exit::Syscall);
    // The hypervisor changes an argument and has the instruction executed again.
    cpu.regs_mut().rdi = 5;
    cpu.regs_mut().rip -= 2;
    assert_eq!(cpu.enter(), Exit::Syscall);
    assert_eq!(
        (cpu.regs().rax, cpu.regs().rdi, cpu.regs().rip),
        (1, 5, 0x1000)
    );
    assert_eq!(cpu.enter(), Exit::Interrupt(SPURIOUS_VECTOR));
}
