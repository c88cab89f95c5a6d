//! What a comparison with a real processor found: which fault comes, and which of two.

mod common;
use common::*;
use x86_emulate::{Bits, Gpr, Segment, Trap, load, privileged, store};

/// Not canonical.
const FAR: u64 = 1 << 60;

#[test]
fn segment_prefixes_do_not_change_64_bit_faults() {
    // cs mov eax, [rbp] ; ds mov eax, [rsp]: still accesses of the stack
    let stack = Fake::new(&[0x2e, 0x8b, 0x45, 0]).with(Gpr::Rbp, FAR);
    refused(stack, load, Err(Trap::SS));
    let stack = Fake::new(&[0x3e, 0x89, 0x04, 0x24]).with(Gpr::Rsp, FAR);
    refused(stack, store, Err(Trap::SS));
    // ss mov [rax], ecx ; ss bts [rax], ecx ; ss lodsb: still not
    for code in [&[0x36, 0x89, 0x08][..], &[0x36, 0x0f, 0xab, 0x08]] {
        refused(Fake::new(code).with(Gpr::Rax, FAR), store, Err(Trap::GP));
    }
    let string = Fake::new(&[0x36, 0xac]).with(Gpr::Rsi, FAR);
    refused(string, load, Err(Trap::GP));
    // In 32-bit code they do: ss mov eax, [eax]
    let mut narrow = Fake::new(&[0x36, 0x8b, 0x00]).with(Gpr::Rax, DATA);
    narrow.bits = Bits::B32;
    narrow.segments[2].limit = 0xfff;
    refused(narrow, load, Err(Trap::SS));
}

#[test]
fn a_read_that_is_part_of_a_write_faults_as_a_write() {
    // add [rdi], eax ; bts [rdi], eax ; xchg [rdi], eax
    for code in [&[0x01, 0x07][..], &[0x0f, 0xab, 0x07], &[0x87, 0x07]] {
        let mut fake = Fake::new(code).with(Gpr::Rdi, DATA);
        fake.faults.insert(DATA, 4);
        refused(fake, store, Err(Trap::page_fault(DATA, 6)));
    }
    // cmp [rdi], eax only reads
    let mut fake = Fake::new(&[0x39, 0x07]).with(Gpr::Rdi, DATA);
    fake.faults.insert(DATA, 4);
    refused(fake, load, Err(Trap::page_fault(DATA, 4)));
}

#[test]
fn an_instruction_ends_before_its_code_segment_does() {
    // mov [0x4000], eax with the segment's end after its fifth byte
    for (limit, good) in [(CODE + 5, true), (CODE + 4, false)] {
        let mut fake = Fake::new(&[0x89, 0x05, 0, 0x40, 0, 0]);
        fake.bits = Bits::B32;
        fake.segments[1] = Segment {
            limit: limit as u32,
            ..FLAT
        };
        match good {
            true => assert_eq!(run_store(fake, 6).writes.len(), 1),
            false => refused(fake, store, Err(Trap::GP)),
        }
    }
    // The page after the end is not looked at.
    let mut fake = Fake::new(&[]);
    fake.put(0x1ffe, &[0x89, 0x05, 0, 0x40, 0, 0]);
    fake.rip = 0x1ffe;
    fake.bits = Bits::B32;
    fake.segments[1].limit = 0x1fff;
    fake.faults.insert(0x2000, 0x14);
    refused(fake, store, Err(Trap::GP));
}

#[test]
fn a_port_is_asked_for_before_memory_and_count() {
    // outsb ; rep outsb with nothing left ; rep insb with nothing left
    for code in [&[0x6e][..], &[0xf3, 0x6e], &[0xf3, 0x6c]] {
        let mut fake = Fake::new(code).with(Gpr::Rsi, DATA).with(Gpr::Rdi, DATA);
        fake.faults.insert(DATA, 4);
        refused(fake, privileged, Err(Trap::GP));
    }
}

#[test]
fn of_two_faults_of_movs_the_source_is_first() {
    let mut fake = Fake::new(&[0xa5]).with(Gpr::Rsi, DATA).with(Gpr::Rdi, FAR);
    fake.faults.insert(DATA, 4);
    refused(fake.clone(), store, Err(Trap::page_fault(DATA, 4)));
    fake.faults.clear();
    refused(fake, store, Err(Trap::GP));
}

#[test]
fn movsxd_of_16_bits_is_left_alone() {
    refused(
        Fake::new(&[0x66, 0x63, 0x06]).with(Gpr::Rsi, DATA),
        load,
        UNHANDLED,
    );
}
