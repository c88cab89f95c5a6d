//! The calls that consist of operations, and the others; what of them is left out, and why.

use xen_abi::domctl::{DOMCTL_OPS, XEN_DOMCTL_INTERFACE_VERSION};
use xen_abi::hypercall::*;
use xen_abi::platform::{PLATFORM_OPS, XENPF_INTERFACE_VERSION};
use xen_abi::sysctl::{SYSCTL_OPS, XEN_SYSCTL_INTERFACE_VERSION};
use xen_abi::xen::DOMID_SELF;
use xen_abi::{
    callback, event_channel, grant_table, hvm, kexec, memory, mmu, physdev, pmu, sched, vcpu,
    version,
};

/// How an operation is named in its arguments.
#[derive(Clone, Copy)]
pub enum Form {
    /// Number, address.
    Pointer,
    /// Number, address, count 1.
    Array,
    /// Number, vCPU 0, address.
    Vcpu,
    /// Number, vCPU that there is none, address.
    NoVcpu,
    /// A list of one structure that starts with the number.
    List,
    /// A structure that starts with the number and this version, and is about the caller.
    Versioned(u32),
    /// As `Versioned`, about domain 1, which there is none.
    OtherDomain(u32),
    /// The call has no operations: its first argument is the address, the second the number.
    Plain,
}

/// The first words of a structure.
pub struct Head {
    words: [u64; 2],
    len: usize,
}

impl Head {
    /// The words, with their places.
    pub fn words(&self) -> impl Iterator<Item = (usize, u64)> {
        self.words.into_iter().take(self.len).enumerate()
    }
}

/// A call.
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its number.
    pub nr: u32,
    form: Form,
    /// Its operations.
    pub operations: &'static [(&'static str, u32)],
    /// Operations that end the machine, wait for ever, or pull the ground from under the kernel.
    left_out: &'static [u32],
}

impl Family {
    /// Whether operation `op` is not asked for.
    pub fn leaves_out(&self, op: u32) -> bool {
        self.left_out.contains(&op)
    }

    /// The words that the structure begins with.
    pub fn head(&self, op: u32) -> Head {
        let versioned = |version: u32| u64::from(version) << 32 | u64::from(op);
        let (words, len) = match self.form {
            Form::List => ([op.into(), 0], 1),
            Form::Versioned(version) if self.nr == DOMCTL => ([versioned(version), 0], 2),
            Form::Versioned(version) => ([versioned(version), 0], 1),
            Form::OtherDomain(version) => ([versioned(version), 1], 2),
            _ => ([0; 2], 0),
        };
        Head { words, len }
    }

    /// The call's arguments, of which one is `at`.
    pub fn arguments(&self, op: u32, at: u64) -> [u64; 5] {
        let op = u64::from(op);
        match self.form {
            Form::Pointer => [op, at, 0, 0, 0],
            Form::Array => [op, at, 1, 0, 0],
            Form::Vcpu => [op, 0, at, 0, 0],
            Form::NoVcpu => [op, 4000, at, 0, 0],
            Form::List => [at, 1, 0, DOMID_SELF.into(), 0],
            Form::Versioned(_) | Form::OtherDomain(_) => [at, 0, 0, 0, 0],
            Form::Plain => [at, op, 0, 0, 0],
        }
    }
}

const fn family(
    name: &'static str,
    nr: u32,
    form: Form,
    operations: &'static [(&'static str, u32)],
    left_out: &'static [u32],
) -> Family {
    Family {
        name,
        nr,
        form,
        operations,
        left_out,
    }
}

/// Calls without operations; the number is the second argument.
const ONCE: &[(&str, u32)] = &[("0", 0), ("1", 1), ("max", u32::MAX)];

use Form::{Array, List, NoVcpu, OtherDomain, Plain, Pointer, Vcpu, Versioned};

/// What is asked, in this order.
pub const FAMILIES: &[Family] = &[
    family(
        "xen_version",
        XEN_VERSION,
        Pointer,
        version::XENVER_OPS,
        &[],
    ),
    family(
        "event_channel_op",
        EVENT_CHANNEL_OP,
        Pointer,
        event_channel::EVTCHN_OPS,
        &[],
    ),
    family("memory_op", MEMORY_OP, Pointer, memory::MEMORY_OPS, &[]),
    family(
        "grant_table_op",
        GRANT_TABLE_OP,
        Array,
        grant_table::GNTTAB_OPS,
        &[],
    ),
    family(
        "sched_op",
        SCHED_OP,
        Pointer,
        sched::SCHED_OPS,
        // The end; waits for ever; the end, later.
        &[
            sched::SCHEDOP_shutdown,
            sched::SCHEDOP_block,
            sched::SCHEDOP_poll,
            sched::SCHEDOP_remote_shutdown,
            sched::SCHEDOP_watchdog,
        ],
    ),
    family(
        "vcpu_op",
        VCPU_OP,
        Vcpu,
        vcpu::VCPU_OPS,
        &[vcpu::VCPUOP_down, vcpu::VCPUOP_register_vcpu_info],
    ),
    family("vcpu_op(4000)", VCPU_OP, NoVcpu, vcpu::VCPU_OPS, &[]),
    family("mmuext_op", MMUEXT_OP, List, mmu::MMUEXT_OPS, &[]),
    family(
        "callback_op",
        CALLBACK_OP,
        Pointer,
        callback::CALLBACK_OPS,
        &[],
    ),
    family("nmi_op", NMI_OP, Pointer, callback::NMI_OPS, &[]),
    family("physdev_op", PHYSDEV_OP, Pointer, physdev::PHYSDEV_OPS, &[]),
    family("hvm_op", HVM_OP, Pointer, hvm::hvm_op::HVM_OPS, &[]),
    family(
        "kexec_op",
        KEXEC_OP,
        Pointer,
        kexec::KEXEC_OPS,
        // Xen 4.20 does not survive loading nonsense.
        &[kexec::KEXEC_CMD_kexec_load, kexec::KEXEC_CMD_kexec_load_v1],
    ),
    family("xenpmu_op", XENPMU_OP, Pointer, pmu::PMU_OPS, &[]),
    family(
        "platform_op",
        PLATFORM_OP,
        Versioned(XENPF_INTERFACE_VERSION),
        PLATFORM_OPS,
        &[
            xen_abi::platform::XENPF_enter_acpi_sleep,
            xen_abi::platform::XENPF_cpu_offline,
        ],
    ),
    family(
        "sysctl",
        SYSCTL,
        Versioned(XEN_SYSCTL_INTERFACE_VERSION),
        SYSCTL_OPS,
        &[
            xen_abi::sysctl::XEN_SYSCTL_cpu_hotplug,
            // Reboots, among others.
            xen_abi::sysctl::XEN_SYSCTL_debug_keys,
        ],
    ),
    family(
        "domctl(self)",
        DOMCTL,
        Versioned(XEN_DOMCTL_INTERFACE_VERSION),
        DOMCTL_OPS,
        &[],
    ),
    family(
        "domctl(1)",
        DOMCTL,
        OtherDomain(XEN_DOMCTL_INTERFACE_VERSION),
        DOMCTL_OPS,
        &[],
    ),
    family("update_descriptor", UPDATE_DESCRIPTOR, Plain, ONCE, &[]),
    family("mmu_update", MMU_UPDATE, Plain, ONCE, &[]),
    family("multicall", MULTICALL, Plain, ONCE, &[]),
    family("set_debugreg", SET_DEBUGREG, Plain, ONCE, &[]),
    family(
        "update_va_mapping",
        UPDATE_VA_MAPPING,
        Plain,
        &[("1", 1)],
        &[],
    ),
    family("vm_assist", VM_ASSIST, Pointer, &[("4", 4), ("0", 0)], &[]),
    family(
        "set_segment_base",
        SET_SEGMENT_BASE,
        Pointer,
        &[("4", 4), ("0", 0)],
        &[],
    ),
    family("hypfs_op", HYPFS_OP, Pointer, ONCE, &[]),
    family("argo_op", ARGO_OP, Pointer, ONCE, &[]),
    family("dm_op", DM_OP, Pointer, ONCE, &[]),
    family("tmem_op", TMEM_OP, Pointer, ONCE, &[]),
    family("xenoprof_op", XENOPROF_OP, Pointer, ONCE, &[]),
    family("xsm_op", XSM_OP, Plain, ONCE, &[]),
    family("mca", MCA, Plain, ONCE, &[]),
    family("set_gdt", SET_GDT, Plain, &[("8000", 8000)], &[]),
];
