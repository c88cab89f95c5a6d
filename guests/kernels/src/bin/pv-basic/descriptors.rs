//! GDT and LDT.

use guest_rt::harness::Outcome;
use guest_rt::mem;
use guest_rt::{check, hypercall, insn, ok, refused, same, traps};
use xen_abi::hypercall::{SET_GDT, UPDATE_DESCRIPTOR};
use xen_abi::mmu::MMUEXT_SET_LDT;

/// A flat ring-3 data segment.
pub const DATA3: u64 = 0x00cf_f300_0000_ffff;

fn set_gdt(frames: &[u64], entries: u64) -> hypercall::HyperResult {
    hypercall::call(SET_GDT, [frames.as_ptr() as u64, entries, 0, 0, 0])
}

pub fn gdt() -> Outcome {
    let page = mem::alloc();
    page.set(1, DATA3);
    ok!(page.protect(false));
    ok!(set_gdt(&[page.mfn()], 512));
    ok!(guest_rt::traps::catch(|| insn::load_es(1 << 3 | 3)));
    let fault = traps!(13, insn::load_es(2 << 3 | 3));
    same!(fault.error, 2 << 3);
    // While it holds descriptors the frame cannot be mapped writable.
    check!(page.protect(true).is_err(), "a GDT frame became writable");
    insn::load_es(0);
    ok!(set_gdt(&[], 0));
    ok!(page.protect(true));
    Ok(())
}

pub fn update_descriptor() -> Outcome {
    let page = mem::alloc();
    ok!(page.protect(false));
    ok!(set_gdt(&[page.mfn()], 512));
    let ma = (page.mfn() << 12) | (5 * 8);
    ok!(hypercall::call(UPDATE_DESCRIPTOR, [ma, DATA3, 0, 0, 0]));
    ok!(guest_rt::traps::catch(|| insn::load_es(5 << 3 | 3)));
    insn::load_es(0);
    ok!(hypercall::call(UPDATE_DESCRIPTOR, [ma, 0, 0, 0, 0]));
    traps!(13, insn::load_es(5 << 3 | 3));
    refused!(
        hypercall::call(UPDATE_DESCRIPTOR, [ma | 4, DATA3, 0, 0, 0]),
        EINVAL
    );
    ok!(set_gdt(&[], 0));
    ok!(page.protect(true));
    Ok(())
}

pub fn ldt() -> Outcome {
    let page = mem::alloc();
    page.set(0, DATA3);
    ok!(page.protect(false));
    ok!(hypercall::mmuext(MMUEXT_SET_LDT, page.va(), 512));
    // Selector 0 of the LDT, privilege 3; the page is checked when it is first used.
    ok!(guest_rt::traps::catch(|| insn::load_es(4 | 3)));
    insn::load_es(0);
    traps!(13, insn::load_es(2 << 3 | 4 | 3));
    ok!(hypercall::mmuext(MMUEXT_SET_LDT, 0, 0));
    traps!(13, insn::load_es(4 | 3));
    ok!(page.protect(true));
    Ok(())
}
