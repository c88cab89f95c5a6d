//! The tables of operations: no number stands for two, and the versions are
//! those that the tools of Xen 4.20 send.

use std::collections::BTreeMap;

/// Fails if two names of a table have one number.
fn unique(table: &[(&str, u32)]) {
    let mut seen = BTreeMap::new();
    for &(name, number) in table {
        if let Some(other) = seen.insert(number, name) {
            panic!("{name} and {other} are both {number}");
        }
    }
}

#[test]
fn operations_are_distinct() {
    use xen_abi::*;
    for table in [
        hypercall::HYPERCALLS,
        mmu::MMUEXT_OPS,
        event_channel::EVTCHN_OPS,
        grant_table::GNTTAB_OPS,
        memory::MEMORY_OPS,
        sched::SCHED_OPS,
        vcpu::VCPU_OPS,
        version::XENVER_OPS,
        version::FEATURES,
        physdev::PHYSDEV_OPS,
        callback::CALLBACK_OPS,
        platform::PLATFORM_OPS,
        domctl::DOMCTL_OPS,
        sysctl::SYSCTL_OPS,
        hvm::HVM_OPS,
        hvm::HVM_PARAMS,
        hvm::DM_OPS,
        kexec::KEXEC_OPS,
        argo::ARGO_OPS,
        elfnote::ELFNOTES,
    ] {
        unique(table);
    }
}

#[test]
fn versions() {
    assert_eq!(xen_abi::domctl::XEN_DOMCTL_INTERFACE_VERSION, 0x17);
    assert_eq!(xen_abi::sysctl::XEN_SYSCTL_INTERFACE_VERSION, 0x15);
    assert_eq!(xen_abi::platform::XENPF_INTERFACE_VERSION, 0x0300_0001);
    assert_eq!(xen_abi::xen::XEN_LATEST_INTERFACE_VERSION, 0x0004_1300);
}

#[test]
fn hypercall_names() {
    assert_eq!(xen_abi::hypercall::name(1), Some("MMU_UPDATE"));
    assert_eq!(xen_abi::hypercall::name(11), None);
}
