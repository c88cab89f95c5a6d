//! CPUs, nodes and devices: how much time CPUs had to spare, and where everything is.

use super::Call;
use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::irq::Function;
use crate::platform::topology;
use machine::{CpuApi, PAGE_SIZE};
use xen_abi::Errno;
use xen_abi::forms::Payload;
use xen_abi::memory::physmap::PhysdevPciDevice;
use xen_abi::sysctl::*;

/// The distance of a node from itself, as ACPI's SLIT has it.
const LOCAL_DISTANCE: u32 = 10;

/// `XEN_SYSCTL_getcpuinfo`: each CPU's idle time. Errors: `EFAULT`.
pub fn idle_times(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: SysctlGetcpuinfo = call.op.arm();
    let out = GuestPtr::<SysctlCpuinfo>::new(arg.info);
    let cpus = arg.max_cpus.min(cx.hv.cpus);
    for cpu in 0..cpus {
        let idletime = cx.hv.sched.idle_time(cx.cpu, cpu);
        cx.copy_out(out.add(cpu.into()), &SysctlCpuinfo { idletime })?;
    }
    arg.nr_cpus = cpus;
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}

/// `XEN_SYSCTL_cputopoinfo`: each CPU's core, socket and node, or with a null handle how many
/// CPUs there are. Errors: `EFAULT`.
pub fn topology(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: SysctlCputopoinfo = call.op.arm();
    let out = GuestPtr::<SysctlCputopo>::new(arg.cputopo);
    if out.is_null() {
        arg.num_cpus = cx.hv.cpus;
    } else {
        arg.num_cpus = arg.num_cpus.min(cx.hv.cpus);
        for cpu in 0..arg.num_cpus {
            let place = topology::place(cx.hv, cx.cpu, cpu);
            let entry = SysctlCputopo {
                core: place.map_or(XEN_INVALID_CORE_ID, |place| place.core),
                socket: place.map_or(XEN_INVALID_SOCKET_ID, |place| place.socket),
                node: place.map_or(XEN_INVALID_NODE_ID, |_| 0),
            };
            cx.copy_out(out.add(cpu.into()), &entry)?;
        }
    }
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}

/// `XEN_SYSCTL_numainfo`: all memory is one node's. With null handles only how many nodes there
/// are. Errors: `EFAULT`.
pub fn nodes(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: SysctlNumainfo = call.op.arm();
    let memory = GuestPtr::<SysctlMeminfo>::new(arg.meminfo);
    let distance = GuestPtr::<u32>::new(arg.distance);
    let count_only = memory.is_null() && distance.is_null();
    if count_only {
        arg.num_nodes = 1;
    } else {
        arg.num_nodes = arg.num_nodes.min(1);
    }
    if !memory.is_null() && arg.num_nodes != 0 {
        let free = cx.hv.heap.lock().free_frames();
        let all = cx.hv.mem.max_mfn().0;
        let info = SysctlMeminfo {
            memsize: all.saturating_mul(PAGE_SIZE as u64),
            memfree: free.saturating_mul(PAGE_SIZE as u64),
        };
        cx.copy_out(memory, &info)?;
    }
    if !distance.is_null() && arg.num_nodes != 0 {
        cx.copy_out(distance, &LOCAL_DISTANCE)?;
    }
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}

/// `XEN_SYSCTL_pcitopoinfo`: the node of each device asked for; it may stop early, having said
/// how many it did. Errors: `EINVAL` without arrays, `EFAULT`.
pub fn device_nodes(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: SysctlPcitopoinfo = call.op.arm();
    let devices = GuestPtr::<PhysdevPciDevice>::new(arg.devs);
    let nodes = GuestPtr::<u32>::new(arg.nodes);
    if devices.is_null() || nodes.is_null() {
        return Err(Errno::EINVAL.into());
    }
    let mut done = 0;
    while done < arg.num_devs {
        let device = cx.copy_in(devices.add(done.into()))?;
        let function = Function {
            bus: device.bus,
            devfn: device.devfn,
        };
        let there = device.seg == 0 && function.exists(cx.hv, cx.cpu);
        let node = if there { 0 } else { XEN_INVALID_DEV };
        cx.copy_out(nodes.add(done.into()), &node)?;
        done = done.saturating_add(1);
        if cx.cpu.work_pending() {
            break;
        }
    }
    arg.num_devs = done;
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}

/// `XEN_SYSCTL_cpu_hotplug`: CPUs are neither taken down nor brought up. Errors: `EINVAL` for
/// one that there is not, `EEXIST` for bringing up what is up, `EOPNOTSUPP`.
pub fn hotplug(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: SysctlCpuHotplug = call.op.arm();
    let named = matches!(
        arg.op,
        XEN_SYSCTL_CPU_HOTPLUG_ONLINE | XEN_SYSCTL_CPU_HOTPLUG_OFFLINE
    );
    Err(match arg.op {
        _ if named && arg.cpu >= cx.hv.cpus => Errno::EINVAL,
        XEN_SYSCTL_CPU_HOTPLUG_ONLINE => Errno::EEXIST,
        _ => Errno::EOPNOTSUPP,
    }
    .into())
}
