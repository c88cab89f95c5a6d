//! Hypercall numbers: the index of a call in the hypercall page (RAX).
//! `xen.h`.

use crate::forms::numbers;

numbers! {
    /// A hypercall number, without its `__HYPERVISOR_` prefix.
    u32, HYPERCALLS;
    SET_TRAP_TABLE = 0;
    MMU_UPDATE = 1;
    SET_GDT = 2;
    STACK_SWITCH = 3;
    SET_CALLBACKS = 4;
    FPU_TASKSWITCH = 5;
    SCHED_OP_COMPAT = 6;
    PLATFORM_OP = 7;
    SET_DEBUGREG = 8;
    GET_DEBUGREG = 9;
    UPDATE_DESCRIPTOR = 10;
    MEMORY_OP = 12;
    MULTICALL = 13;
    UPDATE_VA_MAPPING = 14;
    SET_TIMER_OP = 15;
    EVENT_CHANNEL_OP_COMPAT = 16;
    XEN_VERSION = 17;
    CONSOLE_IO = 18;
    PHYSDEV_OP_COMPAT = 19;
    GRANT_TABLE_OP = 20;
    VM_ASSIST = 21;
    UPDATE_VA_MAPPING_OTHERDOMAIN = 22;
    IRET = 23;
    VCPU_OP = 24;
    SET_SEGMENT_BASE = 25;
    MMUEXT_OP = 26;
    XSM_OP = 27;
    NMI_OP = 28;
    SCHED_OP = 29;
    CALLBACK_OP = 30;
    XENOPROF_OP = 31;
    EVENT_CHANNEL_OP = 32;
    PHYSDEV_OP = 33;
    HVM_OP = 34;
    SYSCTL = 35;
    DOMCTL = 36;
    KEXEC_OP = 37;
    TMEM_OP = 38;
    ARGO_OP = 39;
    XENPMU_OP = 40;
    DM_OP = 41;
    HYPFS_OP = 42;
    ARCH_0 = 48;
    ARCH_1 = 49;
    ARCH_2 = 50;
    ARCH_3 = 51;
    ARCH_4 = 52;
    ARCH_5 = 53;
    ARCH_6 = 54;
    ARCH_7 = 55;
}

/// The machine-check call, the first of the architecture's own.
pub const MCA: u32 = ARCH_0;

/// Size in bytes of a call's slot in the hypercall page.
pub const HYPERCALL_SLOT: usize = 32;

/// The name of a hypercall, as in [`HYPERCALLS`].
#[must_use]
pub fn name(nr: u32) -> Option<&'static str> {
    HYPERCALLS
        .iter()
        .find(|(_, n)| *n == nr)
        .map(|(name, _)| *name)
}
