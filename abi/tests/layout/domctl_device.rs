//! Layouts of `domctl::device`, as a C compiler lays out the public headers.

use xen_abi::domctl::device::*;

layouts! {
    DomctlIrqPermission: 8 { pirq: 0, allow_access: 4, pad: 5 }
    DomctlGsiPermission: 8 { gsi: 0, flags: 4 }
    DomctlIomemPermission: 24 { first_mfn: 0, nr_mfns: 8, allow_access: 16 }
    DomctlIoportPermission: 12 { first_port: 0, nr_ports: 4, allow_access: 8 }
    DomctlAssignDevicePci: 4 { machine_sbdf: 0 }
    DomctlAssignDeviceDt: 16 { size: 0, path: 8 }
    DomctlAssignDevice: 24 { dev: 0, flags: 4, u: 8 }
    DomctlGetDeviceGroup: 24 { machine_sbdf: 0, max_sdevs: 4, num_sdevs: 8, sdev_array: 16 }
    DomctlBindPtIrqIsa: 1 { isa_irq: 0 }
    DomctlBindPtIrqPci: 3 { bus: 0, device: 1, intx: 2 }
    DomctlBindPtIrqMsi: 16 { gvec: 0, gflags: 4, gtable: 8 }
    DomctlBindPtIrqSpi: 2 { spi: 0 }
    DomctlBindPtIrq: 24 { machine_irq: 0, irq_type: 4, u: 8 }
    DomctlMemoryMapping: 32 { first_gfn: 0, first_mfn: 8, nr_mfns: 16, add_mapping: 24, padding: 28 }
    DomctlIoportMapping: 16 { first_gport: 0, first_mport: 4, nr_ports: 8, add_mapping: 12 }
}
