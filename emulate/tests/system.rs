//! MSRs, CPUID, the time-stamp counter, extended control registers, caches, interrupts.

mod common;
use common::*;
use x86_emulate::{Gpr, Trap, forced, privileged};

#[test]
fn msrs() {
    let mut fake = Fake::new(&[0x0f, 0x32]).with(Gpr::Rcx, 0xffff_ffff_c000_0100); // rdmsr
    fake.msrs.insert(0xc000_0100, 0x1111_2222_3333_4444);
    let fake = run(fake.with(Gpr::Rax, u64::MAX).with(Gpr::Rdx, u64::MAX), 2);
    assert_eq!((fake.gprs[0], fake.gprs[2]), (0x3333_4444, 0x1111_2222));
    let mut fake = Fake::new(&[0x0f, 0x30]).with(Gpr::Rcx, 0x10); // wrmsr
    fake.msrs.insert(0x10, 0);
    let fake = run(fake.with(Gpr::Rax, 0xdead_0000_0001).with(Gpr::Rdx, 2), 2);
    assert_eq!(fake.msrs[&0x10], 0x2_0000_0001);
}

#[test]
fn a_refused_msr_is_a_trap() {
    refused(Fake::new(&[0x0f, 0x32]), privileged, Err(Trap::GP));
    refused(Fake::new(&[0x0f, 0x30]), privileged, Err(Trap::GP));
}

#[test]
fn users_may_not() {
    for code in [
        &[0x0f, 0x32][..],
        &[0x0f, 0x30],
        &[0x0f, 0x09],
        &[0x0f, 0x08],
        &[0x0f, 1, 0xd1],
    ] {
        let mut fake = Fake::new(code);
        fake.msrs.insert(0, 0);
        fake.xcrs.insert(0, 0);
        fake.kernel = false;
        refused(fake, privileged, Err(Trap::GP));
    }
}

#[test]
fn cpuid() {
    let fake = Fake::new(&[0x0f, 0xa2])
        .with(Gpr::Rax, u64::MAX << 32 | 4)
        .with(Gpr::Rcx, 3);
    let fake = run(fake.with(Gpr::Rdx, u64::MAX), 2);
    assert_eq!(fake.gprs[..4], [5, 0xcccc_cccc, 0xdddd_dddd, 5]);
}

#[test]
fn forced_cpuid() {
    let mut fake = Fake::new(b"\x0f\x0bxen\x0f\xa2").with(Gpr::Rax, 0x4000_0000);
    assert_eq!(forced(&mut fake), DONE);
    assert_eq!((fake.rip, fake.gprs[0]), (CODE + 7, 0x4000_0001));
}

#[test]
fn only_cpuid_may_be_forced() {
    refused(Fake::new(b"\x0f\x0bxen\x0f\x32"), forced, UNHANDLED); // rdmsr
    refused(Fake::new(b"\x0f\x0bxem\x0f\xa2"), forced, UNHANDLED);
    refused(Fake::new(b"\x0f\xa2"), forced, UNHANDLED);
    refused(
        Fake::new(b"\x0f\x0bxen\x0f\x0bxen\x0f\xa2"),
        forced,
        UNHANDLED,
    );
}

#[test]
fn forced_across_pages() {
    let code = b"\x0f\x0bxen\x0f\xa2";
    for back in 1..8 {
        let mut fake = Fake::new(&[]);
        let at = 0x2000 - back;
        fake.put(at, code);
        fake.rip = at;
        assert_eq!(forced(&mut fake), DONE);
        assert_eq!(fake.rip, at + 7);
        let mut fake = Fake::new(&[]);
        fake.put(at, code);
        fake.rip = at;
        fake.faults.insert(0x2000, 0x14);
        if back < 7 {
            refused(fake, forced, Err(Trap::page_fault(0x2000, 0x14)));
        }
    }
}

#[test]
fn time_stamps() {
    let mut fake = Fake::new(&[0x0f, 0x31]);
    fake.tsc = 0xaaaa_bbbb_cccc_dddd;
    let fake = run(fake, 2);
    assert_eq!((fake.gprs[0], fake.gprs[2]), (0xcccc_dddd, 0xaaaa_bbbb));
    let fake = run(Fake::new(&[0x0f, 0x01, 0xf9]).with(Gpr::Rcx, u64::MAX), 3);
    assert_eq!(fake.gprs[1], 7);
}

#[test]
fn extended_control_registers() {
    let mut fake = Fake::new(&[0x0f, 0x01, 0xd0]); // xgetbv
    fake.xcrs.insert(0, 7);
    assert_eq!(run(fake, 3).gprs[0], 7);
    let mut fake = Fake::new(&[0x0f, 0x01, 0xd1]).with(Gpr::Rax, 3); // xsetbv
    fake.xcrs.insert(0, 7);
    assert_eq!(run(fake, 3).xcrs[&0], 3);
    refused(Fake::new(&[0x0f, 0x01, 0xd0]), privileged, Err(Trap::GP));
}

#[test]
fn caches_and_interrupts() {
    assert_eq!(run(Fake::new(&[0x0f, 0x09]), 2).flushes, [true]); // wbinvd
    assert_eq!(run(Fake::new(&[0xf3, 0x0f, 0x09]), 3).flushes, [false]); // wbnoinvd
    assert_eq!(run(Fake::new(&[0x0f, 0x08]), 2).flushes, [true]); // invd
    assert_eq!(run(Fake::new(&[0xfa]), 1).interrupt_flag, Some(false));
    assert_eq!(run(Fake::new(&[0xfb]), 1).interrupt_flag, Some(true));
}

#[test]
fn others_are_not_handled() {
    // hlt, invlpg, lgdt, ud2, nop, syscall, vmcall
    for code in [
        &[0xf4][..],
        &[0x0f, 0x01, 0x38],
        &[0x0f, 0x01, 0x10],
        &[0x0f, 0x0b],
        &[0x90],
        &[0x0f, 0x05],
        &[0x0f, 0x01, 0xc1],
    ] {
        refused(Fake::new(code), privileged, UNHANDLED);
    }
}
