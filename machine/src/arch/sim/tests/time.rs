//! The clock, timers, interrupts, and the order of locks.

use crate::arch::sim::{KICK_VECTOR, SimMachine, TIMER_VECTOR};
use crate::cpu::Interrupt;
use crate::lock::{Lock, lock_pair};
use crate::{CpuApi, Exit};

fn machine() -> (SimMachine, crate::Cpu) {
    let machine = SimMachine::new(16, 2);
    let mut cpu = machine.cpu(0);
    (cpu.regs_mut().cs, cpu.regs_mut().ss) = (0xe033, 0xe02b);
    (machine, cpu)
}

#[test]
fn a_timer_strikes_when_due_and_once() {
    let (machine, mut cpu) = machine();
    cpu.set_timer(Some(10_000));
    assert_eq!(machine.deadline(0), Some(10_000));
    machine.advance(5_000);
    // With nothing else to do the guest waits for it.
    assert_eq!(cpu.enter(), Exit::Interrupt(TIMER_VECTOR));
    assert_eq!(
        (cpu.now(), cpu.ack(TIMER_VECTOR)),
        (10_000, Interrupt::Timer)
    );
    assert_eq!(machine.deadline(0), None);
    cpu.set_timer(Some(1));
    assert_eq!(cpu.idle(), Some(TIMER_VECTOR));
    cpu.ack(TIMER_VECTOR);
    assert_eq!(cpu.idle(), None);
    let (mul, shift, khz) = cpu.tsc_scale();
    let ns = (u128::from(cpu.tsc() << shift) * u128::from(mul)) >> 32;
    assert_eq!((ns, khz), (cpu.now().into(), 1_000_000));
}

#[test]
fn kicks_and_devices_interrupt() {
    let (machine, mut cpu) = machine();
    machine.cpu(1).kick(0);
    assert!(machine.is_kicked(0) && cpu.work_pending());
    assert_eq!(cpu.enter(), Exit::Interrupt(KICK_VECTOR));
    assert_eq!(cpu.ack(KICK_VECTOR), Interrupt::Kick);
    assert!(!cpu.work_pending());
    machine.raise(0, 0x31);
    assert_eq!(cpu.idle(), Some(0x31));
    assert_eq!(cpu.ack(0x31), Interrupt::Device(0x31));
    cpu.eoi();
    assert_eq!((cpu.idle(), machine.eois(0)), (None, 1));
    machine.raise_nmi(0);
    assert!(cpu.take_nmi() && !cpu.take_nmi());
}

#[test]
fn long_work_is_told_to_stop() {
    let (machine, mut cpu) = machine();
    assert!(!cpu.work_pending());
    machine.advance(600_000);
    assert!(cpu.work_pending());
    cpu.enter();
    machine.set_patience(Some(3));
    assert_eq!(
        [cpu.work_pending(), cpu.work_pending(), cpu.work_pending()],
        [false, false, true]
    );
    cpu.enter();
    assert!(!cpu.work_pending());
}

#[test]
fn tables_of_ports_and_registers() {
    let (machine, mut cpu) = machine();
    machine.set_port(0x71, 0x1234);
    assert_eq!((cpu.port_in(0x71, 1), cpu.port_in(0x80, 2)), (0x34, 0xffff));
    cpu.port_out(0x80, 1, 0x1ff);
    assert_eq!(machine.take_port_writes(), [(0x80, 1, 0xff)]);
    machine.set_msr(0x1a0, Some(5));
    assert!(cpu.wrmsr(0x1a0, 6) && !cpu.wrmsr(0x1a1, 6));
    assert_eq!((cpu.rdmsr(0x1a0), cpu.rdmsr(0x1a1)), (Some(6), None));
    machine.set_cpuid(2, 0, [1, 2, 3, 4]);
    assert_eq!((cpu.cpuid(2, 9), cpu.cpuid(7, 9)), ([1, 2, 3, 4], [0; 4]));
    assert!(cpu.set_xcr0(7) && !cpu.set_xcr0(6) && !cpu.set_xcr0(5) && !cpu.set_xcr0(0x207));
    assert!(!cpu.set_seg_base(crate::cpu::SegBase::Fs, 1 << 47));
    crate::console::write(b"hello");
    machine.type_at_console("x");
    assert_eq!(
        (machine.take_console().as_str(), crate::console::read()),
        ("hello", Some(b'x'))
    );
}

#[test]
fn locks_in_rising_order() {
    let (a, b, c) = (Lock::new(1, 0), Lock::new(2, 0), Lock::new(2, 0));
    {
        let _a = a.lock();
        let _bc = lock_pair(&b, &c);
    }
    {
        // A lease may be taken against the order, and held in the guest.
        let _b = b.lock();
        assert!(a.try_lock().is_some());
    }
    let (_, mut cpu) = machine();
    let _lease = a.try_lock();
    cpu.enter();
}

#[test]
#[should_panic(expected = "lock order: level 1 taken while holding [(2, true)]")]
fn a_lock_against_the_order_panics() {
    let (a, b) = (Lock::new(1, 0), Lock::new(2, 0));
    let _b = b.lock();
    let _a = a.lock();
}

#[test]
#[should_panic(expected = "lock order: level 2")]
fn two_locks_of_a_level_panic() {
    let (a, b) = (Lock::new(2, 0), Lock::new(2, 0));
    let _a = a.lock();
    let _b = b.lock();
}

#[test]
#[should_panic(expected = "guest entered or idle with locks")]
fn no_lock_is_held_in_the_guest() {
    let (_, mut cpu) = machine();
    let a = Lock::new(2, 0);
    let _a = a.lock();
    cpu.enter();
}
