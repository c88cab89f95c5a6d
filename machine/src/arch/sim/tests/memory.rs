//! Walks, rights, stale translations and the oracle.

use super::build::*;
use crate::arch::sim::walk::pte::{A, D, G, NX, P, PS, RW, US};
use crate::arch::sim::{GuestOp, PowerEvent};
use crate::{CpuApi, CpuMask, Exit, Flush, PageType};
use core::sync::atomic::Ordering::Relaxed;

/// What an operation leads to: `Ok` when the guest went on, else vector and error code.
fn try_op(cpu: &mut crate::Cpu, op: GuestOp) -> Result<u64, (u8, u32)> {
    cpu.script([op]);
    match cpu.enter() {
        Exit::Exception(vector) => Err((vector, cpu.regs().error)),
        Exit::Interrupt(super::super::SPURIOUS_VECTOR) => Ok(cpu.regs().rax),
        other => panic!("{other:?}"),
    }
}

fn read(cpu: &mut crate::Cpu, va: u64) -> Result<u64, (u8, u32)> {
    try_op(cpu, GuestOp::Read { va, size: 8 })
}

fn write(cpu: &mut crate::Cpu, va: u64) -> Result<u64, (u8, u32)> {
    try_op(
        cpu,
        GuestOp::Write {
            va,
            size: 8,
            value: 1,
        },
    )
}

#[test]
fn rights_are_those_of_all_levels_together() {
    let mut w = World::new(1);
    w.machine.set_strict(false);
    let page = w.frame();
    let mut cpu = w.cpu(0);
    page.words()[0].store(42, Relaxed);
    assert_eq!(read(&mut cpu, VA), Err((14, 4)));
    w.map(0, &page, URW);
    assert_eq!(read(&mut cpu, VA), Ok(42));
    assert_eq!(w.entry(0) & (A | D), A);
    assert_eq!(write(&mut cpu, VA), Ok(42));
    assert_eq!(w.entry(0) & (A | D), A | D);
    assert_eq!(page.words()[0].load(Relaxed), 1);
    for (flags, reads, writes, fetches) in [
        (P | US, true, false, true),
        (P | RW, false, false, false),
        (URW | NX, true, true, false),
        (URW, true, true, true),
    ] {
        // At the leaf, and at each table above it.
        for level in 0..4 {
            cpu.flush_local(Flush::All);
            w.map(0, &page, if level == 0 { flags } else { URW });
            for l in 1..4 {
                let slot = &w.tables[l].words()[l_index(l)];
                let frame = slot.load(Relaxed) & 0xf_ffff_ffff_f000;
                slot.store(frame | if l == level { flags } else { URW }, Relaxed);
            }
            let check = |got: Result<u64, (u8, u32)>, ok: bool, error: u32| match got {
                Ok(_) => assert!(ok, "{flags:#x} at {level}"),
                Err(e) => assert!(!ok && e == (14, error), "{flags:#x} at {level}: {e:?}"),
            };
            check(read(&mut cpu, VA), reads, 5);
            check(write(&mut cpu, VA), writes, 7);
            check(try_op(&mut cpu, GuestOp::Fetch { va: VA }), fetches, 0x15);
        }
    }
}

/// Index of [`VA`] in table `l`, counted from 0 for L1.
fn l_index(l: usize) -> usize {
    (VA >> (12 + 9 * l)) as usize & 511
}

#[test]
fn large_pages_are_translated_and_flushed_as_one() {
    let w = World::new(1);
    w.machine.set_strict(false);
    let mut cpu = w.cpu(0);
    w.tables[1].words()[3].store(URW | PS, Relaxed);
    for i in [0u64, 5, 255] {
        w.mem().0.0.ram(i).unwrap()[1].store(100 + i, Relaxed);
        let va = VA - (4 << 12) + (i << 12) + 8;
        assert_eq!(read(&mut cpu, va), Ok(100 + i));
    }
    w.tables[1].words()[3].store(0, Relaxed);
    assert_eq!(read(&mut cpu, VA), Err((14, 4)));
    assert_eq!(read(&mut cpu, VA + 4096 + 8), Ok(105));
    cpu.flush_local(Flush::Page(VA));
    assert_eq!(read(&mut cpu, VA + 4096 + 8), Err((14, 4)));
    // A large page at the root is reserved.
    w.tables[3].words()[1].store(URW | PS, Relaxed);
    assert_eq!(read(&mut cpu, VA), Err((14, 4 | 1 | 8)));
}

#[test]
fn translations_are_stale_until_flushed() {
    let mut w = World::new(2);
    let (page, other) = (w.frame(), w.frame());
    page.words()[0].store(1, Relaxed);
    other.words()[0].store(2, Relaxed);
    let mut cpus = [w.cpu(0), w.cpu(1)];
    w.map(0, &page, URW);
    w.map(1, &page, URW | G);
    for cpu in &mut cpus {
        assert_eq!((read(cpu, VA), read(cpu, VA + 4096)), (Ok(1), Ok(1)));
    }
    w.map(0, &other, URW);
    w.map(1, &other, URW);
    // Nobody sees the new frame before a flush, and only the CPU that flushed does then.
    let [a, b] = &mut cpus;
    assert_eq!((read(a, VA), read(a, VA + 4096)), (Ok(1), Ok(1)));
    a.flush_local(Flush::Page(VA + 8));
    assert_eq!((read(a, VA), read(a, VA + 4096)), (Ok(2), Ok(1)));
    // A load of the root keeps global translations.
    assert!(b.set_root(&w.root));
    assert_eq!((read(b, VA), read(b, VA + 4096)), (Ok(2), Ok(1)));
    // A flush from elsewhere reaches both.
    a.flush(&CpuMask::first(2), Flush::All);
    assert_eq!((read(a, VA + 4096), read(b, VA + 4096)), (Ok(2), Ok(2)));
    let counts = [w.machine.tlb_counts(0), w.machine.tlb_counts(1)];
    assert_eq!(
        (
            counts[0].local_page,
            counts[0].local_all,
            counts[1].remote_all
        ),
        (1, 1, 1)
    );
    assert_eq!(counts[1].root_loads, 2);
}

#[test]
fn flushes_are_left_out_where_the_clock_allows() {
    let w = World::new(3);
    let mut cpu = w.machine.cpu(0);
    let all = CpuMask::first(3);
    // Nobody ever flushed.
    let stamp = w.mem().tlb_clock();
    cpu.flush_since(&all, stamp);
    assert_eq!(
        [0, 1, 2].map(|i| w.machine.tlb_counts(i).local_all + w.machine.tlb_counts(i).remote_all),
        [1, 1, 1]
    );
    cpu.flush_since(&all, stamp);
    assert_eq!(w.machine.tlb_counts(1).remote_all, 1);
    let stamp = w.mem().tlb_clock();
    w.machine.cpu(1).flush_local(Flush::All);
    cpu.flush_since(&all, stamp);
    assert_eq!(
        [0, 1, 2].map(|i| w.machine.tlb_counts(i).remote_all),
        [0, 1, 2]
    );
}

#[test]
fn copies_cross_pages_and_stop_at_faults() {
    let mut w = World::new(1);
    let (a, b) = (w.frame(), w.frame());
    let mut cpu = w.cpu(0);
    w.map(0, &a, URW);
    w.map(1, &b, URW);
    let data: [u8; 100] = core::array::from_fn(|i| i as u8);
    cpu.write_guest(VA + 4096 - 37, &data).unwrap();
    let mut back = [0; 100];
    cpu.read_guest(VA + 4096 - 37, &mut back).unwrap();
    assert_eq!(back, data);
    assert_eq!(
        (a.bytes()[4095].load(Relaxed), b.bytes()[0].load(Relaxed)),
        (36, 37)
    );
    assert_eq!(
        cpu.put_guest(VA + 8192 - 4, &1u64).unwrap_err().addr,
        VA + 8192
    );
    for va in [
        0xffff_8000_0000_0000,
        0xffff_87ff_ffff_fff8,
        0x7fff_ffff_fffc,
        1 << 47,
    ] {
        assert!(cpu.get_guest::<u64>(va).is_err());
    }
}

#[test]
fn the_machine_to_phys_window_is_read_only() {
    let w = World::new(1);
    let mut cpu = w.cpu(0);
    w.mem().set_m2p(crate::Mfn(200), 0x1234);
    assert_eq!(read(&mut cpu, 0xffff_8000_0000_0000 + 200 * 8), Ok(0x1234));
    assert_eq!(read(&mut cpu, 0xffff_8000_0000_0000), Ok(u64::MAX));
    assert_eq!(write(&mut cpu, 0xffff_8000_0000_0000), Err((14, 7)));
    assert_eq!(read(&mut cpu, 0xffff_8300_0000_0000), Err((14, 5)));
    assert_eq!(read(&mut cpu, 1 << 63), Err((13, 0)));
}

fn panics(f: impl FnOnce()) -> alloc::string::String {
    use super::super::std::panic::{AssertUnwindSafe, catch_unwind};
    let cause = catch_unwind(AssertUnwindSafe(f)).expect_err("should panic");
    cause
        .downcast_ref::<alloc::string::String>()
        .expect("text")
        .clone()
}

#[test]
fn the_oracle_finds_what_type_rules_forbid() {
    let mut w = World::new(1);
    let page = w.frame();
    let mut cpu = w.cpu(0);
    // A writable mapping of a page table.
    w.map(0, &w.tables[0], URW);
    assert!(
        panics(|| {
            let _ = read(&mut cpu, VA);
        })
        .contains("is mapped writable but is L1")
    );
    w.map(0, &w.tables[0], P | US);
    assert!(read(&mut cpu, VA).is_ok());
    // A walk through a frame that is no table.
    w.tables[1].words()[3].store(page.mfn().addr() | URW, Relaxed);
    assert!(
        panics(|| {
            let _ = read(&mut cpu, VA + 8192);
        })
        .contains("is named by a L2 table")
    );
    w.tables[1].words()[3].store(w.tables[0].mfn().addr() | URW, Relaxed);
    // A frame that became a page table while a writable translation of it was cached.
    w.map(1, &page, URW);
    assert!(write(&mut cpu, VA + 4096).is_ok());
    w.set(1, 0);
    let _ = page.put_type();
    typed(&page, PageType::L1);
    assert!(
        panics(|| {
            let _ = write(&mut cpu, VA + 4096);
        })
        .contains("missing flush")
    );
    // A frame that was freed while mapped.
    let page = w.frame();
    w.map(2, &page, P | US);
    let mfn = page.mfn();
    drop(page);
    w.mem().take_dead().for_each(|mfn| w.heap.free(mfn));
    assert!(
        panics(|| {
            let _ = read(&mut cpu, VA + 8192);
        })
        .contains("mapped but free")
    );
    assert_eq!(w.mem().frame(mfn).unwrap().count(), 0);
}

#[test]
fn a_root_has_to_be_a_validated_l4_with_the_hosts_slots() {
    let w = World::new(1);
    let mut cpu = w.machine.cpu(0);
    assert!(!cpu.set_root(&w.tables[2]));
    w.tables[3].words()[260].store(0, Relaxed);
    assert!(
        panics(|| {
            let _ = cpu.set_root(&w.root);
        })
        .contains("slot 260")
    );
    assert_eq!(cpu.root(), None);
    assert_eq!(
        PowerEvent::of(|| crate::power::reboot()),
        Some(PowerEvent::Reboot)
    );
}

#[test]
fn an_audit_finds_what_does_not_add_up() {
    let mut w = World::new(1);
    let page = w.frame();
    // An entry that holds its references, as the policy leaves it.
    w.map(0, &page, URW);
    for l in 0..3 {
        let _ = w.tables[l].another().into_entry();
    }
    let counts = w.machine.audit().unwrap();
    assert_eq!(
        (counts.free, counts.used, counts.tables, counts.other),
        (251, 5, 4, 0)
    );
    w.map(1, &page, P | US);
    assert!(
        w.machine
            .audit()
            .unwrap_err()
            .contains("2 entries, counted 1")
    );
    w.map(1, &w.tables[0], URW);
    assert!(
        w.machine
            .audit()
            .unwrap_err()
            .contains("names a L1 counted 1")
    );
    w.set(1, 0x80 << 12 | P | US);
    assert!(
        w.machine
            .audit()
            .unwrap_err()
            .contains("is free, counted 0, mapped 1 times")
    );
    w.set(1, 0x9_9999 << 12 | URW);
    assert!(w.machine.audit().is_ok());
}
