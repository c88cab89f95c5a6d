//! Hypercalls by VMMCALL, and their guest pointers.

use guest_rt::harness::Outcome;
use guest_rt::hypercall::{self, call};
use guest_rt::mem::{self, pte};
use guest_rt::{all_refused, check, ok, pvh, refused, same, traps};
use xen_abi::hypercall as nr;
use xen_abi::version::{XENVER_extraversion, XENVER_version};
use xen_abi::xen::MulticallEntry;

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

/// Which calls there are for a guest of this kind, by number.
pub fn which() -> Outcome {
    let mut there = 0u64;
    // Arguments that nothing comes of. Number 29 with them yields.
    for nr in 0..50u32 {
        // The page has no stub for it.
        if nr == nr::IRET {
            continue;
        }
        let absent = call(nr, [0xffff, BAD, BAD, BAD, 0]);
        if absent != Err(xen_abi::Errno::ENOSYS as i64) {
            there |= 1 << nr;
        }
    }
    // dm_op, hypfs_op and a part of domctl's that is the hypervisor's own are Xen's alone.
    same!(there & !(1 << 41 | 1 << 42 | 1 << 49), 0x118_0420_a080);
    Ok(())
}

/// No address.
const BAD: u64 = 0x8000_0000_0000;

pub fn multicall() -> Outcome {
    let entry = |op: u32, args: [u64; 2]| MulticallEntry {
        op: op.into(),
        args: [args[0], args[1], 0, 0, 0, 0],
        ..Default::default()
    };
    let text = mem::alloc();
    let mut list = [
        entry(nr::XEN_VERSION, [XENVER_version.into(), 0]),
        entry(nr::XEN_VERSION, [XENVER_extraversion.into(), text.va()]),
        entry(nr::SET_TRAP_TABLE, [0; 2]),
        entry(nr::MULTICALL, [0; 2]),
        entry(nr::IRET, [0; 2]),
        entry(63, [0; 2]),
        entry(nr::XEN_VERSION, [XENVER_extraversion.into(), BAD]),
    ];
    let count = list.len() as u64;
    ok!(call(
        nr::MULTICALL,
        [list.as_mut_ptr() as u64, count, 0, 0, 0]
    ));
    use xen_abi::Errno;
    same!(list[0].result, 4 << 16 | 20);
    same!(list[1].result, 0);
    check!(text.get(0) != 0, "nothing was written");
    same!(list[2].result as i64, Errno::ENOSYS.neg());
    same!(list[5].result as i64, Errno::ENOSYS.neg());
    same!(list[6].result as i64, Errno::EFAULT.neg());
    same!(list[3].result as i64, Errno::EINVAL.neg());
    same!(list[4].result as i64, Errno::ENOSYS.neg());
    refused!(call(nr::MULTICALL, [BAD, 1, 0, 0, 0]), EFAULT);
    Ok(())
}

pub fn vm_assist() -> Outcome {
    use xen_abi::xen::*;
    let assist = |cmd: u32, kind: u32| call(nr::VM_ASSIST, [cmd.into(), kind.into(), 0, 0, 0]);
    ok!(assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag));
    ok!(assist(VMASST_CMD_disable, VMASST_TYPE_runstate_update_flag));
    all_refused! {
        assist(VMASST_CMD_enable, VMASST_TYPE_4gb_segments) => EINVAL;
        assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict) => EINVAL;
        assist(VMASST_CMD_enable, 64) => EINVAL;
        assist(7, VMASST_TYPE_runstate_update_flag) => ENOSYS;
    }
    Ok(())
}

pub fn physdev() -> Outcome {
    use xen_abi::physdev::*;
    let op = |cmd: u32| call(nr::PHYSDEV_OP, [cmd.into(), BAD, 0, 0, 0]);
    let absent = [
        PHYSDEVOP_eoi,
        PHYSDEVOP_irq_status_query,
        PHYSDEVOP_get_free_pirq,
        PHYSDEVOP_set_iopl,
        PHYSDEVOP_set_iobitmap,
        PHYSDEVOP_apic_read,
        PHYSDEVOP_pirq_eoi_gmfn_v2,
        PHYSDEVOP_manage_pci_add,
        PHYSDEVOP_prepare_msix,
        99,
    ];
    for cmd in absent {
        same!((cmd, op(cmd)), (cmd, Err(xen_abi::Errno::ENOSYS as i64)));
    }
    let there = [
        PHYSDEVOP_map_pirq,
        PHYSDEVOP_unmap_pirq,
        PHYSDEVOP_setup_gsi,
        PHYSDEVOP_pci_mmcfg_reserved,
        PHYSDEVOP_pci_device_add,
        PHYSDEVOP_pci_device_remove,
        PHYSDEVOP_dbgp_op,
    ];
    for cmd in there {
        same!((cmd, op(cmd)), (cmd, Err(xen_abi::Errno::EFAULT as i64)));
    }
    Ok(())
}

/// Without tables of its own to look after: refused, if with other numbers than on Xen.
pub fn mmuext() -> Outcome {
    use xen_abi::mmu::*;
    for cmd in [
        MMUEXT_NEW_BASEPTR,
        MMUEXT_TLB_FLUSH_LOCAL,
        MMUEXT_INVLPG_ALL,
        MMUEXT_SET_LDT,
        MMUEXT_CLEAR_PAGE,
        99,
    ] {
        let result = hypercall::mmuext(cmd, 1, 0);
        check!(result.is_err(), "{cmd}: {result:?}");
    }
    Ok(())
}
