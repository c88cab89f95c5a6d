//! Reads into registers and into the flags.

mod common;
use common::*;
use x86_emulate::{Cpu, Gpr, Trap, load};

const VALUE: u64 = 0x8899_aabb_ccdd_eeff;

fn run(code: &[u8]) -> Fake {
    let mut fake = Fake::new(code)
        .with(Gpr::Rsi, DATA)
        .with(Gpr::Rax, u64::MAX);
    fake.put(DATA, &VALUE.to_le_bytes());
    assert_eq!(load(&mut fake), DONE, "{code:x?}");
    assert_eq!(fake.rip(), CODE + code.len() as u64);
    fake
}

#[test]
fn into_registers() {
    for (code, rax) in [
        (&[0x48, 0x8b, 0x06][..], VALUE),
        (&[0x8b, 0x06], 0xccdd_eeff),
        (&[0x66, 0x8b, 0x06], 0xffff_ffff_ffff_eeff),
        (&[0x8a, 0x06], 0xffff_ffff_ffff_ffff),
        (&[0x8a, 0x66, 1], 0xffff_ffff_ffff_eeff),
        (&[0x0f, 0xb6, 0x06], 0xff),
        (&[0x0f, 0xb7, 0x06], 0xeeff),
        (&[0x48, 0x0f, 0xbe, 0x06], u64::MAX),
        (&[0x48, 0x63, 0x06], 0xffff_ffff_ccdd_eeff),
        (&[0x23, 0x06], 0xccdd_eeff),
        (&[0x48, 0x33, 0x06], !VALUE),
        (&[0xad], 0xccdd_eeff),
    ] {
        assert_eq!(run(code).gpr(Gpr::Rax), rax, "{code:x?}");
    }
}

#[test]
fn into_flags() {
    const ZF: u64 = 1 << 6;
    // test dword [rsi], 0x100 ; test dword [rsi], 0x200
    let clear = run(&[0xf7, 0x06, 0, 1, 0, 0]);
    assert_ne!(clear.rflags() & ZF, 0);
    let set = run(&[0xf7, 0x06, 0, 2, 0, 0]);
    assert_eq!(set.rflags() & ZF, 0);
    // cmp byte [rsi], -1 ; cmp [rsi], al ; cmp rax, [rsi]
    assert_ne!(run(&[0x80, 0x3e, 0xff]).rflags() & ZF, 0);
    assert_ne!(run(&[0x38, 0x06]).rflags() & ZF, 0);
    assert_eq!(run(&[0x48, 0x3b, 0x06]).rflags() & ZF, 0);
}

#[test]
fn what_does_not_read_memory_is_left_alone() {
    for code in [
        &[0x48, 0x89, 0x06][..],
        &[0x90],
        &[0x8b, 0xc1],
        &[0x0f, 0x28, 0x06],
    ] {
        let mut fake = Fake::new(code).with(Gpr::Rsi, DATA);
        let before = fake.clone();
        assert_eq!(load(&mut fake), UNHANDLED, "{code:x?}");
        assert_eq!(fake, before);
    }
}

#[test]
fn a_fault_changes_nothing() {
    let mut fake = Fake::new(&[0x48, 0x8b, 0x06]).with(Gpr::Rsi, DATA);
    fake.faults.insert(DATA, 4);
    let before = fake.clone();
    assert_eq!(load(&mut fake), Err(Trap::page_fault(DATA, 4)));
    assert_eq!(fake, before);
}
