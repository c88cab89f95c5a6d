//! What a guest that a toolstack made is refused: control calls, other domains, the machine.
//! Every case passes on Xen 4.20 and must pass on Xenios. The kernel is booted by `xl create`,
//! never as dom0, and prints on its console ring.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use guest_rt::console::is_guest;
use guest_rt::harness::Outcome;
use guest_rt::traps;
use guest_rt::{all_refused, check, hypercall, insn, mem, ok, same};
use mem::pte;
use xen_abi::domctl::*;
use xen_abi::event_channel::*;
use xen_abi::grant_table::*;
use xen_abi::hypercall::*;
use xen_abi::memory::*;
use xen_abi::mmu::*;
use xen_abi::physdev::*;
use xen_abi::sched::*;
use xen_abi::start_info::{SIF_INITDOMAIN, SIF_PRIVILEGED};
use xen_abi::sysctl::*;
use xen_abi::version::*;
use xen_abi::xen::*;

guest_rt::cases! { "pv-domu";
    "start-info" => start_info,
    "features" => features,
    "domctl" => domctl,
    "sysctl" => sysctl,
    "platform-op" => platform,
    "memory-of-dom0" => memory,
    "machine-memory" => machine,
    "mmu-of-dom0" => mmu,
    "events-of-dom0" => events,
    "grants-of-dom0" => grants,
    "shutdown-of-dom0" => shutdown,
    "interrupts" => interrupts,
    "ports" => ports,
    "console-io" => console_io,
    "frames-of-others" => frames,
}

/// Another domain that is there.
const DOM0: u16 = 0;

fn start_info() -> Outcome {
    let info = mem::start_info();
    same!(info.flags & (SIF_PRIVILEGED | SIF_INITDOMAIN), 0);
    check!(is_guest(), "this is dom0");
    check!(
        info.console[0] != 0 && info.store_mfn != 0,
        "no console or store page"
    );
    check!(
        info.console[1] as u32 != 0 && info.store_evtchn != 0,
        "no console or store port"
    );
    Ok(())
}

fn features() -> Outcome {
    let mut info = FeatureInfo::default();
    ok!(hypercall::op(XEN_VERSION, XENVER_get_features, &mut info));
    check!(
        info.submap >> XENFEAT_dom0 & 1 == 0,
        "dom0's feature in {:#x}",
        info.submap
    );
    // The command line of the hypervisor is not for guests.
    let page = mem::alloc();
    let result = hypercall::call(
        XEN_VERSION,
        [u64::from(XENVER_commandline), page.va(), 0, 0, 0],
    );
    check!(
        page.get(0).to_le_bytes().starts_with(b"<denied>") || page.get(0) == 0 || result.is_err(),
        "the command line reads {:#x}",
        page.get(0)
    );
    Ok(())
}

/// A control call of `version` on `domid`.
fn control(nr: u32, version: u32, cmd: u32, domid: u16) -> hypercall::HyperResult {
    let mut words = [0u64; 32];
    words[0] = u64::from(version) << 32 | u64::from(cmd);
    words[1] = u64::from(domid);
    hypercall::call(nr, [words.as_mut_ptr() as u64, 0, 0, 0, 0])
}

fn domctl() -> Outcome {
    let call = |cmd, domid| control(DOMCTL, XEN_DOMCTL_INTERFACE_VERSION, cmd, domid);
    all_refused! {
        call(XEN_DOMCTL_createdomain, 100) => EPERM;
        call(XEN_DOMCTL_destroydomain, DOM0) => EPERM;
        call(XEN_DOMCTL_pausedomain, DOM0) => EPERM;
        call(XEN_DOMCTL_unpausedomain, DOM0) => EPERM;
        call(XEN_DOMCTL_getdomaininfo, DOM0) => EPERM;
        call(XEN_DOMCTL_max_mem, DOM0) => EPERM;
        call(XEN_DOMCTL_setvcpuaffinity, DOM0) => EPERM;
        call(XEN_DOMCTL_getvcpucontext, DOM0) => EPERM;
        call(XEN_DOMCTL_setvcpucontext, DOM0) => EPERM;
        call(XEN_DOMCTL_scheduler_op, DOM0) => EPERM;
    }
    Ok(())
}

fn sysctl() -> Outcome {
    let call = |cmd| control(SYSCTL, XEN_SYSCTL_INTERFACE_VERSION, cmd, 0);
    all_refused! {
        call(XEN_SYSCTL_physinfo) => EPERM;
        call(XEN_SYSCTL_readconsole) => EPERM;
        call(XEN_SYSCTL_getdomaininfolist) => EPERM;
        call(XEN_SYSCTL_debug_keys) => EPERM;
        call(XEN_SYSCTL_cpupool_op) => EPERM;
    }
    Ok(())
}

fn platform() -> Outcome {
    // settime64, read_memtype, firmware_info, cpu_offline.
    for cmd in [62, 33, 50, 57] {
        all_refused! { control(PLATFORM_OP, 0x0300_0001, cmd, 0) => EPERM; }
    }
    Ok(())
}

fn memory() -> Outcome {
    let page = mem::alloc();
    let mut frame = [page.mfn(); 2];
    let mut arg = MemoryReservation {
        extent_start: frame.as_mut_ptr() as u64,
        nr_extents: 1,
        domid: DOM0,
        ..Default::default()
    };
    same!(
        hypercall::memory(XENMEM_decrease_reservation, &mut arg),
        Ok(0)
    );
    same!(hypercall::memory(XENMEM_populate_physmap, &mut arg), Ok(0));
    all_refused! {
        hypercall::memory(XENMEM_current_reservation, &mut MemoryDomain { domid: DOM0 }) => EPERM;
        hypercall::memory(XENMEM_maximum_reservation, &mut MemoryDomain { domid: DOM0 }) => EPERM;
        hypercall::memory(XENMEM_claim_pages, &mut MemoryReservation { nr_extents: 1, domid: DOM0, ..Default::default() }) => EPERM;
    }
    Ok(())
}

fn machine() -> Outcome {
    let page = mem::alloc();
    let mut arg = [16u64, page.va()];
    all_refused! { hypercall::memory(XENMEM_machine_memory_map, &mut arg) => EPERM; }
    Ok(())
}

fn mmu() -> Outcome {
    let page = mem::alloc();
    let slot = mem::l1_slot(page.va());
    let requests = [MmuUpdate {
        ptr: slot.ma,
        val: slot.entry,
    }];
    let foreign = |pages: u64, tables: u64| pages | tables << 16;
    check!(
        hypercall::mmu_update_of(&requests, foreign(u64::from(DOM0), 0))
            .0
            .is_err(),
        "frames of dom0"
    );
    check!(
        hypercall::mmu_update_of(&requests, foreign(u64::from(DOMID_SELF), 1))
            .0
            .is_err(),
        "tables of dom0"
    );
    check!(
        hypercall::call(
            UPDATE_VA_MAPPING_OTHERDOMAIN,
            [page.va(), slot.entry, 0, u64::from(DOM0), 0]
        )
        .is_err(),
        "update_va_mapping of dom0's frame"
    );
    let op = MmuextOp {
        cmd: MMUEXT_PIN_L1_TABLE,
        arg1: page.mfn(),
        ..Default::default()
    };
    check!(
        hypercall::call(MMUEXT_OP, [&raw const op as u64, 1, 0, u64::from(DOM0), 0]).is_err(),
        "pin in dom0"
    );
    Ok(())
}

fn events() -> Outcome {
    all_refused! {
        hypercall::evtchn(EVTCHNOP_status, &mut EvtchnStatus { dom: DOM0, port: 1, ..Default::default() }) => EPERM;
        hypercall::evtchn(EVTCHNOP_reset, &mut EvtchnReset { dom: DOM0 }) => EPERM;
        hypercall::evtchn(EVTCHNOP_alloc_unbound, &mut EvtchnAllocUnbound { dom: DOM0, remote_dom: DOMID_SELF, port: 0 }) => EPERM;
    }
    Ok(())
}

fn grants() -> Outcome {
    let mut query = GnttabQuerySize {
        dom: DOM0,
        ..Default::default()
    };
    ok!(hypercall::grant(GNTTABOP_query_size, &mut query));
    same!(query.status, GNTST_permission_denied);
    let room = mem::alloc();
    let mut setup = GnttabSetupTable {
        dom: DOM0,
        nr_frames: 1,
        frame_list: room.va(),
        ..Default::default()
    };
    ok!(hypercall::grant(GNTTABOP_setup_table, &mut setup));
    same!(setup.status, GNTST_permission_denied);
    Ok(())
}

fn shutdown() -> Outcome {
    let mut arg = SchedRemoteShutdown {
        domain_id: DOM0,
        _pad0: 0,
        reason: SHUTDOWN_crash,
    };
    all_refused! { hypercall::op(SCHED_OP, SCHEDOP_remote_shutdown, &mut arg) => EPERM; }
    Ok(())
}

fn interrupts() -> Outcome {
    let mut map = PhysdevMapPirq {
        domid: DOMID_SELF,
        r#type: MAP_PIRQ_TYPE_GSI,
        index: 20,
        pirq: 20,
        ..Default::default()
    };
    all_refused! { hypercall::op(PHYSDEV_OP, PHYSDEVOP_map_pirq, &mut map) => EPERM; }
    let mut bind = EvtchnBindPirq {
        pirq: 20,
        flags: 0,
        port: 0,
    };
    check!(
        hypercall::evtchn(EVTCHNOP_bind_pirq, &mut bind).is_err(),
        "an interrupt bound"
    );
    Ok(())
}

fn ports() -> Outcome {
    let mut arg = PhysdevSetIopl { iopl: 1 };
    ok!(hypercall::op(PHYSDEV_OP, PHYSDEVOP_set_iopl, &mut arg));
    // Read as nothing and written to no effect, or trapped.
    for port in [0x20u16, 0x40, 0x3f8, 0x604] {
        let read = traps::catch(|| insn::in8(port));
        check!(
            read.is_err_and(|fault| fault.vector == 13) || read == Ok(0xff),
            "in {port:#x}: {read:x?}"
        );
        let write = traps::catch(|| insn::out8(port, 0));
        check!(
            write.is_err_and(|fault| fault.vector == 13) || write == Ok(()),
            "out {port:#x}: {write:x?}"
        );
    }
    arg.iopl = 0;
    ok!(hypercall::op(PHYSDEV_OP, PHYSDEVOP_set_iopl, &mut arg));
    Ok(())
}

fn console_io() -> Outcome {
    all_refused! {
        hypercall::console_write(b"a guest on the hypervisor's console\n") => EPERM;
        hypercall::call(CONSOLE_IO, [u64::from(CONSOLEIO_read), 16, mem::alloc().va(), 0, 0]) => EPERM;
    }
    Ok(())
}

/// No frame of RAM but this guest's own can be mapped, for reading or for writing.
fn frames() -> Outcome {
    let page = mem::alloc();
    let mine = page.mfn();
    let own = |mfn| mem::mfn_to_pfn(mfn).is_ok_and(|pfn| mem::pfn_to_mfn(pfn) == mfn);
    let mut tried = 0;
    // A prime step over the first GiB.
    for mfn in (0x101u64..0x40000).step_by(251) {
        if own(mfn) {
            continue;
        }
        tried += 1;
        for flags in [pte::RO, pte::DATA] {
            let result = page.map(pte::entry(mfn, flags));
            check!(result.is_err(), "frame {mfn:#x} of another was mapped");
        }
    }
    check!(tried > 500, "only {tried} frames tried");
    ok!(page.map(pte::entry(mine, pte::DATA)));
    Ok(())
}
