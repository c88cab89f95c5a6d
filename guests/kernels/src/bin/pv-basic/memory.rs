//! `memory_op`: the domain's size, the machine's map, ballooning.

use guest_rt::harness::Outcome;
use guest_rt::mem::{self, pte};
use guest_rt::{check, hypercall, ok, same};
use xen_abi::arch_x86::{MACH2PHYS_VIRT_END, MACH2PHYS_VIRT_START};
use xen_abi::memory::reservation::*;
use xen_abi::mmu::{MMU_MACHPHYS_UPDATE, UVMF_INVLPG};
use xen_abi::xen::DOMID_SELF;

pub fn reservation() -> Outcome {
    let nr_pages = mem::start_info().nr_pages as i64;
    let mut domid = MemoryDomain { domid: DOMID_SELF };
    let current = ok!(hypercall::memory(XENMEM_current_reservation, &mut domid));
    check!(
        current == nr_pages,
        "current {current:#x}, start_info {nr_pages:#x}"
    );
    let maximum = ok!(hypercall::memory(XENMEM_maximum_reservation, &mut domid));
    check!(
        maximum >= current,
        "maximum {maximum:#x} below current {current:#x}"
    );
    let top = ok!(hypercall::memory(XENMEM_maximum_ram_page, &mut domid));
    check!(
        top >= 0x3f000,
        "highest RAM page {top:#x} of a 1 GiB machine"
    );
    Ok(())
}

pub fn machine_map() -> Outcome {
    let page = mem::alloc();
    let mut map = MemoryMap {
        nr_entries: 128,
        buffer: page.va(),
        ..Default::default()
    };
    ok!(hypercall::memory(XENMEM_machine_memory_map, &mut map));
    check!(
        map.nr_entries >= 3 && map.nr_entries < 128,
        "{} entries",
        map.nr_entries
    );
    let word = |i: usize| u64::from(page.dword(i).load(core::sync::atomic::Ordering::Relaxed));
    let mut ram = 0;
    for entry in 0..map.nr_entries as usize {
        let size = word(entry * 5 + 2) | word(entry * 5 + 3) << 32;
        if word(entry * 5 + 4) == u64::from(E820_RAM) {
            ram += size;
        }
    }
    check!(
        (900 << 20..=1 << 30).contains(&ram),
        "{ram:#x} bytes of RAM in a 1 GiB machine"
    );
    Ok(())
}

pub fn machphys() -> Outcome {
    let mut map = MachphysMapping::default();
    ok!(hypercall::memory(XENMEM_machphys_mapping, &mut map));
    same!(map.v_start, MACH2PHYS_VIRT_START);
    same!(map.v_end, MACH2PHYS_VIRT_END);
    check!(map.max_mfn >= 0x3f000, "max_mfn {:#x}", map.max_mfn);
    Ok(())
}

pub fn machphys_list() -> Outcome {
    let page = mem::alloc();
    let mut list = MachphysMfnList {
        max_extents: 4,
        extent_start: page.va(),
        ..Default::default()
    };
    ok!(hypercall::memory(XENMEM_machphys_mfn_list, &mut list));
    check!(list.nr_extents >= 1, "{} extents", list.nr_extents);
    check!(page.get(0) != 0, "first extent is frame 0");
    Ok(())
}

pub fn balloon() -> Outcome {
    let page = mem::alloc();
    let (pfn, old) = (page.pfn(), page.mfn());
    ok!(hypercall::update_va_mapping(page.va(), 0, UVMF_INVLPG));
    let frame = [old];
    let mut give = MemoryReservation {
        extent_start: frame.as_ptr() as u64,
        nr_extents: 1,
        domid: DOMID_SELF,
        ..Default::default()
    };
    let mut domid = MemoryDomain { domid: DOMID_SELF };
    let before = ok!(hypercall::memory(XENMEM_current_reservation, &mut domid));
    same!(
        hypercall::memory(XENMEM_decrease_reservation, &mut give),
        Ok(1)
    );
    same!(
        hypercall::memory(XENMEM_current_reservation, &mut domid),
        Ok(before - 1)
    );
    let mut frame = [pfn];
    let mut take = MemoryReservation {
        extent_start: frame.as_mut_ptr() as u64,
        nr_extents: 1,
        domid: DOMID_SELF,
        ..Default::default()
    };
    same!(hypercall::memory(XENMEM_populate_physmap, &mut take), Ok(1));
    same!(
        hypercall::memory(XENMEM_current_reservation, &mut domid),
        Ok(before)
    );
    let new = frame[0];
    ok!(hypercall::set_entry(new << 12 | MMU_MACHPHYS_UPDATE, pfn));
    ok!(hypercall::update_va_mapping(
        page.va(),
        pte::entry(new, pte::DATA),
        UVMF_INVLPG
    ));
    same!(page.get(0), 0);
    page.set(0, 1);
    same!(mem::mfn_to_pfn(new), Ok(pfn));
    Ok(())
}

pub fn exchange() -> Outcome {
    let page = mem::alloc();
    let (pfn, old) = (page.pfn(), page.mfn());
    ok!(hypercall::update_va_mapping(page.va(), 0, UVMF_INVLPG));
    let give = [old];
    let mut take = [pfn];
    let mut arg = MemoryExchange {
        r#in: MemoryReservation {
            extent_start: give.as_ptr() as u64,
            nr_extents: 1,
            domid: DOMID_SELF,
            ..Default::default()
        },
        out: MemoryReservation {
            extent_start: take.as_mut_ptr() as u64,
            nr_extents: 1,
            domid: DOMID_SELF,
            ..Default::default()
        },
        nr_exchanged: 0,
    };
    same!(hypercall::memory(XENMEM_exchange, &mut arg), Ok(0));
    same!(arg.nr_exchanged, 1);
    let new = take[0];
    check!(new != old, "the same frame came back");
    same!(mem::mfn_to_pfn(new), Ok(pfn));
    ok!(hypercall::update_va_mapping(
        page.va(),
        pte::entry(new, pte::DATA),
        UVMF_INVLPG
    ));
    page.set(0, 1);
    Ok(())
}
