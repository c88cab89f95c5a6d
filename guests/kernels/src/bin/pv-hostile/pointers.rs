//! Pointers in hypercalls that lead nowhere or into the hypervisor: `EFAULT`, and no access.

use super::{HYPERVISOR, NON_CANONICAL, NOWHERE};
use guest_rt::harness::Outcome;
use guest_rt::{dom0_refused, hypercall, mem, ok, refused};
use xen_abi::event_channel::*;
use xen_abi::grant_table::*;
use xen_abi::hypercall::*;
use xen_abi::memory::reservation::*;
use xen_abi::sched::SCHEDOP_poll;
use xen_abi::vcpu::*;
use xen_abi::version::*;
use xen_abi::xen::DOMID_SELF;

const BAD: [u64; 6] = [
    HYPERVISOR[0],
    HYPERVISOR[1],
    HYPERVISOR[2],
    HYPERVISOR[3],
    NON_CANONICAL,
    NOWHERE,
];

macro_rules! faults {
    ($bad:ident; $($call:expr;)*) => {
        for $bad in BAD { $( refused!($call, EFAULT); )* }
    };
}

fn call(nr: u32, args: [u64; 3]) -> hypercall::HyperResult {
    hypercall::call(nr, [args[0], args[1], args[2], 0, 0])
}

pub fn version() -> Outcome {
    faults! { bad;
        call(XEN_VERSION, [u64::from(XENVER_extraversion), bad, 0]);
        call(XEN_VERSION, [u64::from(XENVER_compile_info), bad, 0]);
        call(XEN_VERSION, [u64::from(XENVER_capabilities), bad, 0]);
        call(XEN_VERSION, [u64::from(XENVER_changeset), bad, 0]);
        call(XEN_VERSION, [u64::from(XENVER_platform_parameters), bad, 0]);
        call(XEN_VERSION, [u64::from(XENVER_get_features), bad, 0]);
        call(XEN_VERSION, [u64::from(XENVER_guest_handle), bad, 0]);
        call(XEN_VERSION, [u64::from(XENVER_commandline), bad, 0]);
    }
    Ok(())
}

pub fn evtchn() -> Outcome {
    faults! { bad;
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_alloc_unbound), bad, 0]);
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_bind_interdomain), bad, 0]);
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_bind_virq), bad, 0]);
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_bind_ipi), bad, 0]);
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_bind_pirq), bad, 0]);
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_close), bad, 0]);
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_send), bad, 0]);
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_status), bad, 0]);
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_unmask), bad, 0]);
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_bind_vcpu), bad, 0]);
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_init_control), bad, 0]);
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_expand_array), bad, 0]);
        call(EVENT_CHANNEL_OP, [u64::from(EVTCHNOP_set_priority), bad, 0]);
    }
    Ok(())
}

pub fn vcpu() -> Outcome {
    faults! { bad;
        call(VCPU_OP, [u64::from(VCPUOP_get_runstate_info), 0, bad]);
        call(VCPU_OP, [u64::from(VCPUOP_register_runstate_memory_area), 0, bad]);
        call(VCPU_OP, [u64::from(VCPUOP_set_periodic_timer), 0, bad]);
        call(VCPU_OP, [u64::from(VCPUOP_set_singleshot_timer), 0, bad]);
        call(VCPU_OP, [u64::from(VCPUOP_register_vcpu_info), 0, bad]);
        call(VCPU_OP, [u64::from(VCPUOP_register_vcpu_time_memory_area), 0, bad]);
        call(VCPU_OP, [u64::from(VCPUOP_initialise), 1, bad]);
    }
    Ok(())
}

pub fn sched() -> Outcome {
    let page = mem::alloc();
    faults! { bad;
        call(SCHED_OP, [u64::from(SCHEDOP_poll), bad, 0]);
        { page.set(0, bad); page.set(1, 1); call(SCHED_OP, [u64::from(SCHEDOP_poll), page.va(), 0]) };
    }
    Ok(())
}

pub fn memory() -> Outcome {
    let mut reservation = MemoryReservation {
        nr_extents: 1,
        domid: DOMID_SELF,
        ..Default::default()
    };
    for bad in BAD {
        for cmd in [
            XENMEM_exchange,
            XENMEM_current_reservation,
            XENMEM_maximum_reservation,
            XENMEM_machphys_mfn_list,
            XENMEM_machphys_mapping,
        ] {
            let result = call(MEMORY_OP, [u64::from(cmd), bad, 0]);
            guest_rt::check!(result == Err(14), "memory_op {cmd} at {bad:#x}: {result:?}");
        }
        // These three count what they did, and did nothing.
        for cmd in [
            XENMEM_increase_reservation,
            XENMEM_decrease_reservation,
            XENMEM_populate_physmap,
        ] {
            guest_rt::same!(call(MEMORY_OP, [u64::from(cmd), bad, 0]), Ok(0));
        }
        // A list of frames that cannot be read: nothing is done, without an error.
        reservation.extent_start = bad;
        let _ = hypercall::memory(XENMEM_populate_physmap, &mut reservation);
        let mut map = MemoryMap {
            nr_entries: 64,
            buffer: bad,
            ..Default::default()
        };
        dom0_refused! {
            call(MEMORY_OP, [u64::from(XENMEM_machine_memory_map), bad, 0]) => EFAULT;
            hypercall::memory(XENMEM_machine_memory_map, &mut map) => EFAULT;
        }
        let mut list = MachphysMfnList {
            max_extents: 1,
            extent_start: bad,
            ..Default::default()
        };
        refused!(
            hypercall::memory(XENMEM_machphys_mfn_list, &mut list),
            EFAULT
        );
    }
    Ok(())
}

pub fn grant() -> Outcome {
    for bad in BAD {
        for cmd in [
            GNTTABOP_map_grant_ref,
            GNTTABOP_unmap_grant_ref,
            GNTTABOP_setup_table,
            GNTTABOP_copy,
            GNTTABOP_query_size,
            GNTTABOP_set_version,
            GNTTABOP_get_version,
            GNTTABOP_swap_grant_ref,
        ] {
            let result = call(GRANT_TABLE_OP, [u64::from(cmd), bad, 1]);
            guest_rt::check!(
                result == Err(14),
                "grant_table_op {cmd} at {bad:#x}: {result:?}"
            );
        }
    }
    Ok(())
}

pub fn mmu() -> Outcome {
    faults! { bad;
        hypercall::call(MMU_UPDATE, [bad, 1, 0, u64::from(DOMID_SELF), 0]);
        hypercall::call(MMUEXT_OP, [bad, 1, 0, u64::from(DOMID_SELF), 0]);
    }
    Ok(())
}

pub fn console() -> Outcome {
    for bad in BAD {
        dom0_refused! { call(CONSOLE_IO, [0, 16, bad]) => EFAULT; }
    }
    Ok(())
}

pub fn multicall() -> Outcome {
    faults! { bad;
        call(MULTICALL, [bad, 1, 0]);
    }
    Ok(())
}

pub fn descriptors() -> Outcome {
    faults! { bad;
        call(SET_GDT, [bad, 512, 0]);
        call(SET_TRAP_TABLE, [bad, 0, 0]);
        call(CALLBACK_OP, [0, bad, 0]);
        call(PHYSDEV_OP, [6, bad, 0]);
    }
    ok!(guest_rt::traps::install());
    Ok(())
}

pub fn control() -> Outcome {
    faults! { bad;
        call(DOMCTL, [bad, 0, 0]);
        call(SYSCTL, [bad, 0, 0]);
        call(PLATFORM_OP, [bad, 0, 0]);
    }
    Ok(())
}

pub fn read_only() -> Outcome {
    let page = mem::alloc();
    ok!(page.protect(false));
    refused!(
        call(XEN_VERSION, [u64::from(XENVER_extraversion), page.va(), 0]),
        EFAULT
    );
    // Not even the hypervisor writes to a page table for the guest.
    let table = mem::start_info().pt_base;
    refused!(
        call(XEN_VERSION, [u64::from(XENVER_extraversion), table, 0]),
        EFAULT
    );
    ok!(page.protect(true));
    Ok(())
}
