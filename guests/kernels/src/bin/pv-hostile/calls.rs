//! Numbers that no call, no operation, no interface has.

use guest_rt::harness::Outcome;
use guest_rt::time::{MS, now};
use guest_rt::{all_refused, check, dom0_refused, hypercall, mem, ok, refused, same};
use xen_abi::arch_x86::HYPERVISOR_VIRT_START;
use xen_abi::hypercall::*;
use xen_abi::physdev::*;
use xen_abi::sched::*;
use xen_abi::vcpu::*;
use xen_abi::xen::MulticallEntry;

fn op(nr: u32, cmd: u64) -> hypercall::HyperResult {
    let room = [0u64; 16];
    hypercall::call(nr, [cmd, &raw const room as u64, 0, 0, 0])
}

pub fn unknown() -> Outcome {
    for nr in [
        11,
        43,
        44,
        47,
        56,
        63,
        64,
        100,
        255,
        256,
        4095,
        1 << 20,
        1 << 32,
        u64::MAX,
    ] {
        let result = hypercall::by_number(nr, [0; 5]);
        check!(result == Err(38), "hypercall {nr}: {result:?}");
    }
    Ok(())
}

pub fn sub_ops() -> Outcome {
    all_refused! {
        op(XEN_VERSION, 99) => ENOSYS;
        op(MEMORY_OP, 63) => ENOSYS;
        op(SCHED_OP, 99) => ENOSYS;
        op(EVENT_CHANNEL_OP, 99) => ENOSYS;
        op(PHYSDEV_OP, 99) => ENOSYS;
        op(CALLBACK_OP, 99) => ENOSYS;
        hypercall::call(VCPU_OP, [99, 0, 0, 0, 0]) => ENOSYS;
        hypercall::call(GRANT_TABLE_OP, [99, 0, 0, 0, 0]) => ENOSYS;
        hypercall::call(NMI_OP, [99, 0, 0, 0, 0]) => ENOSYS;
        hypercall::call(TMEM_OP, [0; 5]) => ENOSYS;
        hypercall::call(SET_SEGMENT_BASE, [99, 0, 0, 0, 0]) => EINVAL;
    }
    dom0_refused! { hypercall::call(CONSOLE_IO, [99, 0, 0, 0, 0]) => ENOSYS; }
    Ok(())
}

pub fn interface_versions() -> Outcome {
    let mut words = [0u64; 17];
    for version in [0u32, 0x14, 0x99, u32::MAX] {
        words[0] = u64::from(version) << 32 | 1;
        all_refused! {
            hypercall::call(DOMCTL, [&raw const words as u64, 0, 0, 0, 0]) => EACCES;
            hypercall::call(SYSCTL, [&raw const words as u64, 0, 0, 0, 0]) => EACCES;
            hypercall::call(PLATFORM_OP, [&raw const words as u64, 0, 0, 0, 0]) => EACCES;
        }
    }
    words[0] = 0x17 << 32 | 9999;
    dom0_refused! { hypercall::call(DOMCTL, [&raw const words as u64, 0, 0, 0, 0]) => ENOSYS; }
    words[0] = 0x15 << 32 | 9999;
    dom0_refused! { hypercall::call(SYSCTL, [&raw const words as u64, 0, 0, 0, 0]) => ENOSYS; }
    words[0] = 0x0300_0001 << 32 | 9999;
    refused!(
        hypercall::call(PLATFORM_OP, [9999 | &raw const words as u64, 0, 0, 0, 0]),
        EACCES
    );
    Ok(())
}

pub fn multicall_huge() -> Outcome {
    let page = mem::alloc();
    // 64 calls fill the page; the next one is read from a page that is not there.
    for i in 0..64 {
        page.set(i * 8, u64::from(XEN_VERSION));
    }
    let next = mem::alloc();
    ok!(next.map(0));
    refused!(
        hypercall::call(MULTICALL, [page.va(), 1 << 30, 0, 0, 0]),
        EFAULT
    );
    same!(page.get(63 * 8 + 1), 4 << 16 | 20);
    ok!(next.protect(true));
    Ok(())
}

pub fn multicall_nested() -> Outcome {
    let mut inner = [MulticallEntry {
        op: u64::from(XEN_VERSION),
        ..Default::default()
    }];
    let mut outer = [MulticallEntry {
        op: u64::from(MULTICALL),
        ..Default::default()
    }];
    outer[0].args = [inner.as_mut_ptr() as u64, 1, 0, 0, 0, 0];
    ok!(hypercall::call(
        MULTICALL,
        [outer.as_mut_ptr() as u64, 1, 0, 0, 0]
    ));
    same!(outer[0].result as i64, -22);
    Ok(())
}

pub fn console() -> Outcome {
    dom0_refused! {
        hypercall::call(CONSOLE_IO, [2, 1, 0, 0, 0]) => ENOSYS;
        hypercall::call(CONSOLE_IO, [0, 1 << 20, super::NOWHERE, 0, 0]) => EFAULT;
    }
    Ok(())
}

pub fn physdev() -> Outcome {
    all_refused! {
        hypercall::op(PHYSDEV_OP, PHYSDEVOP_set_iopl, &mut PhysdevSetIopl { iopl: 4 }) => EINVAL;
        hypercall::op(PHYSDEV_OP, PHYSDEVOP_set_iobitmap, &mut PhysdevSetIobitmap { bitmap: 0, nr_ports: 65537, _pad0: 0 }) => EINVAL;
        hypercall::op(PHYSDEV_OP, PHYSDEVOP_eoi, &mut PhysdevEoi { irq: 0xffff_ffff }) => EINVAL;
        hypercall::op(PHYSDEV_OP, PHYSDEVOP_irq_status_query, &mut PhysdevIrqStatusQuery { irq: 0xffff_ffff, flags: 0 }) => EINVAL;
        hypercall::op(PHYSDEV_OP, PHYSDEVOP_unmap_pirq, &mut PhysdevUnmapPirq { domid: 77, _pad0: 0, pirq: 1 }) => ESRCH;
        hypercall::op(PHYSDEV_OP, PHYSDEVOP_map_pirq, &mut PhysdevMapPirq { domid: 77, ..Default::default() }) => ESRCH;
    }
    dom0_refused! {
        hypercall::op(PHYSDEV_OP, PHYSDEVOP_unmap_pirq, &mut PhysdevUnmapPirq { domid: 0x7ff0, _pad0: 0, pirq: -1 }) => EINVAL;
    }
    Ok(())
}

pub fn debug_registers() -> Outcome {
    let set = |reg: u64, value: u64| hypercall::call(SET_DEBUGREG, [reg, value, 0, 0, 0]);
    all_refused! {
        set(0, HYPERVISOR_VIRT_START) => EPERM;
        set(1, super::NON_CANONICAL) => EPERM;
        set(6, 1 << 32) => EINVAL;
        set(7, 1 << 32) => EINVAL;
        set(9, 0) => ENODEV;
    }
    Ok(())
}

pub fn segment_base() -> Outcome {
    for which in 0..3 {
        refused!(
            hypercall::call(SET_SEGMENT_BASE, [which, super::NON_CANONICAL, 0, 0, 0]),
            EINVAL
        );
    }
    // A selector of another's descriptors for user GS: refused or nulled, never loaded.
    let _ = hypercall::call(SET_SEGMENT_BASE, [3, 0xe008, 0, 0, 0]);
    ok!(hypercall::call(SET_SEGMENT_BASE, [3, 0, 0, 0, 0]));
    Ok(())
}

pub fn timers() -> Outcome {
    for at in [u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 62, now() + 100 * MS] {
        let mut arg = VcpuSetSingleshotTimer {
            timeout_abs_ns: at,
            flags: 0,
            _pad0: 0,
        };
        ok!(hypercall::vcpu(VCPUOP_set_singleshot_timer, 0, &mut arg));
        ok!(hypercall::call(SET_TIMER_OP, [at, 0, 0, 0, 0]));
    }
    ok!(hypercall::call(SET_TIMER_OP, [0; 5]));
    ok!(hypercall::vcpu_plain(VCPUOP_stop_singleshot_timer, 0));
    for period_ns in [0, 1, 999_999, u64::MAX, 1 << 63] {
        let result = hypercall::vcpu(
            VCPUOP_set_periodic_timer,
            0,
            &mut VcpuSetPeriodicTimer { period_ns },
        );
        check!(result == Err(22), "period {period_ns}: {result:?}");
    }
    ok!(hypercall::vcpu_plain(VCPUOP_stop_periodic_timer, 0));
    Ok(())
}

pub fn poll() -> Outcome {
    let ports = [0u32; 2];
    let poll = |nr_ports, timeout| {
        let mut arg = SchedPoll {
            ports: ports.as_ptr() as u64,
            nr_ports,
            _pad0: 0,
            timeout,
        };
        hypercall::op(SCHED_OP, SCHEDOP_poll, &mut arg)
    };
    all_refused! {
        poll(129, now()) => EINVAL;
        poll(u32::MAX, now()) => EINVAL;
        poll(1, now() + MS) => EINVAL;
    }
    Ok(())
}

pub fn shutdown() -> Outcome {
    all_refused! {
        hypercall::op(SCHED_OP, SCHEDOP_remote_shutdown, &mut SchedRemoteShutdown { domain_id: 77, _pad0: 0, reason: 0 }) => ESRCH;
        hypercall::op(SCHED_OP, SCHEDOP_watchdog, &mut SchedWatchdog { id: 99, timeout: 1 }) => EINVAL;
        hypercall::op(SCHED_OP, SCHEDOP_watchdog, &mut SchedWatchdog { id: 1, timeout: 1 }) => EINVAL;
    }
    dom0_refused! {
        hypercall::op(SCHED_OP, SCHEDOP_pin_override, &mut SchedPinOverride { pcpu: 9999 }) => EINVAL;
    }
    Ok(())
}
