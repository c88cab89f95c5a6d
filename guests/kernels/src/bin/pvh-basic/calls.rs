//! Hypercalls by VMMCALL, and their guest pointers.

use guest_rt::harness::Outcome;
use guest_rt::hypercall::{self, call};
use guest_rt::mem::{self, pte};
use guest_rt::{all_refused, check, ok, pvh, refused, same, traps};
use xen_abi::hypercall as nr;
use xen_abi::version::{XENVER_extraversion, XENVER_version};

fn version_at(cmd: u32, at: u64) -> hypercall::HyperResult {
    call(nr::XEN_VERSION, [cmd.into(), at, 0, 0, 0])
}

pub fn version() -> Outcome {
    same!(ok!(version_at(XENVER_version, 0)), 4 << 16 | 20);
    same!(
        ok!(pvh::vmmcall(
            nr::XEN_VERSION.into(),
            [XENVER_version.into(), 0, 0, 0, 0]
        )),
        4 << 16 | 20
    );
    Ok(())
}

pub fn unknown() -> Outcome {
    all_refused! {
        pvh::vmmcall(63, [0; 5]) => ENOSYS;
        pvh::vmmcall(1 << 20, [0; 5]) => ENOSYS;
    }
    // The upper half of RAX counts in 64-bit mode.
    refused!(pvh::vmmcall(1 << 32 | 17, [0; 5]), ENOSYS);
    Ok(())
}

pub fn bad_pointers() -> Outcome {
    all_refused! {
        version_at(XENVER_extraversion, 0x8000_0000_0000) => EFAULT;
        version_at(XENVER_extraversion, 0x7fff_ffff_fff8) => EFAULT;
        version_at(XENVER_extraversion, u64::MAX - 3) => EFAULT;
        version_at(XENVER_extraversion, 0xffff_8000_0000_0000) => EFAULT;
        version_at(XENVER_extraversion, 0xffff_8300_0000_0000) => EFAULT;
        version_at(XENVER_extraversion, 0x100_0000_0000) => EFAULT;
    }
    Ok(())
}

/// A mapping of its own for `page`, with the flags given; its address.
pub fn mapped(page: mem::Page, flags: u64) -> u64 {
    pvh::map_own(page, flags)
}

pub fn read_only_target() -> Outcome {
    let page = mem::alloc();
    let at = mapped(page, pte::P);
    refused!(version_at(XENVER_extraversion, at), EFAULT);
    same!(page.get(0), 0);
    let at = mapped(page, pte::P | pte::RW);
    ok!(version_at(XENVER_extraversion, at));
    check!(page.get(0) != 0, "nothing was written");
    let at = mapped(page, 0);
    refused!(version_at(XENVER_extraversion, at), EFAULT);
    Ok(())
}

pub fn across_pages() -> Outcome {
    let run = mem::alloc_run(2);
    ok!(version_at(XENVER_extraversion, run.va() + 4096 - 4));
    check!(
        run.get(511) >> 32 != 0 && run.get(511) as u32 == 0,
        "first page: {:x}",
        run.get(511)
    );
    Ok(())
}

pub fn pv_only() -> Outcome {
    all_refused! {
        call(nr::SET_TRAP_TABLE, [0; 5]) => ENOSYS;
        call(nr::UPDATE_VA_MAPPING, [0; 5]) => ENOSYS;
        call(nr::STACK_SWITCH, [0; 5]) => ENOSYS;
        pvh::vmmcall(nr::IRET.into(), [0; 5]) => ENOSYS;
    }
    // The page has no stub for it.
    traps!(6, call(nr::IRET, [0; 5]));
    Ok(())
}
