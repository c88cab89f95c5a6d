//! Page tables: the calls that change them and the rules of their types.

use guest_rt::console::is_guest;
use guest_rt::harness::Outcome;
use guest_rt::mem::{self, Page, pte};
use guest_rt::{check, hypercall, ok, same, traps};
use xen_abi::Errno;
use xen_abi::hypercall::VM_ASSIST;
use xen_abi::mmu::*;
use xen_abi::xen::{VMASST_CMD_enable, VMASST_TYPE_writable_pagetables};

pub fn update_va() -> Outcome {
    let (a, b) = (mem::alloc(), mem::alloc());
    b.set(3, 0xb0b);
    ok!(hypercall::update_va_mapping(
        a.va(),
        pte::entry(b.mfn(), pte::DATA),
        UVMF_INVLPG
    ));
    same!(a.get(3), 0xb0b);
    ok!(hypercall::update_va_mapping(
        a.va(),
        pte::entry(b.mfn(), pte::RO),
        UVMF_TLB_FLUSH
    ));
    let fault = traps!(14, a.set(3, 1));
    same!((fault.cr2, fault.error), (a.va() + 24, 3));
    ok!(hypercall::update_va_mapping(
        a.va(),
        0,
        UVMF_INVLPG | UVMF_ALL
    ));
    let fault = traps!(14, a.get(0));
    same!((fault.cr2, fault.error), (a.va(), 0));
    ok!(a.protect(true));
    same!(a.get(3), 0);
    Ok(())
}

pub fn mmu_update() -> Outcome {
    let (a, b) = (mem::alloc(), mem::alloc());
    let slot = mem::l1_slot(a.va());
    b.set(0, 77);
    ok!(hypercall::set_entry(
        slot.ma,
        pte::entry(b.mfn(), pte::DATA)
    ));
    ok!(hypercall::mmuext(MMUEXT_INVLPG_LOCAL, a.va(), 0));
    same!(a.get(0), 77);
    ok!(hypercall::set_entry(slot.ma, 0));
    ok!(hypercall::mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0));
    traps!(14, a.get(0));
    same!(mem::l1_slot(a.va()).entry, 0);
    // A non-present entry holds any bits.
    ok!(hypercall::set_entry(slot.ma, 0xdead_beef_0000_0ffe));
    same!(mem::l1_slot(a.va()).entry, 0xdead_beef_0000_0ffe);
    ok!(hypercall::set_entry(
        slot.ma,
        pte::entry(a.mfn(), pte::DATA)
    ));
    same!(a.get(0), 0);
    Ok(())
}

pub fn preserve_ad() -> Outcome {
    let page = mem::alloc();
    let slot = mem::l1_slot(page.va());
    let bare = pte::P | pte::RW | pte::US;
    ok!(hypercall::set_entry(slot.ma, pte::entry(page.mfn(), bare)));
    ok!(hypercall::mmuext(MMUEXT_INVLPG_LOCAL, page.va(), 0));
    same!(mem::l1_slot(page.va()).entry & (pte::A | pte::D), 0);
    page.set(0, 1);
    same!(
        mem::l1_slot(page.va()).entry & (pte::A | pte::D),
        pte::A | pte::D
    );
    ok!(hypercall::set_entry(
        slot.ma | MMU_PT_UPDATE_PRESERVE_AD,
        pte::entry(page.mfn(), pte::P | pte::US)
    ));
    let entry = mem::l1_slot(page.va()).entry;
    same!(entry & (pte::A | pte::D | pte::RW), pte::A | pte::D);
    ok!(page.protect(true));
    Ok(())
}

pub fn machphys_update() -> Outcome {
    let page = mem::alloc();
    ok!(hypercall::set_entry(
        page.mfn() << 12 | MMU_MACHPHYS_UPDATE,
        0x1234
    ));
    same!(mem::mfn_to_pfn(page.mfn()), Ok(0x1234));
    ok!(hypercall::set_entry(
        page.mfn() << 12 | MMU_MACHPHYS_UPDATE,
        page.pfn()
    ));
    same!(mem::mfn_to_pfn(page.mfn()), Ok(page.pfn()));
    Ok(())
}

pub fn batch() -> Outcome {
    let run = mem::alloc_run(8);
    let target = mem::alloc();
    let mut requests = [MmuUpdate::default(); 8];
    for (i, request) in requests.iter_mut().enumerate() {
        request.ptr = mem::l1_slot(run.nth(i).va()).ma;
        request.val = pte::entry(target.mfn(), pte::RO);
    }
    same!(hypercall::mmu_update(&requests), (Ok(0), 8));
    ok!(hypercall::mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0));
    target.set(5, 55);
    for i in 0..8 {
        same!(run.nth(i).get(5), 55);
    }
    // The first refused request ends the batch and is not counted as done.
    for (i, request) in requests.iter_mut().enumerate() {
        request.val = pte::entry(run.nth(i).mfn(), pte::DATA);
    }
    requests[5].val = pte::entry(0xf_ffff_ffff, pte::DATA);
    let (result, done) = hypercall::mmu_update(&requests);
    check!(result.is_err() && done == 5, "{result:?}, {done} done");
    requests[5].val = pte::entry(run.nth(5).mfn(), pte::DATA);
    same!(hypercall::mmu_update(&requests), (Ok(0), 8));
    same!(hypercall::mmu_update(&[]), (Ok(0), 0));
    Ok(())
}

pub fn writable_tables() -> Outcome {
    // A kernel may write an L1 entry directly: the write traps and the hypervisor does it, for
    // dom0 always and for a guest that asked for it.
    let kind = u64::from(VMASST_TYPE_writable_pagetables);
    ok!(hypercall::call(
        VM_ASSIST,
        [u64::from(VMASST_CMD_enable), kind, 0, 0, 0]
    ));
    let page = mem::alloc();
    let slot = mem::l1_slot(page.va());
    same!(
        mem::probe_write(slot.va, pte::entry(page.mfn(), pte::RO)),
        Ok(())
    );
    ok!(hypercall::mmuext(MMUEXT_INVLPG_LOCAL, page.va(), 0));
    traps!(14, page.set(0, 1));
    same!(
        mem::probe_write(slot.va, pte::entry(page.mfn(), pte::DATA)),
        Ok(())
    );
    ok!(hypercall::mmuext(MMUEXT_INVLPG_LOCAL, page.va(), 0));
    page.set(0, 1);
    Ok(())
}

pub fn pin_l1() -> Outcome {
    let (table, data) = (mem::alloc(), mem::alloc());
    table.set(0, pte::entry(data.mfn(), pte::DATA));
    table.set(511, pte::entry(data.mfn(), pte::RO));
    ok!(table.protect(false));
    ok!(hypercall::mmuext(MMUEXT_PIN_L1_TABLE, table.mfn(), 0));
    // While it is a table it cannot be mapped writable, and its entries change by mmu_update.
    check!(
        table.protect(true).is_err(),
        "a pinned table became writable"
    );
    ok!(hypercall::set_entry(
        table.mfn() << 12 | 8,
        pte::entry(data.mfn(), pte::DATA)
    ));
    same!(pte::mfn(table.get(1)), data.mfn());
    ok!(hypercall::mmuext(MMUEXT_UNPIN_TABLE, table.mfn(), 0));
    ok!(table.protect(true));
    table.set(0, 0);
    Ok(())
}

/// Makes `page` a read-only page and gives an entry for it as a table of a higher level.
fn seal(page: Page) -> Result<u64, guest_rt::harness::Failure> {
    ok!(page.protect(false));
    Ok(pte::entry(page.mfn(), pte::DATA))
}

pub fn new_l4() -> Outcome {
    // A second address space: the boot L4's entries, and one more subtree.
    let [l4, l3, l2, l1, data] = [(); 5].map(|()| mem::alloc());
    let va: u64 = 0x10_0000_0000;
    data.set(1, 0x5eed);
    l1.set((va >> 12 & 511) as usize, pte::entry(data.mfn(), pte::DATA));
    l2.set((va >> 21 & 511) as usize, seal(l1)?);
    l3.set((va >> 30 & 511) as usize, seal(l2)?);
    let boot = mem::start_info().pt_base;
    let top = ok!(mem::probe_read(boot + 511 * 8));
    l4.set(511, top);
    l4.set((va >> 39 & 511) as usize, seal(l3)?);
    seal(l4)?;
    ok!(hypercall::mmuext(MMUEXT_PIN_L4_TABLE, l4.mfn(), 0));
    ok!(hypercall::mmuext(MMUEXT_NEW_BASEPTR, l4.mfn(), 0));
    let seen = mem::probe_read(va + 8);
    let m2p = mem::mfn_to_pfn(l4.mfn());
    let unpinned = hypercall::mmuext(MMUEXT_UNPIN_TABLE, l4.mfn(), 0);
    let repinned = hypercall::mmuext(MMUEXT_PIN_L4_TABLE, l4.mfn(), 0);
    ok!(hypercall::mmuext(MMUEXT_NEW_BASEPTR, mem::boot_l4_mfn(), 0));
    same!(seen, Ok(0x5eed));
    same!(m2p, Ok(l4.pfn()));
    same!((unpinned, repinned), (Ok(0), Ok(0)));
    check!(
        mem::probe_read(va + 8).is_err(),
        "the other space's page is still mapped"
    );
    ok!(hypercall::mmuext(MMUEXT_UNPIN_TABLE, l4.mfn(), 0));
    // Free of its types, every frame may be writable again.
    for page in [l4, l3, l2, l1] {
        ok!(page.protect(true));
        page.set(0, 0);
    }
    Ok(())
}

/// Present, read-only.
const READ: u64 = pte::DATA & !pte::RW;
/// A free slot of the boot L4, and where it shows an L4 that it names.
const LINEAR_SLOT: u64 = 8;
const LINEAR: u64 = LINEAR_SLOT << 39 | LINEAR_SLOT << 30 | LINEAR_SLOT << 21 | LINEAR_SLOT << 12;

/// The root names itself, read-only: the page tables are read at addresses of their own.
pub fn linear() -> Outcome {
    let root = mem::boot_l4_mfn();
    let slot = root << 12 | (LINEAR_SLOT * 8);
    ok!(hypercall::set_entry(slot, pte::entry(root, READ)));
    let own = mem::probe_read(LINEAR + LINEAR_SLOT * 8);
    let last = mem::probe_read(LINEAR + 511 * 8);
    let written = mem::probe_write(LINEAR + 9 * 8, 0);
    // One level less: what the last slot's table of level 3 has.
    let l3 = mem::probe_read(LINEAR & !(511 << 12) | 511 << 12 | (510 * 8));
    let walked = mem::walk(mem::alloc().va());
    let writable = hypercall::set_entry(slot, pte::entry(root, pte::DATA));
    ok!(hypercall::set_entry(slot, 0));
    ok!(hypercall::mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0));
    let entry = |slot: Option<mem::Slot>| slot.map_or(0, |slot| pte::mfn(slot.entry));
    let (l4, upper) = (entry(walked[0]), entry(walked[1]));
    same!(own.map(pte::mfn), Ok(root));
    same!(last.map(pte::mfn), Ok(l4));
    check!(written.is_err(), "a table was written to directly");
    same!(l3.map(pte::mfn), Ok(upper));
    same!(writable, Err(Errno::EINVAL as i64));
    check!(mem::probe_read(LINEAR).is_err(), "it is still mapped");
    Ok(())
}

/// The root names another L4 that is pinned, and that one cannot name the root then.
pub fn linear_other() -> Outcome {
    let root = mem::boot_l4_mfn();
    let slot = root << 12 | (LINEAR_SLOT * 8);
    let other = mem::alloc();
    other.set(
        511,
        ok!(mem::probe_read(mem::start_info().pt_base + 511 * 8)),
    );
    seal(other)?;
    // Not a table yet: not made one by this.
    let early = hypercall::set_entry(slot, pte::entry(other.mfn(), READ));
    ok!(hypercall::mmuext(MMUEXT_PIN_L4_TABLE, other.mfn(), 0));
    let named = hypercall::set_entry(slot, pte::entry(other.mfn(), READ));
    // The table of level 1 that the other one's last slot leads to.
    let last = other.va() >> 21 & 511;
    let seen = mem::probe_read(LINEAR_SLOT << 39 | 511 << 30 | 510 << 21 | last << 12);
    let back = hypercall::set_entry(other.mfn() << 12 | (9 * 8), pte::entry(root, READ));
    let itself = hypercall::set_entry(other.mfn() << 12 | (10 * 8), pte::entry(other.mfn(), READ));
    let unpinned = hypercall::mmuext(MMUEXT_UNPIN_TABLE, other.mfn(), 0);
    let held = other.protect(true);
    ok!(hypercall::set_entry(slot, 0));
    ok!(hypercall::mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0));
    same!(early, Err(Errno::EINVAL as i64));
    same!(named, Ok(0));
    check!(seen.is_ok(), "nothing is seen through it");
    same!(
        (back, itself, unpinned),
        (Err(Errno::EINVAL as i64), Ok(0), Ok(0))
    );
    check!(held.is_err(), "a table that is named became writable");
    ok!(other.protect(true));
    other.set(0, 0);
    Ok(())
}

pub fn flushes() -> Outcome {
    let mask = 1u64;
    let mask = &raw const mask as u64;
    for (cmd, arg1, arg2) in [
        (MMUEXT_TLB_FLUSH_LOCAL, 0, 0),
        (MMUEXT_TLB_FLUSH_ALL, 0, 0),
        (MMUEXT_TLB_FLUSH_MULTI, 0, mask),
        (MMUEXT_INVLPG_LOCAL, 0xffff_ffff_8010_0000, 0),
        (MMUEXT_INVLPG_ALL, 0xffff_ffff_8010_0000, 0),
        (MMUEXT_INVLPG_MULTI, 0xffff_ffff_8010_0000, mask),
        (MMUEXT_FLUSH_CACHE, 0, 0),
        (MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0),
    ] {
        let result = hypercall::mmuext(cmd, arg1, arg2);
        // Caches are for those who have devices.
        let caches = matches!(cmd, MMUEXT_FLUSH_CACHE | MMUEXT_FLUSH_CACHE_GLOBAL);
        let expected = if caches && is_guest() { Err(13) } else { Ok(0) };
        check!(result == expected, "mmuext {cmd}: {result:?}");
    }
    Ok(())
}

pub fn clear_copy() -> Outcome {
    let (a, b) = (mem::alloc(), mem::alloc());
    a.set(9, 99);
    ok!(hypercall::mmuext(MMUEXT_COPY_PAGE, b.mfn(), a.mfn()));
    same!(b.get(9), 99);
    ok!(hypercall::mmuext(MMUEXT_CLEAR_PAGE, b.mfn(), 0));
    same!(b.get(9), 0);
    Ok(())
}
