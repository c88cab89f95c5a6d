//! Layouts of `physdev`, as a C compiler lays out the public headers.

use xen_abi::physdev::*;

layouts! {
    PhysdevEoi: 4 { irq: 0 }
    PhysdevPirqEoiGmfn: 8 { gmfn: 0 }
    PhysdevIrqStatusQuery: 8 { irq: 0, flags: 4 }
    PhysdevSetIopl: 4 { iopl: 0 }
    PhysdevSetIobitmap: 16 { bitmap: 0, nr_ports: 8 }
    PhysdevApic: 16 { apic_physbase: 0, reg: 8, value: 12 }
    PhysdevIrq: 8 { irq: 0, vector: 4 }
    PhysdevMapPirq: 40 { domid: 0, r#type: 4, index: 8, pirq: 12, bus: 16, devfn: 20, entry_nr: 24, table_base: 32 }
    PhysdevUnmapPirq: 8 { domid: 0, pirq: 4 }
    PhysdevManagePci: 2 { bus: 0, devfn: 1 }
    PhysdevRestoreMsi: 2 { bus: 0, devfn: 1 }
    PhysdevManagePciExtPhysfn: 2 { bus: 0, devfn: 1 }
    PhysdevManagePciExt: 16 { bus: 0, devfn: 1, is_extfn: 4, is_virtfn: 8, physfn: 12 }
    PhysdevOp: 24 { cmd: 0, u: 8 }
    PhysdevSetupGsi: 8 { gsi: 0, triggering: 4, polarity: 5 }
    PhysdevGetFreePirq: 8 { r#type: 0, pirq: 4 }
    PhysdevPciMmcfgReserved: 16 { address: 0, segment: 8, start_bus: 10, end_bus: 11, flags: 12 }
    PhysdevPciDeviceAddPhysfn: 2 { bus: 0, devfn: 1 }
    PhysdevPciDeviceAdd: 12 { seg: 0, bus: 2, devfn: 3, flags: 4, physfn: 8 }
    PciDeviceReset: 8 { dev: 0, flags: 4 }
    PhysdevDbgpOp: 6 { op: 0, bus: 1, u: 2 }
}
