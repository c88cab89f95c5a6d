//! Plain stores and string stores.

mod common;
use common::*;
use x86_emulate::{Bits, Gpr, Size, Trap, store};

/// RDI points at the data, RAX and RCX hold values.
fn fake(code: &[u8]) -> Fake {
    let mut fake = Fake::new(code)
        .with(Gpr::Rdi, DATA)
        .with(Gpr::Rax, 0x1122_3344_5566_7788);
    fake.put(DATA, &[0xff; 16]);
    fake
}

#[test]
fn mov_of_each_width() {
    for (code, size) in [
        (&[0x48, 0x89, 0x07][..], Size::B8), // mov [rdi], rax
        (&[0x89, 0x07], Size::B4),
        (&[0x66, 0x89, 0x07], Size::B2),
        (&[0x88, 0x07], Size::B1),
        (&[0x48, 0x0f, 0xc3, 0x07], Size::B8), // movnti [rdi], rax
        (&[0x0f, 0xc3, 0x07], Size::B4),
    ] {
        let fake = run_store(fake(code), code.len() as u64);
        assert_eq!(
            fake.writes,
            [(DATA, size, 0x1122_3344_5566_7788 & size.mask(), None)]
        );
    }
}

#[test]
fn mov_of_constants() {
    // mov qword [rdi], -2 ; mov dword [rdi], ... ; mov word ; mov byte
    let code = [0x48, 0xc7, 0x07, 0xfe, 0xff, 0xff, 0xff];
    assert_eq!(run_store(fake(&code), 7).word(DATA), u64::MAX - 1);
    let fake4 = run_store(fake(&code[1..]), 6);
    assert_eq!(fake4.writes, [(DATA, Size::B4, 0xffff_fffe, None)]);
    let fake2 = run_store(fake(&[0x66, 0xc7, 0x07, 0x34, 0x12]), 5);
    assert_eq!(fake2.writes, [(DATA, Size::B2, 0x1234, None)]);
    assert_eq!(
        run_store(fake(&[0xc6, 0x07, 9]), 3).writes,
        [(DATA, Size::B1, 9, None)]
    );
}

#[test]
fn mov_to_an_absolute_address() {
    let code = [0x48, 0xa3, 0x00, 0x40, 0, 0, 0, 0, 0, 0]; // movabs [0x4000], rax
    assert_eq!(run_store(fake(&code), 10).word(DATA), 0x1122_3344_5566_7788);
}

#[test]
fn high_bytes_and_new_bytes() {
    assert_eq!(run_store(fake(&[0x88, 0x27]), 2).writes[0].2, 0x77); // mov [rdi], ah
    let sil = fake(&[0x40, 0x88, 0x37]).with(Gpr::Rsi, 0xabcd); // mov [rdi], sil
    assert_eq!(run_store(sil, 3).writes[0].2, 0xcd);
    let r9b = fake(&[0x44, 0x88, 0x0f]).with(Gpr::R9, 0xab12); // mov [rdi], r9b
    assert_eq!(run_store(r9b, 3).writes[0].2, 0x12);
}

#[test]
fn addresses() {
    // mov [rdi + rcx*8 - 0x10], rax
    let code = [0x48, 0x89, 0x44, 0xcf, 0xf0];
    assert_eq!(
        run_store(fake(&code).with(Gpr::Rcx, 5), 5).writes[0].0,
        DATA + 24
    );
    // mov [rip + 0x2ff9], rax: relative to the next instruction
    let code = [0x48, 0x89, 0x05, 0xf9, 0x2f, 0, 0];
    assert_eq!(run_store(fake(&code), 7).writes[0].0, DATA);
    // mov [edi], eax: the upper half of rdi is left out
    let high = fake(&[0x67, 0x89, 0x07]).with(Gpr::Rdi, 0xffff_ffff_0000_4000);
    assert_eq!(run_store(high, 3).writes[0].0, DATA);
    // mov [0x4000], rax without a base
    let code = [0x48, 0x89, 0x04, 0x25, 0x00, 0x40, 0, 0];
    assert_eq!(run_store(fake(&code), 8).writes[0].0, DATA);
    // mov gs:[rdi], rax
    let mut gs = fake(&[0x65, 0x48, 0x89, 0x07]);
    gs.segments[5].base = 0x100;
    assert_eq!(run_store(gs, 4).writes[0].0, DATA + 0x100);
    // mov ds:[rdi], rax: the base of DS is no base in 64-bit mode
    let mut ds = fake(&[0x3e, 0x48, 0x89, 0x07]);
    ds.segments[3].base = 0x100;
    assert_eq!(run_store(ds, 4).writes[0].0, DATA);
    // mov [bx + si], ax in 16-bit code wraps at 64 KiB
    let mut short = fake(&[0x89, 0x00])
        .with(Gpr::Rbx, 0xfff0)
        .with(Gpr::Rsi, 0x4010);
    short.bits = Bits::B16;
    assert_eq!(run_store(short, 2).writes[0].0, DATA);
}

#[test]
fn addresses_must_be_canonical() {
    for bad in [1 << 47, u64::MAX << 48, u64::MAX - 3, (1 << 47) - 4] {
        refused(
            fake(&[0x48, 0x89, 0x07]).with(Gpr::Rdi, bad),
            store,
            Err(Trap::GP),
        );
    }
    // mov [rsp], rax
    let code = [0x48, 0x89, 0x04, 0x24];
    refused(fake(&code).with(Gpr::Rsp, 1 << 63), store, Err(Trap::SS));
}

#[test]
fn a_refused_write_changes_nothing() {
    let mut fake = fake(&[0x48, 0x89, 0x07]);
    fake.faults.insert(DATA, 7);
    refused(fake, store, Err(Trap::page_fault(DATA, 7)));
}

#[test]
fn stos() {
    let fake1 = run_store(fake(&[0x48, 0xab]), 2);
    assert_eq!(
        (fake1.word(DATA), fake1.gprs[7]),
        (0x1122_3344_5566_7788, DATA + 8)
    );
    let fake2 = run_store(fake(&[0xf3, 0xaa]).with(Gpr::Rcx, 5), 2);
    assert_eq!(
        (fake2.word(DATA), fake2.gprs[1]),
        (0xffff_ff88_8888_8888, 0)
    );
}

#[test]
fn movs() {
    let mut fake = fake(&[0xf3, 0x48, 0xa5])
        .with(Gpr::Rsi, 0x5000)
        .with(Gpr::Rcx, 2);
    fake.put(0x5000, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let fake = run_store(fake, 3);
    assert_eq!(
        (fake.word(DATA), fake.word(DATA + 8)),
        (0x0807_0605_0403_0201, 9)
    );
    assert_eq!((fake.gprs[6], fake.gprs[7]), (0x5010, DATA + 16));
}

#[test]
fn a_long_stos_pauses() {
    let mut fake = fake(&[0xf3, 0x48, 0xab]).with(Gpr::Rcx, 512);
    assert_eq!(store(&mut fake), DONE);
    assert_eq!((fake.rip, fake.gprs[1], fake.writes.len()), (CODE, 448, 64));
}

#[test]
fn what_does_not_store_is_not_handled() {
    for code in [
        &[0x48, 0x8b, 0x07][..],   // mov rax, [rdi]
        &[0x48, 0x89, 0xc7],       // mov rdi, rax
        &[0x48, 0x39, 0x07],       // cmp [rdi], rax
        &[0x48, 0x85, 0x07],       // test [rdi], rax
        &[0x48, 0x03, 0x07],       // add rax, [rdi]
        &[0x8c, 0x07],             // mov [rdi], es
        &[0x0f, 0x11, 0x07],       // movups [rdi], xmm0
        &[0xff, 0x37],             // push [rdi]
        &[0x0f, 0xa3, 0x07],       // bt [rdi], eax
        &[0xf2, 0x0f, 0x11, 0x07], // movsd [rdi], xmm0
        &[0x48, 0x0f, 0xc7, 0x0f], // cmpxchg16b [rdi]
    ] {
        refused(fake(code), store, UNHANDLED);
    }
}
