//! Instructions that depend on what memory held: all are compare-exchanges.

mod common;
use common::*;
use x86_emulate::{Gpr, Size, store};

const CF: u64 = 1 << 0;
const PF: u64 = 1 << 2;
const AF: u64 = 1 << 4;
const ZF: u64 = 1 << 6;
const SF: u64 = 1 << 7;
const OF: u64 = 1 << 11;

/// RDI points at a word with `value`.
fn fake(code: &[u8], value: u64) -> Fake {
    let mut fake = Fake::new(code).with(Gpr::Rdi, DATA);
    fake.put(DATA, &value.to_le_bytes());
    fake
}

/// The word and the flags after `code`, with RAX as the other operand.
fn after(code: &[u8], value: u64, rax: u64, flags: u64) -> (u64, u64) {
    let mut fake = fake(code, value).with(Gpr::Rax, rax);
    fake.rflags = flags | 2;
    let fake = run_store(fake, code.len() as u64);
    assert_eq!(fake.writes.len(), 1);
    assert!(fake.writes[0].3.is_some(), "a plain write");
    (fake.word(DATA), fake.rflags & !2)
}

#[test]
fn arithmetic() {
    let add = [0x48, 0x01, 0x07];
    assert_eq!(after(&add, 1, 2, OF | CF), (3, PF));
    assert_eq!(after(&add, u64::MAX, 1, 0), (0, CF | PF | AF | ZF));
    assert_eq!(
        after(&add, i64::MAX as u64, 1, 0),
        (1 << 63, PF | AF | SF | OF)
    );
    let sub = [0x48, 0x29, 0x07];
    assert_eq!(after(&sub, 3, 3, 0), (0, PF | ZF));
    assert_eq!(after(&sub, 0, 1, 0), (u64::MAX, CF | PF | AF | SF));
    assert_eq!(after(&sub, 1 << 63, 1, 0), (i64::MAX as u64, PF | AF | OF));
    // 32 bits wide: the upper half stays
    assert_eq!(
        after(&[0x01, 0x07], 0x1_ffff_ffff, 1, 0),
        (1 << 32, CF | PF | AF | ZF)
    );
}

#[test]
fn carries_go_in() {
    let (adc, sbb) = ([0x48, 0x11, 0x07], [0x48, 0x19, 0x07]);
    assert_eq!(after(&adc, 1, 2, CF).0, 4);
    assert_eq!(
        after(&adc, u64::MAX, u64::MAX, CF),
        (u64::MAX, CF | PF | AF | SF)
    );
    assert_eq!(after(&adc, 1, 2, 0).0, 3);
    assert_eq!(after(&sbb, 5, 2, CF).0, 2);
    assert_eq!(after(&sbb, 0, u64::MAX, CF), (0, CF | PF | AF | ZF));
}

#[test]
fn logic() {
    let start = CF | OF;
    assert_eq!(after(&[0x48, 0x21, 0x07], 0xff, 0xf0, start), (0xf0, PF));
    assert_eq!(
        after(&[0x48, 0x09, 0x07], 1 << 63, 1, start),
        (1 << 63 | 1, SF)
    );
    assert_eq!(after(&[0x48, 0x31, 0x07], 5, 5, start), (0, PF | ZF));
    assert_eq!(after(&[0xf6, 0x17], 0x10f, 0, start), (0x1f0, start)); // not byte
    // lock and qword [rdi], ~2, as Linux clears a bit
    assert_eq!(after(&[0xf0, 0x48, 0x83, 0x27, 0xfd], 0x67, 0, 0).0, 0x65);
}

#[test]
fn one_operand() {
    assert_eq!(
        after(&[0x48, 0xff, 0x07], u64::MAX, 0, CF),
        (0, CF | PF | AF | ZF)
    ); // inc
    assert_eq!(
        after(&[0x48, 0xff, 0x0f], 0, 0, 0),
        (u64::MAX, PF | AF | SF)
    ); // dec
    assert_eq!(
        after(&[0x48, 0xf7, 0x1f], 1, 0, 0),
        (u64::MAX, CF | PF | AF | SF)
    ); // neg
    assert_eq!(after(&[0x48, 0xf7, 0x1f], 0, 0, CF), (0, PF | ZF));
}

#[test]
fn bits() {
    // bts/btr/btc qword [rdi], 5
    assert_eq!(
        after(&[0x48, 0x0f, 0xba, 0x2f, 5], 0, 0, CF | ZF),
        (0x20, ZF)
    );
    assert_eq!(after(&[0x48, 0x0f, 0xba, 0x37, 5], 0x20, 0, 0), (0, CF));
    assert_eq!(after(&[0x48, 0x0f, 0xba, 0x3f, 69], 0, 0, 0), (0x20, 0));
    // lock bts [rdi], rax: the number reaches beyond the word
    let bts = [0xf0, 0x48, 0x0f, 0xab, 0x07];
    let fake1 = run_store(fake(&bts, 0).with(Gpr::Rax, 64 + 3), 5);
    assert_eq!(fake1.writes, [(DATA + 8, Size::B8, 8, Some(0))]);
    let fake2 = run_store(fake(&bts, 0).with(Gpr::Rax, u64::MAX), 5);
    assert_eq!(fake2.writes, [(DATA - 8, Size::B8, 1 << 63, Some(0))]);
    // btr word [rdi], ax: the number is signed in its own width
    let fake3 = run_store(fake(&[0x66, 0x0f, 0xb3, 0x07], 0).with(Gpr::Rax, 0xffff), 4);
    assert_eq!(fake3.writes[0].0, DATA - 2);
}

#[test]
fn xchg() {
    let fake1 = run_store(fake(&[0x48, 0x87, 0x07], 1).with(Gpr::Rax, 2), 3);
    assert_eq!((fake1.word(DATA), fake1.gprs[0]), (2, 1));
    let fake2 = run_store(fake(&[0x87, 0x07], 1).with(Gpr::Rax, u64::MAX), 2);
    assert_eq!((fake2.word(DATA), fake2.gprs[0]), (0xffff_ffff, 1));
    refused(Fake::new(&[0x48, 0x87, 0xc7]), store, UNHANDLED); // xchg rdi, rax
    refused(Fake::new(&[0x90]), store, UNHANDLED);
}

#[test]
fn xadd() {
    let fake = run_store(
        fake(&[0xf0, 0x48, 0x0f, 0xc1, 0x07], 40).with(Gpr::Rax, 2),
        5,
    );
    assert_eq!((fake.word(DATA), fake.gprs[0], fake.rflags), (42, 40, 2));
}

#[test]
fn cmpxchg() {
    let code = [0xf0, 0x48, 0x0f, 0xb1, 0x0f]; // lock cmpxchg [rdi], rcx
    let fake1 = run_store(fake(&code, 7).with(Gpr::Rax, 7).with(Gpr::Rcx, 9), 5);
    assert_eq!(
        (fake1.word(DATA), fake1.gprs[0], fake1.rflags & ZF),
        (9, 7, ZF)
    );
    let fake2 = run_store(fake(&code, 7).with(Gpr::Rax, 6).with(Gpr::Rcx, 9), 5);
    assert_eq!((fake2.word(DATA), fake2.gprs[0]), (7, 7));
    assert_eq!(fake2.rflags & (ZF | CF), CF); // 6 - 7
    // 32 bits wide: a match leaves all of rax, a miss clears its upper half
    let high = 0xdead_0000_0000;
    let fake3 = run_store(fake(&code[2..], 7).with(Gpr::Rax, high | 7), 3);
    assert_eq!(fake3.gprs[0], high | 7);
    let fake4 = run_store(fake(&code[2..], 7).with(Gpr::Rax, high | 6), 3);
    assert_eq!(fake4.gprs[0], 7);
}

#[test]
fn cmpxchg8b() {
    let code = [0xf0, 0x0f, 0xc7, 0x0f];
    let regs = |fake: Fake| {
        fake.with(Gpr::Rcx, 5)
            .with(Gpr::Rbx, 6)
            .with(Gpr::Rdx, 1)
            .with(Gpr::Rax, 2)
    };
    let fake1 = run_store(regs(fake(&code, 0x1_0000_0002)), 4);
    assert_eq!((fake1.word(DATA), fake1.rflags), (0x5_0000_0006, 2 | ZF));
    let fake2 = run_store(regs(fake(&code, 0x3_0000_0004)), 4);
    assert_eq!((fake2.gprs[0], fake2.gprs[2], fake2.rflags), (4, 3, 2));
}

#[test]
fn bits_set_meanwhile_are_not_lost() {
    let mut fake = fake(&[0x48, 0x83, 0x27, 0xfd], 0x67); // and qword [rdi], ~2
    fake.contention = 3;
    assert_eq!(run_store(fake, 4).word(DATA), 0x45);
}

#[test]
fn endless_contention_pauses() {
    for code in [[0x48, 0x01, 0x07], [0x48, 0x87, 0x07]] {
        let mut fake = fake(&code, 0).with(Gpr::Rax, 1);
        fake.contention = u32::MAX;
        assert_eq!(store(&mut fake), DONE);
        assert_eq!(
            (fake.rip, fake.gprs[0], fake.rflags, fake.writes.len()),
            (CODE, 1, 2, 0)
        );
    }
}
