//! Tables that name tables of their own level.

use super::bed::*;
use crate::fail::Fail;
use crate::mem::pte::Pte;
use crate::mem::{OldTables, Tables, Write};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use machine::arch::sim::for_seeds;
use machine::{Cpu, Page, PageType};
use xen_abi::Errno;

/// Present, for users.
const RO: u64 = 5;

fn with<R>(bed: &Bed, cpu: &mut Cpu, work: impl FnOnce(&mut Tables) -> R) -> R {
    let mut old = OldTables::new();
    let mut tables = Tables {
        hv: bed.hv,
        cpu,
        dom: &bed.dom,
        old: &mut old,
    };
    let result = work(&mut tables);
    while tables.finish_old().is_err() {}
    result
}

fn set(
    bed: &Bed,
    cpu: &mut Cpu,
    table: &Page,
    level: u8,
    slot: usize,
    entry: u64,
) -> Result<(), Fail> {
    with(bed, cpu, |tables| {
        loop {
            let result = tables.set_upper(table, level, slot, Pte(entry), Write::Plain);
            if result != Err(Fail::Restart) {
                return result;
            }
        }
    })
}

/// Frame `n` as a table of `level`, with one reference to its type.
fn table(bed: &Bed, cpu: &mut Cpu, n: usize, level: u8) -> Page {
    let page = bed.page(bed.frames[n]);
    // Nothing maps it writable any more.
    let l1 = bed.page(bed.tables[3]);
    with(bed, cpu, |tables| {
        tables
            .set_l1(&l1, n, Pte(0), Write::Plain, DOMID.into())
            .unwrap();
        tables.get_table(&page, level).unwrap();
    });
    page
}

fn refused<T>(errno: Errno) -> Result<T, Fail> {
    Err(errno.into())
}

#[test]
fn a_root_may_name_itself_to_be_read() {
    let bed = Bed::new(1);
    let mut held = bed.machine.cpu(0);
    let cpu = &mut held;
    let root = bed.page(bed.tables[0]);
    let (count, typ) = (root.info().count(), root.info().page_type());
    let at = root.mfn().addr();
    assert_eq!(
        set(&bed, cpu, &root, 4, 300, at | RWU),
        refused(Errno::EINVAL)
    );
    assert_eq!(set(&bed, cpu, &root, 4, 300, at | RO), Ok(()));
    assert_eq!((root.info().count(), root.info().page_type()), (count, typ));
    // Nor may it be made writable later.
    assert_eq!(
        set(&bed, cpu, &root, 4, 300, at | RWU),
        refused(Errno::EINVAL)
    );
    assert_eq!(set(&bed, cpu, &root, 4, 300, at | RO | 1 << 5), Ok(()));
    bed.machine.audit().unwrap();
    // Taken away, and made again for the end.
    assert_eq!(set(&bed, cpu, &root, 4, 300, 0), Ok(()));
    assert_eq!(set(&bed, cpu, &root, 4, 301, at | RO), Ok(()));
    assert_eq!((root.info().count(), root.info().page_type()), (count, typ));
    drop((root, held));
    bed.count_out();
}

#[test]
fn a_table_is_valid_with_itself_in_it() {
    for level in 2..=4 {
        let bed = Bed::new(1);
        let mut cpu = bed.machine.cpu(0);
        let mfn = bed.frames[9];
        bed.page(mfn).words()[7].store(mfn.addr() | RO, Relaxed);
        let page = table(&bed, &mut cpu, 9, level);
        assert_eq!(
            page.info().page_type(),
            (PageType::table(level).unwrap(), 1)
        );
        bed.machine.audit().unwrap();
        with(&bed, &mut cpu, |tables| tables.put_table(page)).unwrap();
        drop(cpu);
        bed.count_out();
    }
}

#[test]
fn another_table_is_held_while_it_is_named() {
    for level in 2..=4 {
        let bed = Bed::new(1);
        let mut held = bed.machine.cpu(0);
        let cpu = &mut held;
        let [one, two, three] = [7, 8, 9].map(|n| table(&bed, cpu, n, level));
        let entry = |page: &Page| page.mfn().addr() | RO;
        assert_eq!(set(&bed, cpu, &one, level, 7, entry(&two)), Ok(()));
        assert_eq!(set(&bed, cpu, &one, level, 8, entry(&two)), Ok(()));
        assert_eq!(two.info().page_type().1, 3);
        // No rings and no chains.
        assert_eq!(
            set(&bed, cpu, &two, level, 7, entry(&one)),
            refused(Errno::EINVAL)
        );
        assert_eq!(
            set(&bed, cpu, &two, level, 7, entry(&three)),
            refused(Errno::EINVAL)
        );
        assert_eq!(
            set(&bed, cpu, &three, level, 7, entry(&one)),
            refused(Errno::EINVAL)
        );
        assert_eq!(set(&bed, cpu, &two, level, 7, entry(&two)), Ok(()));
        let writable = entry(&two) | 2;
        assert_eq!(
            set(&bed, cpu, &one, level, 7, writable),
            refused(Errno::EINVAL)
        );
        // A frame that is no such table yet is not made one.
        let plain = bed.frames[10].addr() | RO;
        let lower = PageType::table(level - 1).unwrap();
        if level > 2 {
            with(&bed, cpu, |tables| {
                let l1 = bed.page(bed.tables[3]);
                tables.set_l1(&l1, 10, Pte(0), Write::Plain, DOMID.into())
            })
            .unwrap();
            assert_eq!(set(&bed, cpu, &three, level, 9, plain), Ok(()));
            assert_eq!(bed.page(bed.frames[10]).info().page_type().0, lower);
        }
        bed.machine.audit().unwrap();
        // Its own references gone, it stays what it is for as long as it is named.
        let mfn = two.mfn();
        with(&bed, cpu, |tables| tables.put_table(two)).unwrap();
        assert_eq!(set(&bed, cpu, &one, level, 8, 0), Ok(()));
        let info = bed.mem().frame(mfn).unwrap();
        assert_eq!(info.page_type().1, 1);
        bed.machine.set_patience(Some(1));
        assert_eq!(set(&bed, cpu, &one, level, 7, 0), Ok(()));
        assert_eq!(info.page_type().1, 0);
        for page in [one, three] {
            let _ = with(&bed, cpu, |tables| tables.put_table(page));
        }
        drop(held);
        bed.count_out();
    }
}

#[test]
fn it_can_be_forbidden() {
    let world = crate::testing::World::new(1);
    assert!(world.hv.linear_tables);
    let (options, _) = crate::cmdline::parse("pv-linear-pt=no");
    assert!(!options.linear_tables);
}

/// Two CPUs name two tables by each other at once: one of them at most gets it.
#[test]
fn no_ring_is_closed_by_a_race() {
    for_seeds(200, |seed| {
        let bed = Bed::new(2);
        let mut cpu = bed.machine.cpu(0);
        let pages = [7, 8].map(|n| table(&bed, &mut cpu, n, 3));
        drop(cpu);
        let made = AtomicU32::new(0);
        bed.machine.run(seed, |mut cpu| {
            let own = machine::CpuApi::id(&cpu) as usize;
            let entry = pages[1 - own].mfn().addr() | RO;
            if set(&bed, &mut cpu, &pages[own], 3, 7, entry).is_ok() {
                made.fetch_add(1, Relaxed);
            }
        });
        assert!(made.load(Relaxed) <= 1);
        bed.machine.audit().unwrap();
        let mut cpu = bed.machine.cpu(0);
        for page in pages {
            let _ = with(&bed, &mut cpu, |tables| tables.put_table(page));
        }
        drop(cpu);
        bed.count_out();
    });
}
