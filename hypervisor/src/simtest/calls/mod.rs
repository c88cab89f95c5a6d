//! The calls that guests make: for each operation what its argument looks like.
//!
//! An operation's argument is described once, by the fields that mean something ([`Field`]);
//! from that the generator makes arguments that are mostly sound, with hostile values always
//! possible. An operation without a description is made with small numbers.

mod control;
mod events;
mod families;
mod grants;
mod kind;
mod machine;
mod memory;
mod plain;
mod served;
mod vcpus;

pub use families::{FAMILIES, Family, Form, family};
pub use kind::{Field, Kind};
pub use plain::PLAIN;
pub use served::{answer, served};

use xen_abi::hypercall as nr;

/// An operation's number and the fields of its argument.
pub type Shape = (u32, &'static [Field]);

/// The fields of an operation's argument.
pub fn shape(call: u32, op: u32) -> &'static [Field] {
    let shapes: &[Shape] = match call {
        nr::EVENT_CHANNEL_OP => events::EVENTS,
        nr::GRANT_TABLE_OP => grants::GRANTS,
        nr::MEMORY_OP => memory::MEMORY,
        nr::MMUEXT_OP => memory::MMUEXT,
        nr::VCPU_OP => vcpus::VCPU,
        nr::SCHED_OP => vcpus::SCHED,
        nr::CALLBACK_OP => vcpus::CALLBACK,
        nr::NMI_OP => vcpus::NMI,
        nr::HVM_OP => vcpus::HVM,
        nr::PHYSDEV_OP => machine::PHYSDEV,
        nr::PLATFORM_OP => machine::PLATFORM,
        nr::XEN_VERSION => machine::VERSION,
        nr::SYSCTL => control::SYSCTL,
        nr::DOMCTL => control::DOMCTL,
        _ => &[],
    };
    shapes
        .iter()
        .find(|(number, _)| *number == op)
        .map_or(&[], |(_, fields)| fields)
}

/// Describes fields of a structure of `xen_abi`.
macro_rules! fields {
    ($ty:ident { $($field:ident $(. $inner:ident)*: $kind:expr),* $(,)? }) => {
        &[$($crate::simtest::calls::Field {
            at: core::mem::offset_of!($ty, $field $(. $inner)*) as u16,
            size: $crate::simtest::calls::kind::size(|s: &$ty| &s.$field $(. $inner)*),
            kind: $kind,
        }),*]
    };
}
use fields;
