//! The `mca` hypercall: machine checks, of which none is kept for dom0 to fetch, since one
//! that reaches the hypervisor ends it.

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use machine::{CpuApi, device};
use xen_abi::Errno;
use xen_abi::forms::Payload;
use xen_abi::mca::*;

const MCG_CAP: u32 = 0x179;
const INTEL: &[u8] = b"GenuineIntel";
const AMD: &[u8] = b"AuthenticAMD";

/// The `mca` hypercall. Errors: `EPERM` for all but the control domain; `EFAULT`; `EACCES` for
/// another version of the interface; `EINVAL` for what is not known or not served.
pub fn call(cx: &mut Cx, [arg]: [u64; 1]) -> HyperResult {
    cx.dom.require_privilege()?;
    let ptr = GuestPtr::<Mc>::new(arg);
    let mut op = cx.copy_in(ptr)?;
    if op.interface_version != XEN_MCA_INTERFACE_VERSION {
        return Err(Errno::EACCES.into());
    }
    match op.cmd {
        XEN_MC_fetch => fetch(&mut op)?,
        XEN_MC_physcpuinfo => cpus(cx, &mut op)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    cx.copy_out(ptr, &op)?;
    Ok(0)
}

/// There is nothing to fetch, and nothing to acknowledge.
fn fetch(op: &mut Mc) -> Result<(), Fail> {
    let mut arg: McFetch = op.arm();
    match arg.flags & !XEN_MC_ACK {
        XEN_MC_NONURGENT | XEN_MC_URGENT => {}
        _ => return Err(Errno::EINVAL.into()),
    }
    if arg.flags & XEN_MC_ACK == 0 {
        if arg.data == 0 {
            return Err(Errno::EINVAL.into());
        }
        arg.flags = XEN_MC_NODATA;
        arg.fetch_id = 0;
        op.set_arm(&arg);
    }
    Ok(())
}

/// Lists the CPUs, or counts them where the caller gives no room.
fn cpus(cx: &mut Cx, op: &mut Mc) -> Result<(), Fail> {
    let mut arg: McPhyscpuinfo = op.arm();
    let list = GuestPtr::<McinfoLogicalCpu>::new(arg.info);
    if list.is_null() {
        arg.ncpus = cx.hv.cpus;
    } else {
        if arg.ncpus == 0 || arg.ncpus > i32::MAX as u32 {
            return Err(Errno::EINVAL.into());
        }
        arg.ncpus = arg.ncpus.min(cx.hv.cpus);
        let mut info = processor(cx);
        for cpu in 0..arg.ncpus {
            info.mc_cpunr = cpu;
            info.mc_coreid = cpu as u16;
            info.mc_apicid = device::apic_id(cpu).unwrap_or(u32::MAX);
            cx.copy_out(list.add(cpu.into()), &info)?;
        }
    }
    op.set_arm(&arg);
    Ok(())
}

/// What all CPUs have in common.
fn processor(cx: &Cx) -> McinfoLogicalCpu {
    let [max, b, c, d] = cx.cpu.cpuid(0, 0);
    let [signature, _, features_c, features_d] = cx.cpu.cpuid(1, 0);
    let [_, _, more_c, more_d] = cx.cpu.cpuid(0x8000_0001, 0);
    let mut info = McinfoLogicalCpu {
        mc_ncores: cx.hv.cpus,
        mc_ncores_active: cx.hv.cpus,
        mc_nthreads: 1,
        mc_cpuid_level: max as i32,
        mc_family: signature >> 8 & 0xf,
        mc_model: signature >> 4 & 0xf,
        mc_step: signature & 0xf,
        mc_cpu_caps: [features_d, more_d, 0, 0, features_c, 0, more_c],
        ..Default::default()
    };
    if matches!(info.mc_family, 6 | 0xf) {
        info.mc_model |= signature >> 12 & 0xf0;
    }
    if info.mc_family == 0xf {
        info.mc_family = info.mc_family.saturating_add(signature >> 20 & 0xff);
    }
    let name = [b, d, c].into_iter().flat_map(u32::to_le_bytes);
    fill(&mut info.mc_vendorid, name);
    info.mc_vendor = if info.mc_vendorid.starts_with(INTEL) {
        1
    } else {
        2 * u32::from(info.mc_vendorid.starts_with(AMD))
    };
    let words = (0x8000_0002..=0x8000_0004).flat_map(|leaf| cx.cpu.cpuid(leaf, 0));
    fill(&mut info.mc_brandid, words.flat_map(u32::to_le_bytes));
    if let (Some(first), Some(value)) = (info.mc_msrvalues.first_mut(), cx.cpu.rdmsr(MCG_CAP)) {
        *first = McinfoMsr {
            reg: MCG_CAP.into(),
            value,
        };
        info.mc_nmsrvals = 1;
    }
    info
}

fn fill(text: &mut [u8], from: impl Iterator<Item = u8>) {
    for (to, from) in text.iter_mut().zip(from) {
        *to = from;
    }
}
