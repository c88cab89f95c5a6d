//! IN, OUT, INS, OUTS.

mod common;
use common::*;
use x86_emulate::{Bits, Gpr, Size, Trap, privileged};

fn with_port(code: &[u8], port: u16, value: u32) -> Fake {
    let mut fake = Fake::new(code).with(Gpr::Rdx, 0xffff_0000 | u64::from(port));
    fake.ports.insert(port, value);
    fake
}

#[test]
fn input() {
    let ones = |code: &[u8], port| with_port(code, port, 0x1234_5678).with(Gpr::Rax, u64::MAX);
    assert_eq!(run(ones(&[0xec], 0x3f8), 1).gprs[0], 0xffff_ffff_ffff_ff78); // in al, dx
    assert_eq!(
        run(ones(&[0x66, 0xed], 0x3f8), 2).gprs[0],
        0xffff_ffff_ffff_5678
    ); // in ax, dx
    assert_eq!(run(ones(&[0xed], 0x3f8), 1).gprs[0], 0x1234_5678); // in eax, dx
    assert_eq!(
        run(ones(&[0xe4, 0x71], 0x71), 2).gprs[0],
        0xffff_ffff_ffff_ff78
    ); // in al, 0x71
}

#[test]
fn output() {
    let fake = |code: &[u8], port| with_port(code, port, 0).with(Gpr::Rax, 0xaaaa_1234_5678);
    assert_eq!(
        run(fake(&[0xee], 0x3f8), 1).port_log,
        [(0x3f8, Size::B1, Some(0x78))]
    );
    assert_eq!(
        run(fake(&[0x66, 0xef], 2), 2).port_log,
        [(2, Size::B2, Some(0x5678))]
    );
    assert_eq!(
        run(fake(&[0xef], 2), 1).port_log,
        [(2, Size::B4, Some(0x1234_5678))]
    );
    assert_eq!(
        run(fake(&[0xe6, 0xfe], 0xfe), 2).port_log,
        [(0xfe, Size::B1, Some(0x78))]
    );
}

#[test]
fn a_refused_port_is_a_trap() {
    for code in [[0xec], [0xee], [0x6c], [0x6e]] {
        refused(
            Fake::new(&code).with(Gpr::Rdi, DATA),
            privileged,
            Err(Trap::GP),
        );
    }
}

#[test]
fn ports_are_for_users_too() {
    let mut fake = with_port(&[0xec], 0x60, 1);
    fake.kernel = false;
    assert_eq!(run(fake, 1).gprs[0], 1);
}

#[test]
fn string_input() {
    let fake = with_port(&[0xf3, 0x6d], 0x1f0, 0xddcc_bbaa); // rep insd
    let fake = run(fake.with(Gpr::Rcx, 3).with(Gpr::Rdi, DATA), 2);
    assert_eq!((fake.gprs[1], fake.gprs[7]), (0, DATA + 12));
    assert_eq!(fake.word(DATA + 8), 0xddcc_bbaa);
    // insb: once, and rcx stays
    let fake = with_port(&[0x6c], 1, 0xff)
        .with(Gpr::Rcx, 3)
        .with(Gpr::Rdi, DATA);
    let fake = run(fake, 1);
    assert_eq!(
        (fake.gprs[1], fake.gprs[7], fake.word(DATA)),
        (3, DATA + 1, 0xff)
    );
}

#[test]
fn string_output() {
    let mut fake = with_port(&[0xf3, 0x66, 0x6f], 1, 0).with(Gpr::Rsi, DATA + 2); // rep outsw
    fake.put(DATA, &[1, 2, 3, 4]);
    fake.rflags |= 0x400; // downwards
    let fake = run(fake.with(Gpr::Rcx, 2), 3);
    let sent: Vec<_> = fake.port_log.iter().map(|entry| entry.2).collect();
    assert_eq!(
        (sent, fake.gprs[6]),
        (vec![Some(0x0403), Some(0x0201)], DATA - 2)
    );
}

#[test]
fn a_long_repetition_pauses() {
    let mut fake = with_port(&[0xf3, 0x6e], 1, 0)
        .with(Gpr::Rsi, DATA)
        .with(Gpr::Rcx, 200);
    let mut calls = 0;
    while fake.rip == CODE {
        assert_eq!(privileged(&mut fake), DONE);
        calls += 1;
        assert!(fake.port_log.len() <= calls * 64);
    }
    assert_eq!((fake.port_log.len(), calls, fake.gprs[1]), (200, 4, 0));
    assert_eq!(run(with_port(&[0xf3, 0x6e], 1, 0), 2).port_log, []);
}

#[test]
fn a_fault_keeps_the_elements_before_it() {
    let mut fake = with_port(&[0xf3, 0x6c], 1, 0x55)
        .with(Gpr::Rcx, 10)
        .with(Gpr::Rdi, 0x4ffd);
    fake.faults.insert(0x5000, 6);
    assert_eq!(privileged(&mut fake), Err(Trap::page_fault(0x5000, 6)));
    assert_eq!((fake.rip, fake.gprs[1], fake.gprs[7]), (CODE, 7, 0x5000));
}

#[test]
fn a_single_step_is_one_element() {
    let mut fake = with_port(&[0xf3, 0x6e], 1, 0)
        .with(Gpr::Rsi, DATA)
        .with(Gpr::Rcx, 5);
    fake.rflags |= 0x100;
    let outcome = privileged(&mut fake);
    assert_eq!(
        outcome,
        Ok(x86_emulate::Outcome::Done { single_step: true })
    );
    assert_eq!((fake.rip, fake.gprs[1], fake.port_log.len()), (CODE, 4, 1));
}

#[test]
fn short_addresses_wrap_in_their_width() {
    // addr32 rep outsb in 64-bit code
    let high = 0xffff_ffff_0000_0000;
    let fake = with_port(&[0x67, 0xf3, 0x6e], 1, 0).with(Gpr::Rsi, high | DATA);
    let fake = run(fake.with(Gpr::Rcx, high | 2), 3);
    assert_eq!(
        (fake.gprs[6], fake.gprs[1], fake.port_log.len()),
        (DATA + 2, 0, 2)
    );
}

#[test]
fn segment_limits_hold_in_compatibility_mode() {
    for (limit, expand_down, writable, good) in [
        (0x4fff, false, true, true),
        (0x4001, false, true, false),
        (0x4fff, false, false, false),
        (0x3fff, true, true, true),
        (0x4000, true, true, false),
    ] {
        let mut fake = with_port(&[0x6d], 1, 0).with(Gpr::Rdi, DATA);
        fake.bits = Bits::B32;
        fake.segments[0] = x86_emulate::Segment {
            limit,
            expand_down,
            writable,
            ..FLAT
        };
        match good {
            true => assert_eq!(run(fake, 1).gprs[7], DATA + 4),
            false => refused(fake, privileged, Err(Trap::GP)),
        }
    }
}

#[test]
fn segment_bases_count() {
    let mut fake = with_port(&[0x64, 0x6e], 1, 0).with(Gpr::Rsi, 0x10); // fs outsb
    fake.segments[4].base = DATA;
    fake.put(DATA + 0x10, &[0x77]);
    assert_eq!(run(fake, 2).port_log, [(1, Size::B1, Some(0x77))]);
}
