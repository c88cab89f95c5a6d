//! Descriptors that would give a ring or reach the hypervisor's own.

use super::free_frame;
use guest_rt::harness::Outcome;
use guest_rt::mem;
use guest_rt::{all_refused, hypercall, insn, ok, refused, traps};
use xen_abi::hypercall::{SET_GDT, UPDATE_DESCRIPTOR};
use xen_abi::mmu::MMUEXT_SET_LDT;

/// A 64-bit code segment of ring 0.
const CODE0: u64 = 0x00af_9b00_0000_ffff;
/// A flat data segment of ring 0.
const DATA0: u64 = 0x00cf_9300_0000_ffff;
/// A flat data segment of ring 3.
const DATA3: u64 = 0x00cf_f300_0000_ffff;
/// A call gate of privilege 3 to selector 0xe008.
const GATE: u64 = 0x0000_ec00_e008_1000;
/// An available 64-bit TSS.
const TSS: u64 = 0x0000_8900_0000_0067;
/// An LDT.
const LDT: u64 = 0x0000_8200_0000_0067;
/// An interrupt gate of privilege 3.
const INTERRUPT: u64 = 0x0000_ee00_e008_1000;

fn set_gdt(frames: &[u64], entries: u64) -> hypercall::HyperResult {
    hypercall::call(SET_GDT, [frames.as_ptr() as u64, entries, 0, 0, 0])
}

fn update(ma: u64, value: u64) -> hypercall::HyperResult {
    hypercall::call(UPDATE_DESCRIPTOR, [ma, value, 0, 0, 0])
}

pub fn bad_frames() -> Outcome {
    let page = mem::alloc();
    ok!(page.protect(false));
    all_refused! {
        set_gdt(&[free_frame()], 512) => EINVAL;
        set_gdt(&[0xf_ffff_ffff], 512) => EINVAL;
        set_gdt(&[mem::boot_l4_mfn()], 512) => EINVAL;
        set_gdt(&[mem::alloc().mfn()], 512) => EINVAL;
        set_gdt(&[page.mfn(), free_frame()], 1024) => EINVAL;
    }
    // Nothing of the refused tables stays.
    ok!(page.protect(true));
    Ok(())
}

pub fn bad_descriptors() -> Outcome {
    for bad in [GATE, TSS, LDT, INTERRUPT] {
        let page = mem::alloc();
        page.set(3, bad);
        ok!(page.protect(false));
        refused!(set_gdt(&[page.mfn()], 512), EINVAL);
        ok!(page.protect(true));
    }
    // Ring 0 is not refused in a page but lifted out of ring 0.
    for ring0 in [CODE0, DATA0] {
        let page = mem::alloc();
        page.set(3, ring0);
        ok!(page.protect(false));
        ok!(set_gdt(&[page.mfn()], 512));
        guest_rt::check!(
            page.get(3) >> 45 & 3 != 0,
            "descriptor {:#x} keeps ring 0",
            page.get(3)
        );
        ok!(set_gdt(&[], 0));
        ok!(page.protect(true));
    }
    Ok(())
}

pub fn writable() -> Outcome {
    let (page, window) = (mem::alloc(), mem::alloc());
    refused!(set_gdt(&[page.mfn()], 512), EINVAL);
    ok!(page.protect(false));
    ok!(set_gdt(&[page.mfn()], 512));
    all_refused! {
        page.protect(true) => EBUSY;
        window.map(mem::pte::entry(page.mfn(), mem::pte::DATA)) => EBUSY;
    }
    ok!(set_gdt(&[], 0));
    ok!(page.protect(true));
    Ok(())
}

pub fn reserved() -> Outcome {
    refused!(set_gdt(&[], 7169), EINVAL);
    refused!(set_gdt(&[], u64::MAX), EINVAL);
    Ok(())
}

pub fn ldt() -> Outcome {
    let page = mem::alloc();
    all_refused! {
        hypercall::mmuext(MMUEXT_SET_LDT, page.va() + 8, 16) => EINVAL;
        hypercall::mmuext(MMUEXT_SET_LDT, page.va(), 8193) => EINVAL;
        hypercall::mmuext(MMUEXT_SET_LDT, 0xffff_82d0_4020_0000, 16) => EINVAL;
        hypercall::mmuext(MMUEXT_SET_LDT, super::NON_CANONICAL, 16) => EINVAL;
    }
    // A page that is mapped writable is no LDT: its use faults.
    page.set(0, DATA3);
    ok!(hypercall::mmuext(MMUEXT_SET_LDT, page.va(), 512));
    guest_rt::check!(
        guest_rt::traps::catch(|| insn::load_es(7)).is_err(),
        "a writable page served as LDT"
    );
    ok!(hypercall::mmuext(MMUEXT_SET_LDT, 0, 0));
    page.set(0, 0);
    Ok(())
}

pub fn ldt_gate() -> Outcome {
    let page = mem::alloc();
    page.set(0, GATE);
    ok!(page.protect(false));
    ok!(hypercall::mmuext(MMUEXT_SET_LDT, page.va(), 512));
    let fault = guest_rt::traps::catch(|| insn::far_call(7));
    ok!(hypercall::mmuext(MMUEXT_SET_LDT, 0, 0));
    guest_rt::check!(fault.is_err(), "a call gate worked");
    ok!(page.protect(true));
    Ok(())
}

pub fn update_refused() -> Outcome {
    let page = mem::alloc();
    ok!(page.protect(false));
    ok!(set_gdt(&[page.mfn()], 512));
    let ma = page.mfn() << 12;
    all_refused! {
        update(ma, GATE) => EINVAL;
        update(ma, TSS) => EINVAL;
        update(ma, INTERRUPT) => EINVAL;
        update(ma + 4, DATA3) => EINVAL;
        update(free_frame() << 12, DATA3) => EINVAL;
        update(0xf_ffff_ffff << 12, DATA3) => EINVAL;
        update(mem::boot_l4_mfn() << 12, DATA3) => EINVAL;
    }
    for ring0 in [CODE0, DATA0] {
        match update(ma, ring0) {
            Ok(_) => guest_rt::check!(page.get(0) >> 45 & 3 != 0, "{ring0:#x} keeps ring 0"),
            result => refused!(result, EINVAL),
        }
    }
    ok!(set_gdt(&[], 0));
    ok!(page.protect(true));
    Ok(())
}

pub fn hypervisor_selectors() -> Outcome {
    // The hypervisor's part of the GDT: no loading of its code, TSS or LDT.
    for selector in [0xe008u16, 0xe010, 0xe040, 0xe048] {
        traps!(13, insn::load_es(u64::from(selector)));
    }
    guest_rt::check!(
        guest_rt::traps::catch(|| insn::far_call(0xe008)).is_err(),
        "a far call to ring 0"
    );
    Ok(())
}
