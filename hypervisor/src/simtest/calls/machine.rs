//! `physdev_op`, `platform_op`, `xen_version`.

use super::kind::Kind::*;
use super::{Field, Shape, fields};
use xen_abi::physdev::*;
use xen_abi::platform::*;
use xen_abi::version::*;

const IRQ: &[Field] = fields!(PhysdevEoi { irq: Below(40) });
const EOI_PAGE: &[Field] = fields!(PhysdevPirqEoiGmfn { gmfn: Mfn });

pub const PHYSDEV: &[Shape] = &[
    (PHYSDEVOP_eoi, IRQ),
    (PHYSDEVOP_irq_status_query, IRQ),
    (PHYSDEVOP_pirq_eoi_gmfn_v1, EOI_PAGE),
    (PHYSDEVOP_pirq_eoi_gmfn_v2, EOI_PAGE),
    (
        PHYSDEVOP_set_iopl,
        fields!(PhysdevSetIopl { iopl: Below(5) }),
    ),
    (
        PHYSDEVOP_set_iobitmap,
        fields!(PhysdevSetIobitmap {
            bitmap: Va,
            nr_ports: Of(&[0, 8, 65536, 65537])
        }),
    ),
    (
        PHYSDEVOP_map_pirq,
        fields!(PhysdevMapPirq {
            domid: Domid,
            r#type: Below(5),
            index: Below(32),
            pirq: Of(&[0xffff_ffff, 16, 20]),
            bus: Below(2),
            devfn: Below(16),
            entry_nr: Below(3),
        }),
    ),
    (
        PHYSDEVOP_unmap_pirq,
        fields!(PhysdevUnmapPirq {
            domid: Domid,
            pirq: Below(40)
        }),
    ),
    (
        PHYSDEVOP_setup_gsi,
        fields!(PhysdevSetupGsi {
            gsi: Below(32),
            triggering: Below(2),
            polarity: Below(2)
        }),
    ),
    (
        PHYSDEVOP_get_free_pirq,
        fields!(PhysdevGetFreePirq { r#type: Below(3) }),
    ),
    (
        PHYSDEVOP_pci_device_add,
        fields!(PhysdevPciDeviceAdd {
            bus: Below(2),
            devfn: Below(16)
        }),
    ),
];

const CPU: &[Field] = fields!(XenpfCpuOl { cpuid: Cpu });

pub const PLATFORM: &[Shape] = &[
    (
        XENPF_getidletime,
        fields!(XenpfGetidletime {
            cpumap_bitmap: Buffer,
            cpumap_nr_cpus: Of(&[1, 8]),
            idletime: Buffer
        }),
    ),
    (XENPF_get_cpuinfo, CPU),
    (XENPF_get_cpu_version, CPU),
    (XENPF_get_ucode_revision, CPU),
    (XENPF_cpu_online, CPU),
    (XENPF_cpu_offline, CPU),
    (
        XENPF_resource_op,
        fields!(XenpfResourceOp {
            nr_entries: Count,
            cpu: Cpu,
            entries: Buffer
        }),
    ),
    (
        XENPF_settime64,
        fields!(XenpfSettime64 {
            secs: Below(1 << 30),
            nsecs: Below(1 << 30),
            system_time: Below(1 << 20)
        }),
    ),
    (
        XENPF_get_symbol,
        fields!(XenpfSymdata {
            namelen: Below(64),
            symnum: Below(4),
            name: Buffer
        }),
    ),
    (
        XENPF_firmware_info,
        fields!(XenpfFirmwareInfo {
            r#type: Below(6),
            index: Below(4)
        }),
    ),
    (
        XENPF_enter_acpi_sleep,
        fields!(XenpfEnterAcpiSleep {
            sleep_state: Of(&[1, 9]),
            flags: Below(4)
        }),
    ),
];

pub const VERSION: &[Shape] = &[
    (
        XENVER_get_features,
        fields!(FeatureInfo {
            submap_idx: Below(3)
        }),
    ),
    (XENVER_build_id, fields!(BuildId { len: Of(&[0, 20]) })),
];
