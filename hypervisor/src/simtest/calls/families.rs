//! The calls that consist of operations, and how an operation is named in each.

use xen_abi::domctl::{DOMCTL_OPS, XEN_DOMCTL_INTERFACE_VERSION};
use xen_abi::hvm::hvm_op;
use xen_abi::hypercall as nr;
use xen_abi::platform::{PLATFORM_OPS, XENPF_INTERFACE_VERSION};
use xen_abi::sysctl::{SYSCTL_OPS, XEN_SYSCTL_INTERFACE_VERSION};
use xen_abi::{callback, event_channel, grant_table, memory, mmu, physdev, sched, vcpu, version};

/// How an operation of a call is named in its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Number, address of a structure.
    Pointer,
    /// Number, address of an array, count.
    Array,
    /// Number, vCPU, address of a structure.
    Vcpu,
    /// A list of one structure, which starts with the number; `mmuext_op`.
    List,
    /// A structure that starts with the number and this version of the interface.
    Versioned(u32),
}

/// A call that consists of operations.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its number.
    pub nr: u32,
    /// How its operations are named.
    pub form: Form,
    /// Their names and numbers.
    pub ops: &'static [(&'static str, u32)],
}

const fn of(nr: u32, form: Form, ops: &'static [(&'static str, u32)]) -> Family {
    Family { nr, form, ops }
}

/// All of them.
pub const FAMILIES: &[Family] = &[
    of(
        nr::PLATFORM_OP,
        Form::Versioned(XENPF_INTERFACE_VERSION),
        PLATFORM_OPS,
    ),
    of(nr::MEMORY_OP, Form::Pointer, memory::MEMORY_OPS),
    of(nr::XEN_VERSION, Form::Pointer, version::XENVER_OPS),
    of(nr::GRANT_TABLE_OP, Form::Array, grant_table::GNTTAB_OPS),
    of(nr::VCPU_OP, Form::Vcpu, vcpu::VCPU_OPS),
    of(nr::MMUEXT_OP, Form::List, mmu::MMUEXT_OPS),
    of(nr::NMI_OP, Form::Pointer, callback::NMI_OPS),
    of(nr::SCHED_OP, Form::Pointer, sched::SCHED_OPS),
    of(nr::CALLBACK_OP, Form::Pointer, callback::CALLBACK_OPS),
    of(
        nr::EVENT_CHANNEL_OP,
        Form::Pointer,
        event_channel::EVTCHN_OPS,
    ),
    of(nr::PHYSDEV_OP, Form::Pointer, physdev::PHYSDEV_OPS),
    of(nr::HVM_OP, Form::Pointer, hvm_op::HVM_OPS),
    of(
        nr::SYSCTL,
        Form::Versioned(XEN_SYSCTL_INTERFACE_VERSION),
        SYSCTL_OPS,
    ),
    of(
        nr::DOMCTL,
        Form::Versioned(XEN_DOMCTL_INTERFACE_VERSION),
        DOMCTL_OPS,
    ),
];

/// The family of a call.
pub fn family(call: u32) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.nr == call)
}
