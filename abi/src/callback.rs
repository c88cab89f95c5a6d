//! The `callback_op` and `nmi_op` hypercalls. `callback.h`, `nmi.h`.

use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of the `callback_op` hypercall.
    u32, CALLBACK_OPS;
    CALLBACKOP_register = 0;
    CALLBACKOP_unregister = 1;
}

numbers! {
    /// A type of [`CallbackRegister::type`].
    u16;
    CALLBACKTYPE_event = 0;
    CALLBACKTYPE_failsafe = 1;
    CALLBACKTYPE_syscall = 2;
    CALLBACKTYPE_sysenter_deprecated = 3;
    CALLBACKTYPE_nmi = 4;
    CALLBACKTYPE_sysenter = 5;
    CALLBACKTYPE_syscall32 = 7;
}

numbers! {
    /// A flag of [`CallbackRegister::flags`]: mask events on entry.
    u16;
    CALLBACKF_mask_events = 1;
}

numbers! {
    /// An operation of the `nmi_op` hypercall.
    u32, NMI_OPS;
    XENNMI_register_callback = 0;
    XENNMI_unregister_callback = 1;
}

numbers! {
    /// A bit of the shared page's `nmi_reason`.
    u64;
    XEN_NMIREASON_io_error = 1;
    XEN_NMIREASON_pci_serr = 1 << 1;
    XEN_NMIREASON_unknown = 1 << 2;
}

/// Registers an entry point.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CallbackRegister {
    pub r#type: u16,
    pub flags: u16,
    pub _pad0: u32,
    pub address: u64,
}

/// Removes an entry point.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CallbackUnregister {
    pub r#type: u16,
    pub _unused: u16,
}

/// Registers the handler of NMIs.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XennmiCallback {
    pub handler_address: u64,
    pub pad: u64,
}
