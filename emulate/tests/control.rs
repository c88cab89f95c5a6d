//! Control and debug registers.

mod common;
use common::*;
use x86_emulate::{Bits, Gpr, Trap, privileged};

#[test]
fn mov_from_control() {
    let mut fake = Fake::new(&[0x0f, 0x20, 0xd8]); // mov rax, cr3
    fake.crs[3] = 0x1234_5678_9abc_d000;
    assert_eq!(run(fake, 3).gprs[0], 0x1234_5678_9abc_d000);
    let mut fake = Fake::new(&[0x41, 0x0f, 0x20, 0xe7]); // mov r15, cr4
    fake.crs[4] = 5;
    assert_eq!(run(fake, 4).gprs[15], 5);
    let mut fake = Fake::new(&[0x44, 0x0f, 0x20, 0xc0]); // mov rax, cr8
    fake.crs[8] = 9;
    assert_eq!(run(fake, 4).gprs[0], 9);
}

#[test]
fn mov_to_control() {
    let fake = Fake::new(&[0x0f, 0x22, 0xc1]).with(Gpr::Rcx, u64::MAX); // mov cr0, rcx
    assert_eq!(run(fake, 3).crs[0], u64::MAX);
}

#[test]
fn mov_with_control_has_the_width_of_the_mode() {
    let mut fake = Fake::new(&[0x0f, 0x20, 0xc0]).with(Gpr::Rax, u64::MAX); // mov eax, cr0
    fake.bits = Bits::B32;
    fake.crs[0] = 0x8005_0033;
    assert_eq!(run(fake, 3).gprs[0], 0x8005_0033);
}

#[test]
fn mov_with_debug() {
    let fake = Fake::new(&[0x0f, 0x23, 0xfe]).with(Gpr::Rsi, 0x400); // mov dr7, rsi
    assert_eq!(run(fake, 3).drs[7], 0x400);
    let mut fake = Fake::new(&[0x0f, 0x21, 0xf3]); // mov rbx, dr6
    fake.drs[6] = 0xffff_0ff0;
    assert_eq!(run(fake, 3).gprs[3], 0xffff_0ff0);
}

#[test]
fn an_ordinary_mov_is_not_handled() {
    for code in [
        &[0x48, 0x89, 0xd8][..],
        &[0x8e, 0xd8],
        &[0x48, 0x8b, 0x00],
        &[0x88, 0x07],
    ] {
        refused(Fake::new(code), privileged, UNHANDLED);
    }
}

#[test]
fn users_may_not() {
    for code in [
        &[0x0f, 0x20, 0xc0][..],
        &[0x0f, 0x22, 0xc0],
        &[0x0f, 0x21, 0xf8],
        &[0x0f, 0x06],
        &[0x0f, 0x01, 0xf0],
    ] {
        let mut fake = Fake::new(code);
        fake.kernel = false;
        refused(fake, privileged, Err(Trap::GP));
    }
}

#[test]
fn clts_clears_one_bit() {
    let mut fake = Fake::new(&[0x0f, 0x06]);
    fake.crs[0] = 0x8005_003b;
    assert_eq!(run(fake, 2).crs[0], 0x8005_0033);
}

#[test]
fn lmsw_sets_but_does_not_clear_protection() {
    let mut fake = Fake::new(&[0x0f, 0x01, 0xf0]).with(Gpr::Rax, 0xfff8); // lmsw ax
    fake.crs[0] = 0x8000_0037;
    assert_eq!(run(fake, 3).crs[0], 0x8000_0039);
    let mut fake = Fake::new(&[0x0f, 0x01, 0x30]).with(Gpr::Rax, DATA); // lmsw [rax]
    fake.put(DATA, &[0x02]);
    assert_eq!(run(fake, 3).crs[0], 2);
}

#[test]
fn smsw_stores_as_much_as_fits() {
    let cr0 = 0x8005_0033;
    let mut fake = Fake::new(&[0x66, 0x0f, 0x01, 0xe0]).with(Gpr::Rax, u64::MAX); // smsw ax
    fake.crs[0] = cr0;
    assert_eq!(run(fake, 4).gprs[0], 0xffff_ffff_ffff_0033);
    let mut fake = Fake::new(&[0x48, 0x0f, 0x01, 0xe0]); // smsw rax
    fake.crs[0] = cr0;
    assert_eq!(run(fake, 4).gprs[0], cr0);
    let mut fake = Fake::new(&[0x0f, 0x01, 0x20]).with(Gpr::Rax, DATA); // smsw [rax]
    fake.crs[0] = cr0;
    fake.put(DATA, &[0xff; 8]);
    assert_eq!(run(fake, 3).word(DATA), 0xffff_ffff_ffff_0033);
}

#[test]
fn the_trap_flag_and_rf() {
    let mut fake = Fake::new(&[0x0f, 0x06]);
    fake.rflags = 0x1_0102; // RF, TF
    let outcome = privileged(&mut fake);
    assert_eq!(
        outcome,
        Ok(x86_emulate::Outcome::Done { single_step: true })
    );
    assert_eq!(fake.rflags, 0x102);
}
