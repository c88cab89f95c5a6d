//! Layouts of `platform::op`, as a C compiler lays out the public headers.

use xen_abi::platform::op::*;

layouts! {
    XenpfSettime32: 16 { secs: 0, nsecs: 4, system_time: 8 }
    XenpfSettime64: 24 { secs: 0, nsecs: 8, mbz: 12, system_time: 16 }
    XenpfAddMemtype: 32 { mfn: 0, nr_mfns: 8, r#type: 16, handle: 20, reg: 24 }
    XenpfDelMemtype: 8 { handle: 0, reg: 4 }
    XenpfReadMemtype: 32 { reg: 0, mfn: 8, nr_mfns: 16, r#type: 24 }
    XenpfMicrocodeUpdate: 16 { data: 0, length: 8 }
    XenpfMicrocodeUpdate2: 16 { flags: 0, length: 4, data: 8 }
    XenpfPlatformQuirk: 4 { quirk_id: 0 }
    XenpfEnterAcpiSleep: 12 { val_a: 0, val_b: 2, sleep_state: 4, flags: 8 }
    XenpfChangeFreq: 16 { flags: 0, cpu: 4, freq: 8 }
    XenpfGetidletime: 32 { cpumap_bitmap: 0, cpumap_nr_cpus: 8, idletime: 16, now: 24 }
    XenpfPcpuinfo: 20 { xen_cpuid: 0, max_present: 4, flags: 8, apic_id: 12, acpi_id: 16 }
    XenpfPcpuVersion: 32 { xen_cpuid: 0, max_present: 4, vendor_id: 8, family: 20, model: 24, stepping: 28 }
    XenpfCpuOl: 4 { cpuid: 0 }
    XenpfCpuHotadd: 12 { apic_id: 0, acpi_id: 4, pxm: 8 }
    XenpfMemHotadd: 24 { spfn: 0, epfn: 8, pxm: 16, flags: 20 }
    XenpfCoreParking: 8 { r#type: 0, idle_nums: 4 }
    XenpfResourceEntry: 24 { u: 0, rsvd: 4, idx: 8, val: 16 }
    XenpfResourceOp: 16 { nr_entries: 0, cpu: 4, entries: 8 }
    XenpfSymdata: 32 { namelen: 0, symnum: 4, name: 8, address: 16, r#type: 24 }
    XenpfUcodeRevision: 16 { cpu: 0, signature: 4, pf: 8, revision: 12 }
    PlatformOp: 136 { u: 8 }
}
