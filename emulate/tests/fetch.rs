//! Fetching: page ends, faults, lengths, invalid code.

mod common;
use common::*;
use x86_emulate::{Bits, Trap, privileged, store};

#[test]
fn an_instruction_may_end_at_an_unreadable_page() {
    let mut fake = Fake::new(&[]);
    fake.put(0x1ffe, &[0x0f, 0x06]);
    fake.rip = 0x1ffe;
    fake.faults.insert(0x2000, 0x14);
    assert_eq!(privileged(&mut fake), DONE);
    assert_eq!(fake.rip, 0x2000);
}

#[test]
fn an_instruction_may_lie_across_pages() {
    let mut fake = Fake::new(&[]);
    fake.put(0x1fff, &[0x0f, 0x06]);
    fake.rip = 0x1fff;
    fake.faults.insert(0x2000, 0x14);
    refused(
        fake.clone(),
        privileged,
        Err(Trap::page_fault(0x2000, 0x14)),
    );
    fake.faults.clear();
    assert_eq!(privileged(&mut fake), DONE);
    assert_eq!(fake.rip, 0x2001);
}

#[test]
fn unreadable_code_faults() {
    let mut fake = Fake::new(&[0x0f, 0x06]);
    fake.faults.insert(CODE, 0x14);
    refused(fake.clone(), privileged, Err(Trap::page_fault(CODE, 0x14)));
    refused(fake, store, Err(Trap::page_fault(CODE, 0x14)));
}

#[test]
fn more_than_fifteen_bytes_are_no_instruction() {
    let mut code = [0x66; 16];
    code[13..15].copy_from_slice(&[0x0f, 0x06]);
    assert_eq!(run(Fake::new(&code), 15).crs[0], 0);
    code[13..].copy_from_slice(&[0x66, 0x0f, 0x06]);
    refused(Fake::new(&code), privileged, UNHANDLED);
    refused(Fake::new(&[0x66; 16]), privileged, UNHANDLED);
}

#[test]
fn a_lock_prefix_where_none_may_be_is_not_handled() {
    refused(Fake::new(&[0xf0, 0x0f, 0x06]), privileged, UNHANDLED);
    refused(Fake::new(&[0xf0, 0x48, 0x89, 0x07]), store, UNHANDLED); // lock mov
}

#[test]
fn compatibility_mode_has_a_code_segment() {
    let mut fake = Fake::new(&[0x0f, 0x06]);
    fake.bits = Bits::B32;
    fake.segments[1].base = CODE;
    fake.rip = 0;
    assert_eq!(privileged(&mut fake), DONE);
    assert_eq!(fake.rip, 2);
    fake.segments[1].limit = 1;
    refused(fake, privileged, Err(Trap::GP));
}

#[test]
fn random_code_neither_panics_nor_runs_away() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    x86_emulate::prime();
    let mut handled = 0;
    for round in 0..60_000 {
        let mut code = [0; 16];
        code[..8].copy_from_slice(&random().to_le_bytes());
        code[8..].copy_from_slice(&random().to_le_bytes());
        // Most of what is handled begins so.
        match round % 4 {
            0 => code[0] = 0x0f,
            1 => code[0] = 0xf3,
            2 => code[..2].copy_from_slice(&[0x48, 0x0f]),
            _ => {}
        }
        let mut fake = Fake::new(&code);
        fake.bits = [Bits::B64, Bits::B64, Bits::B32, Bits::B16][round % 4];
        fake.gprs = core::array::from_fn(|_| match random() % 3 {
            0 => random() % 0x10000,
            1 => random(),
            _ => u64::MAX - random() % 16,
        });
        fake.gprs[4] = DATA;
        fake.rflags = 2 | random() & 0xcd5;
        let before = fake.clone();
        for act in [privileged, store] {
            let mut fake = before.clone();
            match act(&mut fake) {
                Ok(x86_emulate::Outcome::Unhandled) => assert_eq!(fake, before),
                Ok(_) => handled += 1,
                Err(_) => assert_eq!(fake.rip, before.rip),
            }
            assert!(fake.writes.len() <= 128 && fake.port_log.len() <= 64);
        }
    }
    assert!(handled > 1000, "only {handled} were executed");
}
