//! What the machine is and how much of its memory is free.

use super::Call;
use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::hv::Hypervisor;
use machine::CpuApi;
use machine::boot::MemoryKind;
use xen_abi::forms::Payload;
use xen_abi::sysctl::*;

/// What tools may use: PV guests with grants of both versions.
const CAPABILITIES: u32 =
    XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2;
/// And with hardware virtualisation.
const HVM_CAPABILITIES: u32 = XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap;

/// Free frames, those among them that are only now being given back. Errors: `Restart`.
fn free_frames(cx: &mut Cx) -> Result<u64, Fail> {
    cx.reap()?;
    Ok(cx.hv.heap.lock().free_frames())
}

/// How many of the CPUs that `same` puts together with the first there are.
fn together(cx: &Cx, shift: u32) -> u32 {
    let cpus = &cx.hv.platform.cpus;
    let Some(first) = cpus.first() else { return 1 };
    let same = |apic_id: u32| apic_id.checked_shr(shift) == first.apic_id.checked_shr(shift);
    let count = cpus.iter().filter(|cpu| same(cpu.apic_id)).count();
    u32::try_from(count).unwrap_or(1).max(1)
}

/// Bits of an APIC id below the core's number, and below the package's.
fn apic_shifts(cx: &Cx) -> (u32, u32) {
    if cx.cpu.cpuid(0, 0)[0] < 0xb {
        return (0, u32::BITS);
    }
    let [core, package] = [0, 1].map(|level| cx.cpu.cpuid(0xb, level)[0] & 31);
    if package == 0 {
        (0, u32::BITS)
    } else {
        (core, package)
    }
}

/// `XEN_SYSCTL_physinfo`.
pub fn physinfo(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let (_, _, khz) = cx.cpu.tsc_scale();
    let (core, package) = apic_shifts(cx);
    let threads = together(cx, core);
    let leaf1 = cx.cpu.cpuid(1, 0);
    let ext = cx.cpu.cpuid(0x8000_0001, 0);
    let leaf7 = cx.cpu.cpuid(7, 0);
    let xsave = cx.cpu.cpuid(0xd, 1);
    let apm = cx.cpu.cpuid(0x8000_0007, 0);
    let info = SysctlPhysinfo {
        threads_per_core: threads,
        cores_per_socket: (together(cx, package) / threads).max(1),
        nr_cpus: cx.hv.cpus,
        max_cpu_id: cx.hv.cpus.saturating_sub(1),
        nr_nodes: 1,
        max_node_id: 0,
        cpu_khz: u32::try_from(khz).unwrap_or(u32::MAX),
        capabilities: match cx.hv.policies.hvm {
            Some(_) => CAPABILITIES | HVM_CAPABILITIES,
            None => CAPABILITIES,
        },
        arch_capabilities: 0,
        pad: 0,
        total_pages: ram_pages(cx.hv),
        free_pages: free_frames(cx)?,
        scrub_pages: 0,
        outstanding_pages: cx.hv.claims.outstanding(),
        max_mfn: cx.hv.mem.max_mfn().0.saturating_sub(1),
        // The words of Xen's feature set, in its order.
        hw_cap: [
            leaf1[3], leaf1[2], ext[3], ext[2], xsave[0], leaf7[1], leaf7[2], apm[3],
        ],
    };
    call.op.set_arm(&info);
    call.changed = true;
    Ok(0)
}

/// `XEN_SYSCTL_availheap`: bytes free on the one node, or on all. Limits to where they lie are
/// not regarded, as the heap does not count by address.
pub fn free_memory(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: SysctlAvailheap = call.op.arm();
    arg.avail_bytes = if matches!(arg.node, -1 | 0) {
        free_frames(cx)? << machine::PAGE_SHIFT
    } else {
        0
    };
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}

/// Frames of RAM that the firmware lists, the hypervisor's own among them.
fn ram_pages(hv: &Hypervisor) -> u64 {
    let ranges = hv.boot.memory.ranges().iter();
    ranges
        .filter(|range| range.kind == MemoryKind::Ram)
        .fold(0, |pages, range| pages.saturating_add(range.len >> 12))
}
