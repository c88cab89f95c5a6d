//! What the domain is told at boot and by `xen_version`.

use guest_rt::console;
use guest_rt::entry::VIRT_BASE;
use guest_rt::harness::Outcome;
use guest_rt::mem::{self, pte};
use guest_rt::{check, hypercall, ok, same};
use xen_abi::arch_x86::HYPERVISOR_VIRT_START;
use xen_abi::hypercall::XEN_VERSION;
use xen_abi::start_info::{SIF_INITDOMAIN, SIF_PRIVILEGED};
use xen_abi::version::*;

fn text(cmd: u32, page: mem::Page) -> hypercall::HyperResult {
    (0..512).for_each(|i| page.set(i, 0));
    hypercall::call(XEN_VERSION, [u64::from(cmd), page.va(), 0, 0, 0])
}

/// Whether the page's text contains `needle`.
fn contains(page: mem::Page, needle: &[u8]) -> bool {
    let at = |i: usize| page.byte(i).load(core::sync::atomic::Ordering::Relaxed);
    (0..4096 - needle.len()).any(|i| needle.iter().enumerate().all(|(j, &b)| at(i + j) == b))
}

pub fn version() -> Outcome {
    same!(
        ok!(hypercall::call(
            XEN_VERSION,
            [u64::from(XENVER_version), 0, 0, 0, 0]
        )),
        4 << 16 | 20
    );
    same!(
        ok!(hypercall::call(
            XEN_VERSION,
            [u64::from(XENVER_pagesize), 0, 0, 0, 0]
        )),
        4096
    );
    Ok(())
}

pub fn strings() -> Outcome {
    let page = mem::alloc();
    ok!(text(XENVER_extraversion, page));
    check!(page.get(0) != 0, "extraversion is empty");
    ok!(text(XENVER_compile_info, page));
    ok!(text(XENVER_changeset, page));
    ok!(text(XENVER_capabilities, page));
    check!(
        contains(page, b"xen-3.0-x86_64"),
        "capabilities lack xen-3.0-x86_64"
    );
    ok!(text(XENVER_commandline, page));
    check!(
        contains(page, b"dom0_mem="),
        "the command line lacks dom0_mem"
    );
    // The newer forms begin with the room available and return the bytes written.
    for (cmd, needle) in [
        (XENVER_capabilities2, &b"xen-3.0-x86_64"[..]),
        (XENVER_commandline2, b"dom0_mem="),
    ] {
        (0..512).for_each(|i| page.set(i, 0));
        page.dword(0)
            .store(2048, core::sync::atomic::Ordering::Relaxed);
        let len = ok!(hypercall::call(
            XEN_VERSION,
            [u64::from(cmd), page.va(), 0, 0, 0]
        ));
        check!(
            len > 0 && contains(page, needle),
            "string {cmd}: length {len}"
        );
    }
    Ok(())
}

pub fn features() -> Outcome {
    let mut info = FeatureInfo::default();
    ok!(hypercall::op(XEN_VERSION, XENVER_get_features, &mut info));
    let has = |bit: u32| info.submap >> bit & 1 == 1;
    check!(
        has(XENFEAT_mmu_pt_update_preserve_ad),
        "preserve_ad missing in {:#x}",
        info.submap
    );
    check!(
        has(XENFEAT_gnttab_map_avail_bits),
        "map_avail_bits missing in {:#x}",
        info.submap
    );
    check!(has(XENFEAT_dom0), "dom0 missing in {:#x}", info.submap);
    check!(
        !has(XENFEAT_auto_translated_physmap),
        "auto_translated in {:#x}",
        info.submap
    );
    check!(
        !has(XENFEAT_writable_page_tables),
        "writable_page_tables in {:#x}",
        info.submap
    );
    check!(
        !has(XENFEAT_hvm_callback_vector),
        "hvm_callback_vector in {:#x}",
        info.submap
    );
    Ok(())
}

pub fn platform_parameters() -> Outcome {
    let mut info = PlatformParameters::default();
    ok!(hypercall::op(
        XEN_VERSION,
        XENVER_platform_parameters,
        &mut info
    ));
    same!(info.virt_start, HYPERVISOR_VIRT_START);
    Ok(())
}

pub fn guest_handle() -> Outcome {
    let mut handle = [0xffu8; 16];
    ok!(hypercall::op(XEN_VERSION, XENVER_guest_handle, &mut handle));
    // dom0's is all zeros; a guest's was made up by the tools.
    check!((handle != [0; 16]) == console::is_guest(), "{handle:x?}");
    Ok(())
}

pub fn start_info() -> Outcome {
    let info = mem::start_info();
    check!(
        info.magic.starts_with(b"xen-3.0-x86_64"),
        "magic {:?}",
        info.magic
    );
    same!(
        info.flags & (SIF_PRIVILEGED | SIF_INITDOMAIN),
        SIF_PRIVILEGED | SIF_INITDOMAIN
    );
    check!(
        (0xf000..=0x10000).contains(&info.nr_pages),
        "nr_pages {:#x} for 256 MiB",
        info.nr_pages
    );
    same!(info.shared_info & 0xfff, 0);
    check!(
        info.pt_base > VIRT_BASE && info.pt_base & 0xfff == 0,
        "pt_base {:#x}",
        info.pt_base
    );
    check!(info.nr_pt_frames >= 4, "nr_pt_frames {}", info.nr_pt_frames);
    Ok(())
}

pub fn command_line() -> Outcome {
    let info = mem::start_info();
    let want = b"cmdline-of-guest\0";
    let found = info.cmd_line.iter().zip(want).all(|(&c, &w)| c as u8 == w);
    check!(found, "command line starts {:x?}", &info.cmd_line[..20]);
    Ok(())
}

pub fn p2m() -> Outcome {
    let info = mem::start_info();
    for pfn in 0..info.nr_pages {
        let mfn = mem::pfn_to_mfn(pfn);
        same!(mem::mfn_to_pfn(mfn), Ok(pfn));
    }
    Ok(())
}

pub fn boot_tables() -> Outcome {
    let info = mem::start_info();
    for i in 0..info.nr_pt_frames {
        let va = info.pt_base + i * 4096;
        let slot = mem::l1_slot(va);
        same!(slot.entry & (pte::P | pte::RW), pte::P);
    }
    Ok(())
}

pub fn initial_mappings() -> Outcome {
    // 512 KiB of room after the last element, mapped to consecutive pseudo-physical frames.
    let info = mem::start_info();
    let last = info.pt_base + info.nr_pt_frames * 4096;
    let end = last + 4096 + 512 * 1024;
    for va in (VIRT_BASE + 0x100000..end).step_by(4096) {
        let slot = mem::l1_slot(va);
        check!(slot.entry & pte::P != 0, "{va:#x} is not mapped");
        // Two pages of the pool have something else in their place.
        let ring = console::ring().is_some_and(|page| page.va() == va);
        if va != mem::shared_info().va() && !ring {
            same!(
                pte::mfn(slot.entry),
                mem::pfn_to_mfn((va - VIRT_BASE) / 4096)
            );
        }
    }
    Ok(())
}

pub fn console_write() -> Outcome {
    same!(hypercall::console_write(b"console: direct text\n"), Ok(0));
    same!(hypercall::console_write(b""), Ok(0));
    Ok(())
}
