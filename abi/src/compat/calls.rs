//! Arguments of calls that are neither about memory nor about grants.

use super::{U64, compat};
use crate::mmu::MmuextOp;
use crate::physdev::{PhysdevApic, PhysdevMapPirq, PhysdevPirqEoiGmfn, PhysdevSetIobitmap};
use crate::sched::SchedPoll;
use crate::vcpu::VcpuSetSingleshotTimer;
use crate::version::PlatformParameters;
use crate::xen::MulticallEntry;

compat! {
    /// A call of a `multicall`.
    MulticallEntry => CompatMulticallEntry {
        op: u32,
        result: u32,
        args: [u32; 6],
    }

    /// Where the hypervisor's addresses begin.
    PlatformParameters => CompatPlatformParameters {
        virt_start: u32,
    }

    /// Ports to wait for.
    SchedPoll => CompatSchedPoll {
        ports: u32,
        nr_ports: u32,
        timeout: U64,
    }

    /// A one-shot timer.
    VcpuSetSingleshotTimer => CompatVcpuSetSingleshotTimer {
        timeout_abs_ns: U64,
        flags: u32,
    }

    /// An extended page-table operation.
    MmuextOp => CompatMmuextOp {
        cmd: u32,
        arg1: u32,
        arg2: u32,
    }

    /// A page of interrupts' bits.
    PhysdevPirqEoiGmfn => CompatPhysdevPirqEoiGmfn {
        gmfn: u32,
    }

    /// An I/O bitmap.
    PhysdevSetIobitmap => CompatPhysdevSetIobitmap {
        bitmap: u32,
        nr_ports: u32,
    }

    /// A register of an I/O APIC.
    PhysdevApic => CompatPhysdevApic {
        apic_physbase: u32,
        reg: u32,
        value: u32,
    }

    /// An interrupt to map.
    PhysdevMapPirq => CompatPhysdevMapPirq {
        domid: u16,
        _pad0: u16,
        r#type: i32,
        index: i32,
        pirq: i32,
        bus: i32,
        devfn: i32,
        entry_nr: i32,
        table_base: U64,
    }
}
