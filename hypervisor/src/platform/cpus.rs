//! Physical CPUs: who they are, and the few registers that tools may read.

use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::hv::Hypervisor;
use crate::say;
use machine::{Cpu, CpuApi, device};
use xen_abi::Errno;
use xen_abi::forms::Payload;
use xen_abi::platform::*;

const IA32_TSC: u64 = 0x10;
const MICROCODE_REVISION: u32 = 0x8b;
const PLATFORM_ID: u32 = 0x17;
const INTEL: &[u8; 12] = b"GenuineIntel";
/// APIC and ACPI ids that a CPU to be added may have, as in Xen.
const MAX_APIC_ID: u32 = 1024;
/// Proximity domains, as in Xen.
const MAX_PXM: u32 = 256;
/// Most entries of one `XENPF_resource_op`, as in Xen.
const MAX_RESOURCES: u32 = 3;

/// `XENPF_get_cpuinfo`.
pub fn info(cx: &mut Cx, op: &mut PlatformOp) -> HyperResult {
    let mut arg: XenpfPcpuinfo = op.arm();
    match device::apic_id(arg.xen_cpuid).filter(|_| arg.xen_cpuid < cx.hv.cpus) {
        Some(apic_id) => {
            let cpus = &cx.hv.platform.cpus;
            let entry = cpus.iter().find(|entry| entry.apic_id == apic_id);
            arg.apic_id = apic_id;
            arg.acpi_id = entry.map_or(u32::MAX, |entry| entry.acpi_id);
            arg.flags = XEN_PCPU_FLAGS_ONLINE;
        }
        None => arg.flags = XEN_PCPU_FLAGS_INVALID,
    }
    arg.max_present = cx.hv.cpus.saturating_sub(1);
    op.set_arm(&arg);
    Ok(0)
}

/// The vendor's twelve letters.
fn vendor(cpu: &Cpu) -> [u8; 12] {
    let [_, b, c, d] = cpu.cpuid(0, 0);
    let mut name = [0; 12];
    for (part, word) in name.chunks_exact_mut(4).zip([b, d, c]) {
        part.copy_from_slice(&word.to_le_bytes());
    }
    name
}

/// Family, model and stepping.
fn signature(cpu: &Cpu) -> (u32, u32, u32) {
    let signature = cpu.cpuid(1, 0)[0];
    let (mut family, mut model) = (signature >> 8 & 0xf, signature >> 4 & 0xf);
    if family == 0xf || family == 6 {
        model |= signature >> 12 & 0xf0;
    }
    if family == 0xf {
        family = family.saturating_add(signature >> 20 & 0xff);
    }
    (family, model, signature & 0xf)
}

/// Says what this CPU is: `cpuinfo`.
pub fn show(hv: &Hypervisor, cpu: &Cpu) {
    let vendor = vendor(cpu);
    let (family, model, stepping) = signature(cpu);
    let mut name = [0u8; 48];
    if cpu.cpuid(0x8000_0000, 0)[0] >= 0x8000_0004 {
        let words = (0x8000_0002u32..=0x8000_0004).flat_map(|leaf| cpu.cpuid(leaf, 0));
        for (part, word) in name.chunks_exact_mut(4).zip(words) {
            part.copy_from_slice(&word.to_le_bytes());
        }
    }
    // The upper half on Intel's processors, the lower one on others.
    let revision = cpu.rdmsr(MICROCODE_REVISION).unwrap_or(0);
    let microcode = if &vendor == INTEL {
        revision >> 32
    } else {
        revision
    };
    say!(
        hv,
        "CPU {}: {} family {family:#x} model {model:#x} stepping {stepping:#x}, microcode \
         {microcode:#x}, APIC {:#x}, {}",
        cpu.id(),
        vendor.escape_ascii(),
        device::apic_id(cpu.id()).unwrap_or(u32::MAX),
        name.split(|byte| *byte == 0)
            .next()
            .unwrap_or_default()
            .trim_ascii()
            .escape_ascii()
    );
}

/// `XENPF_get_cpu_version`. All CPUs are of one kind.
pub fn version(cx: &mut Cx, op: &mut PlatformOp) -> HyperResult {
    let mut arg: XenpfPcpuVersion = op.arm();
    if arg.xen_cpuid < cx.hv.cpus {
        arg.vendor_id = vendor(cx.cpu);
        (arg.family, arg.model, arg.stepping) = signature(cx.cpu);
    } else {
        (arg.vendor_id, arg.family, arg.model, arg.stepping) = ([0; 12], 0, 0, 0);
    }
    arg.max_present = cx.hv.cpus.saturating_sub(1);
    op.set_arm(&arg);
    Ok(0)
}

/// `XENPF_get_ucode_revision`. Errors: `ENOENT` for a CPU that there is not.
pub fn microcode(cx: &mut Cx, op: &mut PlatformOp) -> HyperResult {
    let mut arg: XenpfUcodeRevision = op.arm();
    if arg.cpu >= cx.hv.cpus {
        return Err(Errno::ENOENT.into());
    }
    let value = cx.cpu.rdmsr(MICROCODE_REVISION).unwrap_or(0);
    let intel = &vendor(cx.cpu) == INTEL;
    arg.signature = cx.cpu.cpuid(1, 0)[0];
    arg.pf = 0;
    arg.revision = value as u32;
    if intel {
        arg.revision = (value >> 32) as u32;
        let id = cx.cpu.rdmsr(PLATFORM_ID).unwrap_or(0);
        arg.pf = 1 << (id >> 50 & 7);
    }
    op.set_arm(&arg);
    Ok(0)
}

/// `XENPF_cpu_online`: those that there are, are. Errors: `EINVAL`.
pub fn online(cx: &mut Cx, op: &PlatformOp) -> HyperResult {
    let arg: XenpfCpuOl = op.arm();
    if arg.cpuid < cx.hv.cpus {
        Ok(0)
    } else {
        Err(Errno::EINVAL.into())
    }
}

/// `XENPF_cpu_offline`. Errors: `EINVAL`; `EOPNOTSUPP`: none can be taken down.
pub fn offline(cx: &mut Cx, op: &PlatformOp) -> HyperResult {
    let arg: XenpfCpuOl = op.arm();
    let known = arg.cpuid < cx.hv.cpus;
    Err(if known {
        Errno::EOPNOTSUPP
    } else {
        Errno::EINVAL
    }
    .into())
}

/// `XENPF_cpu_hotadd`. Errors: `EINVAL` for ids that no machine has; `EEXIST` for a CPU that is
/// there; `EOPNOTSUPP`.
pub fn hotadd(cx: &mut Cx, op: &PlatformOp) -> HyperResult {
    let arg: XenpfCpuHotadd = op.arm();
    if arg.apic_id >= MAX_APIC_ID || arg.acpi_id >= MAX_APIC_ID || arg.pxm >= MAX_PXM {
        return Err(Errno::EINVAL.into());
    }
    let known = (0..cx.hv.cpus).any(|cpu| device::apic_id(cpu) == Some(arg.apic_id));
    Err(if known {
        Errno::EEXIST
    } else {
        Errno::EOPNOTSUPP
    }
    .into())
}

/// `XENPF_resource_op`: the time stamp counter, which tools read beside others that are not
/// here. Returns how many entries were served. Errors: `EINVAL`, `ENODEV`, `EFAULT`.
pub fn resource(cx: &mut Cx, op: &PlatformOp) -> HyperResult {
    let arg: XenpfResourceOp = op.arm();
    if arg.nr_entries > MAX_RESOURCES {
        return Err(Errno::EINVAL.into());
    }
    let list = GuestPtr::<XenpfResourceEntry>::new(arg.entries);
    for index in 0..u64::from(arg.nr_entries) {
        cx.copy_in(list.add(index))?;
    }
    if arg.nr_entries != 0 && arg.cpu >= cx.hv.cpus {
        return Err(Errno::ENODEV.into());
    }
    for index in 0..u64::from(arg.nr_entries) {
        let mut entry = cx.copy_in(list.add(index))?;
        let refused = if entry.rsvd != 0 || entry.u > XEN_RESOURCE_OP_MSR_WRITE {
            Errno::EINVAL
        } else if entry.u == XEN_RESOURCE_OP_MSR_READ && entry.idx == IA32_TSC {
            entry.val = cx.cpu.tsc();
            entry.u = 0;
            cx.copy_out(list.add(index), &entry)?;
            continue;
        } else {
            Errno::EACCES
        };
        entry.u = refused.neg() as u32;
        cx.copy_out(list.add(index), &entry)?;
        return Ok(index as i64);
    }
    Ok(i64::from(arg.nr_entries))
}
