//! Page-table calls of one vCPU: what an entry may hold, and what is left over.

use super::pte::{PCD, PWT, RW};
use super::update_va;
use crate::fail::{Fail, HyperResult};
use crate::pv::Emulated;
use crate::testing::{DATA_VA, World};
use core::sync::atomic::Ordering::SeqCst;
use machine::{Page, PageType};
use x86_emulate::Privileged;
use xen_abi::Errno;

const WINDOW: u64 = DATA_VA + (100 << 12);
const PLAIN: u64 = 5;

fn refused() -> HyperResult {
    Err(Fail::Errno(Errno::EINVAL))
}

fn entry(page: &Page, flags: u64) -> u64 {
    page.mfn().addr() | PLAIN | flags
}

#[test]
fn memory_types_are_for_who_has_devices() {
    let world = World::new(1);
    let (control, guest) = (world.domain(0, true, 1), world.domain(1, false, 1));
    let page = &guest.data[2];
    world.on(&guest, 0, 0, |cx| {
        for cache in [PWT, PCD, 1 << 7] {
            let new = entry(page, RW | cache);
            assert_eq!(update_va::call(cx, [WINDOW, new, 0]), refused());
            // Nor where the same frame is mapped with the same rights.
            assert_eq!(update_va::call(cx, [guest.va(2, 0), new | 7, 0]), refused());
        }
        cx.dom.irqs.permit_ports(0x300, 0x307, true).unwrap();
        let new = entry(page, PCD);
        assert_eq!(update_va::call(cx, [WINDOW, new, 0]), Ok(0));
        assert_eq!(guest.l1.words()[100].load(SeqCst) & PCD, PCD);
        cx.dom.irqs.permit_ports(0x300, 0x307, false).unwrap();
        assert_eq!(update_va::call(cx, [WINDOW, entry(page, 0), 0]), Ok(0));
    });
    world.on(&control, 0, 0, |cx| {
        let new = entry(&control.data[2], PCD);
        assert_eq!(update_va::call(cx, [WINDOW, new, 0]), Ok(0));
    });
}

#[test]
fn tables_are_walked_through_the_caches() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let table = world.page(0);
    world.on(&control, 0, 0, |cx| {
        for cache in [PWT, PCD] {
            table.words()[0].store(entry(&control.l1, RW | cache), SeqCst);
            assert_eq!(
                cx.tables().get_table(&table, 2),
                Err(Fail::Errno(Errno::EINVAL))
            );
        }
    });
}

#[test]
fn loading_cr3_first_puts_what_is_left_over() {
    let world = World::new(1);
    let guest = world.domain(1, false, 1);
    let table = world.page(1);
    world.on(&guest, 0, 0, |cx| {
        cx.tables().get_table(&table, 1).unwrap();
        cx.st.old_tables.push(table.another());
        let root = guest.root.mfn().addr();
        Emulated { cx }.write_cr(3, root).unwrap();
        assert!(cx.st.old_tables.is_empty());
    });
    assert_eq!(table.info().page_type(), (PageType::L1, 0));
}
